"""A SamplerChain value as llama.cpp's own samplers, in exactly its order.

Which tokens the windowed stages have seen is decided here: llama.cpp's samplers count
what they are told to accept, so a window over the generation simply never hears of the
prompt. Nor does a grammar, and one for the answer alone hears nothing of the thought.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwq_gguf.engine.llama.native_stages import init_stage, seen_before
from qwq_gguf.engine.llama.owned import Owned
from qwq_gguf.errors import ModelError
from qwq_gguf.sampling.seeds import MOST_SEED
from qwq_gguf.sampling.shortlist import LEAST_VOCABULARY, shortlist
from qwq_gguf.sampling.stages import Grammar, Stage, TypicalP

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.llama.forbidding import Candidates, GrammarSampler
    from qwq_gguf.engine.llama.library import Library
    from qwq_gguf.engine.llama.logit_edit import LogitEdit
    from qwq_gguf.engine.llama.vocabulary import Vocabulary
    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["NativeChain", "Picked"]


@dataclass(frozen=True, slots=True)
class Picked:
    """What a chain made of logits: the token, and the tokens left with their probability."""

    token: int
    kept: tuple[tuple[int, float], ...]


class NativeChain:
    """A `llama_sampler` chain; a context manager. Its state is that of one generation."""

    def __init__(
        self,
        library: Library,
        chain: SamplerChain,
        *,
        seed: int,
        vocab_size: int,
        context_size: int,
        vocabulary: Vocabulary | None = None,
        prompt: Sequence[int] = (),
    ) -> None:
        """Build it. The stages dry and grammar, and biases by text, need a `vocabulary`.

        `prompt` are the tokens before the generation, `context_size` is the longest that
        both can be together. A grammar acts from the first token, unless `expect_thought`
        says that it has to wait.

        ChainError for a bias of a token that the vocabulary lacks.
        """
        if not 0 <= seed <= MOST_SEED:
            raise ModelError("the seed makes no sense", found=seed, expected=f"0 to {MOST_SEED}")
        api = library.api
        self._api: Any = api
        self._fused = api.llama_sampler_sample
        self._vocab_size = vocab_size
        self._numbers = ctypes.c_float * vocab_size
        self._vocabulary = vocabulary
        params = api.llama_sampler_chain_default_params()
        params.no_perf = True
        # The chain owns what is added to it: freeing it frees all. Stages read the vocabulary.
        self._owned = Owned(
            api.llama_sampler_chain_init(params),
            api.llama_sampler_free,
            what="the sampler chain",
            parent=None if vocabulary is None else vocabulary.owner,
        )
        # The grammar is none of the chain's own: it comes and goes.
        self._steps: list[tuple[Stage, int | None]] = []
        self._grammar_stage = chain.stage(Grammar)
        self._grammar: GrammarSampler | None = None
        self._thought_token: int | None = None
        self._bans = any(stage.bans for stage in chain.stages)
        self._typical = any(isinstance(s, TypicalP) and not s.off for s in chain.stages)
        self._forbidden: tuple[int, ...] = ()
        self._biases: dict[int, float] = {}
        self._edit: LogitEdit | None = None
        self._short = shortlist(chain) if vocab_size >= LEAST_VOCABULARY else None
        with self._owned as handle:
            for stage in chain.stages:
                if isinstance(stage, Grammar):
                    self._steps.append((stage, None))
                    continue
                sampler = init_stage(api, stage, seed, vocab_size, vocabulary, longest=context_size)
                self._steps.append((stage, sampler))
                api.llama_sampler_chain_add(handle, sampler)
                if not stage.off:
                    for token in seen_before(stage.lookback, prompt):
                        api.llama_sampler_accept(sampler, token)
        self._begin(after_thought=False)

    @classmethod
    def of(
        cls, model: Model, chain: SamplerChain, *, seed: int, prompt: Sequence[int] = ()
    ) -> NativeChain:
        """The chain for a generation with this model."""
        return cls(
            model.library,
            chain,
            seed=seed,
            vocab_size=model.vocab_size,
            context_size=model.context_size,
            vocabulary=model.vocabulary,
            prompt=prompt,
        )

    def sample(self, context: int, index: int = -1) -> int | None:
        """Pick and accept a token from logits of a llama_context, which is held.

        `index` is their place in the batch that it computed last. None when the text is
        complete by its grammar and no token may follow. ModelError when the stages forbid
        every token before that.
        """
        with self._owned as handle:
            if self._edit is None and self._short is None and not self._stepwise:
                token: int = self._fused(handle, context, index)
                return token
            import numpy as np

            pointer = self._api.llama_get_logits_ith(context, index)
            numbers = self._numbers.from_address(ctypes.addressof(pointer.contents))
            logits = np.ctypeslib.as_array(numbers)
            with self._edited(logits):
                if self._stepwise:
                    candidates = self._run(logits)
                elif (candidates := self._shortlisted(logits)) is None:
                    token = self._fused(handle, context, index)
                    return token
                else:
                    self._api.llama_sampler_apply(handle, candidates.pointer)
            if candidates is None:
                return None
            picked = candidates.selected()
            self.accept(picked)
            return picked

    def accept(self, token: int) -> None:
        """Tell all stages that this token was generated."""
        with self._owned as handle:
            grammar = self._grammar
            if grammar is not None and grammar.fresh and token == self._thought_token:
                self._end_grammar()
            elif grammar is not None:
                grammar.accept(token)
            self._api.llama_sampler_accept(handle, token)

    def expect_thought(self, token: int | None, *, begun: bool) -> None:
        """Before the first token: a thought comes before the answer.

        It has `begun` with the prompt, and a grammar for the answer waits for `begin_answer`;
        or `token` may open it, if the model wants that.
        """
        self._owned.check()
        if self._grammar_stage is None or self._grammar_stage.scope == "reply":
            return
        self._thought_token = token
        if begun:
            self._end_grammar()

    def begin_answer(self) -> None:
        """A thought has ended: what is generated from now on is the answer."""
        self._owned.check()
        stage = self._grammar_stage
        if stage is not None and stage.scope == "answer":
            self._end_grammar()
            self._thought_token = None
            self._begin(after_thought=True)

    def takes(self, tokens: Sequence[int]) -> bool:
        """Whether a grammar, where one acts now, lets these be the next tokens."""
        self._owned.check()
        return self._grammar is None or self._grammar.takes(tokens)

    def forbid(self, tokens: Collection[int]) -> None:
        """From now on none of these is picked. Replaces what was forbidden so before."""
        self._forbidden = tuple(tokens)
        self._make_edit()

    def bias(self, biases: Mapping[int, float]) -> None:
        """From now on these are added to the raw logits, before the first stage.

        Replaces what was added so before. ModelError for a token that the model lacks.
        """
        self._biases = dict(biases)
        self._make_edit()

    @property
    def _stepwise(self) -> bool:
        """Whether the stages run one by one, so that forbidden tokens leave the candidates.

        Few forbidden ones may stay, with no chance, except where typ_p makes NaN of them.
        """
        return self._bans or (self._typical and bool(self._forbidden))

    def _edited(self, logits: npt.NDArray[np.float32]) -> AbstractContextManager[None]:
        """They are the model's own again afterwards: others may look, or pick once more."""
        return nullcontext() if self._edit is None else self._edit.made_in(logits)

    def _make_edit(self) -> None:
        if self._edit is None and not self._biases and not self._forbidden:
            return
        from qwq_gguf.engine.llama.logit_edit import LogitEdit

        forbidden = () if self._stepwise else self._forbidden
        self._edit = LogitEdit.of(self._biases, forbidden, self._vocab_size)

    def apply(self, logits: Sequence[float]) -> Picked:
        """Run the chain on these logits, one a token, and pick without accepting."""
        import numpy as np

        from qwq_gguf.engine.llama.forbidding import Candidates

        numbers = np.array(logits, dtype=np.float32)
        with self._owned as handle, self._edited(numbers):
            if self._stepwise:
                candidates = self._run(numbers)
            else:
                candidates = Candidates.of(self._api, numbers)
                self._api.llama_sampler_apply(handle, candidates.pointer)
        if candidates is None:
            raise ModelError("the text is complete, and no token may follow")
        return Picked(candidates.selected(), candidates.kept())

    def names(self) -> tuple[str, ...]:
        """What llama.cpp calls the stages; a `?` in front marks one that does nothing."""
        api = self._api
        with self._owned as handle:
            return tuple(
                api.llama_sampler_name(api.llama_sampler_chain_get(handle, index)).decode()
                for index in range(api.llama_sampler_chain_n(handle))
            )

    def close(self) -> None:
        """Free the samplers; may be called twice."""
        self._end_grammar()
        self._owned.close()

    def __enter__(self) -> NativeChain:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, *, after_thought: bool) -> None:
        stage = self._grammar_stage
        if stage is None or stage.off:
            return
        if self._vocabulary is None:
            raise ModelError("the stage grammar needs a vocabulary")
        from qwq_gguf.engine.llama.forbidding import GrammarSampler

        self._grammar = GrammarSampler(
            self._api, self._vocabulary, stage, after_thought=after_thought
        )

    def _end_grammar(self) -> None:
        if self._grammar is not None:
            self._grammar.close()
            self._grammar = None

    def _shortlisted(self, logits: npt.NDArray[np.float32]) -> Candidates | None:
        """The tokens that the chain's first cut may keep; None where all have to be seen."""
        if self._short is None:
            return None
        from qwq_gguf.engine.llama.forbidding import Candidates
        from qwq_gguf.engine.llama.likely import likely

        ids = likely(logits, self._short)
        return None if ids is None else Candidates(self._api, ids, logits[ids])

    def _run(self, logits: npt.NDArray[np.float32]) -> Candidates | None:
        """All stages in order, from which forbidden tokens do not come back; see `sample`."""
        import numpy as np

        from qwq_gguf.engine.llama.forbidding import Candidates

        apply = self._api.llama_sampler_apply
        candidates = Candidates.of(self._api, logits)
        if self._forbidden:
            candidates.keep(~np.isin(candidates.rows()["id"], self._forbidden))
        for stage, sampler in self._steps:
            if isinstance(stage, Grammar):
                if self._grammar is not None:
                    self._grammar.apply(candidates, self._thought_token)
            else:
                apply(sampler, candidates.pointer)
                if stage.bans:
                    candidates.keep_allowed()
            if len(candidates):
                continue
            if self._grammar is not None and self._grammar.complete:
                return None
            raise ModelError(
                f"the stage {stage.name} leaves no token to choose",
                hint="the grammar and the logit biases together forbid all that could come next",
            )
        return candidates
