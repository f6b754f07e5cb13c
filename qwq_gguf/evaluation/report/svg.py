"""Elements of SVG as text, and the look of pictures and page, in light and dark."""

from __future__ import annotations

import unicodedata
from html import escape

__all__ = ["COLOURS", "DARK", "LIGHT", "PICTURE_STYLE", "element", "fitted", "text", "width_of"]

SIZE = 13  # of letters
_LETTER = 0.56 * SIZE  # a letter's width on average, generously

# A background, its ink, faint ink, lines; then a colour for each series (after Okabe and Ito,
# darker on white and lighter on black, so that each has 3 to 1 with its ground).
LIGHT = {
    "paper": "#ffffff", "raised": "#f5f6f9", "ink": "#1b1e25", "faint": "#5a6172",
    "line": "#dadde5", "accent": "#4450c4",
    "s0": "#0072b2", "s1": "#b35900", "s2": "#00795a", "s3": "#a8447f",
    "s4": "#8a6d00", "s5": "#5a4fcf", "s6": "#c0392b", "s7": "#4d5566",
}  # fmt: skip
DARK = {
    "paper": "#16181d", "raised": "#1f2229", "ink": "#e6e8ee", "faint": "#a0a7b8",
    "line": "#353a45", "accent": "#a5b0ff",
    "s0": "#56b4e9", "s1": "#f0a04b", "s2": "#2fc79b", "s3": "#e59ac6",
    "s4": "#e5d04f", "s5": "#b1a8ff", "s6": "#ff8d80", "s7": "#b6bdcc",
}  # fmt: skip
COLOURS = 8

PICTURE_STYLE = (
    f".w{{fill:var(--ink);font-size:{SIZE}px}}.f{{fill:var(--faint);font-size:{SIZE}px}}"
    ".l{paint-order:stroke;stroke:var(--paper);stroke-width:4;stroke-linejoin:round}"
    ".g{stroke:var(--line);fill:none}.a{stroke:var(--faint);fill:none}"
    ".r{stroke:var(--ink);stroke-dasharray:5 4;fill:none}"
    ".p{stroke:var(--ink);stroke-width:1.5;stroke-opacity:.55;fill:none}"
    ".o{stroke:var(--ink);stroke-width:2}"
    + "".join(
        f".s{n}{{fill:var(--s{n})}}.k{n}{{stroke:var(--s{n});stroke-width:1.5;fill:none}}"
        for n in range(COLOURS)
    )
)


def element(tag: str, content: str = "", **attributes: object) -> str:
    """An element; `content` is markup already. `class_` is class, `text_anchor` text-anchor."""
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{words}/>" if not content else f"<{tag}{words}>{content}</{tag}>"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return escape(str(value))


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str | None = None,
    faint: bool = False,
    lined: bool = False,
) -> str:
    """Words at a place: of their beginning, or their `anchor` (middle, end). `lined`: they are
    set off from what is behind them.
    """
    kind = ("f" if faint else "w") + (" l" if lined else "")
    return element("text", escape(words), x=float(x), y=float(y), class_=kind, text_anchor=anchor)


def width_of(words: str) -> float:
    """About how wide they are."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in words)
    return (len(words) - wide) * _LETTER + wide * SIZE * 1.05


def fitted(words: str, room: float) -> str:
    """The words, or as much from their beginning and their end as there is room for: what tells
    names of models apart is at their ends.
    """
    if width_of(words) <= room:
        return words
    kept = len(words)
    while kept > 2:
        kept -= 1
        head = kept // 2
        short = f"{words[:head]}…{words[len(words) - (kept - head) :]}"
        if width_of(short) <= room:
            return short
    return words[:1]
