"""A model's files while they are in use: what happens when one is cut short under us.

llama.cpp maps weights into memory. Where a mapped file has become shorter (a download begun
anew over it, a disk that fails), reading it raises SIGBUS, which ends the process in the
middle of a native call. So on Linux a handler puts zeros in the place of what is gone: the
computation goes on to its end, is thrown away, and becomes a ModelError. The handler may
run Python, unusual as that is, because the signal is no interruption from outside: it is
raised by a read of a weight, in code that computes and holds no lock.

Elsewhere, and for what happens between two questions, the sizes are compared before each.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ModelError
from qwq_gguf.native import libc

__all__ = ["ModelFiles"]

_SIGINFO = 4  # SA_SIGINFO
_ADDRESS = 16  # offset of si_addr in siginfo_t, 64-bit Linux
_FIXED = 0x10 | 0x02 | 0x20  # MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS
_FAILED = ctypes.c_void_p(-1).value


class ModelFiles:
    """The files of one model. `watch` them from before they are mapped until they are closed."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = tuple((part, _status(part)) for part in parts)
        self._names = {os.fsencode(part.resolve()) for part in parts}
        self._lost = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of the model, the first one first."""
        return tuple(part for part, _ in self._parts)

    def watch(self) -> None:
        """From now on reading what is gone is no crash, where that can be had."""
        if _can_mend():
            _watched.append(self)
            _install()

    def close(self) -> None:
        """They are not mapped any more; may be called twice."""
        if self in _watched:
            _watched.remove(self)

    def check(self) -> None:
        """ModelError when a file is shorter than when it was loaded."""
        self.check_read()
        for part, before in self._parts:
            now = _status(part)
            if now is None or before is None or now[:2] != before[:2]:
                continue  # another file under the name does not touch what is mapped
            if now[2] < before[2]:
                self._lost = True
                raise _cut_short(part, f"{now[2]:,} bytes", f"{before[2]:,} bytes")

    def check_read(self) -> None:
        """ModelError when weights could not be read since they were loaded."""
        if self._lost:
            raise _cut_short(self._parts[0][0], None, None)

    def owns(self, name: bytes) -> bool:
        """Whether a mapping of this file is one of ours."""
        return name in self._names or name.removesuffix(b" (deleted)") in self._names

    def lose(self) -> None:
        """Something of it could not be read."""
        self._lost = True


def _cut_short(path: Path, found: object, expected: object) -> ModelError:
    return ModelError(
        "the file was cut short, or cannot be read any more, while the model was in use",
        path=path,
        found=found,
        expected=expected,
        hint="load it again once the file is whole",
    )


def _status(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size


# Models that are loaded. A list, because the handler looks at it at any moment.
_watched: list[ModelFiles] = []
_mended: list[tuple[int, int]] = []


class _Action(ctypes.Structure):
    """struct sigaction of the C libraries of 64-bit Linux."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


def _can_mend() -> bool:
    return sys.platform == "linux" and ctypes.sizeof(ctypes.c_void_p) == 8


def _install() -> None:
    """Put our handler in front of the one that is there."""
    before = _Action()
    ours = _Action(handler=ctypes.cast(_HANDLER, ctypes.c_void_p), flags=_SIGINFO)
    sigaction = libc().sigaction
    sigaction(signal.SIGBUS, None, ctypes.byref(before))
    if before.handler != ours.handler:
        sigaction(signal.SIGBUS, ctypes.byref(ours), None)
        _before[:] = [before]


_before: list[_Action] = []


def _on_fault(_number: int, info: int, _context: int) -> None:
    try:
        address = ctypes.c_void_p.from_address(info + _ADDRESS).value
        if address is not None and _mend(address):
            return
    except BaseException:  # nothing may leave through C
        pass
    # Not ours: the read is tried again, and meets the handler that was there before.
    libc().sigaction(signal.SIGBUS, ctypes.byref(_before[0] if _before else _Action()), None)


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(_on_fault)


def _mend(address: int) -> bool:
    """Put zeros where a file of ours is mapped and gone; False for anything else."""
    found = _mapping(address)
    if found is None:
        return False
    end, writable, name = found
    if not name:  # another thread has stumbled over the same, and mended it
        return any(start <= address < end for start, end in _mended)
    owners = [files for files in _watched if files.owns(name)]
    if not owners:
        return False
    # All behind the end of a file is gone, and nothing before it is.
    page = os.sysconf("SC_PAGE_SIZE")
    start = address - address % page
    allowed = 3 if writable else 1  # PROT_READ | PROT_WRITE
    if _map_zeros(start, end - start, allowed) == _FAILED:
        return False
    _mended.append((start, end))
    for files in owners:
        files.lose()
    return True


def _mapping(address: int) -> tuple[int, bool, bytes] | None:
    """Of the mapping at an address: its end, whether it may be written, and its file."""
    with Path("/proc/self/maps").open("rb") as maps:
        for line in maps:
            place, allowed, _offset, _device, _inode, *name = line.rstrip(b"\n").split(None, 5)
            start, end = (int(number, 16) for number in place.split(b"-"))
            if start <= address < end:
                return end, b"w" in allowed, b"".join(name)
    return None


def _map_zeros(start: int, size: int, allowed: int) -> Any:
    mmap = libc().mmap
    mmap.restype = ctypes.c_void_p
    mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    return mmap(start, size, allowed, _FIXED, -1, 0)
