"""Arithmetic from text to an exact fraction, by a parser of its own with limits throughout.

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/" | "//" | "%") signed)*
    signed  = ("+" | "-") signed | power
    power   = atom (("**" | "^") signed)?
    atom    = number | "(" sum ")"

Every limit is checked before the work is done: 9**9**9 costs nothing.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction

from qwq_gguf.errors import ToolError

__all__ = ["evaluate", "plain"]

_MAX_TEXT = 1000
_MAX_DEPTH = 50
_MAX_BITS = 10_000  # of a numerator or denominator: about 3,000 digits
_EXACT_PLACES = 40
_ROUNDED_DIGITS = 20

_SPELLINGS = str.maketrans(
    {"\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-"}
)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+\.?\d*|\.\d+)"
    r"(?P<exponent>[eE][+-]?\d{1,4})?"
    r"|(?P<sign>\*\*|//|[-+*/%^()xX]))",
    re.ASCII,
)


def evaluate(text: str) -> Fraction:
    """The exact value of an arithmetic expression.

    Besides the grammar above: ``x``, a multiplication sign or dot for ``*``, a division
    sign for ``/``, thousands separators, and ``=`` at the end. ToolError says what is
    wrong: what could not be read, a division by zero, a number beyond 3,000 digits.
    """
    if len(text) > _MAX_TEXT:
        raise ToolError(f"the expression is longer than {_MAX_TEXT} characters")
    parser = _Parser(_tokens(text.translate(_SPELLINGS).strip().removesuffix("=").rstrip()))
    value = parser.sum()
    if parser.next is not None:
        raise ToolError(f"unexpected {parser.next!r}")
    return value


def _tokens(text: str) -> list[str | Fraction]:
    tokens: list[str | Fraction] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ToolError(f"cannot read {text[at : at + 20].strip()!r}")
        at = match.end()
        if match["number"] is None:
            tokens.append({"x": "*", "X": "*", "^": "**"}.get(match["sign"], match["sign"]))
            continue
        power = int(match["exponent"][1:]) if match["exponent"] else 0
        if abs(power) > _MAX_BITS // 4:
            raise ToolError("the number is too large")
        tokens.append(Fraction(match["number"].replace(",", "")) * Fraction(10) ** power)
    return tokens


class _Parser:
    """Recursive descent over the tokens, evaluating as it goes."""

    def __init__(self, tokens: list[str | Fraction]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> str | None:
        """The token to come, as text; None at the end."""
        return str(self._tokens[self._at]) if self._at < len(self._tokens) else None

    def _take(self, *signs: str) -> str | None:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if isinstance(token, str) and token in signs:
            self._at += 1
            return token
        return None

    def sum(self) -> Fraction:
        value = self._product()
        while sign := self._take("+", "-"):
            other = self._product()
            value = _bounded(value + other if sign == "+" else value - other)
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._take("*", "/", "//", "%"):
            other = self._signed()
            if sign != "*" and other == 0:
                raise ToolError("division by zero")
            if sign == "*":
                value = value * other
            elif sign == "/":
                value = value / other
            elif sign == "//":
                value = Fraction(value // other)
            else:
                value = value % other
            _bounded(value)
        return value

    def _signed(self) -> Fraction:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ToolError("the expression is nested too deeply")
        sign = self._take("+", "-")
        value = self._power() if sign is None else self._signed()
        self._depth -= 1
        return -value if sign == "-" else value

    def _power(self) -> Fraction:
        base = self._atom()
        if not self._take("**"):
            return base
        exponent = self._signed()
        if exponent.denominator != 1:
            raise ToolError("the exponent is not a whole number")
        if base == 0 and exponent < 0:
            raise ToolError("division by zero")
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits > 1 and (bits - 1) * abs(exponent) > _MAX_BITS:
            raise ToolError("the result is too large")
        if bits <= 1:  # 0, 1 and -1 stay small whatever the exponent
            exponent = exponent if base >= 0 and exponent == 0 else 2 - exponent % 2
        return _bounded(base ** int(exponent))

    def _atom(self) -> Fraction:
        if self._take("("):
            value = self.sum()
            if not self._take(")"):
                raise ToolError("a closing parenthesis is missing")
            return value
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None:
            raise ToolError("the expression ends too early")
        if isinstance(token, str):
            raise ToolError(f"unexpected {token!r}")
        self._at += 1
        return token


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise ToolError("the result is too large")
    return value


def plain(value: Fraction) -> str:
    """`value` as decimal text: exact where 40 decimal places hold it, else 20 digits."""
    if value.denominator == 1:
        return str(value.numerator)
    places = _places(value.denominator)
    if places is not None and places <= _EXACT_PLACES:
        digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
        return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    near = Context(prec=_ROUNDED_DIGITS).divide(
        Decimal(value.numerator), Decimal(value.denominator)
    )
    return f"{near:f}" if abs(near) > Decimal("1e-30") else f"{near:e}"


def _places(denominator: int) -> int | None:
    """Decimal places that hold 1/denominator exactly, or None."""
    counts = []
    for prime in (2, 5):
        count = 0
        while denominator % prime == 0:
            denominator //= prime
            count += 1
        counts.append(count)
    return max(counts) if denominator == 1 else None
