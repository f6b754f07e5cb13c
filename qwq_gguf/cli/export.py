"""`qwq-gguf export`: a profile in the form of another runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.lazy import HouseCommand, command_app
from qwq_gguf.cli.modelfile import origins_of
from qwq_gguf.cli.output import note
from qwq_gguf.cli.sources import (
    GgufSource,
    Revision,
    Token,
    bring_gguf,
    gguf_header,
    ollama_name,
)
from qwq_gguf.errors import ExportError

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import LocatedGguf
    from qwq_gguf.exporters.facts import GgufFacts
    from qwq_gguf.exporters.value import Export
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Profile, Resolved

__all__ = ["app"]

app = command_app()

# Their files name the GGUF, so it has to be on this machine.
_NAMES_THE_FILE = ("ollama", "llama-server", "vllm")


def _complete_runtime(incomplete: str) -> list[str]:
    from qwq_gguf.exporters.runtimes import EXPORTERS

    return [name for name in EXPORTERS if name.startswith(incomplete)]


def _complete_profile(incomplete: str) -> list[str]:
    from qwq_gguf.profiles import profile_names

    return [name for name in ("auto", *profile_names()) if name.startswith(incomplete)]


@app.command("export", cls=HouseCommand)
def export(
    runtime: Annotated[
        str,
        typer.Argument(
            metavar="RUNTIME",
            help="ollama, lmstudio, llama-server, vllm, transformers, text-generation-webui or "
            "openwebui.",
            autocompletion=_complete_runtime,
        ),
    ],
    source: GgufSource,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Write here.  [default: ./RUNTIME]"),
    ] = None,
    profile_name: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Whose settings; auto takes them from the file.",
            autocompletion=_complete_profile,
        ),
    ] = "auto",
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="TEXT", help="A system prompt (ollama, lmstudio)."),
    ] = None,
    hub: Annotated[
        bool, typer.Option("--hub", help="ollama: the files for a repository on the Hub.")
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="lmstudio: put model and settings in its folders.")
    ] = False,
    user_repo: Annotated[
        str | None,
        typer.Option("--user-repo", metavar="PUBLISHER/MODEL", help="lmstudio: its place there."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="With --install: copy the file instead of linking it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Write a model's settings for a runtime.

    What the runtime has no words for is said on stderr; docs/runtimes.md has the table of
    what each can do.

    \b
    Examples:
      qwq-gguf export llama-server QwQ-Demo-Q4_K_M.gguf
      qwq-gguf export vllm QwQ-32B-Q4_K_M.gguf -o serving --profile qwen-reference
      qwq-gguf export ollama QwQ-32B-Q4_K_M.gguf --hub
      qwq-gguf export lmstudio QwQ-32B-Q4_K_M.gguf --install --user-repo qwen/qwq-32b
    """
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.exporters.signature import sign_all, signature

    _check_options(runtime, hub=hub, install=install, user_repo=user_repo, system=system, copy=copy)
    folder = Path(runtime) if out is None else out
    with gguf_header(source, revision, token) as (located, gguf), one_budget():
        origins = _origins(located, folder, runtime, hub=hub, install=install)
        resolved, facts = _facts(gguf, origins, profile_name)
        made = _render(
            runtime, resolved.profile, facts, hub=hub, user_repo=user_repo, system=system
        )
        lines = signature(resolved.profile, resolved.reason)
        made = replace(made, files=sign_all(made.files, lines))
        if install:
            assert user_repo is not None
            _install(located, made, user_repo, copy=copy, force=force)
            _explain(made)
            return
    _write(folder, located, made, force=force)
    _explain(made)
    note("\nTo use it:" if made.use else "")
    for line in made.use:
        told = line if isinstance(line, str) else line.line(folder.as_posix(), made.files)
        note(f"  {told}")


def _check_options(
    runtime: str,
    *,
    hub: bool,
    install: bool,
    user_repo: str | None,
    system: str | None,
    copy: bool,
) -> None:
    from qwq_gguf.exporters.lmstudio import split_user_repo
    from qwq_gguf.exporters.runtimes import EXPORTERS
    from qwq_gguf.words import did_you_mean

    if runtime not in EXPORTERS:
        raise ExportError(
            "there is no exporter of this name",
            found=runtime,
            expected=", ".join(EXPORTERS),
            hint=did_you_mean(runtime, EXPORTERS),
        )
    for flag, given, of in (
        ("--hub", hub, ("ollama",)),
        ("--install", install, ("lmstudio",)),
        ("--user-repo", user_repo is not None, ("lmstudio",)),
        ("--system", system is not None, ("ollama", "lmstudio")),
    ):
        if given and runtime not in of:
            raise typer.BadParameter(f"{flag} belongs to {' and '.join(of)}")
    if install and user_repo is None:
        raise typer.BadParameter("--install needs --user-repo PUBLISHER/MODEL")
    if copy and not install:
        raise typer.BadParameter("--copy belongs to --install")
    if user_repo is not None:
        split_user_repo(user_repo)


def _origins(
    located: LocatedGguf, folder: Path, runtime: str, *, hub: bool, install: bool
) -> tuple[str, ...]:
    """How the exported files name those of the GGUF; it is downloaded where they need it here."""
    if runtime == "ollama" and not hub and (name := ollama_name(located)) is not None:
        return (name,)
    if install or (runtime in _NAMES_THE_FILE and not hub):
        bring_gguf(located)
    return origins_of(located.parts, folder)


def _facts(
    gguf: GgufFile, origins: tuple[str, ...], profile_name: str
) -> tuple[Resolved, GgufFacts]:
    from qwq_gguf.exporters.facts import gguf_facts
    from qwq_gguf.exporters.forbidding import words_of
    from qwq_gguf.profiles import resolve

    resolved = resolve(gguf.metadata, requested=profile_name)
    note(f"profile {resolved.profile.name}: {resolved.reason}")
    for sentence in resolved.notes:
        note(f"note: {sentence}")
    words = words_of(resolved.profile)
    return resolved, gguf_facts(gguf.metadata, file=origins[0], parts=origins, words=words)


def _render(
    runtime: str,
    profile: Profile,
    facts: GgufFacts,
    *,
    hub: bool,
    user_repo: str | None,
    system: str | None,
) -> Export:
    from qwq_gguf.exporters import lmstudio, ollama
    from qwq_gguf.exporters.runtimes import EXPORTERS

    if runtime == "ollama":
        return ollama.export(profile, facts, hub=hub, system=system)
    if runtime == "lmstudio":
        return lmstudio.export(profile, facts, user_repo=user_repo, system=system)
    return EXPORTERS[runtime](profile, facts)


def _write(folder: Path, located: LocatedGguf, made: Export, *, force: bool) -> None:
    from qwq_gguf.output_paths import refuse_sources
    from qwq_gguf.outputs import write_files

    targets = {folder / name: text for name, text in made.files.items()}
    refuse_sources(targets, located.parts)
    write_files(targets, force=force, make_folders=True)
    for target in targets:
        note(f"{target}")


def _install(
    located: LocatedGguf, made: Export, user_repo: str, *, copy: bool, force: bool
) -> None:
    from qwq_gguf.cli.lmstudio_install import install, plan_install

    plan = plan_install(located.parts, made.files, user_repo=user_repo)
    for path in install(plan, copy=copy, force=force):
        note(f"{path}")
    note("restart LM Studio to have it look; `lms ls` lists what it found")


def _explain(made: Export) -> None:
    for sentence in made.unsaid:
        note(f"not said: {sentence}")
