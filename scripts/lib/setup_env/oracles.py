"""Programs that the tests compare with: Go, and a real llama-server.

Their packages are wheels for some platforms and nothing for the others; there the tests
that need them are skipped, and everything else is as it was.
"""

from __future__ import annotations

from pathlib import Path

from .errors import SetupError
from .lockfile import Lock, Pin
from .venv import Venv

__all__ = ["install_oracles"]


def install_oracles(venv: Venv, lock: Lock, *, log: Path) -> tuple[str, ...]:
    """Install each of them that can be had as a wheel; the names of those that cannot."""
    return tuple(pin.name for pin in lock.pins if not _install(venv, pin, log))


def _install(venv: Venv, pin: Pin, log: Path) -> bool:
    try:
        # Building one from source would take longer than everything else together.
        venv.install_locked(pin.text, log=log, wheels_only=True)
    except SetupError:
        return False
    return True
