"""The steps of `Model.load` that are decisions, and the native call itself."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import Any

from qwq_gguf.engine.llama.experts import Behind
from qwq_gguf.engine.llama.interruptible import run_aside
from qwq_gguf.engine.llama.library import Library, LibraryFacts
from qwq_gguf.engine.llama.rpc_devices import Devices
from qwq_gguf.engine.loading.probe import Probe
from qwq_gguf.errors import ModelError, NoRoomError
from qwq_gguf.gguf_file import GgufFile
from qwq_gguf.gguf_file.yarn import Yarn
from qwq_gguf.machine import find_cards, physical_cores
from qwq_gguf.machine.batches import ONE_THREAD_BYTES

__all__ = ["can_map", "default_threads", "load_handle", "notes_of"]

# What llama.cpp's backends say of memory that they cannot have.
_NO_ROOM = re.compile(r"allocat|out of memory|OutOfMemory|ErrorOutOfDeviceMemory", re.IGNORECASE)


def default_threads(gguf: GgufFile) -> int:
    """Below some size, threads spend longer meeting after each operation than computing."""
    size = sum(tensor.nbytes for tensor in gguf.tensors)
    return 1 if size < ONE_THREAD_BYTES else physical_cores()


def can_map(gguf: GgufFile) -> bool:
    """Whether tensors lie in the file as ggml wants them in memory (TENSOR_ALIGNMENT)."""
    return gguf.alignment % 32 == 0


def load_handle(
    library: Library,
    gguf: GgufFile,
    gpu_layers: int,
    how: Probe,
    progress: Callable[[float], None] | None,
    cpu_experts: int = 0,
    devices: Devices | None = None,
) -> int:
    """The loaded llama_model; ModelError when llama.cpp refuses it or it cannot talk, NoRoomError
    when there is no memory for it. The experts of the first `cpu_experts` layers go to no card;
    `devices` are where layers may go.

    `progress` is called in a thread of its own. What it raises, and what is raised in the
    caller meanwhile (Ctrl-C), ends the loading with its next tensor.
    """
    api = library.api
    params = api.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    params.use_extra_bufts = how.use_extra_bufts
    behind = Behind(cpu_experts)
    behind.apply(params)
    if devices is not None:
        devices.apply(params)
    if not can_map(gguf):
        params.load_mode = api.LLAMA_LOAD_MODE_NONE
    stopped: list[BaseException] = []
    loaded: list[int] = []
    interrupted = threading.Event()

    def report(fraction: float, _data: Any) -> bool:
        # C calls this: an exception travels around it.
        try:
            if progress is not None and not interrupted.is_set():
                progress(fraction)
        except BaseException as error:
            stopped.append(error)
        return not (stopped or interrupted.is_set())

    callback = api.llama_progress_callback(report)
    params.progress_callback = callback
    library.log.clear()

    def load() -> None:
        handle = api.llama_model_load_from_file(os.fsencode(gguf.path), params)
        if handle:
            loaded.append(handle)

    # Aside, as in the main thread Ctrl-C would be raised inside `report` before its first
    # line, where C prints the traceback and goes on.
    try:
        run_aside(load, interrupted.set)
        if stopped:
            raise stopped[0]
    except BaseException:
        if loaded:
            api.llama_model_free(loaded[0])
        raise
    if not loaded:
        reason = library.log.reason()
        full = any(_NO_ROOM.search(line) for line in library.log.complaints())
        raise (NoRoomError if full else ModelError)(
            "llama.cpp cannot load this file",
            path=gguf.path,
            found=reason,
            hint=None if gpu_layers == 0 else "try fewer layers on the card: -ngl 0",
        )
    handle = loaded[0]
    if api.llama_model_has_encoder(handle) or not api.llama_model_has_decoder(handle):
        api.llama_model_free(handle)
        raise ModelError(
            "this model does not generate text by itself", path=gguf.path, found=gguf.architecture
        )
    return handle


def notes_of(
    how: Probe,
    facts: LibraryFacts,
    wanted_layers: int | None,
    context: int,
    trained: int,
    yarn: Yarn | None = None,
    *,
    remote: bool = False,
) -> tuple[str, ...]:
    """What the user should know about how the model was loaded; `trained`: with `yarn`, if any;
    `remote`: layers go to other machines.
    """
    notes = list(how.notes)
    cards = find_cards()
    if cards and not facts.gpu_offload and wanted_layers != 0:
        card = cards[0]
        notes.append(
            f"{card.name} is not used: this llama.cpp is a CPU-only build. Rebuild it with "
            f'CMAKE_ARGS="-DGGML_{card.build.upper()}=on" pip install '
            f"llama-cpp-python=={facts.version} --force-reinstall --no-cache-dir"
        )
    elif wanted_layers and not facts.gpu_offload and not remote:
        notes.append("no layer goes to a card: this llama.cpp is a CPU-only build")
    if yarn is not None and yarn.factor > 1 and context <= yarn.original:
        notes.append(
            f"--yarn {yarn.factor:g} acts on every text, and may make short ones worse; without it "
            f"this context of {context} tokens is within the {yarn.original} that the model was "
            f"made for (with it, up to -c {yarn.length})"
        )
    if context > trained:
        notes.append(
            f"the context of {context} tokens is larger than the {trained} that the model "
            "was made for: expect worse text beyond those"
        )
    return tuple(notes)
