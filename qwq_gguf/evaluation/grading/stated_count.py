"""How many of a letter an answer in free words says there are. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

from qwq_gguf.evaluation.grading.numerals import BOLD, numerals, plain
from qwq_gguf.evaluation.grading.stated import without_questions

__all__ = ["stated_count"]

_OPEN, _CLOSE = BOLD

_SPELT = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen", "twenty"),
)
_VALUES = {word: number for number, word in enumerate(_SPELT)} | {
    "no": 0, "none": 0, "once": 1, "twice": 2, "thrice": 3,
}  # fmt: skip
_N = rf"(?P<n>\d{{1,3}}(?![\d.,]\d)|{'|'.join(_SPELT)})\b"
_N0 = rf"(?P<n>\d{{1,3}}(?![\d.,]\d)|no|{'|'.join(_SPELT)})\b"
_HOW = r"(?:exactly |only |actually |indeed |therefore |just |a total of |in total |in fact )*"
_MARKS = r"[^\w\n]*"  # of one line: over several they would be looked at from each
_COUNTS = (
    rf"there (?:is|are|was|were) {_HOW}{_N0}(?! characters?,)",
    rf"{_N} (?:times?|occurrences?|instances?|appearances?)\b",
    r"(?:appears?|occurs?|shows up|is|used|present|found|exactly|only) (?P<n>once|twice|thrice)\b",
    rf"^{_MARKS}(?P<n>once|twice|thrice|none)\b{_MARKS}$",
    rf"(?:contains?|has|have|includes?|find|found|count|counted|see|get) {_HOW}{_N0}"
    r"(?! (?:letters?|characters?|syllables?|vowels?|consonants?)\b)",
    r"(?:total|count|answer|number|result|frequency|sum)\b(?:[^.\n\d]{0,60}?)"
    rf"(?: is| are| was|:| =| of) ?{_HOW}{_N}",
    rf"\b(?:so|thus|hence|therefore|altogether|in total|total|making|makes|it is|its|thats|that is"
    rf"|or|maybe|perhaps|wait|actually|rather|no)[,:]? {_HOW}{_N}(?! ?[,)])",
    rf"{_OPEN}\s*{_N}[\s.!]*{_CLOSE}",
    rf"^{_MARKS}{_N}{_MARKS}$",
    rf"= ?{_OPEN}?{_N}",
)  # fmt: skip
_QUOTES = re.compile("[\"'\u2018\u201c\u201d*]")
_NEVER = re.compile(
    r"\b(?:does not|doesnt|do not|dont) (?:contain|appear|occur)\b"
    r"|\b(?:does not|doesnt) (?:have|include)\b"
)


def stated_count(answer: str, letter: str) -> Fraction | None:
    """How many of a letter an answer says there are, in digits or words, or None.

    Positions and the numbers of a count along the word are no statements.
    """
    text = _QUOTES.sub("", without_questions(plain(answer)).lower())
    text = re.sub(r"[ \t\u2009]+", " ", text)
    bare = re.sub(f"[{_OPEN}{_CLOSE}]", "", text)
    own = rf"{_N0} (?:letters? |lowercase )*{re.escape(letter)}s?\b"
    found: list[tuple[int, int]] = []
    for pattern in (*_COUNTS, own):
        # Bold is looked for with its marks, everything else without.
        where = text if _OPEN in pattern else bare
        for match in re.finditer(pattern, where, re.MULTILINE):
            at = match.end() if where is bare else _place(text, match.end())
            found.append((at, _number(match["n"])))
    found += [(match.end(), 0) for match in _NEVER.finditer(bare)]
    if found:
        return Fraction(max(found)[1])
    values = {number.value for number in numerals(bare)}
    return values.pop() if len(values) == 1 else None


def _place(text: str, at: int) -> int:
    """Where a place in `text` is once the marks of bold are gone."""
    return at - text.count(_OPEN, 0, at) - text.count(_CLOSE, 0, at)


def _number(word: str) -> int:
    return _VALUES[word] if word in _VALUES else int(word)
