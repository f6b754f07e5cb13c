"""What all verbs do with their arguments: who hears of progress, and how mistakes are told."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from qwq_gguf.errors import QwqGgufError, UsageError
from qwq_gguf.jobs.events import Event, Report, silent

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile

__all__ = [
    "Listener",
    "check_factors",
    "check_flags",
    "check_mappings",
    "check_numbers",
    "check_texts",
    "in_python",
    "name_of",
    "names_of",
    "path_of",
    "profile_of",
    "reporting",
]

Listener: TypeAlias = Callable[[Event], object] | bool | None
"""What a `progress=` may be: a callback of events, True for bars, or nothing."""

# Of flags whose argument is called otherwise.
_ARGUMENTS = {
    "--all": "everything",
    "--cache-type-k": "cache_keys",
    "--cache-type-v": "cache_values",
    "--ctx": "context",
    "--flash-attn": "flash_attention",
    "--govern": "governors",
    "--no-manifest": "manifest=False",
    "--no-resume": "resume=False",
    "--suite": "suites",
    "--tensor-type": "tensor_types",
}


def reporting(progress: Listener) -> Report:
    """What a job reports to. UsageError for what is no listener."""
    if progress is None or progress is False:
        return silent
    if progress is True:
        from qwq_gguf.cli.terminal.telling import Bars  # a notebook gets rich's own form of them

        return Bars()
    if not callable(progress):
        raise UsageError(
            "progress is a function of events, or True for a bar",
            found=repr(progress)[:60],
            hint="progress=True, or progress=print to see the events",
        )
    return progress


def name_of(source: object, what: str = "source") -> str:
    """A path or a name as text. UsageError for anything else."""
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        if isinstance(text, str) and text:
            return text
    raise UsageError(
        f"{what} is a path or a name",
        found=repr(source)[:60],
        hint='a str or a pathlib.Path, such as "demo", "org/name" or "model.gguf"',
    )


def profile_of(profile: object) -> str | Profile | None:
    """A profile, or what names one. UsageError for what does not."""
    from qwq_gguf.profiles import Profile

    if profile is None or isinstance(profile, Profile):
        return profile
    return name_of(profile, "profile")


def names_of(given: object, what: str) -> tuple[str, ...]:
    """Several of them, or one. UsageError for anything else."""
    several = given if isinstance(given, list | tuple) else (given,)
    return tuple(name_of(each, what) for each in several)


def path_of(path: object, what: str) -> Path:
    """A path. UsageError for anything else."""
    return Path(name_of(path, what))


def check_texts(**given: object) -> None:
    """UsageError for what is neither a text nor None; named by its argument."""
    _check(given, (str,), "a text")


def check_flags(**given: object) -> None:
    """UsageError for what is neither True, False nor None."""
    _check(given, (bool,), "True or False")


def check_factors(**given: object) -> None:
    """UsageError for what is neither a number nor None; named by its argument."""
    for name, value in given.items():
        if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
            raise UsageError(f"{name} is a number", found=repr(value)[:60])


def check_mappings(**given: object) -> None:
    """UsageError for what is neither a mapping of names nor None."""
    _check(given, (Mapping,), "a dict of names")


def check_numbers(least: int = 1, **given: object) -> None:
    """UsageError for what is neither a whole number, `least` or more, nor None."""
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UsageError(f"{name} is a whole number, {least} at least", found=repr(value)[:60])


def _check(given: Mapping[str, object], kinds: tuple[type, ...], said: str) -> None:
    for name, value in given.items():
        if value is not None and not isinstance(value, kinds):
            raise UsageError(f"{name} is {said}", found=repr(value)[:60])


@contextmanager
def in_python(arguments: Mapping[str, str] | None = None) -> Iterator[None]:
    """Lets what went wrong be told in a call's words: `force=True` where a command says --force.

    `arguments` are those of this call that are called otherwise than their flags.
    """
    names = _ARGUMENTS | dict(arguments or {})
    try:
        yield
    except QwqGgufError as error:
        if isinstance(error, UsageError):
            error.message = re.sub(
                r"--[a-z][a-z-]*", lambda flag: _argument(flag[0], names), error.message
            )
        if error.hint is not None and not _COMMAND.search(error.hint):
            error.hint = _FLAG.sub(lambda flag: _given(flag, names), error.hint)
        raise


_FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-c)(?: ('[^']*'|[0-9][\w.]*|[a-z]+$))?")
_COMMAND = re.compile(r"\b(?:qwq-gguf|hf|pip|ollama|mkdir|ulimit) ")  # is for a shell anyway
_SWITCHES = ("--allow-requantize", "--copy", "--force")


def _argument(flag: str, names: Mapping[str, str]) -> str:
    return names.get(flag, flag[2:].replace("-", "_"))


def _given(flag: re.Match[str], names: Mapping[str, str]) -> str:
    """A flag in a hint, with its value, as the argument that one writes in a call."""
    name, value = flag[1], flag[2]
    argument = _argument("--ctx" if name == "-c" else name, names)
    if "=" in argument:
        said = argument
    elif name in _SWITCHES:
        said = f"{argument}=True"
    elif value is None:
        return f"{argument}="
    else:
        value = value.strip("'")
        return f"{argument}={value if value.isdecimal() else repr(value)}"
    return said if value is None else f"{said} {value}"
