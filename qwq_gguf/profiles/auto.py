"""Which shipped profile fits a model, by what its GGUF says about itself.

What a profile is made for stands in its own file (`qwq_gguf.profiles.fits`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles.fits import Fits
from qwq_gguf.profiles.load import DEFAULT_PROFILE, load_profile, profile_names
from qwq_gguf.profiles.profile import Profile
from qwq_gguf.thinking import ThoughtForm, ThoughtStart, form_of

__all__ = ["Choice", "choose_profile", "family_of", "is_reasoner", "made_for"]

_CLOSED = ThoughtStart.CLOSED


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile's name, and why it.

    `profile` is None for a model that no shipped profile is made for: then only what its
    file says counts. Any profile only lends what the author of the file leaves open.
    """

    profile: str | None
    reason: str


def family_of(metadata: Mapping[str, KeyValue]) -> tuple[str, str] | None:
    """The profile of the reasoning family that a model's names name, and the reason.

    It says that the model thinks. A model of another architecture is of no family.
    """
    found = [
        (len(named[0]), profile.name, named[1])
        for profile, fits in _fits()
        if (named := fits.named(metadata)) is not None
    ]
    if not found:
        return None
    _, name, reason = max(found, key=lambda each: each[0])
    return name, reason


def is_reasoner(metadata: Mapping[str, KeyValue]) -> bool:
    """Whether the model is of a family that is known to think, whatever its template shows."""
    if family_of(metadata) is not None:
        return True
    sure = [fits for _, fits in _fits() if fits.thinks and fits.architecture(metadata)]
    return bool(sure) and any(fits.match(metadata, form_of(metadata)) for fits in sure)


def made_for(metadata: Mapping[str, KeyValue]) -> Profile | None:
    """The profile that is made for a model, on or off; None for one that no profile fits."""
    form = form_of(metadata)
    found = [
        (fits.certainty, profile.name, profile)
        for profile, fits in _fits()
        if fits.match(metadata, form)
    ]
    return max(found, key=lambda each: each[:2])[2] if found else None


def choose_profile(metadata: Mapping[str, KeyValue], *, thinking: bool | None = None) -> Choice:
    """Choose by architecture, and by what the model's chat template does about thoughts.

    `thinking` is whether thoughts are turned on or off; None for the template's default.
    Whatever thinks and is nothing else is run as QwQ is, with the numbers that its author
    gives. What does not think has none of our numbers, but those that its family is run with
    in either case.
    """
    form, family = form_of(metadata), family_of(metadata)
    if family is not None and form.start(True) is not _CLOSED:
        name, reason = family
        if any(fits.has_shape(metadata) for p, fits in _fits() if p.name == name and fits.names):
            return Choice(name, reason)
        return Choice(name, f"{reason}, though of another shape")
    thinks, made = _thinks(metadata, form, thinking), made_for(metadata)
    if made is not None and (thinks or any(fits.always for fits in made.fits)):
        kind = f"it is a {metadata['general.architecture'].value} model"
        shown = "that thinks, by its chat template"
        return Choice(made.name, f"{kind} {shown if thinks else 'of the family it is made for'}")
    if not thinks:
        return Choice(None, _why_not(form, thinking))
    return Choice(DEFAULT_PROFILE, "its chat template says that it thinks")


@lru_cache(maxsize=1)
def _fits() -> tuple[tuple[Profile, Fits], ...]:
    """Everything that any shipped profile is made for."""
    profiles = map(load_profile, profile_names())
    return tuple((profile, fits) for profile in profiles for fits in profile.fits)


def _thinks(metadata: Mapping[str, KeyValue], form: ThoughtForm, thinking: bool | None) -> bool:
    if thinking is False or form.start(thinking) is _CLOSED:
        return False
    known = form.thinks if thinking is None else form.can_think
    return known or is_reasoner(metadata)


def _why_not(form: ThoughtForm, thinking: bool | None) -> str:
    if thinking is False:
        return "thoughts are turned off"
    if form.start(thinking) is _CLOSED:
        return "its chat template closes the thought before the reply begins"
    return "nothing says that it thinks"
