"""A GGUF file's header as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.metadata import KeyValue, Scalar

__all__ = ["GgufFile", "GgufTensor"]


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One row of the tensor table. `shape[0]` is the length of a row in weights."""

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int  # from the start of the file
    nbytes: int

    @property
    def weights(self) -> int:
        """How many numbers the tensor holds."""
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A GGUF file's header. Long arrays in `metadata` are read when first touched."""

    path: Path
    version: int
    metadata: Mapping[str, KeyValue]
    tensors: tuple[GgufTensor, ...]
    alignment: int
    data_offset: int
    file_bytes: int

    @property
    def data_end(self) -> int:
        """Bytes from the start of the file to the end of the last tensor's data."""
        last = self.tensors[-1] if self.tensors else None
        return self.data_offset if last is None else last.offset + last.nbytes

    @property
    def architecture(self) -> str | None:
        """The value of general.architecture."""
        return self.text("general.architecture")

    def scalar(self, key: str) -> Scalar | None:
        """A non-array value, or None when the key is absent or an array."""
        entry = self.metadata.get(key)
        return None if entry is None or entry.element is not None else entry.scalar

    def text(self, key: str) -> str | None:
        """A string, or None when the key is absent or something else."""
        value = self.scalar(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """A whole number, or None when the key is absent or something else."""
        value = self.scalar(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, key: str) -> float | None:
        """A number, or None when the key is absent or something else."""
        value = self.scalar(key)
        return float(value) if isinstance(value, int | float) else None
