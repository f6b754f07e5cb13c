"""The grader `ifeval`: was each instruction followed to the letter? Pure.

The 25 kinds of instructions are those of "Instruction-Following Evaluation for Large Language
Models" (Zhou et al., arXiv:2311.07911, table 1), by the names and arguments that its data set
has. Which language an answer is in is told by its script only: languages in Latin letters are
not told apart, and a question that asks for one cannot be graded (`not_told`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.normal import normal
from qwq_gguf.evaluation.questions import Grade

__all__ = ["INSTRUCTIONS", "grade_instructions", "not_told"]

Arguments = Mapping[str, Any]
INSTRUCTIONS: dict[str, Callable[[str, Arguments], bool]] = {}
"""Each instruction's id and what says whether an answer follows it."""

_WORD = re.compile(r"\w+(?:['\u2019\-]\w+)*")
_SENTENCE_ENDS = re.compile(r"[.!?\n]+")
_ABBREVIATED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|etc|vs|e\.g|i\.e|[A-Z]|No)\.(?=\s)|(?<=\d)\.(?=\d)"
)
_SCRIPTS = {
    "ar": "ARABIC", "fa": "ARABIC", "ur": "ARABIC", "hi": "DEVANAGARI", "mr": "DEVANAGARI",
    "ne": "DEVANAGARI", "bn": "BENGALI", "pa": "GURMUKHI", "gu": "GUJARATI", "ta": "TAMIL",
    "te": "TELUGU", "kn": "KANNADA", "th": "THAI", "ko": "HANGUL", "ru": "CYRILLIC",
    "bg": "CYRILLIC", "uk": "CYRILLIC", "he": "HEBREW", "el": "GREEK", "zh": "CJK",
    "ja": "HIRAGANA",
}  # fmt: skip
_MOST = 100_000


def grade_instructions(expected: Mapping[str, Any], answer: str) -> Grade:
    """Look whether `answer` follows all of ``expected["instructions"]``.

    With ``"loose": true`` it may also be read without its first line, its last, or its stars, as
    the paper's loose measure does. EvaluationError for an instruction that there isn't.
    """
    failed = []
    for instruction in expected["instructions"]:
        name, given = instruction["id"], instruction.get("kwargs") or {}
        if name not in INSTRUCTIONS:
            raise EvaluationError("no such instruction", found=name, expected="one of IFEval's 25")
        arguments = {key: value for key, value in given.items() if value is not None}
        texts = _loosely(answer) if expected.get("loose") else [answer]
        if not any(text.strip() and INSTRUCTIONS[name](text[:_MOST], arguments) for text in texts):
            failed.append(name)
    return Grade(not failed, None, f"not followed: {', '.join(failed)}" if failed else None)


def not_told(expected: Mapping[str, Any]) -> str | None:
    """Why a question cannot be graded, None where it can."""
    for instruction in expected["instructions"]:
        language = (instruction.get("kwargs") or {}).get("language")
        if instruction["id"] == "language:response_language" and language not in _SCRIPTS:
            return f"language {language} is not told from others in the same script"
    return None


def _loosely(answer: str) -> list[str]:
    lines = answer.splitlines()
    cut = [lines, lines[1:], lines[:-1], lines[1:-1]]
    texts = ["\n".join(each).strip() for each in cut]
    return [*texts, *(text.replace("*", "") for text in texts)]


def _does(
    name: str,
) -> Callable[[Callable[[str, Arguments], bool]], Callable[[str, Arguments], bool]]:
    def keep(check: Callable[[str, Arguments], bool]) -> Callable[[str, Arguments], bool]:
        INSTRUCTIONS[name] = check
        return check

    return keep


def _related(count: int, wanted: int, relation: str | None) -> bool:
    return count < wanted if relation == "less than" else count >= wanted


