"""The numbers in an answer, however they are written: LaTeX, Markdown, separators, minus signs.

Pure. `plain` takes the markup away, `numerals` finds the numbers in what is left and says
which of them are only parts of a sum that is still to be done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd

__all__ = ["BOLD", "Numeral", "numerals", "plain"]

BOLD = ("\u27e6", "\u27e7")
"""What `plain` puts around a text that was bold."""

_THIN = "\u2009"  # every blank that is not a plain one
_MOST_DIGITS = 400
_MOST_POWER = 60

_CHARACTERS = {
    **{0xFF10 + digit: str(digit) for digit in range(10)},
    **dict.fromkeys(map(ord, "\uff0b"), "+"),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"), "-"),
    **dict.fromkeys([0xA0, *range(0x2002, 0x2009), 0x200A, 0x202F, ord("~")], _THIN),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff`"), ""),
    **{0xFF0C: ",", 0xFF0E: ".", 0xFF1A: ":", 0xFF1D: "=", 0x3002: ". ", 0x2019: "'"},
}  # fmt: skip
_COMMANDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        (r"\\\\", "\n"),
        (r"\{,\}", ","),
        (r"\\!", ""),
        (r"\\[,;: ]|&nbsp;|&thinsp;", _THIN),
        (r"\\[()\[\]]|\\?\$", " "),
        (r"\\(?:times|cdot)(?![a-zA-Z])", "\u00d7"),
        (r"\\div(?![a-zA-Z])", "÷"),
        (r"\\(?:gt|greater)(?![a-zA-Z])|&gt;", ">"),
        (r"\\(?:lt|less)(?![a-zA-Z])|&lt;", "<"),
        (r"\\(?:to|rightarrow|Rightarrow|implies)(?![a-zA-Z])", "→"),
        (r"\\(?:left|right|displaystyle|quad|qquad|[bB]igg?[lr]?)(?![a-zA-Z])", " "),
        (r"\\%", "%"),
        (r"&minus;", "-"),
    )
)
_WRAPPED = re.compile(
    r"\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|it|sf|bb)|operatorname|boldsymbol|emph|underline"
    r"|mbox|boxed)\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*\{\s*(-?\d{1,400})\s*\}\s*\{\s*(\d{1,400})\s*\}")
_STRONG = re.compile(r"\*\*([^*\n]{1,400})\*\*|__([^_\n]{1,400})__|<(?:b|strong)>([^<\n]{1,400})</")
_ITALIC = re.compile(r"(?<![\w)\]}*])\*([^*\s][^*\n]{0,400})\*(?![\w(*])")
_NESTED = 4  # how deep wrappers are opened: \text{\textbf{5}} is 2

_NUMERAL = re.compile(
    r"""
    (?<!\w)(?<!\d\.)
    (?P<number>
      (?: \d{1,3}(?P<gap>[,'_\u2009\x20])\d{3}(?:(?P=gap)\d{3})*(?!\d)
        | \d{1,2}(?:,\d{2})+,\d{3}(?!\d)
        | \d+ )
      (?:\.\d+)?
    | \.\d+ )
    (?: \u2044(?P<under>\d+)
      | \s*[\u00d7*]\s*10\s*(?:\^|\*\*)\s*\{?\s*(?P<power>[+-]?\d{1,3})\s*\}?
      | \s*[\u00d7*]\s*10(?P<raised>[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,3})
      | [ \u2009](?P<word>thousand|million|billion)\b
      | (?P<other>[eE][+-]?\d+ | (?:st|nd|rd|th)\b | \s?%) )?
    """,
    re.VERBOSE,
)
_RAISED = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "0123456789"
)
_WORDS = {"thousand": 3, "million": 6, "billion": 9}

_MARKS = r"[\s(){}\[\]" + "".join(BOLD) + "]*"
_OPERATOR = re.compile(
    _MARKS
    + r"(?:[-+*\u00d7÷·⋅/^]|\*\*|(?:plus|minus|times|multiplied\sby|divided\sby|over|added\sto"
    r"|subtracted\sfrom)\b)" + _MARKS,
    re.IGNORECASE,
)
_JOINED = re.compile(_MARKS + r"(?:and|by|from|to|with|or|&|,|vs\.?)" + _MARKS, re.IGNORECASE)
_NEGATIVE = re.compile(r"(?:\bnegative|\bminus)\s+$", re.IGNORECASE)
_ITEM = re.compile(r"^[ \t]*\(?(\d{1,2})[.):][ \t]+(?=\S)", re.MULTILINE)
_STEP = re.compile(r"\b(?:step|line|method|part|example|option|way|base|equation)\s+$", re.I)
_COUNTED = re.compile(r"\s*-?(?:steps?|digits?|decimals?|decimal places|places|questions?)\b", re.I)


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in a text. `operand`: it only takes part in a sum or repeats the question."""

    value: Fraction
    start: int
    end: int
    operand: bool = False


# Many patterns skip blanks from each of their beginnings: time for the square of a long run.
_BLANKS = re.compile(r"\s{3,}")


def _short_blanks(run: re.Match[str]) -> str:
    return "\n\n" if "\n" in run[0] else " "


def plain(text: str) -> str:
    """`text` with one spelling of digits, signs and blanks, and without LaTeX and Markdown."""
    text = _BLANKS.sub(_short_blanks, text.translate(_CHARACTERS))
    for pattern, written in _COMMANDS:
        text = pattern.sub(written, text)
    for _ in range(_NESTED):
        text, found = _WRAPPED.subn(r"\1", text)
        if not found:
            break
    text = _FRACTION.sub("\\1\u2044\\2", text)
    text = re.sub(r"(?<=\d)\s{0,3}[xX]\s{0,3}(?=\d)", "\u00d7", text)
    text = _STRONG.sub(lambda m: f"{BOLD[0]}{m[1] or m[2] or m[3]}{BOLD[1]}", text)
    return _ITALIC.sub(r"\1", text)


def numerals(text: str, asked: tuple[Fraction, ...] = ()) -> tuple[Numeral, ...]:
    """The numbers in a `plain` text, but for ordinals, percentages and the numbers of steps.

    `asked` are the numbers of the question: two numbers joined by "and" are operands if they
    are those.
    """
    items = _items(text)
    found: list[Numeral] = []
    for match in _NUMERAL.finditer(text):
        if (
            match.start() in items
            or match["other"]
            or _STEP.search(text, max(0, match.start() - 12), match.start())
        ):
            continue
        if _COUNTED.match(text, match.end()):
            continue
        value = _value(match)
        if value is None:
            continue
        start, negative = _sign(text, match.start(), found)
        found.append(Numeral(-value if negative else value, start, match.end()))
    operands: set[int] = set()
    for at, (one, two) in enumerate(pairwise(found)):
        gap = text[one.end : two.start]
        restated = _JOINED.fullmatch(gap) and sorted((one.value, two.value)) == sorted(asked)
        if restated or _joins(gap):
            operands |= {at, at + 1}
    return tuple(
        Numeral(one.value, one.start, one.end, at in operands) for at, one in enumerate(found)
    )


def _joins(gap: str) -> bool:
    if len(gap) > 40 or not _OPERATOR.fullmatch(gap):
        return False
    # A dash or star at the beginning of a line is a bullet more often than an operator.
    return "\n" not in gap or not re.search("[-*]", gap)


def _items(text: str) -> set[int]:
    """Where the numbers of a list are that counts 1, 2, ..."""
    marks = list(_ITEM.finditer(text))
    if [int(mark[1]) for mark in marks[:2]] != [1, 2]:
        return set()
    return {mark.start(1) for mark in marks}


def _value(match: re.Match[str]) -> Fraction | None:
    digits = re.sub(r"[^\d.]", "", match["number"])
    if len(digits) > _MOST_DIGITS:
        return None
    value = Fraction(digits)
    if match["under"]:
        under = int(match["under"][:_MOST_DIGITS])
        # 6/2 repeats a question; what has been worked out is in its lowest terms.
        if not under or value.denominator != 1 or gcd(int(value), under) != 1:
            return None
        return value / under
    power = match["power"] or (match["raised"] or "").translate(_RAISED)
    exponent = int(power) if power else _WORDS.get(match["word"] or "", 0)
    return None if abs(exponent) > _MOST_POWER else value * Fraction(10) ** exponent


def _sign(text: str, start: int, found: list[Numeral]) -> tuple[int, bool]:
    """Where a number begins with its sign, and whether that is a minus."""
    before = text[max(0, start - 20) : start]
    if word := _NEGATIVE.search(before):
        at = start - len(word.group())
        follows = found and not text[found[-1].end : at].strip()
        return (start, False) if follows else (at, True)
    bare = before.rstrip(" \u2009")
    if not bare.endswith(("-", "+")):
        return start, False
    at = start - len(before) + len(bare) - 1
    ahead = text[max(0, at - 20) : at].rstrip(" \u2009")
    after = ahead[-1:]
    if after.isalnum() and ahead.endswith(text[at - 1 : at] or "\0"):
        return start, False  # well-5, 3-8
    if after.isdigit() or after in (")", "}", "%"):
        return start, False  # 3 -8
    if len(bare) != len(before) and after not in ("=", "(", "{", ":"):
        return start, False  # a dash and a blank: a bullet, or a pause
    return at, bare[-1] == "-"
