"""Sections on files: what errors their layers have, recipes of a size, how they were made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from qwq_gguf.evaluation.report.document import (
    Block,
    Command,
    Entry,
    Foreign,
    Picture,
    Section,
    Table,
    Text,
)
from qwq_gguf.evaluation.report.figures_shown import NONE, least
from qwq_gguf.evaluation.report.plots import Axis, Line, Point, lines, scatter
from qwq_gguf.evaluation.report.scale import size_unit
from qwq_gguf.evaluation.report.values import (
    FittedResult,
    Interval,
    LayerErrors,
    MadeFile,
    SizedError,
)
from qwq_gguf.words import count, human_bytes, one_line, some

__all__ = ["errors_section", "fitted_section", "layer_lines", "made_section"]

_LAYER = re.compile(r"blk\.(\d{1,4})\.")
_MOST_LINES = 8
_MOST_COLUMNS = 24
_TELLING = ("Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K", "IQ4_XS", "MXFP4")


def layer_lines(
    errors: Mapping[str, Mapping[str, float]], types: Mapping[str, Mapping[str, str]]
) -> list[Line]:
    """By layer the mean error of its matrices: of files, whose tensors have these types; or of
    the types themselves, where no file is given or none has these tensors. A layer of which
    something was not measured is left out.
    """
    layers: dict[int, list[str]] = {}
    for name in errors:
        found = _LAYER.match(name)
        if found:
            layers.setdefault(int(found[1]), []).append(name)
    chosen = {file: {name: kinds.get(name, "") for name in errors} for file, kinds in types.items()}
    of_files = _lines(errors, layers, chosen)
    if of_files:
        return of_files
    known = {kind for kinds in errors.values() for kind in kinds}
    some_of = [kind for kind in _TELLING if kind in known]
    some_of += sorted(known - set(some_of))
    return _lines(errors, layers, {kind: dict.fromkeys(errors, kind) for kind in some_of})


def _lines(
    errors: Mapping[str, Mapping[str, float]],
    layers: Mapping[int, Sequence[str]],
    chosen: Mapping[str, Mapping[str, str]],
) -> list[Line]:
    found = []
    for name, kinds in chosen.items():
        values = []
        for layer, tensors in sorted(layers.items()):
            known = [errors[each].get(kinds[each]) for each in tensors]
            real = [value for value in known if value is not None]
            if len(real) == len(known):
                values.append((layer, sum(real) / len(real)))
        if any(value > 0 for _, value in values):
            found.append(Line(one_line(name, 80), values))
    return found


def errors_section(
    measured: LayerErrors, types: Mapping[str, Mapping[str, str]], number: int, of: int
) -> Section:
    """What is lost in each layer, by file or type."""
    title = "Errors by layer" if of == 1 else f"Errors by layer, {number}"
    every = layer_lines(measured.errors, types)[:_MOST_COLUMNS]
    source = Text.of("Measured errors: ", Foreign(measured.file), ".")
    if not every:
        return Section(title, (source, Text.of("No layer has errors that a picture could show.")))
    shown = [
        Line(line.name, [(at, value) for at, value in line.values if value > 0])
        for line in every[:_MOST_LINES]
    ]
    blocks: list[Block] = [
        source,
        Text.of("By layer, the mean over its matrices of the share of their energy that is lost."),
        Picture(
            f"layers-{number}", "Errors by layer",
            f"Relative error by layer, on a logarithmic scale: {some([x.name for x in shown], 8)}. "
            "The table below has all numbers.",
            lambda width: lines(shown, "layer", Axis("relative error", log=True), width),
        ),
    ]  # fmt: skip
    if len(every) > len(shown):
        blocks.append(Text.of(f"The picture has the first {len(shown)} of {len(every)}."))
    layers = sorted({at for line in every for at, _ in line.values})
    values = [dict(line.values) for line in every]
    table = [
        (str(layer), *(least(each[layer]) if layer in each else NONE for each in values))
        for layer in layers
    ]
    columns: tuple[Entry, ...] = ("layer", *(Foreign(line.name) for line in every))
    return Section(title, (*blocks, Table("Relative error by layer", columns, table)))


def fitted_section(found: FittedResult, number: int, of: int) -> Section:
    """A recipe that was fitted to a size, beside the shipped ones."""
    title = "A recipe of a size" if of == 1 else f"A recipe of a size, {number}"
    every = [found.fitted, *found.stock]
    unit, size = size_unit(each.nbytes for each in every)
    points = [
        Point(
            Interval(each.nbytes / size), Interval(each.error), one_line(each.name, 40),
            f"{one_line(each.name, 40)}: {human_bytes(each.nbytes)}, error {least(each.error)}",
            0 if at == 0 else 1,
        )
        for at, each in enumerate(every)
        if each.error > 0
    ]  # fmt: skip
    blocks: list[Block] = [Text.of("Of ", Foreign(one_line(found.source, 120)), ":")]
    blocks.append(Command(one_line(found.command, 500)))
    if points:
        axes = Axis(f"size, {unit}", least=0.05, bottom=0), Axis("error", log=True)
        blocks.append(
            Picture(
                f"recipe-{number}", "Error against size",
                f"{count(len(points), 'recipe')} by size and error. The table has all numbers.",
                lambda width: scatter(points, *axes, ("fitted", "shipped"), width),
            )
        )  # fmt: skip
    columns = ("recipe", "size", "bits", "error")
    return Section(title, (*blocks, Table("Recipes", columns, [_sized(each) for each in every])))


def _sized(each: SizedError) -> tuple[Entry, ...]:
    name = Foreign(one_line(each.name, 60))
    return (name, human_bytes(each.nbytes), f"{each.bits:.2f}", least(each.error))


def made_section(made: Sequence[MadeFile]) -> Section:
    """How files were made, by their manifests."""
    table = []
    for each in made:
        types = Counter(each.types.values())
        table.append(
            (
                Foreign(one_line(each.name, 80)),
                Foreign(one_line(each.source, 80)),
                Foreign(one_line(each.commit or NONE, 40)[:12]),
                Foreign(one_line(each.recipe, 60)),
                Foreign(some((f"{n} {one_line(k, 20)}" for k, n in types.most_common()), 4)),
                human_bytes(each.nbytes),
                f"{8 * each.nbytes / each.weights:.2f}" if each.weights else NONE,
            )
        )
    columns = ("file", "source", "commit", "recipe", "tensors", "size", "bits")
    said = Text.of("By the manifests beside the files; `qwq-gguf verify` checks them.")
    return Section("How the files were made", (said, Table("Files", columns, table, 5)))
