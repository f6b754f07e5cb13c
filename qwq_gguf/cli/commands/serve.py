"""`qwq-gguf serve`: answer the clients of OpenAI's and Anthropic's protocols."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags import chain as chain_flags
from qwq_gguf.cli.flags import context as context_flags
from qwq_gguf.cli.flags import serving as serving_flags
from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.groups import takes_groups
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note
from qwq_gguf.cli.terminal.telling import Bars, Terminal
from qwq_gguf.errors import MissingPackageError

if TYPE_CHECKING:
    from qwq_gguf.jobs.events import Report
    from qwq_gguf.jobs.wishes import Wishes

__all__ = ["SERVE_SCHEMA", "app"]

SERVE_SCHEMA = "qwq-gguf/serve/1"

app = command_app()


@app.command("serve", cls=HouseCommand)
@takes_groups
def serve(
    *,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, or one on the Hub: org/name-GGUF[:Q4_K_M]. demo: the tiny one.",
            show_default=False,
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            "--models",
            metavar="FOLDER",
            help="Serve each GGUF file of this folder by its name, one at a time, as asked for.",
        ),
    ] = None,
    idle: Annotated[
        str | None,
        typer.Option(
            "--idle",
            metavar="TIME",
            help="Unload a model that nobody asked for so long: 10m.  [default: never]",
        ),
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option(
            "--alias", metavar="NAME", help="What clients call MODEL.  [default: its file's name]"
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any that is free.")
    ] = 8080,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            help="Let in only who shows this key; others on this machine can see it. Repeatable.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", metavar="FILE", help="The same, a key a line."),
    ] = None,
    without_key: Annotated[
        bool,
        typer.Option(
            "--without-key", help="Let in whoever reaches an address that is not this machine's."
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="A name that clients call us by. Repeatable."
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            "--cors",
            metavar="ORIGIN",
            help="Let web pages of this origin ask: https://chat.example.org. Repeatable.",
        ),
    ] = None,
    parallel: Annotated[
        int,
        typer.Option(
            "-np", "--parallel", metavar="N", min=1, max=64, help="Replies in the making at once."
        ),
    ] = 4,
    queue: Annotated[
        int,
        typer.Option(
            "--queue", metavar="N", min=0, max=1000, help="Replies that may wait for a turn."
        ),
    ] = 64,
    grace: Annotated[
        str,
        typer.Option(
            "--grace", metavar="TIME", help="How long running replies may go on after a stop."
        ),
    ] = "30s",
    placed: context_flags.Placed,
    kept: context_flags.Kept,
    profile_name: chain_flags.ProfileName = None,
    steering: thought_flags.Steering,
    sampling: chain_flags.Sampling,
    as_json: Annotated[
        bool, typer.Option("--json", help="The address as one JSON object, once it serves.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Log errors only, and give no examples.")
    ] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Serve a model to the clients that people already have.

    It speaks OpenAI's chat completions, responses and completions and Anthropic's messages, and has
    a page to chat with at its address. Thoughts come apart from answers, and what a request leaves
    out comes from the model's profile.

    Only this machine can reach it unless --host says otherwise, and then a key is needed. Ctrl-C
    or SIGTERM stops it: what runs may end.

    \b
    Examples:
      qwq-gguf serve demo
      qwq-gguf serve QwQ-32B-Q4_K_M.gguf -c 65536 --parallel 8
      qwq-gguf serve QwQ-32B-Q4_K_M.gguf -ngl auto -c auto --kv-type auto
      qwq-gguf serve --models ~/models --idle 10m
      qwq-gguf serve QwQ-32B-Q4_K_M.gguf --host 0.0.0.0 --api-key-file keys.txt
    """
    try:
        from qwq_gguf.serve.web.starting import Serving, models_in, name_of_file
        from qwq_gguf.serve.web.starting import serve as run
    except ImportError:
        raise MissingPackageError(
            "serving needs starlette and uvicorn, which are not installed",
            hint="pip install 'qwq-gguf[serve]', or in a clone: pip install -e '.[serve]'",
        ) from None
    from qwq_gguf.serve.access import is_loopback
    from qwq_gguf.serve.answering.resident import Loading

    if source is None and models is None:
        raise typer.BadParameter("name a MODEL, or --models FOLDER")
    if alias is not None and source is None:
        raise typer.BadParameter("--alias goes with a MODEL")
    access = serving_flags.access_of(host, api_key, api_key_file, allow_host, cors)
    wishes = thought_flags.wishes_of(profile_name, sampling, steering)
    report = Bars() if quiet else Terminal()
    names = {} if models is None else models_in(models)
    first = None
    if source is not None:
        path = _here(source, revision, token, wishes, report, quiet=quiet)
        first = alias or ("demo" if source == "demo" else name_of_file(path.name))
        names[first] = path
    serving = Serving(
        models=names,
        first=first,
        loading=Loading(
            wishes=wishes,
            context=placed.tokens,
            gpu_layers=placed.layers,
            threads=placed.threads,
            wish=placed.wish(kept),
            sequences=parallel,
            waiting=queue,
        ),
        host=host,
        port=port,
        access=access,
        open_to_all=without_key,
        idle=serving_flags.read_seconds(idle, "--idle"),
        grace=serving_flags.read_seconds(grace, "--grace") or 0.0,
    )

    def ready(base: str) -> None:
        if as_json:
            emit_json({"schema": SERVE_SCHEMA, "base": base, "models": sorted(names)})
        else:
            emit(base)
        sys.stdout.flush()  # whoever started us may wait for it
        if not (quiet or as_json):
            from qwq_gguf.cli.showing.serving import examples

            model = first or next(iter(names))
            others = not is_loopback(host)
            note(examples(base, model, keys=bool(access.keys), others=others), code=True)

    run(serving, report, ready=ready, log=_log_errors if quiet else note)


def _here(
    source: str,
    revision: str | None,
    token: str | None,
    wishes: Wishes,
    report: Report,
    *,
    quiet: bool,
) -> Path:
    """The file of a model, fetched if need be. Usage error for flags that do not fit it."""
    from qwq_gguf.jobs.demo import gguf_named
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header
    from qwq_gguf.jobs.wishes import settle

    named = gguf_named(source, Bars())
    with gguf_header(named, revision, token) as (located, gguf), chain_flags.flags_refused():
        settled = settle(gguf.metadata, wishes)
    if not quiet:
        chain_flags.show_notes(settled.resolved)
        if settled.thoughts.note is not None:
            note(f"note: {settled.thoughts.note}")
    bring_gguf(located, report)
    return located.path


def _log_errors(line: str) -> None:
    if line.partition(":")[0].endswith("Error"):
        note(line)
