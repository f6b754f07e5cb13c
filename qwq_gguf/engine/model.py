"""Load a GGUF so that it works, or say why it does not."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qwq_gguf.engine.llama import library as native
from qwq_gguf.engine.llama.context_settings import DEFAULT_SETTINGS, ContextSettings
from qwq_gguf.engine.llama.lines import Lines
from qwq_gguf.engine.llama.owned import Owned
from qwq_gguf.engine.llama.rpc_devices import Devices, Worker
from qwq_gguf.engine.llama.vocabulary import Vocabulary
from qwq_gguf.engine.loading.mapped import ModelFiles
from qwq_gguf.engine.loading.precheck import check_model, model_parts
from qwq_gguf.engine.loading.probe import installed_identity, probe
from qwq_gguf.engine.loading.steps import can_map, default_threads, load_handle, notes_of
from qwq_gguf.engine.loading.trial import ensure_loads
from qwq_gguf.errors import ModelError
from qwq_gguf.gguf_file import GgufFile, read_gguf
from qwq_gguf.gguf_file.nfc import composes
from qwq_gguf.machine import check_cache_fits
from qwq_gguf.metadata import KeyValue, Scalar

if TYPE_CHECKING:
    from types import TracebackType

    from qwq_gguf.chat.template import Segment
    from qwq_gguf.engine.speculation.drafter import Drafter

    class _Closable(Protocol):
        """A session or an engine."""

        def close(self) -> None: ...

    class _Speculation(Protocol):
        """How a session's guesses are made (`engine/speculation`)."""

        @property
        def draft(self) -> _Closable | None: ...

        def drafter(self) -> Drafter: ...


__all__ = ["DEFAULT_CONTEXT", "Model"]

DEFAULT_CONTEXT = 16384
MOST_THREADS = 512  # GGML_MAX_N_THREADS; beyond it ggml aborts
_SAMPLING = "general.sampling."


