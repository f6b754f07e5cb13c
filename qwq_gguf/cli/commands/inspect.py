"""`qwq-gguf inspect`: what a GGUF file holds, from its header alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, show_table
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.metadata import KeyValue, Scalar, ValueType, shortest_float32
from qwq_gguf.words import count, human_bytes, human_count, one_line

if TYPE_CHECKING:
    from qwq_gguf.gguf_file.summary import FileSummary

__all__ = ["app"]

_SHOWN = 100  # characters of a value

app = command_app()


@app.command("inspect", cls=HouseCommand)
def inspect(
    source: GgufSource,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
    with_keys: Annotated[bool, typer.Option("--keys", help="List every metadata key.")] = False,
    with_template: Annotated[
        bool, typer.Option("--template", help="Print the chat template and nothing else.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="SOURCE",
            help="Show where template, special tokens and sampling keys differ from those of the "
            "checkpoint (or GGUF) it was made from.",
            show_default=False,
        ),
    ] = None,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Show what a GGUF file holds.

    Sizes, tensor types, context, vocabulary, sampler settings, chat template and what
    looks wrong. Nothing is loaded: only the header is read, and of a file on the Hub only
    the header is fetched.

    \b
    Examples:
      qwq-gguf inspect QwQ-Demo-Q4_K_M.gguf
      qwq-gguf inspect QwQ-Demo-Q4_K_M.gguf --json | jq .sampling
      qwq-gguf inspect QwQ-Demo-Q4_K_M.gguf --template
      qwq-gguf inspect bartowski/Qwen_QwQ-32B-GGUF:IQ4_XS
      qwq-gguf inspect bartowski/Qwen_QwQ-32B-GGUF:IQ4_XS --against Qwen/QwQ-32B
    """
    from qwq_gguf.jobs.inspecting import inspect_file
    from qwq_gguf.profiles.edited_keys import edit_notes

    wanted = {"--json": as_json, "--keys": with_keys, "--template": with_template}
    if sum(wanted.values()) > 1:
        flags = " and ".join(flag for flag, given in wanted.items() if given)
        raise typer.BadParameter(f"{flags}: one of them (--json holds every key)")
    if against is not None:
        if with_keys or with_template:
            raise typer.BadParameter("--against goes with --json alone")
        _show_beside(source, against, revision, token, as_json=as_json)
        return
    with inspect_file(source, revision, token, Terminal()) as found:
        if as_json:
            emit_json(found.to_json())
        elif with_template:
            emit(found.summary.chat_template or "")
        else:
            edited = edit_notes(found.profile or "", found.edited)
            _show(found.summary, found.profile, edited, with_keys=with_keys)


def _show_beside(
    source: str, against: str, revision: str | None, token: str | None, *, as_json: bool
) -> None:
    from qwq_gguf.jobs.source_comparing import inspect_beside
    from qwq_gguf.verification.source_keys import diff_lines

    found = inspect_beside(source, against, revision=revision, token=token, report=Terminal())
    if as_json:
        emit_json(found.to_json())
        return
    at = "" if found.commit is None else f" at {found.commit}"
    emit(f"- {one_line(found.source, 300)}{at}\n+ {one_line(found.file, 300)}")
    for each in found.differences:
        why = "as quantize makes it of this source" if each.known else "nobody here can say why"
        emit(f"\n{one_line(each.key, 200)}: {why}")
        for line in diff_lines(each):
            emit(f"  {line}")
    unknown = sum(not each.known for each in found.differences)
    if not found.differences:
        emit("\ntemplate, special tokens and sampling keys are the source's")
    elif unknown:
        emit(f"\n{count(unknown, 'difference')} that {'is' if unknown == 1 else 'are'} no repair")
    else:
        emit("\nall of it is what quantize makes of this source")


def _show(
    summary: FileSummary, profile: str | None, edited: Sequence[str], *, with_keys: bool
) -> None:
    for name, value in _facts(summary):
        emit(f"{name:<14} {one_line(value, 1000)}")
    if profile is not None:
        emit(f"{'profile':<14} {profile}")
    for sentence in edited:
        emit(f"{'  edited':<14} {one_line(sentence, 1000)}")
    emit("")
    show_table(
        ("type", "tensors", "weights", "bytes"),
        [
            (
                share.type.name,
                share.tensors,
                human_count(share.weights),
                human_bytes(share.nbytes),
            )
            for share in summary.types
        ],
        right="tensors,weights,bytes",
    )
    if with_keys:
        emit("")
        show_table(
            ("key", "type", "value"),
            [(entry.key, _type(entry), _value(entry)) for entry in summary.metadata.values()],
        )
    if summary.oddities:
        emit("\nwhat looks wrong:")
        for oddity in summary.oddities:
            emit(f"  {one_line(oddity.what, 300)}\n    {one_line(oddity.hint, 300)}")


def _facts(summary: FileSummary) -> Iterator[tuple[str, str]]:
    words = summary.vocabulary
    size = human_bytes(summary.file_bytes)
    several = f" in {summary.files} files" if summary.files > 1 else ""
    yield "file", f"{summary.path} ({size}{several}, GGUF {summary.version})"
    yield "model", f"{summary.name or 'no name'} ({summary.architecture or 'no architecture'})"
    size = f"{human_count(summary.weights)} weights, {summary.bits_per_weight:.2f} bits a weight"
    yield "size", f"{summary.file_type or 'no file type'}, {size}"
    if summary.layers is not None:
        yield "layers", str(summary.layers)
    yield "context", _context(summary)
    cut = f", cut as {words.pre_tokenizer}" if words.pre_tokenizer else ""
    yield "vocabulary", f"{words.tokens:,} tokens ({words.model or 'unknown'}{cut})"
    for role, (number, text) in words.special.items():
        yield f"  {role}", f"{number} {'(not in the vocabulary)' if text is None else text}"
    yield "thoughts", summary.thought.describe()
    template = summary.chat_template
    yield "template", "none" if template is None else f"{len(template):,} characters"
    if summary.chat_templates:
        yield "  named", ", ".join(summary.chat_templates)
    if summary.sampling:
        yield "sampling", ", ".join(f"{name} {value}" for name, value in summary.sampling.items())


def _context(summary: FileSummary) -> str:
    if summary.context is None:
        return "not said"
    scaling = summary.rope_scaling
    if scaling is None:
        return f"{summary.context:,} tokens"
    factor = "" if scaling.factor is None else f" x {scaling.factor:g}"
    original = scaling.original_context
    of = "" if original is None else f" of {original:,}"
    return f"{summary.context:,} tokens ({scaling.type}{factor}{of})"


def _type(entry: KeyValue) -> str:
    if entry.element is None:
        return entry.type.name.lower()
    return f"{len(entry.items)} x {entry.element.name.lower()}"


def _value(entry: KeyValue) -> str:
    kind = entry.type if entry.element is None else entry.element
    if entry.element is None:
        return one_line(_plain(kind, entry.scalar), _SHOWN)
    shown = ", ".join(one_line(_plain(kind, item), 24) for item in entry.items[:6])
    return shown + (", ..." if len(entry.items) > 6 else "")


def _plain(kind: ValueType, value: Scalar) -> str:
    """0.95 rather than the 0.949999988079071 that is nearest to it in 32 bits."""
    if kind is ValueType.FLOAT32 and isinstance(value, float) and math.isfinite(value):
        return str(shortest_float32(value))
    return str(value)
