"""Fitted recipes beside the shipped ones, and what each kind of matrix counts."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs.measurement_cache import KeptErrors
from qwq_gguf.jobs.planning import read_importance
from qwq_gguf.jobs.recipe_fitting import Fitted, Target, fit_recipe
from qwq_gguf.jobs.source import open_source
from qwq_gguf.preparation import prepare
from qwq_gguf.quantization.fitting.problem import Problem
from qwq_gguf.quantization.fitting.recipe_text import recipe_text
from qwq_gguf.quantization.planning.tensor_kinds import kind_of
from qwq_gguf.quantization.recipes.shipped import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("table", "factors"))
    parser.add_argument("model", help="a GGUF: what is made again, and the reference")
    parser.add_argument("text", type=Path, help="a text, or replies of `eval thinking --traces`")
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
        if text.suffix == ".jsonl":  # replies, which are read beside the reference each time
            self._asked = [model]
            self._flags = ["--traces", str(text), "--chunks", str(chunks), "--json"]
        else:
            self._asked, self._flags = [str(self.folder / "base.kld")], ["--json"]
            words = ["eval", "quality", model, "--text", str(text), "--chunks", str(chunks)]
            called(*words, "--save-logits", *self._asked, "--json")

    def kld(self, recipes: Sequence[str]) -> dict[str, tuple[int, Mapping[str, Any]]]:
        """Of each recipe (a name, a file) the bytes that it makes, and how far they are from the
        reference.
        """
        out = self.folder / "made"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        words = ["quantize", self.model, str(out), "--allow-requantize"]
        words += ["--no-manifest", "--no-modelfile", "--name", "made"]
        words += ["--imatrix", self.imatrix] if self.imatrix else []
        called(*words, *(word for recipe in recipes for word in ("-r", recipe)))
        names = [load_recipe(recipe).name for recipe in recipes]
        files = [out / f"made-{name}.gguf" for name in names]
        found = json.loads(called("eval", "quality", *self._asked, *map(str, files), *self._flags))
        return {
            recipe: (file.stat().st_size, quant["kl_divergence"])
            for recipe, file, quant in zip(recipes, files, found["quants"], strict=True)
        }

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
    any_size = Target(bits=8.0)
    at = runs.folder / "any.toml"
    stock = {
        each.recipe: each
        for each in fit_recipe(runs.model, any_size, out=str(at), imatrix=runs.imatrix).stock
    }
    if unknown := [name for name in recipes if name not in stock]:
        raise SystemExit(f"{', '.join(unknown)}: a type in it is no candidate; of {list(stock)}")
    fitted: dict[str, Fitted] = {}
    for name in recipes:
        target = Target(nbytes=stock[name].file_bytes)
        file = runs.folder / f"like-{name}.toml"
        fitted[name] = fit_recipe(runs.model, target, out=str(file), imatrix=runs.imatrix)
        renamed = fitted[name].recipe.text.replace(
            f'name = "{fitted[name].recipe.name}"', f'name = "like-{name}"'
        )
        file.write_text(renamed, encoding="utf-8")
    found = runs.kld([*recipes, *(str(fitted[name].path) for name in recipes)])
    print("| mix | bytes | error | KLD | fitted: bytes | error | KLD | fitted / mix | apart by |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in recipes:
        nbytes, of_mix = found[name]
        fitted_bytes, of_fitted = found[str(fitted[name].path)]
        ratio = of_fitted["mean"]["value"] / of_mix["mean"]["value"]
        print(
            f"| {name} | {nbytes:,} | {stock[name].error:.3g} | {_shown(of_mix)} "
            f"| {fitted_bytes:,} | {fitted[name].error:.3g} | {_shown(of_fitted)} | {ratio:.2f} "
            f"| {apart(of_mix, of_fitted):.1f} |"
        )


def apart(mix: Mapping[str, Any], fitted: Mapping[str, Any]) -> float:
    """How many standard errors of their difference the means lie apart, above 0 where the fitted
    one is the worse. As if their tokens were others, so a little too few: under 2 shows nothing.
    """
    one, other = mix["mean"], fitted["mean"]
    error = math.hypot(one["error"], other["error"])
    return float((other["value"] - one["value"]) / error) if error else 0.0


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
    rows: dict[str, tuple[str, int, float]] = {}
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
        file = runs.folder / f"{kind}.toml"
        file.write_text(recipe_text(kind, kind, types), encoding="utf-8")
        rows[str(file)] = (kind, number, error)
    print("| kind | matrices | error | KLD | KLD / error |\n|---|---|---|---|---|")
    for recipe, (_, kld) in runs.kld(list(rows)).items():
        kind, number, error = rows[recipe]
        ratio = kld["mean"]["value"] / error
        print(f"| {kind} | {number} | {error:.4g} | {_shown(kld)} | {ratio:.4g} |")


if __name__ == "__main__":
    main()
