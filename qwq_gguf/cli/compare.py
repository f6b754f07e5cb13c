"""`qwq-gguf profiles --compare`: two profiles at one position of a real reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwq_gguf.cli.output import emit, show_table
from qwq_gguf.errors import ModelError
from qwq_gguf.sampling import Grammar
from qwq_gguf.words import clean, count, one_line

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile
    from qwq_gguf.sampling.compare import Comparison

__all__ = ["COMPARE_SCHEMA", "SEARCHED", "Compared", "compare_at", "quoted"]

COMPARE_SCHEMA = "qwq-gguf/profiles-compare/1"
SEARCHED = 64  # tokens in which the widest difference is looked for
_TAIL = 60  # characters


@dataclass(frozen=True, slots=True)
class Compared:
    """Two profiles at `position` tokens into the model's reply to `prompt`.

    `before` is the reply so far, `difference` the probability that has to move to make one
    distribution the other, 0 to 1. `texts` has every token of the comparison. `searched`
    tokens were looked through for the place, none when it was given.
    """

    file: str
    prompt: str
    position: int
    before: str
    profiles: tuple[Profile, Profile]
    comparison: Comparison
    texts: Mapping[int, str]
    searched: int = 0

    @property
    def difference(self) -> float:
        """The total variation distance between the two."""
        return _difference(self.comparison)

    def title(self) -> str:
        """Where this is, in a line."""
        if not self.position:
            return "the first token of the reply"
        cut = "…" if len(self.before) > _TAIL else ""
        tail = one_line(self.before[-_TAIL:], _TAIL)
        return f"after {count(self.position, 'token')} of the reply: {cut}{tail}"

    def verdict(self) -> str:
        """How far the two are apart."""
        if self.searched and not self.difference:
            return f"they differ nowhere in the first {count(self.searched, 'token')} of the reply"
        return f"they differ by {_percent(self.difference)}"

    def show(self, most: int) -> None:
        """Print the table, its first `most` tokens."""
        names = [profile.name for profile in self.profiles]
        result = self.comparison
        rows = [
            (
                quoted(self.texts[row.token]),
                _percent(row.model),
                *(_percent(row.chains[name]) if row.chains[name] else "-" for name in names),
            )
            for row in result.rows[:most]
        ]
        emit(f"{self.title()}\n")
        show_table(("token", "model", *names), rows, right=",".join(("model", *names)))
        if len(result.rows) > most:
            emit(f"and {count(len(result.rows) - most, 'more token')} (--top shows more)")
        emit("")
        facts = (
            ("kept tokens", "", *(f"{result.kept[name]:,}" for name in names)),
            ("of the model's mass", "", *(_percent(result.mass[name]) for name in names)),
            ("undecided, in bits", "", *(f"{result.entropy[name]:.3f}" for name in names)),
        )
        show_table(("", "", *names), facts, right=",".join(names))
        emit(f"\n{self.verdict()}")
        if any((g := p.chain.stage(Grammar)) is not None and not g.off for p in self.profiles):
            emit("the reply is the model's own, so a grammar is left out of this")

    def to_json(self) -> dict[str, Any]:
        """The comparison as one object, with its schema."""
        result = self.comparison
        return {
            "schema": COMPARE_SCHEMA,
            "file": self.file,
            "prompt": self.prompt,
            "position": self.position,
            "before": self.before,
            "difference": self.difference,
            "profiles": [
                {
                    "profile": profile.name,
                    "order": list(profile.chain.order),
                    "kept": result.kept[profile.name],
                    "model_mass": result.mass[profile.name],
                    "entropy_bits": result.entropy[profile.name],
                }
                for profile in self.profiles
            ],
            "tokens": [
                {
                    "id": row.token,
                    "text": self.texts[row.token],
                    "model": row.model,
                    "profiles": dict(row.chains),
                }
                for row in result.rows
            ],
        }


def compare_at(
    model: Model,
    prompt_profile: Profile,
    profiles: tuple[Profile, Profile],
    prompt: str,
    at: int | None,
) -> Compared:
    """Compare at the place `at` tokens into the reply, or where the two differ most.

    The reply takes the model's best token at each place, so a grammar is left out of it. The
    question is put as `prompt_profile` puts it. ModelError when the reply is shorter than that.
    """
    from qwq_gguf.engine.conversation import Conversation
    from qwq_gguf.engine.native_stages import with_token_ids
    from qwq_gguf.engine.positions import dry_breakers, positions
    from qwq_gguf.engine.session import Session
    from qwq_gguf.sampling.compare import compare_chains
    from qwq_gguf.sampling.reference import Situation

    session = Session(model)
    read = Conversation(model, prompt_profile, session=session).prompt_tokens(prompt)
    chains = {profile.name: with_token_ids(profile.chain, model.vocabulary) for profile in profiles}
    breakers = dry_breakers(model, chains.values())
    found: tuple[int, tuple[int, ...], Comparison] | None = None
    last = -1
    for place in positions(session, read, most=SEARCHED if at is None else at + 1):
        last = len(place.generated)
        if at is not None and last != at:
            continue
        situation = Situation(read, place.generated, dry_breakers=breakers)
        here = compare_chains(chains, place.logits, situation)
        if found is None or _difference(here) > _difference(found[2]):
            found = last, place.generated, here
    if found is None:
        raise ModelError(
            "the reply ends before that", found=count(last + 1, "token"), expected=f"--at {at}"
        )
    position, generated, comparison = found
    return Compared(
        file=model.path.name,
        prompt=prompt,
        position=position,
        before=b"".join(map(model.piece, generated)).decode("utf-8", "replace"),
        profiles=profiles,
        comparison=comparison,
        texts={
            row.token: model.piece(row.token).decode("utf-8", "replace") for row in comparison.rows
        },
        searched=last + 1 if at is None else 0,
    )


def quoted(text: str) -> str:
    """A token so that its spaces and newlines are seen."""
    return clean(json.dumps(text, ensure_ascii=False))


def _difference(comparison: Comparison) -> float:
    first, second = comparison.kept
    return sum(abs(row.chains[first] - row.chains[second]) for row in comparison.rows) / 2


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
