"""When a thought is ended from outside, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from qwq_gguf.errors import ProfileError

__all__ = ["STANDARD_WORDS", "Governor"]

_MOST = 1 << 24
_MAX_TEXT = 1000
_MAX_LOGITS = 100.0
_MAX_SECONDS = 1e7
STANDARD_WORDS = "I have thought about this long enough, so I answer with what I have."


@dataclass(frozen=True, slots=True)
class Governor:
    """What is done about a thought that does not end, and about a reply that goes in circles.

    `budget` is the most tokens that the thoughts of one turn may take, 0 for no thought and
    None for as many as they like, the words that close it not counted; `seconds` bounds them
    likewise. `reserve` are tokens kept
    for the answer: of a context, or a limit of the reply, that the thought would fill; never
    more than a quarter of it, 0 for none. `loops`: a thought that goes in circles is closed,
    and an answer that does is ended. `answers`: a thought that the model ends its turn in is
    closed, and an answer that says nothing goes on.

    Whatever is closed ends in `message` and the tag that closes it, so that the model answers
    from what it has. None is `STANDARD_WORDS`, and an empty one closes bare. Without words of
    the model's own kind before the tag answers get worse (llama.cpp has its
    `--reasoning-budget-message` for the same reason).

    `wind_down` is the share of the bounds from which on the thought is talked into ending by
    itself: a bias towards the closing token at the end of each sentence, and as much against
    hesitating, grows to `wind_down_bias` at the bound. `hesitation_penalty` is taken off the
    logits of "Wait", "Hmm" and their like throughout the thought. `margin` closes it at the end
    of a sentence, once the closing token's logit is within so much of the best one.
    Biases, penalty and margin are in logits; None and 0 are off.
    """

    budget: int | None = None
    message: str | None = None
    seconds: float | None = None
    reserve: int = 1024
    loops: bool = True
    answers: bool = True
    wind_down: float | None = None
    wind_down_bias: float = 10.0
    hesitation_penalty: float = 0.0
    margin: float | None = None

    def __post_init__(self) -> None:
        self._whole("budget", _MOST, "tokens", optional=True)
        self._whole("reserve", _MOST, "tokens")
        self._number("seconds", _MAX_SECONDS, optional=True)
        self._number("wind_down", 1.0, optional=True)
        self._number("wind_down_bias", _MAX_LOGITS)
        self._number("hesitation_penalty", _MAX_LOGITS)
        self._number("margin", _MAX_LOGITS, optional=True)
        for name in ("loops", "answers"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ProfileError(
                    f"governor: {name} is a switch",
                    found=repr(value)[:80],
                    expected="true or false",
                )
        if self.message is not None and not isinstance(self.message, str):
            raise ProfileError("governor: the message is no text", found=repr(self.message)[:80])
        if self.message is not None and len(self.message) > _MAX_TEXT:
            raise ProfileError(
                "governor: the message is too long",
                found=f"{len(self.message)} characters",
                expected=f"at most {_MAX_TEXT}",
            )

    @property
    def last_words(self) -> str:
        """What the thought ends in before its tag, which stands on a line of its own."""
        message = (STANDARD_WORDS if self.message is None else self.message).strip()
        return f"\n{message}\n" if message else "\n"

    @property
    def steers(self) -> bool:
        """Whether it does anything to a thought before its bounds."""
        return self.winds_down or self.hesitation_penalty > 0 or self.margin is not None

    def steering(self) -> tuple[str, ...]:
        """The keys that are on and have no kin in other runtimes."""
        kept = {
            "seconds": self.seconds is not None,
            "wind_down": self.winds_down,
            "hesitation_penalty": self.hesitation_penalty > 0,
            "margin": self.margin is not None,
        }
        return tuple(name for name, on in kept.items() if on)

    @property
    def winds_down(self) -> bool:
        """Whether the bounds are announced to the model before they are reached."""
        return self.wind_down is not None and self.wind_down < 1 and self.wind_down_bias > 0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of its numbers, as profiles have them."""
        return tuple(field.name for field in fields(cls))

    def _whole(self, name: str, most: int, unit: str, *, optional: bool = False) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise ProfileError(
                f"governor: the {name} is out of range",
                found=repr(value)[:80],
                expected=f"0 to {most} {unit}",
            )

    def _number(self, name: str, most: float, *, optional: bool = False) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        sound = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not sound or not math.isfinite(value) or not 0 <= value <= most:
            raise ProfileError(
                f"governor: {name} is out of range",
                found=repr(value)[:80],
                expected=f"0 to {most:g}",
            )
