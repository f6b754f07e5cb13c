"""How Markdown looks on our consoles, by the names that rich gives its parts."""

from __future__ import annotations

__all__ = ["STYLES"]

# By default rich puts inline code on black, and uses yellow, which nobody reads on white.
STYLES = {
    "markdown.code": "bold",
    "markdown.code_block": "none",
    "markdown.block_quote": "italic",
    "markdown.item.bullet": "bold",
    "markdown.item.number": "bold",
    "markdown.list": "none",
    "markdown.hr": "dim",
    "markdown.h1": "bold underline",
    "markdown.h2": "bold underline",
    "markdown.h3": "bold",
    "markdown.h4": "bold",
    "markdown.link": "underline",
    "markdown.link_url": "underline",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}
