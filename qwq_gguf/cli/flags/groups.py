"""Flags that several commands take, as one parameter of each: a dataclass, a flag a field.

Typer makes flags of a function's parameters. So a command that takes a group is shown to it with
the group's fields in the group's place, and is called with the group again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

__all__ = ["takes_groups"]


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer is to see it: each parameter that is a dataclass, field by field.

    Every field is `Annotated` with its flag, and has a default.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = list(signature.parameters.values())
    groups: dict[str, Any] = {
        each.name: each.annotation for each in parameters if is_dataclass(each.annotation)
    }

    @wraps(command)
    def flat(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    shown = [
        flag
        for each in parameters
        for flag in (_flags(each.annotation) if each.name in groups else [each])
    ]
    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in shown]
    flat.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    flat.__annotations__ = {each.name: each.annotation for each in shown}
    return flat


def _flags(group: Any) -> Iterator[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    for field in fields(group):
        assert field.default is not MISSING, field.name
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=kinds[field.name],
        )
