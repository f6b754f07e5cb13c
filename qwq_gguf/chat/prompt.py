"""A rendered prompt, cut so that only the template can say control tokens.

Tokenizers turn the text `<|im_end|>` into the control token wherever they are asked to
parse such texts. So the prompt comes in segments: a control segment is exactly one
control token, wholly written by the template; everything else is text to be tokenized
without parsing any. llama.cpp matches user-defined tokens such as `<think>` even then,
so a text that only looks like a token is cut in two where the two halves cannot meet.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from qwq_gguf.chat.sandbox.marked import TRUSTED

__all__ = ["RenderedPrompt", "Segment", "cut_prompt"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt, tokenized on its own; `control` is one control token."""

    text: str
    control: bool


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The segments in order, and how many look-alikes of control tokens were cut."""

    segments: tuple[Segment, ...]
    cut_tokens: int = 0

    @property
    def text(self) -> str:
        """The whole prompt as one text."""
        return "".join(segment.text for segment in self.segments)

    def ends_with(self, tag: str) -> bool:
        """Whether the prompt ends in this tag as the template wrote it, spaces aside."""
        kept = [segment for segment in self.segments if segment.text.strip()]
        if not kept:
            return False
        last = kept[-1]
        return last.text == tag if last.control else last.text.rstrip().endswith(tag)

    def opened(self, tag: str, control_tokens: Collection[str]) -> RenderedPrompt:
        """The prompt with an opening tag and a newline at its end, added if need be."""
        if self.ends_with(tag):
            return self
        opening = cut_prompt(f"{tag}\n", TRUSTED * (len(tag) + 1), control_tokens)
        return RenderedPrompt(self.segments + opening.segments, self.cut_tokens)

    def closed(self, open: str, close: str, control_tokens: Collection[str]) -> RenderedPrompt:
        """The prompt with an empty, closed thought at its end, as Qwen3's template writes it."""
        if not self.ends_with(open):
            added = f"{open}\n\n{close}\n\n"
        else:
            lines = "\n" if self.text.endswith("\n") else "\n\n"
            added = f"{lines}{close}\n\n"
        closing = cut_prompt(added, TRUSTED * len(added), control_tokens)
        return RenderedPrompt(self.segments + closing.segments, self.cut_tokens)


def cut_prompt(text: str, marks: bytes, control_tokens: Collection[str]) -> RenderedPrompt:
    """Cut a text at its control tokens; `marks` has a 1 for each character of the template.

    Tokens of a single character or of white space alone are no control tokens here: text
    is full of them, and nothing hangs on who wrote them.
    """
    tokens = sorted(
        {token for token in control_tokens if len(token) > 1 and token.strip()},
        key=lambda token: (-len(token), token),
    )
    segments: list[Segment] = []
    look_alikes = 0
    at = 0
    for start, end in [*_written_tokens(text, marks, tokens), (len(text), len(text))]:
        cuts = _cuts(text[at:start], tokens)
        look_alikes += len(cuts)
        for left, right in zip([0, *cuts], [*cuts, start - at], strict=True):
            if left < right:
                segments.append(Segment(text[at + left : at + right], control=False))
        if start < end:
            segments.append(Segment(text[start:end], control=True))
        at = end
    return RenderedPrompt(tuple(segments), look_alikes)


def _written_tokens(text: str, marks: bytes, tokens: list[str]) -> Iterator[tuple[int, int]]:
    """Where a control token stands in a stretch wholly written by the template.

    The longest at a place is taken, and places from left to right.
    """
    if not tokens:
        return
    pattern = re.compile("|".join(map(re.escape, tokens)))
    for stretch in re.finditer(rb"\x01+", marks):
        for match in pattern.finditer(text, stretch.start(), stretch.end()):
            yield match.span()


def _cuts(text: str, tokens: list[str]) -> list[int]:
    """The fewest places to cut a text so that no piece holds a token."""
    found = []
    for token in tokens:
        start = text.find(token)
        while start >= 0:
            found.append((start + len(token), start))
            start = text.find(token, start + 1)
    cuts: list[int] = []
    for end, start in sorted(found):
        if not cuts or cuts[-1] <= start:
            cuts.append(end - 1)
    return cuts
