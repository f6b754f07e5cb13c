"""Seeded attacks on everything that strangers can hand us: `scripts/soak inputs`.

A module here is a class of inputs. It has

    CLASS: str                                   the module's name with - for _
    def trials(seed: int) -> Iterator[tuple[str, Callable[[], object]]]

`trials` goes on without end and gives a label and a thunk each time. The same seed gives
the same trials in the same order, whichever of them are run. A thunk that returns has
accepted its input, one that raises a QwqGgufError has refused it, and anything else is a
fault of ours. All work belongs into the thunk: the driver skips some to come to others.

A thunk runs in a folder of its own class that is empty at first and goes afterwards
(`Path.cwd()`), in a process with bounds on time and memory. It may leave files there, which
the next one finds. Nothing may be read from the network or from the user's own folders.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TypeAlias

__all__ = ["Trial", "class_names", "trials_of"]

Trial: TypeAlias = tuple[str, Callable[[], object]]


def class_names() -> list[str]:
    """All classes. A module whose name begins with _ is none."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def trials_of(name: str, seed: int) -> Iterator[Trial]:
    """The trials of a class."""
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    assert name == module.CLASS, f"{module.__name__} says it is {module.CLASS}"
    found: Iterator[Trial] = module.trials(seed)
    return found
