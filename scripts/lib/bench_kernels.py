"""Our quantization kernels against libggml's: one thread each, in turns, in one process.

Time is that of the thread, so that other programs' turns are not counted (their use of
caches and clocks is). Ours read BF16 as a checkpoint stores it; ggml gets float32 that
was made beforehand, and is not charged for it. Each figure is a median of rounds, in each
of which both had a turn; ratios are medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.dispatch import GgmlKernels, NumbaKernels
from qwq_gguf.quantization.running.decoding import decode

FORMATS = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
ROW = 5120  # QwQ-32B's hidden size
STREAM_ROWS = 8192  # 84 MB of BF16: more than any cache here holds
CHUNK_ROWS = (1 << 20) // ROW  # as `quantize` works: chunks of 2 MB, blocks written and reused


def sample(rows: int) -> np.ndarray:
    """Rows of BF16 weights like a model's, as bytes."""
    weights = np.random.default_rng(0).standard_normal((rows, ROW), dtype=np.float32)
    weights *= np.float32(0.02)
    return (weights.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)


def seconds(work: Callable[[], Any]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def copy_bandwidth(rounds: int) -> float:
    """Bytes read and written a second by one thread that copies what no cache holds."""
    source = np.ones(STREAM_ROWS * ROW * 2, dtype=np.uint8)
    target = np.zeros_like(source)
    times = [seconds(lambda: np.copyto(target, source)) for _ in range(rounds + 1)][1:]
    return 2 * source.nbytes / statistics.median(times)


def measure(name: str, weighted: bool, rounds: int, copy: float) -> dict[str, Any]:
    kind = GgmlType[name]
    searching = weighted or name.endswith("_K")
    rows = sample(256 if searching else STREAM_ROWS)
    theirs_rows = rows[:64] if searching else rows[:512]
    floats = decode(theirs_rows, GgmlType.BF16)
    importance = None
    if weighted:
        importance = np.random.default_rng(1).random(ROW, dtype=np.float32) + np.float32(0.01)
    ours, theirs = NumbaKernels(), GgmlKernels("libggml")

    def run_ours() -> None:
        for first in range(0, len(rows), CHUNK_ROWS):
            part = rows[first : first + CHUNK_ROWS]
            ours.quantize(kind, part, GgmlType.BF16, importance)

    def run_theirs() -> np.ndarray:
        return theirs.quantize(kind, floats.view(np.uint8), GgmlType.F32, importance)

    start = time.monotonic()
    ours.quantize(kind, rows[:1], GgmlType.BF16, importance)
    compile_seconds = time.monotonic() - start
    same = np.array_equal(ours.quantize(kind, theirs_rows, GgmlType.BF16, importance), run_theirs())
    run_ours()
    speeds, their_speeds = [], []
    for _ in range(rounds):
        speeds.append(rows.size / 2 / seconds(run_ours))
        their_speeds.append(floats.size / seconds(run_theirs))
    speed = statistics.median(speeds)
    moved = 2 + kind.type_size / kind.block_size  # bytes a weight, read and written
    return {
        "format": name,
        "importance": weighted,
        "identical": same,
        "weights_per_second": speed,
        "ggml_weights_per_second": statistics.median(their_speeds),
        "ratio": statistics.median(a / b for a, b in zip(speeds, their_speeds, strict=True)),
        "bytes_per_second": speed * moved,
        "of_copy_bandwidth": speed * moved / copy,
        "first_call_seconds": compile_seconds,
    }


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "?")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench kernels", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (default 9)")
    parser.add_argument("--formats", default=",".join(FORMATS), help="comma-separated")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    copy = copy_bandwidth(arguments.rounds)
    print(f"{cpu_name()}, {NumbaKernels().description}, {GgmlKernels('libggml').description}")
    print(f"one thread copies {copy / 1e9:.1f} GB/s, read and written\n")
    print("                    M weights/s                      of copy   first")
    print("format  importance    ours    ggml   ratio   GB/s  bandwidth  call s  identical")
    results = []
    for weighted in (False, True):
        for name in arguments.formats.split(","):
            if weighted and name == "Q8_0":
                continue  # ggml ignores importance there
            found = measure(name, weighted, arguments.rounds, copy)
            results.append(found)
            print(
                f"{name:6}  {'yes' if weighted else 'no':10}"
                f"{found['weights_per_second'] / 1e6:8.0f}"
                f"{found['ggml_weights_per_second'] / 1e6:8.1f}"
                f"{found['ratio']:7.1f}x"
                f"{found['bytes_per_second'] / 1e9:7.2f}"
                f"{found['of_copy_bandwidth']:10.0%}"
                f"{found['first_call_seconds']:8.1f}"
                f"  {'yes' if found['identical'] else 'NO'}",
                flush=True,
            )
    if arguments.json:
        machine = {"cpu": cpu_name(), "python": platform.python_version()}
        report = {"machine": machine, "copy_bytes_per_second": copy, "kernels": results}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(found["identical"] for found in results) else 1


if __name__ == "__main__":
    sys.exit(main())
