"""Units of measure, so that 5 km is 5000 m. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["KNOWN", "unit_after", "unit_named"]

# Each dimension: the names of a unit, and how many of the first one it is.
_TABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "length": (
        ("m metre metres meter meters", "1"),
        ("mm millimetre millimetres millimeter millimeters", "1/1000"),
        ("cm centimetre centimetres centimeter centimeters", "1/100"),
        ("km kilometre kilometres kilometer kilometers kms", "1000"),
        ("in inch inches", "0.0254"),
        ("ft foot feet", "0.3048"),
        ("yd yard yards", "0.9144"),
        ("mi mile miles", "1609.344"),
    ),
    "mass": (
        ("g gram grams gramme grammes", "1"),
        ("mg milligram milligrams", "1/1000"),
        ("kg kilogram kilograms kilo kilos kgs", "1000"),
        ("t tonne tonnes", "1000000"),
        ("lb lbs pound pounds", "453.59237"),
        ("oz ounce ounces", "28.349523125"),
    ),
    "time": (
        ("s sec secs second seconds", "1"),
        ("min mins minute minutes", "60"),
        ("h hr hrs hour hours", "3600"),
        ("day days", "86400"),
        ("week weeks", "604800"),
    ),
    "volume": (
        ("l litre litres liter liters", "1"),
        ("ml millilitre millilitres milliliter milliliters", "1/1000"),
        ("cl centilitre centilitres centiliter centiliters", "1/100"),
    ),
    "money": (("dollar dollars usd", "1"), ("cent cents", "1/100")),
    "speed": (
        ("km/h kph kmh km/hr", "1"),
        ("mph mi/h", "1.609344"),
        ("m/s", "3.6"),
    ),
    "area": (
        ("m^2 m2 m² sqm", "1"),
        ("cm^2 cm2 cm²", "1/10000"),
        ("km^2 km2 km²", "1000000"),
    ),
}
KNOWN: dict[str, tuple[str, Fraction]] = {
    name: (dimension, Fraction(factor))
    for dimension, units in _TABLE.items()
    for names, factor in units
    for name in names.split()
}
"""A unit's name: what it measures, and how many of that dimension's first unit it is."""

_WORDS = (
    (re.compile(r"\b(?:kilomet(?:re|er)s?|km) (?:per|an) hour\b", re.I), "km/h"),
    (re.compile(r"\bmiles? (?:per|an) hour\b", re.I), "mph"),
    (re.compile(r"\b(?:met(?:re|er)s?|m) (?:per|a) second\b", re.I), "m/s"),
    (re.compile(r"\b(?:square|sq\.?) ?(centimet(?:re|er)s?|cm)\b", re.I), "cm^2"),
    (re.compile(r"\b(?:square|sq\.?) ?(kilomet(?:re|er)s?|km)\b", re.I), "km^2"),
    (re.compile(r"\b(?:square|sq\.?) ?(met(?:re|er)s?|m)\b", re.I), "m^2"),
)
_UNIT = re.compile(r"[\s\u2009\-]?\s?([A-Za-z]+(?:/[A-Za-z]+|\^?\{?[23]\}?|[²³])?)")


def unit_named(name: str) -> tuple[str, Fraction] | None:
    """The dimension and size of a unit, None for one that is not known."""
    for pattern, short in _WORDS:
        name = pattern.sub(short, name)
    name = name.strip().replace("{", "").replace("}", "")
    return KNOWN.get(name) or KNOWN.get(name.lower())


def unit_after(text: str, at: int) -> tuple[str, Fraction] | None:
    """The unit that follows a number which ends at `at`."""
    said = text[at : at + 40]
    for pattern, short in _WORDS:
        said = pattern.sub(short, said)
    found = _UNIT.match(said)
    return None if found is None else unit_named(found[1])
