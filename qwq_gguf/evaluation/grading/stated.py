"""What an answer in free words states: a number, one of two numbers, or how many letters. Pure.

The last thing stated counts, as a reader takes "300, no, 301". Numbers of the question do not
count where they are only said again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from qwq_gguf.evaluation.grading.numerals import BOLD, Numeral, numerals, plain

__all__ = ["stated_choice", "stated_count", "stated_number"]

_OPEN, _CLOSE = BOLD
_SENTENCE_ENDS = re.compile(r"([?\n]|[.!](?!\d))")
_RESULT = re.compile(
    r"(?:[=≈→:]|\b(?:is|are|be|equals?|equal to|gives?|makes?|get|yields?|result|answer|total"
    rf"|comes? to|adds? up to))[\s({{{_OPEN}]*$",
    re.IGNORECASE,
)
_REMAINDER = re.compile(r"\b(?:remainder|rem|r)\.?\s*(?:is|of|=|:)?\s*$", re.IGNORECASE)
_RELATION = re.compile(r"[\s)}" + _CLOSE + r"]*(?:[=≈]|is\b|equals\b)", re.IGNORECASE)


def _without_questions(text: str) -> str:
    """`text` without what it only asks, unless it does nothing else."""
    parts = [*_SENTENCE_ENDS.split(text), ""]
    said = "".join(
        sentence + end for sentence, end in zip(parts[::2], parts[1::2], strict=True) if end != "?"
    )
    return said if re.search(r"\d", said) else text


def stated_number(answer: str, question: str) -> Fraction | None:
    """The result that an answer to a sum states, or None."""
    asked = tuple(number.value for number in numerals(plain(question)))
    text = _without_questions(plain(answer))
    found = numerals(text, asked)
    picked = None
    for at, number in enumerate(found):
        if number.operand or _is_remainder(text, number):
            continue
        said_again = number.value in asked
        if not said_again or (_is_result(text, number) and not _checks(text, found, at, asked)):
            picked = number.value
    return picked


def _is_remainder(text: str, number: Numeral) -> bool:
    return _REMAINDER.search(text, max(0, number.start - 24), number.start) is not None


def _is_result(text: str, number: Numeral) -> bool:
    """Whether a number of the question is stated, and not only said again."""
    if _RESULT.search(text, max(0, number.start - 40), number.start):
        return True
    return not re.search(r"\w", _rest_of_line(text, number))


def _checks(text: str, found: Sequence[Numeral], at: int, asked: Sequence[Fraction]) -> bool:
    """Whether the number at this place ends a check of the result: 5470 - 1129 = 4341."""
    number, before = found[at], found[max(0, at - 2) : at]
    if not before or not before[-1].operand:
        return False
    if not _RELATION.match(text, before[-1].end) or number.start - before[-1].end > 20:
        return False
    return any(one.operand and one.value not in asked for one in before)


_LARGER = r"(?:larger|largest|greater|greatest|bigger|biggest|higher|highest|more)"
_SMALLER = r"(?:smaller|smallest|less|lesser|least|lower|lowest|fewer)"
_BOLD_ENDS = re.compile(r"[\s.!]*" + _CLOSE)
_NOT = re.compile(r"\bnot\b|n't\b|\bneither\b", re.IGNORECASE)
_THAN = re.compile(
    rf"\b(?:(?P<larger>{_LARGER})|(?P<smaller>{_SMALLER}))\s+than\b|(?P<sign>[<>])", re.I
)
_PREDICATE = re.compile(
    r"[\s\"')," + _CLOSE + r"]*(?:is|was|'s|has)\b(?P<words>[^.,;\n\d]{0,60}?)"
    rf"\b(?:(?P<larger>{_LARGER})|(?P<smaller>{_SMALLER}))\b(?!\s+than)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b(?:(?P<larger>{_LARGER})|(?P<smaller>{_SMALLER}))\b[^.,;\n\d<>]{{0,60}}?(?:\bis\b|:|=|→)"
    rf"[^\w\n-]*$",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:answer|choice|result|choose|pick|it|it's|that)\b(?:\s+(?:is|be))?[^\w\n-]*$", re.I
)
_OTHER = re.compile(
    r"[\s" + _CLOSE + r"\"']*(?:,?\s*(?:or|and|vs\.?|versus|than)\b)", re.IGNORECASE
)


def stated_choice(answer: str, operands: tuple[str, ...]) -> Fraction | None:
    """Which of two numbers an answer calls the larger (or smaller), as `operands` ask.

    "9.9 > 9.11", "9.11 is smaller", "the larger number is 9.9" and "9.9" all choose 9.9. None
    when it chooses neither or another number.
    """
    first, second = (Fraction(number) for number in operands[:2])
    wants_larger = operands[2] == "larger"
    larger, smaller = max(first, second), min(first, second)
    text = _without_questions(plain(answer))
    found = numerals(text)
    pair = (first, second)
    picks: list[tuple[int, Fraction]] = []
    compared: set[int] = set()

    def pick(at: int, value: Fraction, *, called_larger: bool) -> None:
        """`value` was called the larger or the smaller of the two."""
        other = smaller if value == larger else larger
        picks.append((at, value if called_larger == wants_larger else other))

    for at, one in enumerate(found):
        if at + 1 < len(found):
            two = found[at + 1]
            gap = text[one.end : two.start]
            than = _THAN.search(gap) if len(gap) <= 100 and "\n" not in gap else None
            if than is not None and {one.value, two.value} == set(pair):
                called = bool(than["larger"] or than["sign"] == ">") != bool(_NOT.search(gap))
                pick(two.end, one.value, called_larger=called)
                compared |= {at, at + 1}
                continue
        if one.value not in pair:
            continue
        if said := _PREDICATE.match(text, one.end):
            called = bool(said["larger"]) != bool(_NOT.search(said["words"]))
            pick(said.end(), one.value, called_larger=called)
        elif at not in compared and not _OTHER.match(text, one.end):
            before = text[max(0, one.start - 100) : one.start]
            if named := _NAMED.search(before):
                pick(one.end, one.value, called_larger=bool(named["larger"]))
            elif _CHOSEN.search(before) or _stands_alone(text, one):
                picks.append((one.end, one.value))
    if picks:
        return max(picks, key=lambda said: said[0])[1]
    named_ones = {one.value for one in found if one.value in pair}
    return named_ones.pop() if len(named_ones) == 1 else None


def _stands_alone(text: str, number: Numeral) -> bool:
    """Bold, or the only thing in its line."""
    bold = text[max(0, number.start - 3) : number.start].rstrip().endswith(_OPEN)
    if bold and _BOLD_ENDS.match(text, number.end):
        return True
    return not re.search(r"\w", _rest_of_line(text, number))


def _rest_of_line(text: str, number: Numeral) -> str:
    """What stands before and after a number in its line."""
    start = text.rfind("\n", 0, number.start) + 1
    end = text.find("\n", number.end)
    return text[start : number.start] + text[number.end : len(text) if end < 0 else end]


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
    rf"there (?:is|are|was|were) {_HOW}{_N0}",
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
_NEVER = re.compile(r"\b(?:does not|doesnt|do not|dont) (?:contain|appear|occur|have|include)\b")


def stated_count(answer: str, letter: str) -> Fraction | None:
    """How many of a letter an answer says there are, in digits or words, or None.

    Positions and the numbers of a count along the word are no statements.
    """
    text = _QUOTES.sub("", _without_questions(plain(answer)).lower())
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
