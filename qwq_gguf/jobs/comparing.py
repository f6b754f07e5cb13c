"""Two profiles compared at one position of a real reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ModelError, UsageError
from qwq_gguf.jobs.events import Report
from qwq_gguf.words import clean, count, one_line

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile
    from qwq_gguf.sampling.compare import Comparison

__all__ = ["COMPARE_SCHEMA", "Compared", "compare_profiles", "percent", "quoted"]

COMPARE_SCHEMA = "qwq-gguf/profiles-compare/1"
_SEARCHED = 64  # tokens in which the widest difference is looked for
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
        return f"they differ by {percent(self.difference)}"

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


def compare_profiles(
    source: str,
    names: tuple[str, str],
    prompt: str,
    report: Report,
    *,
    at: int | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Compared:
    """Load a GGUF and compare two profiles in its reply to `prompt`; see `Compared`.

    The question is put as the file's own profile puts it; `at` is a place in the reply, None
    for where they differ most. UsageError for one profile twice, and what loading raises.
    """
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header
    from qwq_gguf.jobs.loading import load_model
    from qwq_gguf.profiles import resolve

    with gguf_header(source, revision, token, report) as (located, gguf):
        own = resolve(gguf.metadata).profile
        first, second = (resolve(gguf.metadata, requested=name).profile for name in names)
    if first.name == second.name:
        raise UsageError(f"--compare needs two profiles, both are {first.name}")
    bring_gguf(located, report)
    text = prompt.encode("utf-8", "replace").decode()
    # A byte is at least a token's length, and a chat template adds a little.
    room = len(text.encode()) + (_SEARCHED if at is None else at) + 1024
    with load_model(located.path, report, usual_context=room) as model:
        return _compare_at(model, own, (first, second), text, at)


def _compare_at(
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
    from qwq_gguf.engine.llama.native_stages import with_token_ids
    from qwq_gguf.engine.logits_along import dry_breakers, positions
    from qwq_gguf.engine.session import Session
    from qwq_gguf.sampling.compare import compare_chains
    from qwq_gguf.sampling.reference import Situation

    session = Session(model)
    read = Conversation(model, prompt_profile, session=session).prompt_tokens(prompt)
    chains = {profile.name: with_token_ids(profile.chain, model.vocabulary) for profile in profiles}
    breakers = dry_breakers(model, chains.values())
    found: tuple[int, tuple[int, ...], Comparison] | None = None
    last = -1
    for place in positions(session, read, most=_SEARCHED if at is None else at + 1):
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


def percent(share: float) -> str:
    """A share of 1 as `12.34 %`."""
    return f"{100 * share:.2f} %"
