"""`qwq-gguf profiles`: what `chat --profile` knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.chain_flags import chain_rows
from qwq_gguf.cli.lazy import HouseCommand, command_app
from qwq_gguf.cli.output import emit, note, show_table

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile

__all__ = ["app"]

app = command_app()


def _complete(incomplete: str) -> list[str]:
    from qwq_gguf.profiles import profile_names

    return [name for name in profile_names() if name.startswith(incomplete)]


@app.command("profiles", cls=HouseCommand)
def profiles(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this profile, or the .toml at this path.",
            show_default=False,
            autocompletion=_complete,
        ),
    ] = None,
) -> None:
    """List the chat profiles, or show one.

    A profile is a sampler chain in its order, stops and a context length, and says where
    each number comes from.

    \b
    Examples:
      qwq-gguf profiles
      qwq-gguf profiles qwq
      qwq-gguf profiles ./mine.toml
    """
    from qwq_gguf.profiles import load_profile, profile_names

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
        ("history", history, ""),
    ]
    emit("")
    show_table(("", "value", "source"), others)
    for warning in profile.warnings():
        note(f"note: {warning}")
