"""What an answer in free words states: a number, or one of two numbers. Pure.

The last thing stated counts, as a reader takes "300, no, 301". Numbers of the question do not
count where they are only said again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from qwq_gguf.evaluation.grading.numerals import BOLD, Numeral, numerals, plain, slashed

__all__ = ["stated_choice", "stated_numeral", "without_questions"]

_OPEN, _CLOSE = BOLD
_SENTENCE_ENDS = re.compile(r"([?\n]|[.!](?!\d))")
_RESULT = re.compile(
    r"(?:[=≈→:]|\b(?:is|are|be|equals?|equal to|gives?|makes?|get|yields?|result|answer|total"
    rf"|comes? to|adds? up to))[\s({{{_OPEN}]*$",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    rf"####|\b(?:final |correct )?answer(?: to [^.:\n]{{0,60}}?)?(?: is|:)[ {_CLOSE}]*:?",
    re.IGNORECASE,
)
_CORRECTS = re.compile(r"\b(?:wait|actually|correction|mistake|sorry|no,|no:|or maybe)", re.I)
_LAST = 2_000  # characters at the end in which an answer is announced
_PROGRAM = re.compile(
    r"^[ \t]*```+ ?(?:python|py)\b.*?(?:^[ \t]*```+[ \t]*$|\Z)", re.M | re.S | re.I
)
_REMAINDER = re.compile(r"\b(?:remainder|rem|r)\.?\s*(?:is|of|=|:)?\s*$", re.IGNORECASE)
_RELATION = re.compile(r"[\s)}" + _CLOSE + r"]*(?:[=≈]|is\b|equals\b)", re.IGNORECASE)


def without_questions(text: str) -> str:
    """`text` without what it only asks, unless it does nothing else."""
    parts = [*_SENTENCE_ENDS.split(text), ""]
    said = "".join(
        sentence + end for sentence, end in zip(parts[::2], parts[1::2], strict=True) if end != "?"
    )
    return said if re.search(r"\d", said) else text


def _without_programs(answer: str) -> str:
    """`answer` without its Python, whose numbers are no statements, unless it says nothing else."""
    said = _PROGRAM.sub("\n", answer)
    return said if re.search(r"\d", said) else answer


def stated_numeral(
    answer: str, question: str, *, parts: bool = False
) -> tuple[Numeral, str] | None:
    """The result that an answer states, and the plain text in which it stands; see `numerals`."""
    dressed = slashed if parts else str
    asked = tuple(number.value for number in numerals(dressed(plain(question)), parts=parts))
    text = dressed(without_questions(plain(_without_programs(answer))))
    for said in (*_answers(text), text):
        found = numerals(said, asked, parts=parts)
        picked = None
        for at, number in enumerate(found):
            if number.operand or _is_remainder(said, number):
                continue
            again = number.value in asked
            if not again or (_is_result(said, number) and not _checks(said, found, at, asked)):
                picked = number
        if picked is not None:
            return picked, said
    return None


def _answers(text: str) -> tuple[str, ...]:
    """What an answer calls its answer, unless it takes that back."""
    marks = list(_ANSWER.finditer(text, max(0, len(text) - _LAST)))
    if not marks or _CORRECTS.search(text, marks[-1].end()):
        return ()
    said = re.split(
        rf"\n|[.!](?!\d)|{_CLOSE}", text[marks[-1].end() :].lstrip(" \n" + _CLOSE), maxsplit=1
    )[0]
    return (f"= {said}",)


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
    rf"\b(?:(?P<larger>{_LARGER})|(?P<smaller>{_SMALLER}))\b[^.,;\n\d<>]{{0,60}}?(?:\bis\b|,|:|=|→)"
    rf"[^\w\n-]*$",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(
    rf"\b(?:(?P<larger>{_LARGER})|(?P<smaller>{_SMALLER}))\b[^.;\n\d]{{0,50}}$", re.IGNORECASE
)
_OR = re.compile(r"\W*\bor\b\W*", re.IGNORECASE)
_AND = re.compile(r"\W*(?:and|or|,)\W*", re.IGNORECASE)
_THEN_IS = re.compile(r"[^\w\n]*(?:,\s*)?(?:(?:it|which)\s+)?(?:is|:|=)[^\w\n-]*", re.IGNORECASE)
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
    text = without_questions(plain(answer))
    found = numerals(text)
    pair = (first, second)
    picks: list[tuple[int, Fraction]] = []
    compared: set[int] = set()

    def pick(at: int, value: Fraction, *, called_larger: bool) -> None:
        """`value` was called the larger or the smaller of the two."""
        other = smaller if value == larger else larger
        picks.append((at, value if called_larger == wants_larger else other))

    for at, one in enumerate(found):
        if (called_so := _of_both(text, found[at : at + 3], pair)) is not None:
            pick(found[at + 2].end, found[at + 2].value, called_larger=called_so)
            compared |= {at, at + 1, at + 2}
            continue
        if at in compared:
            continue
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
        before = found[at - 1] if at else None
        if before is not None and _OR.fullmatch(text, before.end, one.start):
            continue  # which of the two it is, is only asked
        if said := _PREDICATE.match(text, one.end):
            called = bool(said["larger"]) != bool(_NOT.search(said["words"]))
            pick(said.end(), one.value, called_larger=called)
        elif at not in compared and not _OTHER.match(text, one.end):
            ahead = text[max(0, one.start - 100) : one.start]
            if named := _NAMED.search(ahead):
                pick(one.end, one.value, called_larger=bool(named["larger"]))
            elif _CHOSEN.search(ahead) or (
                _stands_alone(text, one) and not _listed(text, found, at)
            ):
                picks.append((one.end, one.value))
    if picks:
        return max(picks, key=lambda said: said[0])[1]
    named_ones = {one.value for one in found if one.value in pair}
    return named_ones.pop() if len(named_ones) == 1 else None


def _listed(text: str, found: Sequence[Numeral], at: int) -> bool:
    """Whether the number stands in a line of its own and another one in the next or the last."""
    for one, two in ((at - 1, at), (at, at + 1)):
        if one < 0 or two >= len(found) or found[one].value == found[two].value:
            continue
        between = text[found[one].end : found[two].start]
        if "\n" in between and not re.search(r"\w", between) and _stands_alone(text, found[one]):
            return True
    return False


def _of_both(text: str, three: Sequence[Numeral], pair: tuple[Fraction, Fraction]) -> bool | None:
    """Of "the larger of 3.3 and 3.46 is 3.46": whether the third is called the larger."""
    if len(three) < 3 or {three[0].value, three[1].value} != set(pair):
        return None
    first, second, third = three
    if third.value not in pair or not _AND.fullmatch(text, first.end, second.start):
        return None
    named = _NAMED_BEFORE.search(text, max(0, first.start - 60), first.start)
    if named is None or not _THEN_IS.fullmatch(text, second.end, third.start):
        return None
    return bool(named["larger"])


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
