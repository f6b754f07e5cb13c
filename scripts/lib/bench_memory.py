"""What `qwq-gguf quantize` takes of memory, on a checkpoint with one tensor of over 1 GiB.

The model is QwQ-32B's, of fewer layers: its embedding has 152,064 rows of 5,120 weights,
1.45 GiB as BF16. Each line is a run of the command itself, from its start to its end; the
peak is what the kernel counted as resident (libraries included, the page cache not), that
of processes it started added. `least` asks for next to nothing and takes the answer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import bench_base
from bench_child import run
from bench_models import Shape, weights_of, write_model

ROOT = Path(__file__).resolve().parent.parent.parent
QWQ = Shape(
    hidden=5120, layers=64, heads=40, kv_heads=8, feed_forward=27648, vocab=152064, context=40960
)
LIMIT = 1 << 30
RUNS: dict[str, tuple[str, ...]] = {
    "as anybody calls it": (),
    "64 threads": ("-t", "64"),
    "three recipes at once": ("-r", "Q4_K_M", "-r", "Q8_0", "-r", "Q6_K"),
    "a copy: BF16": ("-r", "BF16"),
    "by libggml": ("--kernels", "ggml", "-r", "Q8_0"),
    "--max-memory 512M": ("--max-memory", "512M"),
    "--max-memory, least": ("--max-memory", "least"),
    "the same, by libggml": ("--kernels", "ggml", "-r", "Q8_0", "--max-memory", "least"),
}


def least(command: list[str]) -> list[str]:
    """The command with the least memory that it calls possible."""
    asked = subprocess.run(
        [word.replace("least", "1M") for word in command], capture_output=True, text=True
    )
    possible = re.search(r"at least (\d+M)", asked.stderr)
    if possible is None:
        sys.exit(f"no least memory is named:\n{asked.stderr}")
    return [word.replace("least", possible[1]) for word in command]


def show_base(model: Path) -> dict[str, int]:
    """Where the memory goes that a run has before its first row."""
    command = (sys.executable, bench_base.__file__, model, "Q4_K_M")
    steps: dict[str, int] = json.loads(run(command).output)
    print("\nresident, step by step, before the first row is read:")
    before = 0
    for name, held in steps.items():
        print(f"  {name:28}{held / (1 << 20):6.0f} M  +{(held - before) / (1 << 20):.0f}")
        before = held
    return steps


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench memory", description=__doc__)
    parser.add_argument("--layers", type=int, default=1, help="of the model (default 1)")
    parser.add_argument("--tokenizer", type=Path, help="a folder with another tokenizer")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    shape = Shape(**asdict(QWQ) | {"layers": asked.layers})
    figures = []
    too_much = []
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        model = write_model(Path(temporary, "model"), shape, shards=2, tokenizer=asked.tokenizer)
        embedding = 2 * shape.vocab * shape.hidden
        print(f"{weights_of(shape) / 1e9:.2f} B weights, the embedding {embedding / 2**30:.2f} GiB")
        print(f"{os.cpu_count()} cores\n\n                        limit    peak  children  seconds")
        fresh = os.environ | {"QWQ_GGUF_CACHE_DIR": str(Path(temporary, "cache"))}
        first = ("as anybody calls it first", RUNS["as anybody calls it"], fresh)
        for name, flags, environment in [first, *((*each, None) for each in RUNS.items())]:
            out = Path(temporary, "out")
            out.mkdir()
            program = str(Path(sys.executable).with_name("qwq-gguf"))
            command = [program, "quantize", str(model), str(out), *flags]
            if "least" in flags:
                command = least(command)
            limit = LIMIT >> 20
            if "--max-memory" in command:
                limit = int(command[command.index("--max-memory") + 1].removesuffix("M"))
            usage = run(command, environment)
            peak = usage.peak_bytes / (1 << 20)
            print(
                f"{name:25}{limit:4} M{peak:6.0f} M{usage.children:10}{usage.seconds:9.1f}",
                flush=True,
            )
            figures.append({"name": name, "command": command, "limit": limit << 20})
            figures[-1] |= {"peak": usage.peak_bytes, "seconds": usage.seconds}
            if usage.peak_bytes > limit << 20:
                too_much.append(name)
            for path in out.iterdir():
                path.unlink()
            out.rmdir()
        base = show_base(model)
    if asked.json:
        asked.json.write_text(json.dumps({"base": base, "runs": figures}, indent=2) + "\n")
    print("over the limit: " + (", ".join(too_much) or "none"))
    return 1 if too_much else 0


if __name__ == "__main__":
    sys.exit(main())
