"""`qwq-gguf profiles`: what `chat --profile` knows, and what two of them do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.chain import chain_rows
from qwq_gguf.cli.flags.completion import complete_profile
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.keys import quiet_keys
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal

if TYPE_CHECKING:
    from qwq_gguf.jobs.comparing import Compared
    from qwq_gguf.profiles import Profile

__all__ = ["app"]

_TOP = 16

app = command_app()


@app.command("profiles", cls=HouseCommand)
def profiles(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this profile, or the .toml at this path.",
            show_default=False,
            autocompletion=complete_profile,
        ),
    ] = None,
    as_toml: Annotated[bool, typer.Option("--toml", help="Its file, to make your own of.")] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare", metavar="A B", help="Compare two profiles at one position of a reply."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help="Whose reply: a GGUF, or on the Hub."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("-p", "--prompt", metavar="TEXT", help="Reply to what.")
    ] = None,
    at: Annotated[
        int | None,
        typer.Option(
            "--at",
            metavar="N",
            min=0,
            help="Tokens into the reply.  [default: where they differ most]",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", metavar="N", min=1, help="Show so many tokens.  [default: 16]"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw it too, as .svg or .png."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace --plot if it exists.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """List the chat profiles, or show one.

    A profile is a sampler chain in its order, stops and a context length, and says where
    each number comes from.

    With --compare: which tokens each of two profiles keeps at one position of a reply, and
    with what probability. The reply takes the model's best token at each place; where the
    two differ most is looked for in its first 64 tokens.

    \b
    Examples:
      qwq-gguf profiles
      qwq-gguf profiles qwq
      qwq-gguf profiles qwq --toml > mine.toml           change it, and:
      qwq-gguf profiles ./mine.toml
      qwq-gguf profiles --compare qwq llama-cpp -m QwQ-Demo-Q4_K_M.gguf -p "What is 7*43?"
    """
    from qwq_gguf.jobs.comparing import compare_profiles
    from qwq_gguf.profiles import load_profile, profile_names, profile_text

    if as_toml:
        if name is None or compare is not None or as_json:
            raise typer.BadParameter("--toml goes with NAME alone")
        emit(profile_text(name).rstrip("\n"))
        return
    if compare is not None:
        if name is not None:
            raise typer.BadParameter("NAME does not go with --compare")
        if source is None or prompt is None or not prompt.strip():
            raise typer.BadParameter("--compare needs a --model and a --prompt")
        if force and plot is None:
            raise typer.BadParameter("--force goes with --plot")
        top = _TOP if top is None else top
        _check_plot(plot, force=force)
        with quiet_keys():
            compared = compare_profiles(
                source, compare, prompt, Terminal(), at=at, revision=revision, token=token
            )
        if as_json:
            emit_json(compared.to_json())
        else:
            from qwq_gguf.cli.showing.compare import show_compared

            show_compared(compared, top)
        if plot is not None:
            _draw(compared, plot, top, force=force)
        return
    for flag, given in {
        "--model": source,
        "--prompt": prompt,
        "--at": at,
        "--top": top,
        "--plot": plot,
        "--force": force or None,
        "--revision": revision,
        "--token": token,
    }.items():
        if given is not None:
            raise typer.BadParameter(f"{flag} goes with --compare")
    if as_json:
        from qwq_gguf.cli.showing.chain import profile_json

        names = profile_names() if name is None else (name,)
        found = [profile_json(load_profile(each)) for each in names]
        emit_json({"schema": "qwq-gguf/profiles/1", "profiles": found})
        return
    if name is not None:
        _show(load_profile(name))
        return
    show_table(
        ("profile", "order", "about"),
        [
            (profile.name, " > ".join(profile.chain.order), profile.description)
            for profile in map(load_profile, profile_names())
        ],
    )


def _check_plot(plot: Path | None, *, force: bool) -> None:
    """Refuse before a model is loaded what could not be drawn after it."""
    if plot is None:
        return
    from qwq_gguf.cli.showing.chain_plot import FORMATS, new_figure
    from qwq_gguf.files.naming import check_path

    if plot.suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"--plot takes a name in {' or '.join(FORMATS)}, not {plot.name}")
    check_path(plot, force=force)
    new_figure(1, 1)


def _draw(compared: Compared, plot: Path, top: int, *, force: bool) -> None:
    from qwq_gguf.cli.showing.chain_plot import save_comparison
    from qwq_gguf.jobs.comparing import quoted

    save_comparison(
        plot,
        compared.comparison,
        lambda token: quoted(compared.texts[token]),
        title=compared.title(),
        most=top,
        force=force,
    )
    note(f"{plot} is written")


def _budget(profile: Profile) -> str:
    budget = profile.governor.budget
    if budget == 0:
        return "before it begins"
    return "when the model ends it" if budget is None else f"after {budget} tokens at the latest"


def _governor(profile: Profile) -> str:
    """The keys of the governor, but for the bound and its words."""
    governor = profile.governor
    told = [f"reserve {governor.reserve}"]
    told += [f"{key} {'on' if getattr(governor, key) else 'off'}" for key in ("loops", "answers")]
    for key in ("seconds", "wind_down", "hesitation_penalty", "margin"):
        value = getattr(governor, key)
        if value or (key == "margin" and value is not None):
            told.append(f"{key} {value:g}")
    return ", ".join(told)


def _thinking(profile: Profile) -> str:
    wanted = profile.wants_thoughts
    if wanted is not None:
        return "on" if wanted else "off"
    opened = profile.template.opens_thought
    return "as the template has it" + (", opened where it leaves that open" if opened else "")


def _show(profile: Profile) -> None:
    def source(key: str) -> str:
        return " ".join(profile.sources.get(key, "").split())

    emit(f"{profile.name}: {profile.description}\n")
    rows = [
        (place, stage, row.setting, row.value, "off" if row.off else "", source(row.setting))
        for place, stage, row in chain_rows(profile)
    ]
    show_table(("", "stage", "setting", "value", "", "source"), rows, right="value")
    history = "only the answers" if profile.template.history == "answers" else "thoughts too"
    others = [
        ("order", " > ".join(profile.chain.order), source("order")),
        ("stops", " ".join(profile.stops), source("stops")),
        ("context", f"{profile.context} tokens", source("context")),
        ("thought", f"{profile.thinking.open} ... {profile.thinking.close}", ""),
        ("thinking", _thinking(profile), ""),
        ("thought ends", _budget(profile), ""),
        ("governor", _governor(profile), source("governor")),
        ("history", history, ""),
    ]
    emit("")
    show_table(("", "value", "source"), others)
    for line in profile.notes():
        note(f"note: {line}")
