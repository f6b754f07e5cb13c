"""What guessing tokens ahead has brought, as a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.words import count

__all__ = ["Speculated"]

_ENOUGH = 8  # steps without a guess, before their time means anything


@dataclass(frozen=True, slots=True)
class Speculated:
    """Steps of one text or several, each a decode of one token and of those guessed behind it.

    `drafted` tokens were guessed, of which `accepted` were what the chain picked. `plain_steps`
    are those without a guess; `seconds` and `plain_seconds` are the time of all steps and of these.
    """

    steps: int = 0
    tokens: int = 0
    drafted: int = 0
    accepted: int = 0
    seconds: float = 0.0
    plain_steps: int = 0
    plain_seconds: float = 0.0

    def __add__(self, other: Speculated) -> Speculated:
        return Speculated(
            self.steps + other.steps,
            self.tokens + other.tokens,
            self.drafted + other.drafted,
            self.accepted + other.accepted,
            self.seconds + other.seconds,
            self.plain_steps + other.plain_steps,
            self.plain_seconds + other.plain_seconds,
        )

    @property
    def tokens_per_step(self) -> float:
        """Tokens that a decode has brought; 1 without guesses."""
        return self.tokens / self.steps if self.steps else 0.0

    @property
    def acceptance(self) -> float:
        """The share of guessed tokens that were right."""
        return self.accepted / self.drafted if self.drafted else 0.0

    @property
    def speed_up(self) -> float | None:
        """How many times as fast as if each token had taken what a step without guesses took.

        None where there were too few of these to say.
        """
        if self.plain_steps < _ENOUGH or self.seconds <= 0 or self.plain_seconds <= 0:
            return None
        return self.tokens * self.plain_seconds / self.plain_steps / self.seconds

    def to_json(self) -> dict[str, int | float | None]:
        """For `--json`; times are left out, but for what they come to."""
        faster = self.speed_up
        return {
            "drafted": self.drafted,
            "accepted": self.accepted,
            "steps": self.steps,
            "tokens_per_step": round(self.tokens_per_step, 2),
            "speed_up": None if faster is None else round(faster, 2),
        }

    def describe(self) -> str:
        """In words: `guessed 40 tokens, 31 of them right · 2.1 tokens a step · ...`."""
        if not self.drafted:
            return "guessed nothing: it would not have paid"
        said = (
            f"guessed {count(self.drafted, 'token')}, {self.accepted:,} of them right"
            f" · {self.tokens_per_step:.2f} tokens a step"
        )
        faster = self.speed_up
        return said if faster is None else f"{said} · {faster:.2f} times as fast"
