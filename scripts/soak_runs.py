"""The runs behind scripts/soak. Each prints its counts, and fails on the first broken promise."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts" / "lib")]

from soak_governor import govern  # noqa: E402
from soak_inputs import _report as inputs  # noqa: E402
from soak_kill import kill  # noqa: E402
from soak_requests import requests  # noqa: E402
from soak_serve import add_arguments as serve_arguments  # noqa: E402
from soak_serve import serve  # noqa: E402


def recipes() -> None:
    """Every recipe's file with an imatrix, and without where it can be, against llama.cpp's."""
    from qwq_gguf.quantization import load_recipe, recipe_names
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
    runs.add_parser("recipes", help="every recipe's bytes against llama.cpp's")
    kills = runs.add_parser("kill", help="killed quantize runs")
    kills.add_argument("--count", type=int, default=200)
    kills.add_argument("--seed", type=int, default=random.randrange(10**6))
    governor = runs.add_parser("governor", help="replies of an unruly model under a governor")
    governor.add_argument("--count", type=int, default=10_000)
    governor.add_argument("--seed", type=int, default=random.randrange(10**6))
    inputs.add_arguments(runs.add_parser("inputs", help="attacks on every kind of input"))
    serve_arguments(runs.add_parser("serve", help="a server with many clients, some of them rude"))
    asked = parser.parse_args()
    if asked.run == "inputs":
        sys.exit(inputs.run(asked))
    if asked.run == "kill":
        kill(asked.count, asked.seed)
    elif asked.run == "governor":
        govern(asked.count, asked.seed)
    elif asked.run == "serve":
        if asked.requests:
            requests(asked.requests, asked.described, asked.seed)
        if asked.minutes:
            serve(asked.clients, asked.minutes, asked.seed)
    else:
        recipes()


if __name__ == "__main__":
    main()
