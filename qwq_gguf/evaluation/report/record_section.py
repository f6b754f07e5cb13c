"""How it was measured: machine, versions, commands, seeds; and what a report lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.evaluation.report.document import Block, Command, Entry, Foreign, Section, Table, Text
from qwq_gguf.evaluation.report.values import QualityRun, Results, ThinkingRun
from qwq_gguf.words import human_bytes, one_line

__all__ = ["lacking_section", "record_section"]

_SETTINGS = ("seed", "samples", "limit", "max_tokens", "context", "effort", "parallel", "threads")
_NOT_SAID = "not said"


def record_section(results: Results) -> Section | None:
    """Of each run by what, on what and with what it was made; None where there is none."""
    blocks: list[Block] = []
    runs: list[ThinkingRun | QualityRun] = [*results.thinking, *results.quality]
    for run in runs:
        if run.record:
            blocks += _run(run)
    without: list[Entry] = []
    for each in results.quality:
        if not each.record:
            without += [", "] * bool(without) + [Foreign(each.file)]
    if without:
        said = ": written by a release that recorded neither machine, versions nor command."
        blocks.append(Text.of("Of ", *without, said))
    if not blocks:
        return None
    return Section("How it was measured", tuple(blocks))


def _run(run: ThinkingRun | QualityRun) -> list[Block]:
    record = run.record
    rows: list[tuple[Entry, ...]] = [("machine", _machine(record.get("machine")))]
    for name, value in _mapping(record.get("versions")).items():
        words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        label = one_line(str(name).replace("_", "-"), 40)
        rows.append((Foreign(label), Foreign(one_line(words, 80))))
    for name in _SETTINGS:
        if record.get(name) is not None:
            rows.append((name.replace("_", " "), Foreign(one_line(str(record[name]), 60))))
    for each in _listed(record.get("models")):
        rows.append(("model", _digest(each, f"{_size(each.get('bytes'))}, ")))
    for each in _listed(record.get("suites")):
        rows.append(("suite", _digest(each, f"{each.get('questions')} questions, ")))
    blocks: list[Block] = [
        Text.of("Run of ", Foreign(run.file), ":"),
        Table("What it was made of", ("what", "value"), rows, 2),
    ]
    command = record.get("command")
    if isinstance(command, str):
        blocks.append(Command(one_line(command, 2000)))
    return blocks


def _machine(raw: object) -> Entry:
    machine = _mapping(raw)
    if not machine:
        return _NOT_SAID
    words = [str(machine.get("processor")), f"{machine.get('processors')} cores"]
    words += [_size(machine.get("memory")), str(machine.get("system"))]
    return Foreign(one_line(", ".join(words), 160))


def _size(raw: object) -> str:
    known = isinstance(raw, int) and 0 <= raw < 1 << 60
    return human_bytes(raw) if known and isinstance(raw, int) else "size not said"


def _digest(each: Mapping[str, Any], before: str) -> Foreign:
    digest = one_line(str(each.get("digest")), 80)[:16]
    return Foreign(one_line(f"{each.get('name')}, {before}digest {digest}", 200))


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _listed(raw: object) -> list[Mapping[str, Any]]:
    return (
        [each for each in raw if isinstance(each, Mapping)][:200] if isinstance(raw, list) else []
    )


def lacking_section(results: Results) -> Section | None:
    """What is not here, and which result would bring it; None where nothing is missing."""
    lacks = []
    if not results.thinking:
        lacks.append(
            "Accuracy against thinking tokens: give a samples file or a `--json` result of "
            "`qwq-gguf eval thinking`."
        )
    elif not any(cell.apart is not None for run in results.thinking for cell in run.cells):
        lacks.append("Paired differences: there is one cell only, or none that shares questions.")
    if not results.quality:
        lacks.append(
            "KL divergence against size: give a `--json` result of `qwq-gguf eval quality`."
        )
    if not any(quant.closing for run in results.quality for quant in run.quants):
        lacks.append("p(closing tag): give a result of `qwq-gguf eval quality --traces`.")
    if not results.errors:
        lacks.append("Errors by layer: give errors that `qwq-gguf recipes fit` has measured.")
    if not results.made:
        lacks.append("How the files were made: give the manifests that `qwq-gguf quantize` wrote.")
    return Section("Not in this report", tuple(map(Text.of, lacks))) if lacks else None
