"""One llama_context: computing tokens, and knowing what its KV cache holds.

What the cache holds is mirrored as a list of tokens, so that the next prompt is computed
only from where it differs. Exceptions may strike anywhere (Ctrl-C): the mirror may then
know too little of the cache, never too much.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qwq_gguf.engine.llama.abort import AbortFlag
from qwq_gguf.engine.llama.busy import BusyWatch, clocks
from qwq_gguf.engine.llama.checkpoints import Checkpoints, chunks, turn_places
from qwq_gguf.engine.llama.context_settings import DEFAULT_SETTINGS, ContextSettings, Observer
from qwq_gguf.engine.llama.interruptible import run_aside
from qwq_gguf.engine.llama.owned import Owned
from qwq_gguf.engine.llama.sequence_state import SequenceState, put_state, take_state
from qwq_gguf.errors import ModelError, NoRoomError
from qwq_gguf.machine import check_cache_fits
from qwq_gguf.machine.batches import prompt_batch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.llama.lines import Lines
    from qwq_gguf.engine.model import Model

__all__ = [
    "ABORTED",
    "FULL",
    "KvContext",
    "PromptProgress",
]

# What llama_decode returns besides 0 for success and negative errors.
FULL = 1
ABORTED = 2

# Called with (tokens done, tokens to do) while a prompt is computed.
PromptProgress = Callable[[int, int], None]


class KvContext:
    """A context of a model, of the size and with the threads that the model was given."""

    def __init__(self, model: Model, settings: ContextSettings | None = None) -> None:
        """`settings` are the model's unless given. ModelError when llama.cpp cannot make it."""
        api = model.library.api
        self._api: Any = api
        self._model = model
        if settings is None:
            settings = model.settings
        elif settings != model.settings:  # those `Model.load` checked
            size, keys, values = model.context_size, settings.keys, settings.values
            on_card = model.gpu_layers != 0
            check_cache_fits(model.gguf, size, keys=keys, values=values, on_card=on_card)
        self.batch_size = settings.batch_size(
            prompt_batch(
                sum(tensor.nbytes for tensor in model.gguf.tensors),
                on_card=model.gpu_layers != 0,
            )
        )
        self.abort = AbortFlag(api)
        # Where a card computes there is no telling by the processors.
        self.busy = BusyWatch(1 if model.gpu_layers else model.threads)
        on_tensor = settings.on_tensor
        self._observer = None if on_tensor is None else Observer(api, on_tensor)
        params = api.llama_context_default_params()
        params.n_ctx = model.context_size
        params.n_batch = params.n_ubatch = self.batch_size
        params.n_threads = params.n_threads_batch = model.threads
        params.abort_callback = self.abort.callback
        params.abort_callback_data = self.abort.data
        params.no_perf = True
        settings.apply(api, params)
        if self._observer is not None:
            params.cb_eval = self._observer.callback
        model.library.log.clear()
        with model.owned as model_handle:
            handle: int | None = api.llama_init_from_model(model_handle, params)
            if not handle:
                raise NoRoomError(
                    "there is no room for a context of this size",
                    path=model.path,
                    found=model.library.log.reason(),
                    hint=f"try a smaller one: -c {max(256, model.context_size // 2)}"
                    if settings == DEFAULT_SETTINGS
                    else "try a smaller one, or the settings of a context that are usual",
                )
            # Flag and callback must outlive the context, so what frees it holds them.
            self.owned = Owned(
                handle,
                partial(_free, api, model.lines, (self.abort, self._observer)),
                what="the session",
                path=model.path,
                parent=model.owned,
                exclusive=True,
            )
            self._memory = api.llama_get_memory(handle)
            self._checkpoints = Checkpoints(
                api, model_handle, self._memory, whole_windows=params.swa_full
            )
        self._cached: list[int] = []
        self._step = (ctypes.c_int32 * 1)()
        self._step_batch = api.llama_batch_get_one(self._step, 1)

    @property
    def cached_tokens(self) -> int:
        """Tokens in the KV cache."""
        return len(self._cached)

    def reuse(self, prompt: list[int]) -> int:
        """Keep the cache as far as it agrees with the prompt; how many tokens that is.

        At least the last token is computed again, as its logits are needed.
        """
        keep = 0
        for old, new in zip(self._cached, prompt[:-1], strict=False):
            if old != new:
                break
            keep += 1
        kept, self._cached = self._cached[:keep], []  # until it is known how much
        with self.owned as handle:
            keep = self._checkpoints.go_back(handle, keep)
        self._cached = kept[:keep]
        return keep

    def agreement(self, text: Sequence[int], start: int) -> int:
        """How many tokens of the text are in the cache; the first `start` are known to be."""
        cached, end = self._cached, min(len(self._cached), len(text))
        while start < end and cached[start] == text[start]:
            start += 1
        return start

    def cut_back(self, keep: int) -> None:
        """Forget what comes after the first `keep` tokens, where no state stands in the way."""
        if len(self._cached) <= keep:
            return
        del self._cached[keep:]
        with self.owned:
            self._api.llama_memory_seq_rm(self._memory, 0, keep, -1)

    def compute_prompt(self, prompt: list[int], start: int, report: PromptProgress | None) -> bool:
        """Decode the prompt from `start`; False if it was aborted."""
        total = len(prompt)
        places = turn_places(prompt, self._model.eog_tokens) if self._checkpoints.needed else ()
        for first, end in chunks(start, total, self.batch_size, places):
            chunk = prompt[first:end]
            tokens = (ctypes.c_int32 * len(chunk))(*chunk)
            batch = self._api.llama_batch_get_one(tokens, len(chunk))
            status = run_aside(partial(self._decode, batch), self.abort.set)
            self._check_owner()
            if status == ABORTED or self.abort.is_set():
                return False
            self.check(status)
            self._cached += chunk
            if end in places:
                with self.owned as handle:
                    self._checkpoints.save(handle, end)
            if report is not None:
                report(end, total)
        return True

    def compute_token(self, token: int) -> int:
        """Decode one token; llama_decode's status, 0 for success."""
        self._step[0] = token
        if self.busy.done:
            status = self._decode(self._step_batch)
        else:
            before = clocks()
            status = self._decode(self._step_batch)
            self.busy.computed(before, clocks())
        self._check_owner()
        if status == 0:
            self._cached.append(token)
        return status

    def compute_guesses(self, tokens: Sequence[int]) -> int:
        """Decode these, for the logits behind each; llama_decode's status, 0 for success."""
        count = len(tokens)
        batch = self._api.llama_batch(
            n_tokens=count,
            token=(ctypes.c_int32 * count)(*tokens),
            logits=(ctypes.c_int8 * count)(*[1] * count),
        )  # what is left out llama.cpp fills in: positions, and the only sequence
        status = self._decode(batch)
        self._check_owner()
        if status == 0:
            self._cached += tokens
        return status

    def _decode(self, batch: Any) -> int:
        # Held by the thread that computes: no other, and no signal handler, may use it meanwhile.
        self._model.lines.check()
        with self.owned as handle:
            status: int = self._api.llama_decode(handle, batch)
        self._model.library.log.trim()
        return status

    def _check_owner(self) -> None:
        """What was computed means something only if nothing was taken away meanwhile."""
        self.owned.check()
        self._model.files.check_read()
        if self._observer is not None:
            self._observer.check()

    def check(self, status: int) -> None:
        """ModelError for a status of llama_decode other than success."""
        if status != 0:
            self.forget()
            raise self.failure(status)

    def failure(self, status: int) -> ModelError:
        """What to say of such a status."""
        return ModelError(
            "llama.cpp could not compute this prompt",
            path=self._model.path,
            found=self._model.library.log.reason() or f"llama_decode: {status}",
        )

    def sound_logits(self, index: int = -1) -> bool:
        """Whether logits are numbers; some samplers would crash on others.

        `index` is their place in the batch that was computed last, as for all that follows. One
        NaN in the network makes every logit NaN, so one is enough to look at.
        """
        with self.owned as handle:
            logits = self._api.llama_get_logits_ith(handle, index)
            return bool(logits and logits[0] == logits[0])

    def check_logits(self, index: int = -1) -> None:
        """ModelError for logits that are no numbers."""
        if not self.sound_logits(index):
            self.forget()
            raise self.damaged()

    def damaged(self) -> ModelError:
        """What to say of logits that are no numbers."""
        return ModelError(
            "the model computes something that is not a number",
            path=self._model.path,
            hint="its weights are damaged: get or make the file again",
        )

    def logits(self, index: int = -1) -> npt.NDArray[np.float32]:
        """A copy of the last computed token's logits, one a token of the vocabulary."""
        import numpy as np  # generating needs none of it

        with self.owned as handle:
            logits = self._api.llama_get_logits_ith(handle, index)
            if not logits:
                raise ModelError("nothing was computed yet", path=self._model.path)
            return np.ctypeslib.as_array(logits, (self._model.vocab_size,)).copy()

    def state(self) -> SequenceState:
        """What is in the cache, to `restore` later."""
        with self.owned as handle:
            return SequenceState(tuple(self._cached), take_state(self._api, handle))

    def restore(self, state: SequenceState) -> bool:
        """Have that in the cache; if llama.cpp does not take it, nothing is, and False."""
        self.forget()
        with self.owned as handle:
            size = len(state.tokens)
            if not put_state(self._api, handle, self._memory, state.data, size):
                return False
        self._cached = list(state.tokens)
        return True

    def show_logits(self, look: Callable[[npt.NDArray[np.float32]], None], index: int = -1) -> None:
        """Let somebody look at the same without a copy, which is theirs for this call only."""
        import numpy as np

        with self.owned as handle:
            logits = self._api.llama_get_logits_ith(handle, index)
            view = np.ctypeslib.as_array(logits, (self._model.vocab_size,))
            view.flags.writeable = False
            look(view)

    def forget(self) -> None:
        """Empty the KV cache."""
        self._cached.clear()
        self._checkpoints.forget()
        with self.owned:
            self._api.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        """Free the context; may be called twice. What is being computed is aborted."""
        self.abort.set()
        self._cached.clear()
        self.owned.close()


def _free(api: Any, lines: Lines, _kept: object, handle: int) -> None:
    if not lines.lost:
        api.llama_free(handle)