def _times(word: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


@_does("keywords:existence")
def _existence(text: str, given: Arguments) -> bool:
    return all(re.search(re.escape(word), text, re.I) for word in given["keywords"])


@_does("keywords:frequency")
def _frequency(text: str, given: Arguments) -> bool:
    count = len(re.findall(re.escape(given["keyword"]), text, re.I))
    return _related(count, given["frequency"], given.get("relation"))


@_does("keywords:forbidden_words")
def _forbidden(text: str, given: Arguments) -> bool:
    return not any(_times(word, text) for word in given["forbidden_words"])


@_does("keywords:letter_frequency")
def _letters(text: str, given: Arguments) -> bool:
    count = text.lower().count(given["letter"].lower())
    return _related(count, given["let_frequency"], given.get("let_relation"))


@_does("language:response_language")
def _language(text: str, given: Arguments) -> bool:
    wanted = _SCRIPTS.get(given["language"])
    letters = [c for c in text if c.isalpha()]
    if wanted is None or not letters:
        return False
    scripts = ("CJK", "HIRAGANA", "KATAKANA") if wanted == "HIRAGANA" else (wanted,)
    inside = sum(unicodedata.name(c, "").startswith(scripts) for c in letters)
    kana = any(unicodedata.name(c, "").startswith("HIRAGANA") for c in letters)
    if wanted in ("CJK", "HIRAGANA") and kana != (wanted == "HIRAGANA"):
        return False
    return inside > 0.6 * len(letters)


@_does("length_constraints:number_sentences")
def _sentences(text: str, given: Arguments) -> bool:
    whole = _ABBREVIATED.sub(lambda found: found[0].replace(".", ""), text)
    count = sum(bool(re.search(r"\w", part)) for part in _SENTENCE_ENDS.split(whole))
    return _related(count, given["num_sentences"], given.get("relation"))


@_does("length_constraints:number_paragraphs")
def _paragraphs(text: str, given: Arguments) -> bool:
    parts = re.split(r"\s?\*\*\*\s?", text)
    within = parts[1:-1]
    if any(not part.strip() for part in within):
        return False
    return sum(bool(part.strip()) for part in parts) == int(given["num_paragraphs"])


@_does("length_constraints:number_words")
def _words(text: str, given: Arguments) -> bool:
    return _related(len(_WORD.findall(text)), given["num_words"], given.get("relation"))


@_does("length_constraints:nth_paragraph_first_word")
def _first_word(text: str, given: Arguments) -> bool:
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    at = given["nth_paragraph"]
    if len(parts) != given["num_paragraphs"] or not 1 <= at <= len(parts):
        return False
    return normal(parts[at - 1].split()[0]) == normal(given["first_word"])


@_does("detectable_content:number_placeholders")
def _placeholders(text: str, given: Arguments) -> bool:
    return len(re.findall(r"\[[^\[\]]+\]", text)) >= int(given["num_placeholders"])


@_does("detectable_content:postscript")
def _postscript(text: str, given: Arguments) -> bool:
    marker = given["postscript_marker"]
    letters = [re.escape(letter) for letter in re.sub(r"[^A-Za-z]", "", marker)]
    pattern = r"\.?\s?".join(letters) if set(marker) <= set("PpSs. ") else re.escape(marker)
    return re.search(rf"^[^\w\n]*{pattern}", text, re.I | re.M) is not None


@_does("detectable_format:number_bullet_lists")
def _bullets(text: str, given: Arguments) -> bool:
    stars = re.findall(r"^\s*\*[^*\n].*$", text, re.M)
    dashes = re.findall(r"^\s*-(?!-)[^\n]*$", text, re.M)
    return len(stars) + len(dashes) == int(given["num_bullets"])


@_does("detectable_format:constrained_response")
def _constrained(text: str, given: Arguments) -> bool:
    return any(f"My answer is {word}." in text for word in ("yes", "no", "maybe"))


@_does("detectable_format:number_highlighted_sections")
def _highlights(text: str, given: Arguments) -> bool:
    bold = re.findall(r"\*\*([^*\n]+)\*\*", text)
    single = re.findall(r"(?<!\*)\*(?!\s)([^*\n]+)\*(?!\*)", re.sub(r"\*\*[^*\n]+\*\*", "", text))
    return sum(bool(part.strip()) for part in (*bold, *single)) >= int(given["num_highlights"])


@_does("detectable_format:multiple_sections")
def _sections(text: str, given: Arguments) -> bool:
    word = re.escape(given["section_spliter"])
    return len(re.findall(rf"\s?{word}\s?\d+\s?", text)) >= int(given["num_sections"])


@_does("detectable_format:json_format")
def _json(text: str, given: Arguments) -> bool:
    bare = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text.strip(), flags=re.I)
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


@_does("detectable_format:title")
def _title(text: str, given: Arguments) -> bool:
    return any(title.strip("<> ") for title in re.findall(r"<<([^<>\n]{1,500})>>", text))


@_does("combination:two_responses")
def _two(text: str, given: Arguments) -> bool:
    parts = re.split(r"\*{6}", text)
    said = [part.strip() for part in parts if part.strip()]
    if any(not part.strip() for part in parts[1:-1]):
        return False
    return len(said) == 2 and said[0] != said[1]


@_does("combination:repeat_prompt")
def _repeat(text: str, given: Arguments) -> bool:
    return text.strip().lower().startswith(given["prompt_to_repeat"].strip().lower())


@_does("startend:end_checker")
def _end(text: str, given: Arguments) -> bool:
    return text.strip().strip('"').lower().endswith(given["end_phrase"].strip().lower())


@_does("startend:quotation")
def _quoted(text: str, given: Arguments) -> bool:
    bare = text.strip()
    return len(bare) > 1 and bare[0] == '"' and bare[-1] == '"'


@_does("change_case:capital_word_frequency")
def _capital_words(text: str, given: Arguments) -> bool:
    count = sum(word.isupper() for word in _WORD.findall(text))
    return _related(count, given["capital_frequency"], given.get("capital_relation"))


@_does("change_case:english_capital")
def _capital(text: str, given: Arguments) -> bool:
    return text.isupper()


@_does("change_case:english_lowercase")
def _lowercase(text: str, given: Arguments) -> bool:
    return text.islower()


@_does("punctuation:no_comma")
def _no_comma(text: str, given: Arguments) -> bool:
    return "," not in text
