"""What `fit` says of a card, beside what llama.cpp takes of it and how fast it is there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.library import load
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.loading.pace_timing import Timer, one_kind
from qwq_gguf.engine.loading.zero_model import ZeroModel
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.jobs.this_machine import this_machine
from qwq_gguf.machine.devices import Machine
from qwq_gguf.machine.model_size import ModelShape, TensorSize, WeightBytes
from qwq_gguf.machine.placing import Placement, place
from qwq_gguf.machine.speed import seconds_a_token
from qwq_gguf.sampling import Dist, LogitBias, SamplerChain, Temperature, TopK

__all__ = ["expected_memory", "expected_speeds"]

MIB = 1 << 20
_BUFFER = re.compile(r"(\S+)\s+(model|KV|compute) buffer size =\s*([\d.]+) MiB")
_CHAIN = (Temperature(0.6), TopK(40), Dist())
_FILLED, _COUNT, _TURNS = 512, 96, 3

# Shapes of Qwen2.5 with 0.5, 7 and 32 billion weights, QwQ's being the last.
_SHAPES = {
    "0.5B of zeros, Q8_0": ((896, 4864, 14, 2), 24, 151_936, GgmlType.Q8_0),
    "7B of zeros, Q4_K": ((3584, 18944, 28, 4), 28, 152_064, GgmlType.Q4_K),
    "32B of zeros, Q4_K": ((5120, 27648, 40, 8), 64, 152_064, GgmlType.Q4_K),
}


def expected_memory(path: Path) -> dict[str, Any]:
    """MiB on the cards by contexts and caches: what is expected, and what llama.cpp says."""
    found: dict[str, Any] = {}
    for context in (4096, 32768):
        for kind in (GgmlType.F16, GgmlType.Q8_0):
            placed = _placed(path, context, kind)
            settings = ContextSettings(keys=kind, values=kind)
            with (
                _buffers() as told,
                Model.load(path, context=context, settings=settings) as model,
                closing(Session(model)),
            ):
                pass
            card = placed.cards[0] if placed.cards else placed.ram
            found[f"{context}, {kind.name}"] = {
                "model": [round(card.weights / MIB, 1), told["model"]],
                "KV": [round(card.cache / MIB, 1), told["KV"]],
                "compute": [round(card.buffers / MIB, 1), told["compute"]],
                "in all": [round(card.total / MIB, 1), round(sum(told.values()), 1)],
            }
    return found


@contextmanager
def _buffers() -> Iterator[dict[str, float]]:
    """MiB that llama.cpp says of cards meanwhile; without one, of main memory."""
    library = load()
    api = library.api
    told = dict.fromkeys(("model", "KV", "compute"), 0.0)

    def listen(_level: int, text: bytes, _data: Any) -> None:
        for device, what, size in _BUFFER.findall(text.decode("utf-8", "replace")):
            if not device.startswith(("CPU", "CUDA_Host")):
                told[what] += float(size)

    listener = api.llama_log_callback(listen)
    api.llama_log_set(listener, None)
    try:
        yield told
    finally:
        library.listen()


def expected_speeds(files: dict[str, Path], work: Path, *, zeros: bool) -> dict[str, Any]:
    """Tokens a second, expected and measured: files through a session, and models of zeros."""
    pace = _machine().card_pace
    found: dict[str, Any] = {"pace": None if pace is None else pace.to_json()}
    for name, path in files.items():
        for kind in (GgmlType.F16, GgmlType.Q8_0):
            found[f"{name}, {kind.name}"] = _pair(path, kind, None)
        half = (read_gguf(path).integer("qwen2.block_count") or 0) // 2
        found[f"{name}, {half} layers on the card"] = _pair(path, GgmlType.F16, half)
    for name, (sizes, layers, tokens, kind) in _SHAPES.items() if zeros else ():
        kinds = one_kind(kind) | {"output": GgmlType.Q6_K if sizes[0] % 256 == 0 else kind}
        shape = ZeroModel(*sizes, kinds=kinds, layers=layers, context=4096, tokens=tokens)
        for kept in (GgmlType.F16, GgmlType.Q8_0):
            path = work / "shape.gguf"
            shape.write(path)
            expected = _expected(path, kept, None)
            path.unlink()
            found[f"{name}, {kept.name}"] = [expected, round(_zeros(shape, kept, work), 1)]
    return found


def _pair(path: Path, kind: GgmlType, gpu_layers: int | None) -> list[float]:
    return [_expected(path, kind, gpu_layers), round(_session(path, kind, gpu_layers), 1)]


@cache
def _machine() -> Machine:
    # On a machine that has just compiled something it would be measured again each time.
    return this_machine()[0]


def _placed(path: Path, context: int, kind: GgmlType, gpu_layers: int | None = None) -> Placement:
    gguf = read_gguf(path)
    shape = ModelShape.of(gguf)
    assert shape is not None
    weights = WeightBytes.of(map(TensorSize.of, gguf.tensors), shape)
    placed = place(shape, weights, _machine(), context, kind, gpu_layers=gpu_layers)
    assert placed is not None
    return placed


def _expected(path: Path, kind: GgmlType, gpu_layers: int | None) -> float:
    gguf = read_gguf(path)
    shape = ModelShape.of(gguf)
    assert shape is not None
    weights = WeightBytes.of(map(TensorSize.of, gguf.tensors), shape)
    placed = _placed(path, 4096, kind, gpu_layers)
    return round(1 / seconds_a_token(shape, weights, _machine(), placed, _FILLED), 1)


def _session(path: Path, kind: GgmlType, gpu_layers: int | None) -> float:
    """As anybody's chat would write."""
    settings = ContextSettings(keys=kind, values=kind)
    with (
        Model.load(path, context=4096, gpu_layers=gpu_layers, settings=settings) as model,
        closing(Session(model)) as session,
    ):
        ban = LogitBias(tuple((token, -1000.0) for token in sorted(model.eog_tokens)))
        prompt = [(at * 13) % (model.vocab_size - 8) for at in range(_FILLED)]
        took = []
        for _ in range(_TURNS + 1):
            chain = SamplerChain((ban, *_CHAIN))
            with closing(session.generate(prompt, chain, seed=0, max_tokens=_COUNT)) as made:
                count = sum(1 for _ in made)
            took.append(made.seconds / count)
    return 1 / median(took[1:])


def _zeros(shape: ZeroModel, cache: GgmlType, work: Path) -> float:
    library = load()
    arguments = {"gpu_layers": -1, "use_extra_bufts": True, "mmap": True, "threads": 4}
    timer = Timer(library, arguments, work)
    stages, tokens = SamplerChain(_CHAIN), shape.tokens
    with (
        timer.context(shape, cache) as context,
        NativeChain(library, stages, seed=1, vocab_size=tokens, context_size=4096) as chain,
    ):
        timer.decode(context, _FILLED)
        took = []
        # Zeros would all be equally likely, and no token is picked from such.
        likely = np.random.default_rng(0).standard_normal(tokens, np.float32)
        for _ in range(_COUNT):
            before = time.perf_counter()
            timer.decode(context, 1)
            logits = library.api.llama_get_logits_ith(context, -1)
            np.ctypeslib.as_array(logits, (tokens,))[:] = likely
            chain.sample(context)
            took.append(time.perf_counter() - before)
    return 1 / median(took[4:])
