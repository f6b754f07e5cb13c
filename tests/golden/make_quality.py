"""Record what llama.cpp's own llama-perplexity and llama-imatrix say of the models of
support/quality.py.

    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36   # and unpack it
    cmake -B build vendor/llama.cpp && cmake --build build -t llama-perplexity llama-imatrix
    python tests/golden/make_quality.py build/bin

Their batch is 512 tokens here as in ours: how many texts are computed together changes how
attention sums, and with that the last digits. The tools' default of 2048 tokens differs from their
own 512 by as much.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

_FIGURE = re.compile(r"^([A-Z0-9][^:]*?) *: +(-?[\d.]+)(?: ± +(-?[\d.]+))?%?(?: %)?$", re.MULTILINE)
_FINAL = re.compile(r"Final estimate: PPL = ([\d.]+) \+/- ([\d.]+)")


def main() -> None:
    """Run both tools and write quality.json and quality-base.kld."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", type=Path, help="the folder of llama-perplexity and llama-imatrix")
    tools = parser.parse_args().tools

    from support.goldens import GOLDEN
    from support.quality import BASE, QUANTS, TEXT, WINDOW, make_moe, make_quants

    record: dict[str, Any] = {"made_with": "llama-cpp-python 0.3.36's llama.cpp", "commands": []}

    def run(tool: str, *words: object, until: str = "") -> str:
        line = [str(word) for word in words]
        names = [Path(word).name if "/" in word else word for word in line]
        record["commands"].append(" ".join([tool, *names]))
        for _ in range(50):  # its log has a thread of its own, which the program's end may outrun
            done = subprocess.run(
                [str(tools / tool), *line, "-t", "1"], capture_output=True, text=True, check=True
            )
            said = done.stdout + done.stderr
            if until in said:
                return said
        raise SystemExit(f"{tool} never says {until}: {said[-2000:]}")

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models, base = make_quants(folder), folder / "base.kld"
        cut = ("-f", TEXT, "-c", WINDOW, "-b", 512)
        run("llama-perplexity", "-m", models["BF16"], *cut, "--kl-divergence-base", base)
        said = run("llama-perplexity", "-m", models["BF16"], *cut, until="Final estimate: PPL")
        found = _FINAL.search(said)
        assert found is not None, said[-2000:]
        record["perplexity"] = [float(found[1]), float(found[2])]
        record["divergence"] = {}
        for name in QUANTS:
            said = run(
                "llama-perplexity", "-m", models[name], "-c", WINDOW, "-b", 512,
                "--kl-divergence-base", base, "--kl-divergence", until="Same top p:",
            )  # fmt: skip
            figures = {
                label: [float(value), *([float(error)] if error else [])]
                for label, value, error in _FIGURE.findall(said[said.index("=====") :])
            }
            record["divergence"][name] = figures
        few = ("-f", TEXT, "-c", 16, "-b", 32, "--chunks", 2)
        run("llama-perplexity", "-m", models["BF16"], *few, "--kl-divergence-base", BASE)
        record["imatrix"] = {}
        for name, model in (("plain", models["BF16"]), ("moe", make_moe(folder))):
            out = folder / f"{name}.imatrix.gguf"
            run("llama-imatrix", "-m", model, *cut, "-o", out, "--no-ppl")
            record["imatrix"][name] = _described(out)
    content = json.dumps(record, indent=1, ensure_ascii=False)
    (GOLDEN / "quality.json").write_text(content + "\n", encoding="utf-8")


def _described(path: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    from support.quality import described

    tensors = {tensor.name: tensor.data for tensor in GGUFReader(path).tensors}
    names = {name.rpartition(".")[0] for name in tensors}
    return described({n: (tensors[f"{n}.in_sum2"], tensors[f"{n}.counts"]) for n in names})


if __name__ == "__main__":
    main()
