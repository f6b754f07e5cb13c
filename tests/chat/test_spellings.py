"""Control tokens in a text are found in one pass, and cut as one by one they would be."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf.chat.prompt import Segment, cut_prompt
from qwq_gguf.chat.spellings import Spellings, spellings_of
from qwq_gguf.errors import TemplateError

HOSTILE = ["H" * length for length in range(2, 112)]


def cut_one_by_one(text: str, marks: bytes, tokens: list[str]) -> list[Segment]:
    """What `cut_prompt` has to give, each token tried at each place."""
    tokens = sorted({t for t in tokens if len(t) > 1 and t.strip()}, key=lambda t: (-len(t), t))
    pattern = re.compile("|".join(map(re.escape, tokens)) or "(?!)")
    written = [
        match.span()
        for stretch in re.finditer(rb"\x01+", marks)
        for match in pattern.finditer(text, *stretch.span())
    ]
    segments: list[Segment] = []
    at = 0
    for start, end in [*written, (len(text), len(text))]:
        part = text[at:start]
        spelled = sorted(
            (place + len(token), place)
            for token in tokens
            for place in range(len(part))
            if part.startswith(token, place)
        )
        cuts: list[int] = []
        for last, place in spelled:
            if not cuts or cuts[-1] <= place:
                cuts.append(last - 1)
        for left, right in zip([0, *cuts], [*cuts, len(part)], strict=True):
            if left < right:
                segments.append(Segment(part[left:right], False))
        if start < end:
            segments.append(Segment(text[start:end], True))
        at = end
    return segments


LETTERS = st.sampled_from(["ab", "aab", "ab<>", "<|im_ \n", "a\U0001f600é"])


@settings(max_examples=400)
@given(data=st.data(), letters=LETTERS)
def test_a_prompt_is_cut_as_if_each_token_were_tried_everywhere(
    data: st.DataObject, letters: str
) -> None:
    word = st.text(letters, max_size=6)
    tokens = data.draw(st.lists(word, max_size=7))
    parts = st.one_of(word, st.sampled_from(tokens)) if tokens else word
    text = "".join(data.draw(st.lists(parts, max_size=12)))
    marks = bytes(data.draw(st.lists(st.integers(0, 1), min_size=len(text), max_size=len(text))))
    for mask in (marks, bytes(len(text)), b"\x01" * len(text)):
        prompt = cut_prompt(text, mask, tokens)
        assert list(prompt.segments) == cut_one_by_one(text, mask, tokens)


@given(data=st.data(), letters=LETTERS)
def test_every_beginning_is_found_from_the_end_on(data: st.DataObject, letters: str) -> None:
    tokens = data.draw(st.lists(st.text(letters, min_size=1, max_size=5), max_size=6))
    text = data.draw(st.text(letters, max_size=40))
    found = []
    for place in reversed(range(len(text))):
        here = [len(token) for token in tokens if text.startswith(token, place)]
        if here:
            found.append((place, min(here), max(here)))
    assert list(Spellings(tokens).starts(text)) == found


@pytest.mark.parametrize(
    "tokens",
    [
        HOSTILE,
        ["H" * length + "X" for length in range(2, 500)],
        ["X" + "H" * length for length in range(2, 500)],
        [chr(0x10000 + number) + "H" for number in range(2000)],
    ],
)
def test_each_character_is_read_once_whatever_the_tokens_are(tokens: list[str]) -> None:
    class Counting(dict[int, int]):
        asked = 0

        def get(self, key: int, default: Any = None) -> Any:
            self.asked += 1
            return super().get(key, default)

    spellings = Spellings(tokens)
    spellings._next = steps = Counting(spellings._next)
    text = "H" * 20_000
    for _ in spellings.starts(text):
        pass
    # A character is looked up once, and once more for each step back that an earlier one paid.
    assert steps.asked <= 2 * len(text)


@pytest.mark.parametrize("mark", [0, 1])
def test_no_match_is_kept_that_decides_nothing(mark: int) -> None:
    """All places of all these tokens took 9 GB for a prompt of 4 M characters."""
    text = "H" * 20_000
    spellings_of(HOSTILE)
    tracemalloc.start()
    cut_prompt(text, bytes([mark]) * len(text), HOSTILE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * len(text)


def test_a_prompt_in_more_pieces_than_any_context_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qwq_gguf.chat.prompt.MOST_PIECES", 50)
    for text, mark in (("HH" * 60, 0), ("HX" * 60, 1), ("-HX" * 60, 0)):
        with pytest.raises(TemplateError, match="look like them"):
            cut_prompt(text, bytes([mark]) * len(text), ["HH", "HX"])
    assert len(cut_prompt("HX" * 50, bytes([1]) * 100, ["HX"]).segments) == 50


def test_a_vocabulary_of_endless_control_tokens_is_refused() -> None:
    tokens = [f"<|{number:04}|>" for number in range(1000)]
    Spellings(tokens, most_nodes=5000)
    with pytest.raises(TemplateError, match="too many or too long"):
        Spellings(tokens, most_nodes=1000)


def test_a_vocabulary_is_read_once() -> None:
    assert spellings_of(["<a>", "<b>"]) is spellings_of({"<b>": 1, "<a>": 2})
