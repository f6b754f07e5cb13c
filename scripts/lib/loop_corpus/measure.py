"""What a detector makes of the texts of tests/loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from loop_corpus.store import Half, Honest, Looping, line_breaks
from qwq_gguf.thinking.loops import Loop, LoopDetector, LoopSettings

__all__ = ["FLOOR", "Found", "false_alarms", "first_loop", "follow"]

# Three rounds of a short block are no evidence: so many tokens may pass in any case.
FLOOR = 400
USUAL = LoopSettings()


@dataclass(frozen=True, slots=True)
class Found:
    """A looping text, and when the detector said so: tokens from where the looping began."""

    text: Looping
    loop: Loop | None
    delay: int | None

    @property
    def periods(self) -> float | None:
        """The delay in periods."""
        return None if self.delay is None else self.delay / self.text.period

    def within(self, periods: float, floor: int = 0) -> bool:
        """Whether it was found in so many periods, or in `floor` tokens if those are more."""
        return self.delay is not None and self.delay <= max(periods * self.text.period, floor)

    def undecided(self, periods: float, floor: int = 0) -> bool:
        """Whether the text was cut, with nothing found, before there had been so much of it."""
        given = len(self.text.tokens) - self.text.begin
        return self.delay is None and given < max(periods * self.text.period, floor)


def first_loop(
    tokens: Sequence[int], breaks: Collection[int], settings: LoopSettings = USUAL
) -> tuple[Loop, int] | None:
    """The first loop that is found, and after how many tokens; `breaks` end lines."""
    detector = LoopDetector(settings)
    for count, token in enumerate(tokens, 1):
        loop = detector.feed(token, ends_line=token in breaks)
        if loop is not None:
            return loop, count
    return None


def follow(texts: Iterable[Looping], settings: LoopSettings = USUAL) -> list[Found]:
    """What is found in looping texts."""
    out, breaks = [], line_breaks()
    for text in texts:
        found = first_loop(text.tokens, breaks[text.origin["model"]], settings)
        delay = None if found is None else found[1] - text.begin
        out.append(Found(text, None if found is None else found[0], delay))
    return out


def false_alarms(
    texts: Iterable[Honest], settings: LoopSettings = USUAL, half: Half | None = None
) -> list[tuple[Honest, str, Loop]]:
    """The honest texts that are taken for loops, with the tokenizer and what was said."""
    breaks = line_breaks()
    return [
        (text, tokenizer, found[0])
        for text in texts
        if half is None or text.half == half
        for tokenizer, tokens in text.tokens.items()
        if (found := first_loop(tokens, breaks[tokenizer], settings)) is not None
    ]
