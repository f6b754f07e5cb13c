"""What holds a confined child, decided before there is one: a value that the child applies.

Two fences have to stand, or no child runs: Landlock, which leaves Python's own library to be
read and nothing else of all files, and a filter of system calls (`syscalls.py`). Limits of the
process and, where this user may make them, namespaces of its own stand behind them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from qwq_gguf.confinement.syscalls import ARCHITECTURES, filter_program

__all__ = ["Fences", "Limits", "fences_for", "landlock_rules", "why_not"]

_LEAST_LANDLOCK = 1
# Rights by the version of Landlock that first had them: include/uapi/linux/landlock.h.
_FILES = ((1, 0x1FFF), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_NETWORK = ((4, 0b11),)  # bind and connect by TCP
_SCOPES = ((6, 0b11),)  # abstract sockets and signals that lead out


@dataclass(frozen=True, slots=True)
class Limits:
    """What a confined child may take: seconds by the clock and of a core, bytes of memory and of
    what it prints.
    """

    seconds: int = 10
    memory: int = 512 << 20
    output: int = 256 << 10


@dataclass(frozen=True, slots=True)
class Fences:
    """All that a child has to apply to itself, in order, before it runs anything."""

    landlock: tuple[int, int, int]
    landlock_bytes: int
    program: bytes
    limits: Limits
    namespaces: bool = True

    def to_json(self) -> dict[str, Any]:
        """As it is handed to the child."""
        return {
            "landlock": list(self.landlock),
            "landlock_bytes": self.landlock_bytes,
            "program": base64.b64encode(self.program).decode(),
            "namespaces": self.namespaces,
            "seconds": self.limits.seconds,
            "memory": self.limits.memory,
        }


def why_not(system: str, machine: str, landlock: int) -> str | None:
    """Why no child can be confined here, None where one can be.

    `system` and `machine` as `os.uname` has them, `landlock` the version of the running kernel, 0
    for none.
    """
    if system != "Linux":
        return f"there are no fences for {system or 'this system'} yet, only for Linux"
    if machine not in ARCHITECTURES:
        return f"the system calls of {machine} are not known, only those of x86_64 and aarch64"
    if landlock < _LEAST_LANDLOCK:
        return "this kernel has no Landlock (it came with Linux 5.13 and can be turned off)"
    return None


def fences_for(machine: str, landlock: int, limits: Limits, *, namespaces: bool = True) -> Fences:
    """The fences of a machine for which `why_not` knows no reason.

    Without `namespaces` none are tried, as it is for users who may not make any.
    """
    rules, size = landlock_rules(landlock)
    return Fences(rules, size, filter_program(machine), limits, namespaces)


def landlock_rules(version: int) -> tuple[tuple[int, int, int], int]:
    """The rights that are taken away (files, network, scopes), and the bytes of the struct that
    a kernel with this version knows: it refuses bits and bytes it has never heard of.
    """
    files, network, scopes = (
        sum(bits for since, bits in rights if version >= since)
        for rights in (_FILES, _NETWORK, _SCOPES)
    )
    return (files, network, scopes), 8 if version < 4 else 16 if version < 6 else 24
