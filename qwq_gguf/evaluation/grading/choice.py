"""The grader `choice`: which of several options an answer picks. Pure.

As JSON, boxed, as a letter that is called the answer, as a letter alone, or by an option's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from qwq_gguf.evaluation.grading.answer import boxed
from qwq_gguf.evaluation.grading.normal import normal, words
from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_choice"]

_LAST = 4_000
_OBJECT = re.compile(r"\{[^{}]{1,400}\}")
_KEYS = ("answer", "choice", "option", "letter", "correct_answer", "final_answer")
_WORD = re.compile(r"[\w^-]+")
_SPELT = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}
_VERDICT = re.compile(r"\b(?:so|thus|therefore|hence|answer|correct|conclu\w+)\b", re.I)
_NOT = re.compile(r"\b(?:not|isn't|wrong|incorrect|false)\b", re.I)


def grade_choice(expected: Mapping[str, Any], answer: str, question: str = "") -> Grade:
    """Compare the option that `answer` picks with ``expected["letter"]``."""
    wanted = expected["letter"].upper()
    options = {
        name.upper(): normal(str(text)) for name, text in expected.get("options", {}).items()
    }
    letters = "".join(options) if options else "ABCDEFGHIJ"
    found = _picked(answer[-_LAST:], letters, options, question)
    if found is None:
        return Grade(False, None, "no option is picked")
    return Grade(found == wanted, found, None if found == wanted else f"not {wanted}")


def _picked(answer: str, letters: str, options: Mapping[str, str], question: str) -> str | None:
    given = boxed(answer)
    if given is not None:
        return _named(given, letters, options)
    for found in reversed(_OBJECT.findall(answer)):
        picked = _of_json(found, letters, options)
        if picked is not None:
            return picked
    text = (
        re.sub(r"[*_`$]|\\text\s*\{([^{}]*)\}", r"\1", answer).replace("\\(", "").replace("\\)", "")
    )
    alone = _named(text, letters, options)
    if alone is not None:
        return alone
    for pattern in _said(letters):
        picks = [found for found in pattern.finditer(text) if not _denied(text, found)]
        if picks:
            return picks[-1]["letter"].upper()
    lines = [line for line in text.splitlines() if line.strip()]
    alone = _alone([_named(line, letters, options) for line in lines])
    if alone is not None:
        return alone
    listed = re.findall(rf"(?<![\w'])\(?([{letters}])[).:](?!\w)", text)
    if len(set(listed)) == 1:
        return str(listed[0])
    walked = [at for at, line in enumerate(lines) if re.match(rf"\W*[{letters}][).:]", line)]
    if len(walked) > 1:  # it goes through the options: what it says of one is no verdict
        lines = [line for line in lines[walked[-1] + 1 :] if _VERDICT.search(line)]
    return _by_text(lines, options, question)


def _said(letters: str) -> tuple[re.Pattern[str], ...]:
    letter = rf"\(?(?P<letter>[{letters}{letters.lower()}])(?![\w'])\)?"
    big = rf"\(?(?P<letter>[{letters}])(?![\w'])\)?"
    return (
        re.compile(
            rf"\b(?:[Aa]nswer|ANSWER|[Cc]hoice|[Oo]ption|[Ll]etter)\b[^.\n]{{0,60}}?(?:\bis|:|=|\bbe)\s*"
            rf"(?:the |[Oo]ption |[Ll]etter |[Cc]hoice )*[\s\"'(\[]*{big}(?=[\s.,:;)\]\"']|$)"
        ),
        re.compile(
            rf"\b(?:answer|choose|pick|select)\b\s*(?:is\s*)?[\"'(]*{letter}[\s.]*$", re.I | re.M
        ),
        re.compile(rf"(?:\b(?:[Oo]ption|[Ll]etter)\s+){big}"),
        re.compile(rf"{big} is (?:the )?(?:correct|right|answer)"),
        re.compile(rf"(?:\bis|:)\s+[\"'(]*{big}(?=[).:]|\s*$)", re.M),
    )


def _denied(text: str, found: re.Match[str]) -> bool:
    return _NOT.search(text, found.start(), found.start("letter")) is not None


def _named(text: str, letters: str, options: Mapping[str, str]) -> str | None:
    """The option that a text is and says nothing besides: B, (b), B) Jupiter, or Jupiter."""
    bare = normal(text)
    if len(bare) == 1 and bare.upper() in letters:
        return bare.upper()
    for name, option in options.items():
        if bare == option:
            return name
    found = re.match(
        rf"(?:option |answer |letter )?\(?([{letters.lower()}])[).: ]+\s*(.*)$", bare, re.S
    )
    if found and options and normal(found[2]) == options[found[1].upper()]:
        return found[1].upper()
    if found and not options and len(bare) < 60:
        return found[1].upper()
    return None


def _of_json(text: str, letters: str, options: Mapping[str, str]) -> str | None:
    try:
        value = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):
        return None
    for key in value if isinstance(value, dict) else ():
        if key.lower() in _KEYS and isinstance(value[key], str):
            return _named(value[key], letters, options)
    return None


def _alone(named: list[str | None]) -> str | None:
    """The option that stands alone in a line, unless several lines only list them."""
    picks = [name for name in named if name is not None]
    if len(set(picks)) == 1:
        return picks[0]
    if len(picks) > 1 and named[-1] is not None and ord(picks[-1]) != ord(picks[-2]) + 1:
        return picks[-1]
    return None


def _in_digits(said: str) -> str:
    """Words with the small numbers among them in digits: six sides are 6."""
    return "".join(_SPELT.get(word, word) for word in re.split(r"(\s+)", said))


def _by_text(lines: list[str], options: Mapping[str, str], question: str) -> str | None:
    """The one option that an answer speaks of, or that the sentence does which answers the
    question best: it has most of its words, and none about another option has as many.
    """
    asked = set(_WORD.findall(normal(question.split("\n")[0])))
    best: dict[str, int] = {}
    whole = " ".join(lines)
    for said in (whole, *lines, *re.split(r"(?<=[.!?])\s+", whole)):
        spoken = _in_digits(words(said))
        named = [name for name, option in options.items() if words(option) in spoken]
        if len(named) > 1:  # the derivative of x^2 is 2x
            end = spoken.rpartition(" is ")[2]
            named = [name for name, option in options.items() if words(option) in f" {end}"]
        if len(named) != 1:
            continue
        if said is whole:
            return named[0]
        shared = len(asked & set(_WORD.findall(normal(said))))
        best[named[0]] = max(shared, best.get(named[0], 0))
    picks = [name for name, shared in best.items() if shared == max(best.values())]
    return picks[0] if len(picks) == 1 else None