class Model:
    """A loaded model. Made by `Model.load`; a context manager.

    Many sessions may use one model, each from one thread at a time. Closing the model
    closes them; whatever is asked of it afterwards, but what its header says, is a
    ModelError. Closing while something is computed ends that first.
    """

    def __init__(
        self,
        *,
        library: native.Library,
        handle: int,
        files: ModelFiles,
        gguf: GgufFile,
        context_size: int,
        gpu_layers: int,
        threads: int,
        settings: ContextSettings,
        notes: tuple[str, ...],
        lines: Lines,
    ) -> None:
        self.library = library
        self.path = gguf.path
        self.files = files
        self.gguf = gguf
        self.context_size = context_size
        self.gpu_layers = gpu_layers
        self.threads = threads
        self.settings = settings
        self.notes = notes
        self.lines = lines
        self.speculation: _Speculation | None = None
        """How its sessions guess tokens ahead, if they are to; see `speculate`."""
        api = library.api
        free = partial(_free, api, files, lines)
        self.owned = Owned(handle, free, what="the model", path=self.path)
        self._sessions: weakref.WeakSet[_Closable] = weakref.WeakSet()
        self._adopting = threading.RLock()  # reentrant: signal handlers may close
        bos, eos = (gguf.integer(f"tokenizer.ggml.{role}_token_id") for role in ("bos", "eos"))
        self.vocabulary = Vocabulary(
            library, self.owned, bos=bos, eos=eos, composing=composes(gguf.metadata)
        )
        self.weights: int = api.llama_model_n_params(handle)
        self.weight_bytes: int = api.llama_model_size(handle)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        context: int | None = None,
        gpu_layers: int | None = None,
        cpu_experts: int = 0,
        threads: int | None = None,
        settings: ContextSettings = DEFAULT_SETTINGS,
        workers: Sequence[Worker] = (),
        progress: Callable[[float], None] | None = None,
    ) -> Model:
        """Check and load a GGUF file.

        `context` is in tokens (default: the smaller of 16384 and the model's),
        `gpu_layers` how many layers go to the card (default: all, if the build can) without the
        experts of the first `cpu_experts`; `workers` are machines whose devices count as cards,
        `threads` how many cores compute (default: the physical ones; for a tiny model one,
        which is faster). `settings` are those of its sessions, unless one has others; a cache of
        these has to fit into memory. `progress` gets the loaded fraction, 0 to 1; an exception
        from it stops the load.

        GgufError for a malformed file, ModelError for one that cannot be run,
        LibraryError when llama.cpp is missing or does not work here, ServerError for a worker
        that is not there.
        """
        for name, value, least in (
            ("context", context, 1),
            ("gpu_layers", gpu_layers, -1),
            ("cpu_experts", cpu_experts, 0),
            ("threads", threads, 1),
        ):
            if value is not None and not least <= value < 1 << 31:
                raise ModelError(f"{name} makes no sense", found=value)
        if threads is not None and threads > MOST_THREADS:
            raise ModelError(
                "llama.cpp cannot use that many threads",
                found=threads,
                expected=f"at most {MOST_THREADS}; more than there are cores are of no use",
            )
        gguf = read_gguf(path)
        check_model(gguf)
        parts = model_parts(gguf)

        library = native.load()
        facts = native.library_facts()
        threads = threads or default_threads(gguf)
        identity = installed_identity()
        how = probe(identity, gpu_offload=facts.gpu_offload, threads=threads)
        devices = Devices(workers)
        usable_gpu = bool(devices) or (facts.gpu_offload and how.use_gpu)
        layers = (-1 if gpu_layers is None else gpu_layers) if usable_gpu else 0
        trained = gguf.integer(f"{gguf.architecture}.context_length") or DEFAULT_CONTEXT
        if settings.yarn is not None:
            trained = settings.yarn.length
        size = context or min(DEFAULT_CONTEXT, trained)
        check_cache_fits(
            gguf, size, keys=settings.keys, values=settings.values, on_card=layers != 0
        )
        ensure_loads(
            parts,
            identity=identity,
            context=size,
            use_extra_bufts=how.use_extra_bufts,
            mmap=can_map(gguf),
            threads=threads,
        )
        files = ModelFiles(parts)
        files.watch()
        try:
            handle = load_handle(library, gguf, layers, how, progress, cpu_experts, devices)
        except BaseException:
            files.close()
            raise
        model = cls(
            library=library,
            handle=handle,
            files=files,
            gguf=gguf,
            context_size=size,
            gpu_layers=layers,
            threads=threads,
            settings=settings,
            notes=notes_of(
                how, facts, gpu_layers, size, trained, settings.yarn, remote=bool(devices)
            ),
            lines=Lines(workers),
        )
        try:
            files.check_read()
        except ModelError:
            model.close()
            raise
        return model

    @property
    def name(self) -> str:
        """What the file calls itself, else the file's name."""
        return self.gguf.text("general.name") or self.path.stem

    @property
    def metadata(self) -> Mapping[str, KeyValue]:
        """All keys of the file."""
        return self.gguf.metadata

    @property
    def trained_context(self) -> int | None:
        """The context the model was made for."""
        return self.gguf.integer(f"{self.gguf.architecture}.context_length")

    @property
    def sampling(self) -> Mapping[str, Scalar]:
        """The `general.sampling.*` values, by the last part of their key."""
        return {
            key.removeprefix(_SAMPLING): entry.scalar
            for key, entry in self.metadata.items()
            if key.startswith(_SAMPLING) and entry.element is None
        }

    @property
    def chat_template(self) -> str | None:
        """The Jinja source of the chat template."""
        return self.gguf.text("tokenizer.chat_template")

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        return self.vocabulary.size

    @property
    def bos(self) -> int | None:
        """The beginning-of-text token."""
        return self.vocabulary.bos

    @property
    def eos(self) -> int | None:
        """The end-of-text token."""
        return self.vocabulary.eos

    @property
    def eog_tokens(self) -> frozenset[int]:
        """All tokens that end a generation."""
        return self.vocabulary.eog

    @property
    def control_tokens(self) -> Mapping[str, int]:
        """Text of every token that ordinary text must not turn into, with its id."""
        return self.vocabulary.control

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """The texts that chat templates know as bos_token and eos_token."""
        return self.vocabulary.special

    def token_id(self, text: str) -> int | None:
        """The special token written like this, or None."""
        return self.vocabulary.token_id(text)

    def encode(self, segments: Sequence[Segment], most: int | None = None) -> list[int]:
        """The tokens of a rendered prompt; see `Vocabulary.encode`."""
        return self.vocabulary.encode(segments, most)

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for."""
        return self.vocabulary.piece(token)

    def speculate(self, speculation: _Speculation) -> None:
        """Let the sessions that are made from now on guess ahead; its draft model is closed with
        this one.
        """
        self.speculation = speculation
        if speculation.draft is not None:
            self.adopt(speculation.draft)

    def adopt(self, session: _Closable) -> None:
        """Close this session before the model."""
        self.owned.check()
        with self._adopting:
            self._sessions.add(session)

    def close(self) -> None:
        """Free the model and its sessions; may be called twice."""
        with self._adopting:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()
        self.owned.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Model {self.name} from {self.path}>"


def _free(api: Any, files: ModelFiles, lines: Lines, handle: int) -> None:
    if not lines.lost:
        api.llama_model_free(handle)
    files.close()
