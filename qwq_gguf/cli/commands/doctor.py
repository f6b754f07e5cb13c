"""`qwq-gguf doctor`: what this machine has, what llama.cpp uses of it, and what to install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from qwq_gguf.machine.findings import Diagnosis

__all__ = ["app"]

_MARKS = {"good": "+", "missing": "-", "broken": "!"}

app = command_app()


@app.command("doctor", cls=HouseCommand)
def doctor(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Show what to install, ask, install it, and prove that it works."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask (with --fix).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
    as_recording: Annotated[
        bool, typer.Option("--record", help="What programs and files say, as JSON, to report it.")
    ] = False,
) -> None:
    """Look at this machine, and what llama.cpp uses of it.

    Processor, memory, cards, drivers, compilers, Python, llama.cpp: what is right, what is
    missing, and what to type: a prebuilt wheel from llama-cpp-python's own index where one
    fits, else a build from sources for this very card.
    Nothing is changed without --fix and a yes.

    Exit status: 0 all is well, 1 something is broken or would help.

    \b
    Examples:
      qwq-gguf doctor
      qwq-gguf doctor --fix
      qwq-gguf doctor --json | jq .remedy
    """
    from qwq_gguf.jobs.diagnosing import examine, record

    if yes and not fix:
        raise typer.BadParameter("--yes goes with --fix")
    if sum((fix, as_json, as_recording)) > 1:
        raise typer.BadParameter("--fix, --json and --record: one of them")
    if as_recording:
        seen, installed = record()
        emit_json({"recording": seen.to_json(), "installed": installed.to_json()})
        return
    found = examine()
    if as_json:
        emit_json(found.to_json())
    else:
        for line in report_lines(found):
            emit(line)
    if fix:
        _fix(found, yes=yes)
    elif not found.well:
        raise typer.Exit(1)


def report_lines(found: Diagnosis) -> list[str]:
    """A diagnosis for people, line by line."""
    lines = []
    for each in found.findings:
        lines.append(f"{_MARKS[each.state]} {each.topic:<11} {each.text}")
        if each.cure is not None:
            lines.append(f"{'':<14}cure: {each.cure}")
    if found.remedy is None:
        lines += ["", "all is used that can be used" if found.well else "see what is marked with !"]
        return lines
    where = "a prebuilt wheel" if found.remedy.index else "a build from sources"
    lines += ["", f"to install: llama.cpp for {found.remedy.build}, {where}"]
    lines += [f"  ({text})" for text in found.remedy.notes]
    pip, uv = found.remedy.commands(found.system)
    return [*lines, "", f"  {pip}", "or with uv:", f"  {uv}"]


def _fix(found: Diagnosis, *, yes: bool) -> None:
    from qwq_gguf.cli.terminal.asking import agreed
    from qwq_gguf.cli.terminal.telling import Terminal
    from qwq_gguf.jobs.diagnosing import install, prove

    if found.remedy is None:
        note("there is nothing to install")
    elif not agreed("install it now?", yes=yes):
        note("nothing was changed")
        raise typer.Exit(1)
    else:
        install(found.remedy)
    proof = prove(Terminal())
    where = f"{proof.gpu_layers} layers on the card" if proof.gpu_layers else "on the processor"
    told = f"{where}: {proof.speed:.1f} tokens a second"
    if proof.gpu_layers:
        told += f", {proof.cpu_speed:.1f} on the processor"
    emit(
        f"{'right' if proof.right else 'WRONG'}: the demo says {one_line(proof.answer, 60)}; {told}"
    )
    card_unused = bool(found.gpus) and found.remedy is not None and not proof.gpu_layers
    if not proof.right or card_unused:
        raise typer.Exit(1)
