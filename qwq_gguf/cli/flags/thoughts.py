"""Whether a model is to think, and what else its chat template is told: the flags."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import typer

if TYPE_CHECKING:
    from qwq_gguf.cli.flags.chain import Sampling
    from qwq_gguf.jobs.wishes import Wishes

__all__ = ["Effort", "Steering", "wishes_of"]

_MAX_JSON = 64 * 1024  # characters
# What a chat makes itself, and nobody may put in its place.
_OURS = ("messages", "tools", "add_generation_prompt", "raise_exception", "strftime_now")

Budget: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--thought-budget",
        metavar="N",
        min=-1,
        help="Tokens after which a thought is closed (0: none is begun, -1: never)."
        "  [default: the profile's]",
        show_default=False,
    ),
]
Thinking: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--think/--no-think",
        help="Turn thoughts on or off.  [default: the profile's, or as the template has it]",
        show_default=False,
    ),
]
Effort: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--reasoning-effort",
        metavar="WORD",
        help="How hard the model is to think, where its template knows the word: low, medium,"
        " high; some know others.  [default: the profile's, or the template's]",
        show_default=False,
        callback=lambda word: _effort(word),
        autocompletion=lambda incomplete: [w for w in _efforts() if w.startswith(incomplete)],
    ),
]
TemplateKwargs: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--chat-template-kwargs",
        metavar="JSON",
        help='Variables for the chat template, such as \'{"reasoning_effort": "low"}\'.',
    ),
]
Governed: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--govern",
        metavar="KEY=VALUE",
        help="A key of the profile's governor, such as seconds=60 or wind_down=0.75 (several"
        " times; false: off). All of them: docs/thinking.md.",
        show_default=False,
        autocompletion=lambda incomplete: _keys(incomplete),
    ),
]


@dataclass(frozen=True, slots=True)
class Steering:
    """What a template and a governor are told."""

    budget: Budget = None
    thinking: Thinking = None
    effort: Effort = None
    template_kwargs: TemplateKwargs = None
    governed: Governed = None


def wishes_of(
    profile: str | None,
    sampling: Sampling,
    steering: Steering,
) -> Wishes:
    """How a model is to be run, by all flags together. Usage error for what means nothing;
    ProfileError for a key that the governor has not.
    """
    from qwq_gguf.jobs.wishes import Wishes

    return Wishes(
        profile=profile,
        settings=sampling.overrides(),
        think=steering.thinking,
        budget=steering.budget,
        variables=_variables(steering.template_kwargs),
        governor=_governor(steering.governed),
        effort=steering.effort,
    )


def _governor(given: list[str] | None) -> dict[str, Any]:
    """The governor's keys by what --govern says; the last of one key counts.

    ProfileError for what is none.
    """
    from qwq_gguf.profiles import governor_settings

    settings: dict[str, Any] = {}
    for text in given or ():
        settings |= governor_settings(text)
    return settings


def _keys(incomplete: str) -> list[str]:
    from qwq_gguf.thinking import Governor

    return [f"{key}=" for key in Governor.names() if key.startswith(incomplete)]


def _efforts() -> tuple[str, ...]:
    from qwq_gguf.thinking import EFFORTS

    return EFFORTS


def _effort(word: str | None) -> str | None:
    if word is not None and word.lower() not in _efforts():
        raise typer.BadParameter(f"{word[:60]} is none of {', '.join(_efforts())}")
    return None if word is None else word.lower()


def _variables(text: str | None) -> dict[str, Any]:
    """The variables that a JSON object names. Usage error for anything else."""
    if text is None:
        return {}
    if len(text) > _MAX_JSON:
        raise typer.BadParameter(f"--chat-template-kwargs takes at most {_MAX_JSON} characters")
    try:
        found = json.loads(text, parse_constant=_no_number, parse_int=_whole)
    except (ValueError, RecursionError):
        raise typer.BadParameter(
            f"--chat-template-kwargs is a JSON object, not {text[:60]}"
        ) from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"--chat-template-kwargs is a JSON object, not {text[:60]}")
    for name in _OURS:
        if name in found:
            raise typer.BadParameter(f"--chat-template-kwargs cannot set {name}")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _whole(text: str) -> int:
    if len(text) > 20:
        raise ValueError(text)
    return int(text)
