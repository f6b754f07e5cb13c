"""A recipe for one model and one size: its errors measured, the best types within the size."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import PlanError, UsageError
from qwq_gguf.jobs.events import Activity, Meter, Report, Said, Wrote, activity, silent
from qwq_gguf.jobs.fetching import asking
from qwq_gguf.words import count, human_bytes

if TYPE_CHECKING:
    from qwq_gguf.jobs.card_budget import Card
    from qwq_gguf.jobs.source import Source
    from qwq_gguf.quantization.fitting.allocation import Allocation
    from qwq_gguf.quantization.fitting.measured import Errors
    from qwq_gguf.quantization.fitting.problem import Problem
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = ["FITTED_SCHEMA", "Fitted", "Stock", "Target", "fit_recipe"]

FITTED_SCHEMA = "qwq-gguf/recipe-fit/1"


@dataclass(frozen=True, slots=True)
class Target:
    """How large the file may be, by one of three: its bytes, the bits of a weight, a card on which
    all of it goes beside its context (`context` tokens, None for what a long thought takes).
    """

    nbytes: int | None = None
    bits: float | None = None
    card: str | None = None
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Stock:
    """A shipped recipe: what it makes of the model, and its error by the same measure."""

    recipe: str
    file_bytes: int
    bits_per_weight: float
    error: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """The recipe, the file that it makes, and what was found on the way.

    Errors are sums over the matrices (quantization/fitting/weighing.py). No choice of this size
    has one below `bound`. Of `measured` matrices `sampled` were not looked at whole; `looked_at` is
    the share of their weights that was. `warnings` are sentences about what may make the result
    worse.
    """

    source: str
    path: Path
    recipe: Recipe
    plan: Plan
    error: float
    bound: float
    stock: tuple[Stock, ...]
    measured: int
    sampled: int
    looked_at: float
    command: str
    imatrix: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def best_stock(self) -> Stock | None:
        """Of the shipped recipes that make no larger file, that with the least error."""
        able = [each for each in self.stock if each.file_bytes <= self.plan.file_bytes]
        return min(able, key=lambda each: each.error, default=None)

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return {
            "schema": FITTED_SCHEMA,
            "source": self.source,
            "recipe": {"name": self.recipe.name, "path": str(self.path), "text": self.recipe.text},
            "file_bytes": self.plan.file_bytes,
            "bits_per_weight": round(self.plan.bits_per_weight, 4),
            "error": self.error,
            "least_possible_error": self.bound,
            "sample": {
                "matrices": self.measured,
                "sampled": self.sampled,
                "share_of_weights": round(self.looked_at, 6),
            },
            "imatrix": self.imatrix,
            "types": {tensor.name: tensor.type.name for tensor in self.plan.tensors},
            "stock": [
                {
                    "name": each.recipe,
                    "file_bytes": each.file_bytes,
                    "bits_per_weight": round(each.bits_per_weight, 4),
                    "error": each.error,
                }
                for each in self.stock
            ],
            "command": self.command,
            "warnings": list(self.warnings),
        }


def fit_recipe(
    source: str,
    target: Target,
    report: Report = silent,
    *,
    out: str | None = None,
    imatrix: str | None = None,
    force: bool = False,
    threads: int | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Fitted:
    """Measure, choose, and write the recipe to `out` (else `<Model>-Fit-<bits>.toml` here).

    What was measured is kept, also of a run that is ended early: another size of the same weights
    and matrix needs none. Of a source on the Hub the weights are brought, unless all is known.

    UsageError where `target` is not one of its three; PlanError for a size that no choice of types
    comes down to; OutputError where the recipe cannot be written.
    """
    from qwq_gguf.files.naming import check_path, refuse_sources
    from qwq_gguf.files.reading import user_path
    from qwq_gguf.files.writing import write_file
    from qwq_gguf.jobs.card_budget import Card
    from qwq_gguf.jobs.planning import read_importance
    from qwq_gguf.jobs.source import open_source
    from qwq_gguf.preparation import prepare
    from qwq_gguf.quantization.fitting.problem import Problem
    from qwq_gguf.quantization.planning.requantize import check_requantizing

    _check(target)
    path = None if out is None else user_path(out)
    if path is not None:
        if path.suffix.lower() != ".toml":
            raise UsageError("a recipe is a .toml file", found=str(out))
        check_path(path, force=force)
    importance = read_importance(imatrix)
    with asking(report, source):
        opened = open_source(source, revision, token)
    prepared = prepare(opened.convert())
    card = None
    if target.card is not None:
        card = Card.of(target.card, target.context, prepared.conversion)
    problem = Problem.of(prepared.conversion, importance)
    errors = _errors(problem, opened.reading(prepared.conversion), report, threads)
    found = _chosen(problem, errors, target, card)
    recipe, plan = _recipe(problem, found, target, source, imatrix)
    if path is None:
        path = Path(_file_name(opened.result, recipe.name))
    again = check_requantizing(plan, allowed=True)
    refuse_sources([path], opened.files())
    write_file(path, recipe.text, force=force)
    report(Wrote(path, f"{recipe.about.rstrip('.')}"))
    words = ["qwq-gguf", "quantize", source, "-r", str(path)]
    words += [] if imatrix is None else ["--imatrix", imatrix]
    words += [] if revision is None else ["--revision", revision]
    words += ["--allow-requantize"] if again else []
    return Fitted(
        source=source,
        path=path,
        recipe=recipe,
        plan=plan,
        error=found.error,
        bound=found.bound,
        stock=_stock(problem, errors),
        measured=len(problem.tasks),
        sampled=sum(not task.sample.whole for task in problem.tasks),
        looked_at=problem.looked_at,
        command=shlex.join(words),
        imatrix=imatrix,
        warnings=tuple(line for line in (again, *plan.warnings) if line),
    )


def _check(target: Target) -> None:
    if sum(each is not None for each in (target.nbytes, target.bits, target.card)) != 1:
        raise UsageError("name one of --size, --bpw and --vram")
    if target.context is not None and target.card is None:
        raise UsageError("--ctx goes with --vram")


def _errors(problem: Problem, source: Source, report: Report, threads: int | None) -> Errors:
    """From what is kept or from the weights."""
    from qwq_gguf.jobs.measurement_cache import KeptErrors
    from qwq_gguf.quantization.fitting.measuring import measure

    kept = KeptErrors(source, problem.imatrix, problem.tasks)
    missing = kept.measured.missing({task.tensor.name: task.kinds for task in problem.tasks})
    if not missing:
        report(Said("the errors of these weights are known from an earlier run"))
        return kept.measured.errors
    _say_download(source, report)
    source.bring(report)
    left = [
        replace(task, kinds=tuple(missing[task.tensor.name]))
        for task in problem.tasks
        if task.tensor.name in missing
    ]
    total = sum(task.work for task in left)
    meter = Meter(report, Activity.TRYING, total)
    with kept, activity(report, Activity.TRYING, "trying types", total):
        for name, errors in measure(left, threads=threads, passed=meter.passed):
            kept.add(name, errors)
    return kept.measured.errors


def _say_download(source: Source, report: Report) -> None:
    from qwq_gguf.jobs.sizing import to_download

    nbytes = to_download(source)
    if nbytes:
        report(
            Said(
                f"measuring takes rows of every matrix: {human_bytes(nbytes)} of weights are "
                "downloaded into the Hub's cache, from which quantize takes them as well"
            )
        )


def _chosen(problem: Problem, errors: Errors, target: Target, card: Card | None) -> Allocation:
    if target.nbytes is not None:
        found = problem.within_bytes(errors, target.nbytes)
    elif target.bits is not None:
        found = problem.within_bits(errors, target.bits)
    else:
        assert card is not None
        found = problem.within(errors, card.holds)
    if found is None:
        least = problem.least_bytes
        raise PlanError(
            "no choice of types makes this model that small",
            found=_asked(target),
            expected=f"at least {least:,} bytes ({human_bytes(least)})",
            hint="an importance matrix (--imatrix) allows types of fewer bits"
            if problem.imatrix is None
            else "a larger size, a shorter --ctx, or a smaller model",
        )
    return found


def _asked(target: Target) -> str:
    if target.nbytes is not None:
        return f"{target.nbytes:,} bytes"
    if target.bits is not None:
        return f"{target.bits:g} bits a weight"
    return f"a card of {target.card}"


def _recipe(
    problem: Problem, found: Allocation, target: Target, source: str, imatrix: str | None
) -> tuple[Recipe, Plan]:
    """The recipe that gives each tensor the type chosen for it, and its plan."""
    from qwq_gguf.quantization.fitting.recipe_text import recipe_text
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.recipes.language import parse_recipe
    from qwq_gguf.version import __version__

    types = problem.types(found)
    bits = f"{problem.bits(types):.2f}"
    sampled = [task for task in problem.tasks if not task.sample.whole]
    rows = max((sum(n for _, n in task.sample.runs) for task in sampled), default=0)
    comments = [
        f"Made by qwq-gguf {__version__} of {source} for {_asked(target)}"
        + (f", with the importance matrix {imatrix}." if imatrix else "."),
        f"Expected error: {found.error:.6g}, the sum over {count(len(problem.tasks), 'matrix')} "
        "of their relative squared errors; docs/quantize.md says how they count.".replace(
            "matrixs", "matrices"
        ),
        f"No choice of types of this size has one below {found.bound:.6g}.",
        f"Measured on {100 * problem.looked_at:.3g} % of the weights: of each of "
        f"{len(sampled)} matrices at most {rows} rows, in runs from the first to the last."
        if sampled
        else "Measured on all rows.",
    ]
    text = recipe_text(
        f"Fit-{bits}", f"The types that lose least of this model in {bits} bits.", types, comments
    )
    recipe = parse_recipe(text)
    plan = make_plan(problem.conversion, recipe, imatrix=problem.imatrix)
    got = {tensor.name: tensor.type for tensor in plan.tensors}
    other = [name for name, kind in types.items() if got[name] is not kind]
    if other:
        raise PlanError(
            f"a recipe cannot name {other[0]!r} so that it gets its type",
            found=got[other[0]].name,
            expected=types[other[0]].name,
        )
    return recipe, plan


def _stock(problem: Problem, errors: Errors) -> tuple[Stock, ...]:
    """The shipped recipes all of whose types are known, the smallest first."""
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    found = []
    for recipe in map(load_recipe, recipe_names()):
        if not recipe.base.quantized:
            continue
        try:
            plan = make_plan(problem.conversion, recipe, imatrix=problem.imatrix)
        except PlanError:
            continue  # it needs an importance matrix
        error = problem.error_of(plan, errors)
        if error is not None:
            found.append(Stock(recipe.name, plan.file_bytes, plan.bits_per_weight, error))
    return tuple(sorted(found, key=lambda each: each.file_bytes))


def _file_name(model: str, recipe: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", f"{model}-{recipe}").strip("-.")[-160:] + ".toml"
