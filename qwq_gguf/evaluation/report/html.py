"""A document as one page: no script, nothing from anywhere else; and its pictures as files."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape

from qwq_gguf.evaluation.report.document import (
    Block,
    Command,
    Document,
    Entry,
    Foreign,
    Picture,
    Section,
    Table,
    Text,
)
from qwq_gguf.evaluation.report.svg import DARK, LIGHT, PICTURE_STYLE, element

__all__ = ["WIDTHS", "html_of", "picture_file"]

WIDTHS = {"wide": 720, "narrow": 328}
"""Each picture is there twice, so that its letters have one size on any screen."""

_CODE = re.compile(r"`([^`]*)`")


def _colours(known: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in known.items())


_THEMES = (
    f":root{{color-scheme:light dark;{_colours(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_colours(DARK)}}}}}"
)
_FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif'
_MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
_STYLE = (
    _THEMES
    + PICTURE_STYLE
    + f"body{{margin:0 auto;padding:1rem;max-width:56rem;background:var(--paper);color:var(--ink);"
    f"font:1rem/1.55 {_FONT};overflow-wrap:anywhere}}"
    "h1{font-size:1.7rem;line-height:1.2}h2{margin-top:2.6rem;font-size:1.3rem;line-height:1.25;"
    "border-top:1px solid var(--line);padding-top:1.2rem}"
    f"code,pre{{font:.86em/1.5 {_MONO}}}"
    "pre{margin:1rem 0;padding:.7rem .9rem;background:var(--raised);border-radius:.5rem;"
    "white-space:pre-wrap}"
    "a{color:var(--accent)}nav ul{padding-left:1.2rem}"
    "figure{margin:1.4rem 0}figcaption,caption{font-weight:600;text-align:left;padding:0 0 .4rem}"
    f"svg{{display:block;max-width:100%;height:auto;font-family:{_FONT}}}.narrow{{display:none}}"
    ".scroll{overflow-x:auto;margin:1.4rem 0}"
    ".scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}"
    "table{border-collapse:collapse;font-size:.88rem;overflow-wrap:normal}"
    "th,td{padding:.32rem .7rem;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top;white-space:nowrap}th:first-child,td:first-child{padding-left:0}"
    "caption span{display:inline-block;position:sticky;left:0}"
    "th:first-child{position:sticky;left:0;background:var(--paper)}"
    "thead th{color:var(--faint);font-weight:600}tbody th{font-weight:400}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}"
    ".long td{white-space:normal;overflow-wrap:anywhere}"
    f"@media (max-width:{WIDTHS['wide'] + 40}px){{.wide{{display:none}}.narrow{{display:block}}}}"
    "@media print{.scroll{overflow:visible}h2{break-after:avoid}figure{break-inside:avoid}}"
)


def html_of(document: Document) -> str:
    """The page, whole."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    links = "".join(
        f'<li><a href="#part-{at}">{_text(section.title)}</a></li>'
        for at, section in enumerate(document.sections)
    )
    body = "".join(_block(block) for block in document.introduction)
    parts = "".join(_section(section, at) for at, section in enumerate(document.sections))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{_text(document.title)}</h1>{body}</header>\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{parts}</main>\n'
        "</body>\n</html>\n"
    )


def picture_file(picture: Picture) -> str:
    """A picture as a file of its own, which knows light and dark."""
    content, height = picture.draw(WIDTHS["wide"])
    style = element("style", f"{_THEMES}svg{{font-family:{_FONT}}}{PICTURE_STYLE}")
    ground = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    return _svg(picture, "wide", style + ground + content, height, alone=True) + "\n"


def _section(section: Section, at: int) -> str:
    blocks = "".join(_block(block) for block in section.blocks)
    return (
        f'<section aria-labelledby="part-{at}"><h2 id="part-{at}">{_text(section.title)}</h2>\n'
        f"{blocks}</section>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"<p>{''.join(map(_entry, block.parts))}</p>\n"
        case Command():
            return f"<pre>{escape(block.line)}</pre>\n"
        case Picture():
            drawn = "".join(_drawn(block, name) for name in WIDTHS)
            return f"<figure><figcaption>{_text(block.title)}</figcaption>{drawn}</figure>\n"
        case Table():
            return _table(block)


def _drawn(picture: Picture, name: str) -> str:
    return _svg(picture, name, *picture.draw(WIDTHS[name]))


def _svg(picture: Picture, name: str, content: str, height: int, *, alone: bool = False) -> str:
    width = WIDTHS[name]
    key = f"{picture.name}-{name}"
    said = element("title", escape(picture.title), id=f"{key}-t")
    said += element("desc", escape(picture.about), id=f"{key}-d")
    return element(
        "svg", said + content, xmlns="http://www.w3.org/2000/svg" if alone else None,
        class_=None if alone else name, width=width, height=height,
        viewBox=f"0 0 {width} {height}", role="img", aria_labelledby=f"{key}-t {key}-d",
    )  # fmt: skip


def _table(table: Table) -> str:
    names = table.names
    head = "".join(
        f'<th scope="col"{_kind(at, names)}>{_entry(column)}</th>'
        for at, column in enumerate(table.columns)
    )
    rows = []
    for row in table.rows:
        first, *others = row
        cells = f'<th scope="row">{_entry(first)}</th>'
        cells += "".join(
            f"<td{_kind(at, names)}>{_entry(e)}</td>" for at, e in enumerate(others, 1)
        )
        rows.append(f"<tr>{cells}</tr>")
    # Texts only: their lines may break, and nothing has to be scrolled.
    kind = "scroll long" if names == len(table.columns) == 2 else "scroll"
    caption = table.caption
    label = caption.line if isinstance(caption, Foreign) else caption
    return (
        f'<div class="{kind}" role="region" aria-label="{escape(label)}" tabindex="0">'
        f"<table><caption><span>{_entry(caption)}</span></caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )


def _kind(at: int, names: int) -> str:
    return ' class="n"' if at >= names else ""


def _entry(entry: Entry) -> str:
    if isinstance(entry, Foreign):
        return f"<code>{escape(entry.line)}</code>"
    return _text(entry)


def _text(words: str) -> str:
    """Words of ours, in which backticks mean code."""
    return _CODE.sub(r"<code>\1</code>", escape(words))
