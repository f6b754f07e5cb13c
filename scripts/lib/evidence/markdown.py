"""A table's figures as Markdown, and the page with them between its marks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evidence.tables import TABLES, Table

__all__ = ["page_with", "rendered"]

_EMPTY = "Not measured yet."
_HEAD = (
    "| | right | accuracy | against the first | thought | reply | against the first | p95 "
    "| loops | no answer | tokens a right answer |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
)


def rendered(table: Table, measured: Mapping[str, Any]) -> str:
    """The figures of one run (`qwq-gguf/eval-thinking/2` with a `title`)."""
    run = measured["run"]
    rows = [_row(table, cell) for cell in measured["cells"]]
    machine = run["machine"]
    made = ", ".join(f"{suite['questions']} of {suite['name']}" for suite in run["suites"])
    problems = measured["cells"][0]["problems"]
    return "\n".join(
        [
            f"**{measured['title']}**: {problems} problems ({made}), {run['samples']} a problem, "
            f"seed {run['seed']}, {run['parallel']} at once, on {machine['processor']} "
            f"({machine['processors']} threads), llama-cpp-python "
            f"{run['versions']['llama_cpp_python']}.",
            "",
            *_HEAD,
            *rows,
            "",
            "```sh",
            run["command"],
            "```",
        ]
    )


def page_with(page: str, measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page with every table made anew; `measured` has the runs of each, by its name."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: ./scripts/measure_evidence {name} -->", f"<!-- {name} end -->"
        runs = [rendered(table, run) for run in measured.get(name, ())]
        body = "\n\n".join(runs) if runs else _EMPTY
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page has no place for {name}, or several")
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{body}\n\n{end}{after}"
    return page


def _row(table: Table, cell: Mapping[str, Any]) -> str:
    apart = cell["against_first"]
    thought, reply = cell["thought_tokens"], cell["reply_tokens"]
    per_right = cell["tokens_per_right"]
    columns = [
        table.words(cell["model"], cell["profile"], cell["governor"]),
        f"{cell['right']} of {cell['samples']}",
        _share(cell["accuracy"]),
        "" if apart is None else _share(apart["accuracy"], sign=True),
        "-" if thought is None else _tokens(thought["mean"]),
        _tokens(reply["mean"]),
        "" if apart is None else _tokens(apart["reply_tokens"], sign=True),
        f"{reply['p95']['value']:g}",
        str(cell["loops"]),
        str(cell["unanswered"]),
        "-" if per_right is None else f"{per_right['value']:.1f}",
    ]
    return f"| {' | '.join(columns)} |"


def _share(found: Mapping[str, Any], *, sign: bool = False) -> str:
    return _shown(found, 100, "+.1f" if sign else ".1f", " %")


def _tokens(found: Mapping[str, Any], *, sign: bool = False) -> str:
    return _shown(found, 1, "+.1f" if sign else ".1f", "")


def _shown(found: Mapping[str, Any], scale: float, form: str, unit: str) -> str:
    low, high = (
        "-" if found[end] is None else format(scale * found[end], form) for end in ("low", "high")
    )
    return f"{format(scale * found['value'], form)}{unit} ({low} to {high})"
