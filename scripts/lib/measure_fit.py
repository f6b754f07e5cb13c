"""What `fit` predicts of a model's memory and speed, beside what llama.cpp and the process take.

Each measurement is a process of its own. Exit status 1 where a prediction is off by more than
5 % and 64 MiB.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

MIB = 1 << 20
_BUFFER = re.compile(r"(\S+)\s+(model|KV|RS|compute|output) buffer size =\s*([\d.]+) MiB")
_CONTEXTS = (4096, 32768)
_SECONDS, _TIMES = 2.0, 9  # of writing for the speed, and how often at most
_TYPES = ("f16", "q8_0", "q4_0")
_RANDOM = {"hidden": 1536, "layers": 14, "heads": 12, "kv_heads": 2, "feed_forward": 8960}


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--no-random", action="store_true", help="without the model of 1.1 B")
    parser.add_argument("--speed", action="store_true", help="tokens a second, on a quiet machine")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        print(json.dumps(_measure(**json.loads(asked.child))))
        return
    with tempfile.TemporaryDirectory(prefix="qwq-gguf-fit-") as folder:
        files = [_demo(Path(folder)), *asked.files]
        if not asked.no_random:
            files.append(_random(Path(folder)))
        sys.exit(_compare(files, speed=asked.speed))


def _compare(files: list[Path], *, speed: bool) -> int:
    print(
        "| file | context | cache | predicted | llama.cpp | off | process, predicted | is | off |"
    )
    print("|---|--:|---|--:|--:|--:|--:|--:|--:|")
    bad = 0
    for file in files:
        for context, kind in _cases(file):
            found = _run(file, context, kind, speed=speed)
            told = found["model"] + found["kv"] + found["compute"]
            ours, process = found["predicted"], found["predicted_process"]
            bad += _off(ours, told) or _off(process, found["process"])
            print(
                f"| {file.stem} | {context:,} | {kind} | {ours / MIB:,.1f} | {told / MIB:,.1f} "
                f"| {_percent(ours, told)} | {process / MIB:,.1f} | {found['process'] / MIB:,.1f} "
                f"| {_percent(process, found['process'])} |",
                flush=True,
            )
            if speed:
                guess, real = found["expected"], found["speed"]
                print(f"<!-- {guess:.1f} tok/s expected, {real:.1f} measured -->")
    print(f"{bad} off by more than 5 % and 64 MiB", file=sys.stderr)
    return 1 if bad else 0


def _cases(file: Path) -> list[tuple[int, str]]:
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.jobs.contexts import cache_type
    from qwq_gguf.machine.kv_cache import KvShape

    shape = KvShape.of(read_gguf(file))
    assert shape is not None
    return [
        (context, kind)
        for context in _CONTEXTS
        for kind in _TYPES
        if shape.takes(cache_type(kind, "-ctk"))
    ]


def _off(ours: float, real: float) -> bool:
    return abs(ours - real) > max(0.05 * real, 64 * MIB)


def _percent(ours: float, real: float) -> str:
    return f"{100 * (ours - real) / real:+.1f} %"


def _run(file: Path, context: int, kind: str, *, speed: bool) -> dict[str, Any]:
    asked = json.dumps({"path": str(file), "context": context, "kind": kind, "speed": speed})
    done = subprocess.run(
        [sys.executable, __file__, "--child", asked], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{file}: {done.stderr[-2000:]}")
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def _measure(path: str, context: int, kind: str, *, speed: bool) -> dict[str, Any]:
    from qwq_gguf.engine.llama import library
    from qwq_gguf.engine.llama.context_settings import ContextSettings
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.session import Session
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.jobs.contexts import cache_type
    from qwq_gguf.jobs.this_machine import this_machine
    from qwq_gguf.machine.batches import prompt_batch
    from qwq_gguf.machine.model_size import ModelShape, TensorSize, WeightBytes
    from qwq_gguf.machine.placing import place, process_bytes
    from qwq_gguf.machine.speed import seconds_a_token
    from qwq_gguf.sampling import Greedy, LogitBias, SamplerChain

    api = library.load().api
    lines: list[str] = []

    def listen(_level: int, text: bytes, _data: Any) -> None:
        if b"buffer size" in text:
            lines.append(text.decode("utf-8", "replace"))

    listener = api.llama_log_callback(listen)
    api.llama_log_set(listener, None)
    kept = cache_type(kind, "-ctk")
    gguf = read_gguf(path)
    shape = ModelShape.of(gguf)
    assert shape is not None
    weights = WeightBytes.of(map(TensorSize.of, gguf.tensors), shape)
    machine, _ = this_machine()
    placed = place(shape, weights, machine, context, kept, gpu_layers=0)
    assert placed is not None
    batch = prompt_batch(weights.total, on_card=False)
    reserved = shape.buffer_bytes(context, batch)
    found: dict[str, Any] = {"model": 0, "kv": 0, "compute": 0, "repacked": 0}
    settings = ContextSettings(keys=kept, values=kept)
    with (
        Model.load(path, context=context, gpu_layers=0, settings=settings) as model,
        closing(Session(model)) as session,
    ):
        ban = LogitBias(tuple((token, -1000.0) for token in sorted(model.eog_tokens)))
        chain = SamplerChain((ban, Greedy()))
        prompt = [(at * 13) % (model.vocab_size - 8) for at in range(min(batch + 8, context - 80))]
        count = 64 if speed else 4
        took: list[float] = []
        # A tiny model writes them in less time than a busy moment takes: then the median of some.
        while not took or (speed and sum(took) < _SECONDS and len(took) < _TIMES):
            with closing(session.generate(prompt, chain, seed=0, max_tokens=count)) as made:
                for _ in made:
                    pass
                took.append(made.seconds)
        if speed:
            found["speed"] = count / median(took)
        found["process"] = _anonymous() + weights.total
    for line in lines:
        if (match := _BUFFER.search(line)) is None:
            continue
        device, what, size = match[1], match[2], float(match[3]) * MIB
        if what == "model":
            found["repacked" if "REPACK" in device else "model"] += size
        else:
            found["compute" if what in ("compute", "output") else "kv"] += size
    library.load().listen()
    found["process"] -= found["repacked"]
    found["predicted"] = weights.total + placed.ram.cache + reserved
    found["predicted_process"] = placed.ram.total + process_bytes(shape)
    found["expected"] = 1 / seconds_a_token(shape, weights, machine, placed, batch)
    return found


def _anonymous() -> int:
    """Bytes of this process that are no file's: those give way when memory is short."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell a process's own memory (RssAnon)")


def _demo(folder: Path) -> Path:
    import qwq_gguf

    target = folder / "demo-Q4_K_M.gguf"
    qwq_gguf.quantize("demo", target)
    return target


def _random(folder: Path) -> Path:
    from bench_models import Shape, write_model

    import qwq_gguf

    source = write_model(folder / "random", Shape(vocab=151936, **_RANDOM), shards=2)
    target = folder / "random-1.1B-Q4_K_M.gguf"
    qwq_gguf.quantize(source, target)
    return target


if __name__ == "__main__":
    main()
