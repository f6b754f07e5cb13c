"""How the sessions of a model guess ahead, and whether they can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from qwq_gguf.engine.speculation.drafter import Drafter
from qwq_gguf.engine.speculation.lengths import MOST_GUESSES, Costs
from qwq_gguf.engine.speculation.model import ModelDrafter
from qwq_gguf.engine.speculation.text import TextDrafter
from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model

__all__ = ["Speculation", "check_same_tokens"]

# Measured on one core, Q4_K_M: docs/performance.md. A card computes some tokens as fast as one.
_PROCESSOR = Costs(begin=0.95, group=0.65, row=0.4)
_CARD = Costs(begin=1.0, group=0.1, row=0.03)


class Speculation:
    """Makes a drafter for each session of a model."""

    def __init__(
        self,
        model: Model,
        *,
        draft: Model | None = None,
        most: int | None = None,
        costs: Costs | None = None,
    ) -> None:
        """Guesses are those of the model `draft`, or without one out of the text. At most `most`
        of them at once, as far as they pay by `costs` (default: those of this kind of computer).

        ModelError where the state of either cannot be cut back to where a guess was wrong, and
        where they have other tokens.
        """
        for each in (model, draft):
            if each is not None:
                _check_cuttable(each)
        if draft is not None:
            check_same_tokens(model, draft)
        self.draft = draft
        self._most = MOST_GUESSES if most is None else min(most, MOST_GUESSES)
        self._vocabulary = model.vocab_size
        if costs is None:
            costs = _CARD if model.gpu_layers else _PROCESSOR
            if draft is not None:
                costs = replace(costs, guess=draft.weight_bytes / model.weight_bytes)
        self._costs = costs

    def drafter(self) -> Drafter:
        """One for a session, which closes it."""
        if self.draft is None:
            return TextDrafter(self._costs, self._most)
        draft = self.draft
        return ModelDrafter(draft, draft.settings, self._costs, self._most, self._vocabulary)


def check_same_tokens(model: Model, draft: Model) -> None:
    """ModelError unless their tokens are the same, but for unused ones behind the last.

    Models of one family are padded to other sizes: Qwen2.5 has 151,936 tokens or 152,064.
    """
    ours, theirs = _tokens(model), _tokens(draft)
    for token, (here, there) in enumerate(zip_longest(ours, theirs)):
        if here == there:
            continue
        if (here is None and _unused(draft, token)) or (there is None and _unused(model, token)):
            continue
        raise ModelError(
            "the draft model has other tokens than the model that it is to guess for",
            path=draft.path,
            found=f"token {token} is {_said(there)}",
            expected=_said(here),
            hint="a smaller model of the same family has the same; --speculate text needs none",
        )


def _tokens(model: Model) -> Sequence[str]:
    found = model.metadata.get("tokenizer.ggml.tokens")
    return () if found is None else found.items  # type: ignore[return-value]


def _unused(model: Model, token: int) -> bool:
    kinds = model.metadata.get("tokenizer.ggml.token_type")
    return kinds is not None and kinds.items[token] == _UNUSED


_UNUSED = 5  # LLAMA_TOKEN_TYPE_UNUSED


def _said(token: str | None) -> str:
    return "missing" if token is None else repr(token)[:60]


def _check_cuttable(model: Model) -> None:
    api = model.library.api
    with model.owned as handle:
        if not (api.llama_model_is_recurrent(handle) or api.llama_model_is_hybrid(handle)):
            return
    raise ModelError(
        "this model cannot guess ahead: its state cannot go back to where a guess was wrong",
        path=model.path,
        hint="it works without --speculate",
    )
