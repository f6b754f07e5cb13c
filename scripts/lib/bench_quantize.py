"""From a checkpoint to a finished file: this program against converter and quantizer.

A random Qwen2 with the real vocabulary is written. Then, in turns: `qwq-gguf quantize`, as
anybody calls it; and llama.cpp's convert_hf_to_gguf.py to BF16, followed by its
llama_model_quantize, in the installed library, with as many threads. What they read is in
the page cache before each turn. Ours is done when the file is on the disk for good, its
digests are computed and its manifest is written; theirs is not asked to. All tensors of
the two files are compared. What installs the peer is scripts/lib/bench_peer.py.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bench_stages
from bench_child import Usage, run
from bench_kernels import cpu_name
from bench_models import Shape, weights_of, write_model
from bench_peer import Peer, install

from qwq_gguf.ggml_types import FileType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.machine import usable_processors

ROOT = Path(__file__).resolve().parent.parent.parent
# Qwen2.5-1.5B with half its layers and a separate output matrix.
SHAPE = Shape(hidden=1536, layers=14, heads=12, kv_heads=2, feed_forward=8960, vocab=151936)
OURS, WITHOUT, CONVERT, QUANTIZE = "qwq-gguf", "without manifest", "converter", "quantizer"


def warm(*files: Path) -> None:
    """Have files in the page cache, and nothing on its way to the disk."""
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
    os.sync()


def same_tensors(one: Path, other: Path) -> list[str]:
    """The names of tensors that differ in type, shape or bytes."""
    files = [read_gguf(path) for path in (one, other)]
    tensors = [{tensor.name: tensor for tensor in file.tensors} for file in files]
    names = sorted(tensors[0].keys() ^ tensors[1].keys())
    with one.open("rb") as left, other.open("rb") as right:
        maps = [mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for file in (left, right)]
        for name in tensors[0].keys() & tensors[1].keys():
            pair = [tensor[name] for tensor in tensors]
            data = [
                content[each.offset : each.offset + each.nbytes]
                for content, each in zip(maps, pair, strict=True)
            ]
            if (pair[0].type, pair[0].shape) != (pair[1].type, pair[1].shape) or data[0] != data[1]:
                names.append(name)
    return names


class Turns:
    """The runs of one model, in turns, and what they took."""

    def __init__(self, folder: Path, recipe: str, threads: int, peer: Peer | None) -> None:
        self.times: dict[str, list[Usage]] = {}
        self.files = {name: folder / f"{name}.gguf" for name in (OURS, WITHOUT, CONVERT, QUANTIZE)}
        self._checkpoint = folder / "model"
        self._shards = sorted(self._checkpoint.glob("*.safetensors"))
        self._peer = peer
        self._recipe, self._threads = recipe, threads

    def take(self) -> None:
        """One turn of each."""
        shards = self._shards
        ours = (Path(sys.executable).with_name("qwq-gguf"), "quantize", self._checkpoint)
        flags = ("-r", self._recipe, "-t", str(self._threads), "--force")
        self._run(OURS, shards, (*ours, self.files[OURS], *flags))
        self._run(WITHOUT, shards, (*ours, self.files[WITHOUT], *flags, "--no-manifest"))
        if self._peer is not None:
            middle = self.files[CONVERT]
            self._run(CONVERT, shards, self._peer.converting(self._checkpoint, middle))
            kind = int(FileType[self._recipe])
            command = self._peer.quantizing(middle, self.files[QUANTIZE], kind, self._threads)
            self._run(QUANTIZE, [middle], command)

    def _run(self, name: str, reads: list[Path], command: tuple[str | Path, ...]) -> None:
        warm(*reads)
        usage = run(command)
        self.times.setdefault(name, []).append(usage)
        busy = os.getloadavg()[0]
        print(
            f"{name:17}{usage.seconds:8.1f}{usage.cpu_seconds:8.1f}"
            f"{usage.peak_bytes / 1e6:9.0f}{busy:8.1f}",
            flush=True,
        )

    def median(self, name: str, figure: Callable[[Usage], float]) -> float:
        return statistics.median(figure(usage) for usage in self.times[name])

    def ratio(self, name: str, figure: Callable[[Usage], float]) -> float:
        """How many times as long both of theirs took: of medians."""
        theirs = self.median(CONVERT, figure) + self.median(QUANTIZE, figure)
        return theirs / self.median(name, figure)


def show_stages(stages: dict[str, Any], threads: int) -> None:
    """Where our time goes, from a run in which each stage was timed."""
    print("\nstages of one run of ours, seconds; those of the run overlap:")
    for name, seconds in stages.items():
        print(f"  {name:28}{seconds:7.2f}")
    busy = sum(stages[name] for name in bench_stages.OVERLAPPING)
    print(f"  at work at a time: {busy / stages['run']:.1f} threads of {threads} workers and 2")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench quantize", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--recipe", default="Q4_K_M", help="default Q4_K_M")
    usable = usable_processors()
    parser.add_argument("--threads", type=int, default=usable, help="default: all cores")
    parser.add_argument("--layers", type=int, default=SHAPE.layers, help="of the model")
    parser.add_argument("--tokenizer", type=Path, help="a folder with another tokenizer")
    parser.add_argument("--no-peer", action="store_true", help="this program alone")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    peer = None if asked.no_peer else install(asked.folder)
    shape = Shape(**asdict(SHAPE) | {"layers": asked.layers})
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        write_model(folder / "model", shape, shards=2, tokenizer=asked.tokenizer)
        weights = weights_of(shape)
        print(f"{cpu_name()}, {asked.threads} threads; {weights / 1e9:.2f} B weights")
        if peer is not None:
            print(f"against the converter and quantizer of llama-cpp-python {peer.version}")
        print(f"\n{asked.recipe:14} seconds   CPU s  peak MB    load")
        turns = Turns(folder, asked.recipe, asked.threads, peer)
        for _ in range(asked.rounds):
            turns.take()
        warm(*sorted((folder / "model").glob("*.safetensors")))
        command = (sys.executable, bench_stages.__file__, folder / "model", turns.files[OURS])
        stages = json.loads(run((*command, asked.recipe, str(asked.threads))).output)
        show_stages(stages, asked.threads)
        report: dict[str, Any] = {
            "machine": {"cpu": cpu_name(), "threads": asked.threads},
            "weights": weights,
            "recipe": asked.recipe,
            "runs": {name: [asdict(each) for each in all_] for name, all_ in turns.times.items()},
            "stages": stages,
        }
        different: list[str] = []
        if peer is not None:
            different = same_tensors(turns.files[OURS], turns.files[QUANTIZE])
            seconds = {name: turns.median(name, lambda use: use.seconds) for name in turns.times}
            print(
                f"\nmedians: ours {seconds[OURS]:.1f} s, theirs {seconds[CONVERT]:.1f}"
                f" + {seconds[QUANTIZE]:.1f} s"
            )
            for name in (OURS, WITHOUT):
                print(
                    f"{name}: {turns.ratio(name, lambda use: use.seconds):.1f} times as fast, "
                    f"{turns.ratio(name, lambda use: use.cpu_seconds):.1f} times less CPU time"
                )
            print(f"tensors that differ: {', '.join(different) or 'none'}")
            report["different"] = different
            report["ratio"] = turns.ratio(OURS, lambda use: use.seconds)
        if asked.json:
            asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
