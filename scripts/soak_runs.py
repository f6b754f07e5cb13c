"""The runs behind scripts/soak. Each prints its counts, and fails on the first broken promise."""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts" / "lib")]

from soak_kill import kill  # noqa: E402

from support.gguf_fuzz import probe, write_mutant  # noqa: E402
from support.header_files import qwq_keys, qwq_tensors, write_header_file  # noqa: E402


def gguf(count: int, seed: int) -> None:
    """Damage a header `count` times; reading must end soon, in a summary or a GgufError."""
    print(f"gguf: {count} damaged headers, seed {seed}")
    rng = random.Random(seed)
    readable, slowest, start = 0, 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gguf"
        content = write_header_file(path, qwq_keys(), qwq_tensors()).read_bytes()
        for number in range(1, count + 1):
            state = rng.getstate()
            write_mutant(path, content, rng)
            begun = time.process_time()
            try:
                readable += probe(path)
            except BaseException:
                kept = Path(f"soak-gguf-{seed}-{number}.gguf")
                rng.setstate(state)
                write_mutant(kept, content, rng)
                print(f"broken by number {number}, kept as {kept}", file=sys.stderr)
                raise
            slowest = max(slowest, time.process_time() - begun)
            if number % 5000 == 0 or number == count:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(
                    f"  {number}: {readable} readable, {number - readable} GgufError, "
                    f"slowest {slowest:.2f} s, peak {peak:.0f} MB, "
                    f"{time.monotonic() - start:.0f} s",
                    flush=True,
                )
    if slowest > 15:
        sys.exit(f"a header of a few kilobytes took {slowest:.1f} s")


def recipes() -> None:
    """Every recipe's file with an imatrix, and without where it can be, against llama.cpp's."""
    from qwq_gguf.quantize import load_recipe, recipe_names
    from support.oracle import make_model
    from support.shapes import LITTLE_LLAMA, LITTLE_QWEN, RAGGED_TIED

    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for shape in (LITTLE_LLAMA, LITTLE_QWEN, RAGGED_TIED):
            model = make_model(shape, Path(folder))
            for name in recipe_names():
                recipe = load_recipe(name)
                for imatrix in (False, True):
                    if not recipe.base.quantized or (recipe.needs_imatrix and not imatrix):
                        continue
                    ours, theirs = model.both(name, Path(folder), imatrix=imatrix)
                    same = ours.read_bytes() == theirs.read_bytes()
                    different += not same
                    print(
                        f"  {shape.architecture} {shape.embedding} wide, {name}"
                        f"{' with an imatrix' if imatrix else ''}: "
                        f"{'the same' if same else 'DIFFERENT'}",
                        flush=True,
                    )
    if different:
        sys.exit(f"{different} files differ from llama.cpp's")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    runs = parser.add_subparsers(dest="run", required=True)
    damage = runs.add_parser("gguf", help="damaged GGUF headers")
    damage.add_argument("--count", type=int, default=100_000)
    damage.add_argument("--seed", type=int, default=0)
    runs.add_parser("recipes", help="every recipe's bytes against llama.cpp's")
    kills = runs.add_parser("kill", help="killed quantize runs")
    kills.add_argument("--count", type=int, default=200)
    kills.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    if asked.run == "gguf":
        gguf(asked.count, asked.seed)
    elif asked.run == "kill":
        kill(asked.count, asked.seed)
    else:
        recipes()


if __name__ == "__main__":
    main()
