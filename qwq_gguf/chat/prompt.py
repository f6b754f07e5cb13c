"""A rendered prompt, cut so that only the template can say control tokens.

Tokenizers turn the text `<|im_end|>` into the control token wherever they are asked to
parse such texts. So the prompt comes in segments: a control segment is exactly one
control token, wholly written by the template; everything else is text to be tokenized
without parsing any. llama.cpp matches user-defined tokens such as `<think>` even then,
so a text that only looks like a token is cut in two where the two halves cannot meet.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection
from dataclasses import dataclass

from qwq_gguf.chat.sandbox.marked import TRUSTED
from qwq_gguf.chat.spellings import Spellings, spellings_of
from qwq_gguf.errors import TemplateError

__all__ = ["MOST_PIECES", "RenderedPrompt", "Segment", "cut_prompt"]

# A piece is at least one token of the context, and the largest contexts have a million; but
# a prompt cut this finely is an attack, and each piece takes memory.
MOST_PIECES = 1 << 18


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
        """Whether the prompt ends in this tag as the template wrote it, spaces aside.

        A tag may be several segments: tokens, and words between them.
        """
        kept = [segment for segment in self.segments if segment.text.strip()]
        rest, was_text = tag, False
        for segment in reversed(kept):
            # A text that follows a text was cut, because somebody only spelled a token.
            if was_text and not segment.control:
                return False
            was_text = not segment.control
            text = segment.text.rstrip() if rest == tag and was_text else segment.text
            if text == rest or (was_text and text.endswith(rest)):
                return True
            if not rest.endswith(text):
                return False
            rest = rest[: len(rest) - len(text)]
        return False

    def opened(self, tag: str, control_tokens: Collection[str]) -> RenderedPrompt:
        """The prompt with an opening tag and a newline at its end, added if need be."""
        return self if self.ends_with(tag) else self.followed_by(f"{tag}\n", control_tokens)

    def closed(self, open: str, close: str, control_tokens: Collection[str]) -> RenderedPrompt:
        """The prompt with an empty, closed thought at its end, as Qwen3's template writes it."""
        if not self.ends_with(open):
            return self.followed_by(f"{open}\n\n{close}\n\n", control_tokens)
        lines = "\n" if self.text.endswith("\n") else "\n\n"
        return self.followed_by(f"{lines}{close}\n\n", control_tokens)

    def followed_by(self, words: str, control_tokens: Collection[str]) -> RenderedPrompt:
        """The prompt with these words behind it, as if its template had written them."""
        added = cut_prompt(words, TRUSTED * len(words), control_tokens)
        return RenderedPrompt(self.segments + added.segments, self.cut_tokens)


def cut_prompt(text: str, marks: bytes, control_tokens: Collection[str]) -> RenderedPrompt:
    """Cut a text at its control tokens; `marks` has a 1 for each character of the template.

    Tokens of a single character or of white space alone are no control tokens here.
    Takes time and memory in proportion to the text, whatever the tokens are. TemplateError
    for more pieces than any context has tokens.
    """
    spellings = spellings_of(control_tokens)
    segments: list[Segment] = []
    look_alikes = 0
    at = 0
    for start, end in [*_written_tokens(text, marks, spellings), (len(text), len(text))]:
        cuts = _cuts(text[at:start], spellings)
        look_alikes += len(cuts)
        if look_alikes + len(segments) > MOST_PIECES:
            raise _too_many()
        for left, right in zip([0, *cuts], [*cuts, start - at], strict=True):
            if left < right:
                segments.append(Segment(text[at + left : at + right], control=False))
        if start < end:
            segments.append(Segment(text[start:end], control=True))
        at = end
    return RenderedPrompt(tuple(segments), look_alikes)


def _written_tokens(text: str, marks: bytes, spellings: Spellings) -> list[tuple[int, int]]:
    """Where a control token stands in a stretch wholly written by the template.

    The longest at a place is taken, and places from left to right.
    """
    written: list[tuple[int, int]] = []
    for stretch in re.finditer(rb"\x01+", marks):
        first = stretch.start()
        places, ends = array("I"), array("I")
        for place, _, longest in spellings.starts(text[first : stretch.end()]):
            places.append(first + place)
            ends.append(first + place + longest)
        at = 0
        for place, end in zip(reversed(places), reversed(ends), strict=True):
            if place >= at:
                written.append((place, end))
                at = end
        if len(written) > MOST_PIECES:
            raise _too_many()
    return written


def _cuts(text: str, spellings: Spellings) -> list[int]:
    """The fewest places to cut a text so that no piece holds a token."""
    # Of spellings inside each other, cutting the inner one cuts both: from the end of the
    # text on, only those that end before all others so far are kept.
    places, ends = array("I"), array("I")
    first_end = len(text) + 1
    for place, shortest, _ in spellings.starts(text):
        if place + shortest < first_end:
            first_end = place + shortest
            places.append(place)
            ends.append(first_end)
    cuts: list[int] = []
    for place, end in zip(reversed(places), reversed(ends), strict=True):
        if not cuts or cuts[-1] <= place:
            cuts.append(end - 1)
            if len(cuts) > MOST_PIECES:
                raise _too_many()
    return cuts


def _too_many() -> TemplateError:
    return TemplateError(
        "the chat holds too many control tokens, or texts that look like them",
        expected=f"at most {MOST_PIECES:,}",
        hint="say less at once, or begin a new chat",
    )
