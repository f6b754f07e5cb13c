"""Sections on quants beside their reference: divergence against size, and p(closing tag)."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.evaluation.report.document import Block, Entry, Foreign, Picture, Section, Table, Text
from qwq_gguf.evaluation.report.figures_shown import (
    NONE,
    interval,
    labels_of,
    least,
    percent,
    ratio,
)
from qwq_gguf.evaluation.report.pareto_front import front
from qwq_gguf.evaluation.report.plots import Axis, Point, Row, rows, scatter
from qwq_gguf.evaluation.report.scale import size_unit
from qwq_gguf.evaluation.report.values import Interval, QualityRun, QuantResult
from qwq_gguf.words import count, human_bytes, one_line, some

__all__ = ["quality_section"]

_MOST_ROWS = 40
_READ = (
    "text", "traces", "base_logits", "sha256", "tokens", "window", "windows", "replies", "closed"
)  # fmt: skip


def quality_section(run: QualityRun, number: int, of: int) -> Section:
    """What the quants of a run say; it is the `number`-th (from 1) of so many sections."""
    title = "Quants beside their reference"
    blocks: list[Block] = [_read(run)]
    if run.quants:
        blocks += [*_divergence(run, number), _figures(run)]
        blocks += _kinds(run)
        blocks += _closing(run, number)
    return Section(title if of == 1 else f"{title}, {number}", tuple(blocks))


def _read(run: QualityRun) -> Text:
    reference = Foreign(one_line(run.reference, 80))
    parts: list[Entry] = ["The reference is ", reference, f" ({human_bytes(run.reference_bytes)})"]
    if run.perplexity is not None:
        parts.append(f", of perplexity {run.perplexity:.4f}")
    parts.append(". Read: ")
    named = [(name, value) for name, value in run.read.items() if isinstance(value, str | int)]
    for at, (name, value) in enumerate(named):
        shown = one_line(f"{value:,}" if isinstance(value, int) else value, 80)
        if name == "sha256":
            shown = shown[:16]
        words = name.replace("_", " ") if name in _READ else Foreign(one_line(name, 40))
        parts += [", " * bool(at), words, " ", Foreign(shown)]
    parts.append(".")
    return Text(tuple(part for part in parts if part))


# ------------------------------------------------------------------- divergence


def _divergence(run: QualityRun, number: int) -> list[Block]:
    able = [quant for quant in run.quants if quant.kld.value > 0]
    left = [quant.name for quant in run.quants if quant.kld.value <= 0]
    said: list[Block] = []
    if left:
        said = [Text.of("A mean divergence of zero has no place on a logarithmic scale: not in the"
                        " picture are ", *_listed(left), ".")]  # fmt: skip
    if not able:
        return said
    unit, size = size_unit(quant.nbytes for quant in able)
    best = front([(quant.nbytes, quant.kld.value) for quant in able])
    points = [
        Point(
            Interval(quant.nbytes / size),
            quant.kld,
            label,
            f"{one_line(quant.name)}: {human_bytes(quant.nbytes)}, {least(quant.kld.value)} nats",
            0,
            at in best,
        )
        for at, (quant, label) in enumerate(
            zip(able, labels_of([quant.name for quant in able]), strict=True)
        )
    ]
    x = Axis(f"size, {unit}", least=0.05, bottom=0)
    y = Axis("mean KL divergence, nats", log=True)
    on = some([points[at].label for at in best], 20)
    about = (
        f"{count(len(able), 'quant')} by size and mean divergence from the reference, on a "
        f"logarithmic scale. On the front: {on}. The table below has all numbers."
    )
    picture = Picture(
        f"divergence-{number}", "KL divergence against size", about,
        lambda width: scatter(points, x, y, (), width),
    )  # fmt: skip
    return [picture, *said]


def _listed(names: Sequence[str]) -> list[Entry]:
    parts: list[Entry] = []
    for at, name in enumerate(names):
        parts += [", "] * bool(at) + [Foreign(one_line(name, 80))]
    return parts


def _figures(run: QualityRun) -> Table:
    table = [
        (
            Foreign(one_line(quant.name, 80)),
            human_bytes(quant.nbytes),
            NONE if quant.bits is None else f"{quant.bits:.2f}",
            f"{quant.perplexity.value:.4f}",
            least(quant.kld.value),
            interval(quant.kld, "least"),
            least(quant.kld_median),
            least(quant.kld_p99),
            least(quant.kld_max),
            percent(quant.same_top),
        )
        for quant in run.quants
    ]
    figures = ("size", "bits", "perplexity", "KLD", "95 %", "median", "p99", "max", "same top")
    return Table("Divergence from the reference, in nats", ("file", *figures), table)


def _kinds(run: QualityRun) -> list[Block]:
    table = [
        (
            Foreign(one_line(quant.name, 80)),
            Foreign(one_line(kind, 40)),
            f"{found.places:,}",
            f"{found.perplexity:.4f}",
            least(found.kld.value),
            interval(found.kld, "least"),
            percent(found.same_top),
        )
        for quant in run.quants
        for kind, found in quant.kinds.items()
    ]
    columns = ("file", "of", "tokens", "perplexity", "KLD", "95 %", "same top")
    return [Table("By what the tokens belong to", columns, table, 2)] if table else []


# ------------------------------------------------------------------- the closing tag


def _closing(run: QualityRun, number: int) -> list[Block]:
    found = [quant for quant in run.quants if quant.closing is not None]
    if not found:
        return []
    labels = labels_of([quant.name for quant in found])
    shown = [
        Row(label, quant.closing.ratio)
        for quant, label in zip(found, labels, strict=True)
        if quant.closing is not None and quant.closing.ratio is not None
    ][:_MOST_ROWS]
    blocks: list[Block] = [
        Text.of(
            "p(closing tag) is what the quant gives the tag at places where the reference would "
            "close its thought, divided by what the reference gives it. Below 1 the quant is more "
            "inclined to go on."
        )
    ]
    if shown:
        axis = Axis("p(closing tag), quant / reference", least=0.02)
        about = (
            f"{count(len(shown), 'quant')} with p(closing tag) and its interval, and a line at 1, "
            "where a quant closes as its reference does. The table below has all numbers."
        )
        blocks.append(
            Picture(
                f"closing-{number}", "p(closing tag) by quant", about,
                lambda width: rows(shown, axis, 1.0, width),
            )
        )  # fmt: skip
    return [*blocks, _closing_table(found)]


def _closing_table(found: Sequence[QuantResult]) -> Table:
    words = list(dict.fromkeys(w for q in found if q.closing is not None for w in q.closing.words))
    table: list[tuple[Entry, ...]] = []
    for quant in found:
        closing = quant.closing
        assert closing is not None
        table.append(
            (
                Foreign(one_line(quant.name, 80)),
                f"{closing.places:,}",
                ratio(None if closing.ratio is None else closing.ratio.value),
                interval(closing.ratio, "ratio"),
                percent(closing.agreed),
                ratio(closing.elsewhere),
                *(ratio(closing.words.get(word)) for word in words[:10]),
            )
        )
    columns = ("file", "places", "ratio", "95 %", "closes too", "elsewhere")
    others = tuple(Foreign(one_line(word, 20)) for word in words[:10])
    return Table("p(closing tag), and other words in its place, quant / reference",
                 (*columns, *others), table)  # fmt: skip
