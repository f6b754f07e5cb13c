"""Fitted recipes beside the shipped ones, and what each kind of matrix counts."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs.kept_errors import KeptErrors
from qwq_gguf.jobs.planning import read_importance
from qwq_gguf.jobs.recipe_fitting import Target, fit_recipe
from qwq_gguf.jobs.source import open_source
from qwq_gguf.preparation import prepare
from qwq_gguf.quantization.fitting.problem import Problem
from qwq_gguf.quantization.fitting.written import recipe_text
from qwq_gguf.quantization.planning.kinds import kind_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("table", "factors"))
    parser.add_argument("model", help="a GGUF: what is made again, and the reference")
    parser.add_argument("text", type=Path)
    parser.add_argument("--recipes", default="Q2_K,Q3_K_S,Q3_K_M,IQ4_XS,Q4_K_S,Q4_K_M,Q5_K_M")
    parser.add_argument("--kinds", default="")
    parser.add_argument("--imatrix")
    parser.add_argument("--chunks", type=int, default=8)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        measured = Runs(asked.model, asked.text, asked.imatrix, asked.chunks, Path(folder))
        if asked.what == "table":
            table(measured, asked.recipes.split(","))
        else:
            factors(measured, [kind for kind in asked.kinds.split(",") if kind])


class Runs:
    """Models that are made of one, and measured beside it."""

    def __init__(
        self, model: str, text: Path, imatrix: str | None, chunks: int, folder: Path
    ) -> None:
        self.model, self.imatrix, self.folder = model, imatrix, folder
        self._base = folder / "base.kld"
        words = ["eval", "quality", model, "--text", str(text), "--chunks", str(chunks)]
        called(*words, "--save-logits", str(self._base), "--json")

    def kld(self, recipe: str) -> tuple[int, Mapping[str, Any]]:
        """The bytes of the file that a recipe makes, and how far it is from the reference."""
        out = self.folder / "made.gguf"
        words = ["quantize", self.model, "-o", str(out), "-r", recipe, "--force"]
        words += ["--allow-requantize", "--no-manifest", "--no-modelfile"]
        called(*words, *(["--imatrix", self.imatrix] if self.imatrix else []))
        found = json.loads(called("eval", "quality", str(self._base), str(out), "--json"))
        return out.stat().st_size, found["quants"][0]["figures"]["kl_divergence"]

    def problem(self) -> Problem:
        """What there is to choose of the model."""
        converted = prepare(open_source(self.model).convert()).conversion
        return Problem.of(converted, read_importance(self.imatrix))


def called(*words: str) -> str:
    done = subprocess.run(["qwq-gguf", *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"qwq-gguf {' '.join(words)}: status {done.returncode}")
    return done.stdout


def table(runs: Runs, recipes: list[str]) -> None:
    """Each shipped recipe, and the fitted one of no more bytes."""
    print("| mix | bytes | error | KLD | fitted: bytes | error | KLD | KLD, fitted / mix |")
    print("|---|---|---|---|---|---|---|---|")
    file = runs.folder / "fitted.toml"
    fitted = fit_recipe(
        runs.model, Target(bits=8.0), out=str(file), imatrix=runs.imatrix, force=True
    )
    stock = {each.recipe: each for each in fitted.stock}
    for name in recipes:
        mix = stock[name]
        target = Target(nbytes=mix.file_bytes)
        fitted = fit_recipe(runs.model, target, out=str(file), imatrix=runs.imatrix, force=True)
        nbytes, of_mix = runs.kld(name)
        fitted_bytes, of_fitted = runs.kld(str(file))
        if (nbytes, fitted_bytes) != (mix.file_bytes, fitted.plan.file_bytes):
            raise SystemExit(f"{name}: {nbytes} and {fitted_bytes} bytes are not those planned")
        ratio = of_fitted["mean"]["value"] / of_mix["mean"]["value"]
        print(
            f"| {name} | {nbytes:,} | {mix.error:.3g} | {_shown(of_mix)} | {fitted_bytes:,} "
            f"| {fitted.error:.3g} | {_shown(of_fitted)} | {ratio:.2f} |",
            flush=True,
        )


def _shown(kld: Mapping[str, Any]) -> str:
    return f"{kld['mean']['value']:.4g} ± {kld['mean']['error']:.2g}"


def factors(runs: Runs, kinds: list[str]) -> None:
    """Each kind of matrix in a type of few bits, all others as they are: KLD over error."""
    problem = runs.problem()
    fit_recipe(
        runs.model,
        Target(bits=8.0),
        out=str(runs.folder / "any.toml"),
        imatrix=runs.imatrix,
        force=True,
    )
    source = open_source(runs.model)
    errors = KeptErrors(source, problem.imatrix, problem.tasks).measured.errors
    found = kinds or list(dict.fromkeys(kind_of(task.tensor.name) for task in problem.tasks))
    print("| kind | matrices | error | KLD | KLD / error |\n|---|---|---|---|---|")
    for kind in found:
        types, error, number = {}, 0.0, 0
        for task in problem.tasks:
            types[task.tensor.name] = task.tensor.stored
            if kind_of(task.tensor.name) != kind:
                continue
            small = GgmlType.Q3_K if GgmlType.Q3_K in task.kinds else GgmlType.Q4_0
            types[task.tensor.name] = small
            error += errors[task.tensor.name][small]
            number += 1
        file = runs.folder / "one.toml"
        file.write_text(recipe_text("one", kind, types), encoding="utf-8")
        _, kld = runs.kld(str(file))
        mean = kld["mean"]["value"]
        print(
            f"| {kind} | {number} | {error:.4g} | {_shown(kld)} | {mean / error:.4g} |", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
