"""`qwq-gguf verify`: whether a GGUF is what it should be, to the bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.errors import ERROR
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.words import human_bytes, one_line

if TYPE_CHECKING:
    from qwq_gguf.verification import Finding, Findings

__all__ = ["app"]

_SHOWN = 40

app = command_app()


@app.command("verify", cls=HouseCommand)
def verify(
    file: GgufSource,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="GGUF",
            help="Name each key and tensor that differs from this file's.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="The checkpoint or GGUF it was made from: make some rows of each tensor again.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With --source: every row, not a sample.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="With --source: which rows are drawn.")
    ] = 0,
    imatrix: Annotated[
        str | None,
        typer.Option(
            "--imatrix",
            metavar="FILE",
            help="With --source: the importance matrix it was made with.",
            show_default=False,
        ),
    ] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(
            "--lora",
            metavar="FOLDER",
            help="With --source: a LoRA adapter that was merged into it. Repeatable, in the "
            "same order.",
            show_default=False,
        ),
    ] = None,
    attest: Annotated[
        bool,
        typer.Option(
            "--attest",
            help="With --source: if every byte is what recipe and source give, say so in a "
            "signed statement beside the file.",
        ),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="With --attest: the private key (ed25519, PEM) to sign with.",
            show_default=False,
        ),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make the key in --key FILE, and FILE.pub.")
    ] = False,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="FILE.pub",
            help="A public key: one of those that are given must have signed an attestation "
            "beside the file. Repeatable.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Check a GGUF, its manifest and its source.

    Always read in full: structure, tokenizer, every block of every tensor as llama.cpp
    checks it, and the digests in the manifest beside it, if there is one. Ends with
    status 1 on any difference; what is only odd is listed, too. Without a manifest, --against
    and --source nothing is there to differ from, and that is what it says.

    \b
    Examples:
      qwq-gguf verify QwQ-Demo-Q4_K_M.gguf
      qwq-gguf verify QwQ-Demo-Q4_K_M.gguf --against other.gguf
      qwq-gguf verify QwQ-Demo-Q4_K_M.gguf --source demo --all
      qwq-gguf verify QwQ-32B-Q4_K_M.gguf --source Qwen/QwQ-32B --json | jq .ok
      qwq-gguf verify QwQ-Demo-Q8_0.gguf --source demo --attest --key me.key --new-key
      qwq-gguf verify me/QwQ-32B-GGUF:Q4_K_M --trust me.key.pub
    """
    from qwq_gguf.jobs.verifying import verify_file

    found = verify_file(
        file,
        Terminal(),
        against=against,
        source=source,
        everything=everything,
        seed=seed,
        imatrix=imatrix,
        adapters=tuple(lora or ()),
        revision=revision,
        token=token,
        attest=attest,
        key=key,
        new_key=new_key,
        trust=tuple(trust or ()),
    )
    if as_json:
        emit_json(found.to_json())
    else:
        _show(found.findings)
        for line in found.notes:
            note(f"note: {line}")
    if not found.findings.ok:
        raise typer.Exit(ERROR)


def _show(report: Findings) -> None:
    for name, digest in report.sha256.items():
        emit(f"{digest}  {name}")
    for line in _covered(report):
        emit(line)
    _list("odd, but no damage:", report.remarks)
    _list("different:", report.differences)
    emit(f"\n{_verdict(report)}")


def _verdict(report: Findings) -> str:
    if report.differences:
        return "not what it should be"
    if report.vouchers:
        return "nothing differs"
    return (
        "sound as a GGUF; nothing vouches for what it holds: it has no manifest, and was compared "
        "with nothing (--against, --source)"
    )


def _covered(report: Findings) -> list[str]:
    checks, lines = report.checks, []
    if "structure" in checks:
        seen = checks["structure"]
        several = f" in {seen['files']} files" if seen.get("files", 1) > 1 else ""
        looked = f"{seen['tensors']} tensors{several}, every block"
        lines.append(f"structure  {looked if seen['tensors'] else 'no tensor was looked at'}")
    if "manifest" in checks:
        made = checks["manifest"]
        commit = f" at {made['commit']}" if made["commit"] else ""
        lines.append(f"manifest   {made['recipe']} of {made['source']}{commit}")
    elif checks.get("structure", {}).get("tensors"):  # else it was not looked for
        lines.append("manifest   none, so a changed byte that is still valid goes unseen")
    if "attestation" in checks:
        lines += _attested(checks["attestation"])
    if "hub" in checks:
        lines.append("hub        the digest it lists")
    if "against" in checks:
        lines.append(f"against    {checks['against']['path']}")
    if "source" in checks:
        part = checks["source"]
        how = f", rows drawn by seed {part['seed']}" if "seed" in part else ""
        lines.append(
            f"source     {human_bytes(part['bytes'])} of {human_bytes(part['of'])} made again{how}"
        )
    return lines


def _attested(facts: Mapping[str, Any]) -> Iterator[str]:
    known = set(facts["trusted"])
    for said in facts["says"]:
        yield f"attested   {said}"
    for key in facts["keys"]:
        whose = "which you trust" if key in known else "which is nobody's until you --trust it"
        yield f"           signed by key {key[:16]}, {whose}"


def _list(title: str, findings: tuple[Finding, ...]) -> None:
    if not findings:
        return
    emit(f"\n{title}")
    for found in findings[:_SHOWN]:
        emit(f"  {found.check}: {one_line(found.where, 80)}: {one_line(found.what, 300)}")
    if len(findings) > _SHOWN:
        emit(f"  and {len(findings) - _SHOWN} more (--json lists all)")
