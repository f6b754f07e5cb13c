"""Draw what chains keep at one position; needs the `plots` extra."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import MissingPackageError
from qwq_gguf.files.writing import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qwq_gguf.sampling.compare import Comparison

__all__ = ["COLOURS", "FORMATS", "draw_comparison", "new_figure", "save_comparison", "write_figure"]

FORMATS = (".png", ".svg")
MODEL_COLOUR = "#9aa0a8"
COLOURS = ("#2f6fb3", "#d9822b", "#3a9a5b", "#8a5cb8")
_INK = "#30343b"
_GROUP = 0.8  # of the room between two tokens


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches. MissingPackageError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError(
            "pictures need matplotlib, which is not installed",
            hint="pip install 'qwq-gguf[plots]', or in a clone: pip install -e '.[plots]'",
        ) from None
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def draw_comparison(
    axes: Axes,
    comparison: Comparison,
    label: Callable[[int], str],
    *,
    most: int,
    names: Mapping[str, str] | None = None,
) -> None:
    """Bars for the `most` most probable tokens: the model's probability, then each chain's.

    `label` writes a token, `names` are what the legend calls the chains. A token that a
    chain drops has no bar of its colour, but a cross where the bar would begin.
    """
    rows = comparison.rows[:most]
    chains = list(comparison.kept)
    thickness = _GROUP / (len(chains) + 1)
    series = [("the model's own", [row.model for row in rows], MODEL_COLOUR)]
    for chain, colour in zip(chains, COLOURS, strict=False):
        shown = (names or {}).get(chain, chain)
        kept = comparison.kept[chain]
        series.append((f"{shown}: keeps {kept}", [row.chains[chain] for row in rows], colour))
    for index, (name, values, colour) in enumerate(series):
        offset = (index + 0.5) * thickness - _GROUP / 2
        places = [row + offset for row in range(len(rows))]
        axes.barh(places, values, height=thickness * 0.92, color=colour, label=name)
        dropped = [place for place, value in zip(places, values, strict=True) if value == 0.0]
        axes.plot([0.008] * len(dropped), dropped, "x", color=colour, markersize=4, clip_on=False)
    # A token is anyone's text: nothing in it is a formula.
    axes.set_yticks(
        range(len(rows)), [label(row.token) for row in rows], parse_math=False, color=_INK
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xlabel("probability of being picked (x: dropped)", color=_INK)
    axes.tick_params(colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, loc="lower right", fontsize=9)


def save_comparison(
    path: Path,
    comparison: Comparison,
    label: Callable[[int], str],
    *,
    title: str,
    most: int,
    force: bool = False,
) -> None:
    """Draw one comparison into a new file; its suffix, one of FORMATS, says which kind."""
    figure = new_figure(7.5, 1.4 + 0.42 * min(most, len(comparison.rows)))
    axes = figure.subplots()
    draw_comparison(axes, comparison, label, most=most)
    axes.set_title(title, parse_math=False, color=_INK, fontsize=10, loc="left")
    write_figure(figure, path, force=force)


def write_figure(figure: Figure, path: Path, *, force: bool = False) -> None:
    """Write a figure, the same bytes for the same picture. OutputError if it cannot be."""
    import matplotlib

    kind = path.suffix.lower()
    drawn = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": "qwq-gguf"}):
        # A character that the font lacks becomes a box; the table has it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(
            drawn,
            format=kind[1:],
            dpi=150,
            metadata={"Date": None} if kind == ".svg" else {"Software": None},
        )
    write_file(path, drawn.getvalue(), force=force)
