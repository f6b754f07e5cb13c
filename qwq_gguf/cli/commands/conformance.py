"""`qwq-gguf conformance`: does a running server do what a profile wants?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.chain import complete_profile, show_notes
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note, show_table
from qwq_gguf.errors import ServerError

if TYPE_CHECKING:
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile

__all__ = ["app"]

app = command_app()

_PATIENCE = 300.0  # seconds for a reply: a large model on a slow machine takes its time


@app.command("conformance", cls=HouseCommand)
def conformance(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A llama-server, Ollama, or one with /v1/models.")
    ],
    profile_name: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="What is wanted; see `qwq-gguf profiles`.  [default: auto, as --file says; "
            "without one, qwq]",
            autocompletion=complete_profile,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Which of the server's models.", show_default=False
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="GGUF",
            help="The file that it runs, to tell its keys from the server's flags.",
            show_default=False,
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            envvar="QWQ_GGUF_API_KEY",
            help="Sent to URL as a bearer token; others on this machine may see what is typed "
            "here, so the variable is better.",
            show_default=False,
        ),
    ] = None,
    no_reply: Annotated[bool, typer.Option("--no-reply", help="Compare settings only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare a running server with a profile.

    Setting by setting: what is wanted, what is applied, and where that came from. Then two
    short replies, of 480 tokens at most: does the thought come apart from the answer, does
    a budget bind it, is a tool call found? Asks nobody but URL, and follows no redirects.
    The exit status is 1 when something differs.

    \b
    Examples:
      qwq-gguf conformance http://127.0.0.1:8080 --profile qwq
      qwq-gguf conformance http://127.0.0.1:8080 --file QwQ-32B-Q4_K_M.gguf
      qwq-gguf conformance http://127.0.0.1:11434 --model qwq   Ollama
      QWQ_GGUF_API_KEY=... qwq-gguf conformance https://models.example.org
    """
    from qwq_gguf.chat.of_file import template_of
    from qwq_gguf.conformance import Verdict, advice, ask_for_replies, ask_server, compare
    from qwq_gguf.conformance.http import Client
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.preparation.llama_cpp import MISREAD, is_misread, remedy
    from qwq_gguf.profiles import AUTO
    from qwq_gguf.profiles.gguf_keys import read_sampling

    metadata = None if file is None else read_gguf(file).metadata
    profile = _wanted(profile_name, metadata)
    said = None if metadata is None else read_sampling(metadata)
    client = Client(url, api_key=api_key)
    if client.exposes_key:
        note("warning: the API key goes over the network unencrypted (https:// would hide it)")
    applied = ask_server(client, model=model, file=said)
    rows, notes = compare(profile, applied), list(applied.notes)
    if not no_reply:
        template = applied.template
        if template is None and metadata is not None:
            template = template_of(metadata)
        patient = Client(url, api_key=api_key, timeout=_PATIENCE, patience=_PATIENCE)
        try:
            rows += ask_for_replies(patient, template, server=applied.server, model=model)
        except ServerError as error:
            notes.append(f"no reply could be looked at: {error}")
        lost = any(row.setting == "thought" and row.verdict is Verdict.DIFFERS for row in rows)
        if lost and template is not None and is_misread(template):
            notes.append(f"{MISREAD}: {remedy(template)}")
    differing = [row for row in rows if row.verdict is Verdict.DIFFERS]
    if as_json:
        emit_json(
            {
                "server": applied.server,
                "profile": profile.name,
                "conforms": not differing,
                "settings": [
                    {
                        "setting": row.setting,
                        "wanted": row.wanted,
                        "applied": row.applied or None,
                        "verdict": row.verdict.value,
                        "from": row.origin or None,
                    }
                    for row in rows
                ],
                "notes": notes,
            }
        )
    else:
        show_table(
            ("setting", "wanted", "applied", "", "from"),
            [(row.setting, row.wanted, row.applied, row.verdict, row.origin) for row in rows],
        )
        # A profile by its path has a name that `set` would not find; what the file names is there.
        taken = profile.name if profile_name in (None, AUTO) else profile_name
        known = profile.name == "file" or (said is not None and said.profile == profile.name)
        for line in (*notes, *advice(rows, applied.server, None if known else taken)):
            note(f"note: {line}")
        untold = sum(row.verdict is Verdict.UNTOLD for row in rows)
        note(
            f"{applied.server}: {len(differing)} of {len(rows)} settings differ from "
            f"profile {profile.name}" + (f", {untold} not told" if untold else "")
        )
    if differing:
        raise typer.Exit(1)


def _wanted(name: str | None, metadata: Mapping[str, KeyValue] | None) -> Profile:
    """The profile of this name, else what the file asks for, as everywhere."""
    from qwq_gguf.profiles import AUTO, DEFAULT_PROFILE, load_profile, resolve

    if metadata is None:
        if name == AUTO:
            raise typer.BadParameter("--profile auto goes by a file: name it with --file")
        return load_profile(name or DEFAULT_PROFILE)
    resolved = resolve(metadata, requested=name)
    note(f"profile {resolved.profile.name}: {resolved.reason}")
    show_notes(resolved)
    return resolved.profile
