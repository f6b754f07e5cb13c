"""What is installed of Python, llama.cpp and other runtimes, as a value beside a `Recording`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["Installed"]


@dataclass(frozen=True, slots=True)
class Installed:
    """`wanted` is the llama-cpp-python that this program is made for, `version` the one that is
    there (None: none), `problem` why it does not load. `devices` are those that llama.cpp sees,
    the processor among them, `backends` what it was built with. `features` are what its part for
    the processor was compiled to use (AVX2 ...; none: nobody asked). `amx` is what the trial of its
    fastest kernels said. Sizes in bytes; `vectors` are numba's, in bits.
    """

    python: str
    wanted: str
    version: str | None = None
    problem: str | None = None
    offloads: bool = False
    backends: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    amx: tuple[str, ...] = ()
    memory: int | None = None
    free: int | None = None
    limited: bool = False
    cores: int = 1
    processors: int = 1
    disk: int | None = None
    vectors: int | None = None
    ollama: str | None = None
    lm_studio: str | None = None
    virtual: bool = True

    def to_json(self) -> dict[str, Any]:
        """All of it, to be kept."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Installed:
        """The same back; TypeError for anything else."""
        known = {each.name for each in fields(cls)}
        given: dict[str, Any] = {
            key: tuple(each) if isinstance(each, list) else each
            for key, each in value.items()
            if key in known
        }
        return cls(**given)
