"""What an importance matrix says, and which tensors of a model it is used for.

An importance matrix holds, for each column of a weight matrix, the mean square of what
the model multiplied it with while it read some text. A quantizer that has it spends its
few bits where they change the result most. llama.cpp calls it imatrix; reading its files
is imatrix.py's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qwq_gguf.errors import ImatrixError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.metadata import KeyValue, text, text_bytes, u32
from qwq_gguf.words import some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Imatrix", "UsedImatrix", "matrices", "use_imatrix"]

_LONGEST_TEXT = 127  # llama-quantize passes these texts in 128 bytes with the closing zero
_UNWEIGHTED = frozenset({GgmlType.F32, GgmlType.F16, GgmlType.BF16, GgmlType.Q8_0})
_SELDOM_COVERED = frozenset({"token_embd.weight", "output.weight"})


@dataclass(frozen=True, slots=True, eq=False)
class Imatrix:
    """An importance matrix.

    `entries` has for each tensor name a finite, non-negative float32 weight for each
    column; of a tensor with several matrices (experts) one after another. `file` is what
    the user called it, `dataset` the text it was made from, `chunks` how many pieces of
    that text, 0 if unknown.
    """

    file: str
    entries: Mapping[str, NDArray[np.float32]]
    dataset: str | None = None
    chunks: int = 0

    def metadata(self) -> tuple[KeyValue, ...]:
        """The keys that llama-quantize adds, in its order and with its limits.

        A text that is too long for it ends here before a character that would be cut.
        """
        entries = [text("quantize.imatrix.file", _short(self.file))]
        if self.dataset is not None:
            entries.append(text("quantize.imatrix.dataset", _short(self.dataset)))
        entries.append(u32("quantize.imatrix.entries_count", len(self.entries)))
        if self.chunks > 0:
            entries.append(u32("quantize.imatrix.chunks_count", self.chunks))
        return tuple(entries)


def _short(value: str) -> str:
    raw = text_bytes(value).partition(b"\0")[0]
    end = min(len(raw), _LONGEST_TEXT)
    for _ in range(3):  # a character has at most three bytes after its first
        if end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
    return raw[:end].decode("utf-8", "surrogateescape")


class _Tensor(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


def matrices(shape: Sequence[int]) -> int:
    """How many matrices a tensor holds: more than one when it has experts."""
    count = 1
    for length in shape[2:]:
        count *= length
    return count


@dataclass(frozen=True, slots=True, eq=False)
class UsedImatrix:
    """What a model's tensors get of an imatrix.

    `weights` has shape [matrices, columns] for each tensor quantized with it. `warnings`
    says what does not fit together, a sentence each.
    """

    weights: Mapping[str, NDArray[np.float32]]
    warnings: tuple[str, ...]


def use_imatrix(
    imatrix: Imatrix, tensors: Sequence[_Tensor], types: Sequence[GgmlType]
) -> UsedImatrix:
    """Match an imatrix with tensors and the types they will have.

    ImatrixError for an entry whose size is not its tensor's. Only the token embedding's
    may be: llama.cpp goes on without it there, and so does this. Float types and Q8_0
    make no use of importance.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    missing: list[str] = []
    warnings: list[str] = []
    weighted = 0
    for tensor, kind in zip(tensors, types, strict=True):
        entry = imatrix.entries.get(tensor.name)
        if entry is not None and entry.size != tensor.shape[0] * matrices(tensor.shape):
            if tensor.name != "token_embd.weight":
                raise _wrong_size(imatrix, tensor, entry.size)
            warnings.append(
                f"the importance matrix has {entry.size} values for {tensor.name}, not "
                f"{tensor.shape[0]}: it is quantized without"
            )
            continue
        if kind in _UNWEIGHTED:
            continue
        if entry is not None:
            weights[tensor.name] = entry.reshape(-1, tensor.shape[0])
        elif tensor.name not in _SELDOM_COVERED:
            missing.append(tensor.name)
        weighted += tensor.name not in _SELDOM_COVERED
    if missing:
        warnings.append(
            f"the importance matrix says nothing about {some(missing)}, "
            f"{len(missing)} of the {weighted} matrices that would use it"
        )
    strangers = sorted(imatrix.entries.keys() - {tensor.name for tensor in tensors})
    if strangers:
        warnings.append(
            f"{len(strangers)} of the importance matrix's {len(imatrix.entries)} entries "
            f"are of no tensor in this model: {some(strangers)}"
        )
    return UsedImatrix(weights, tuple(warnings))


def _wrong_size(imatrix: Imatrix, tensor: _Tensor, found: int) -> ImatrixError:
    count = matrices(tensor.shape)
    return ImatrixError(
        f"{tensor.name} has another size than in this model",
        path=imatrix.file,
        found=f"{found} values",
        expected=f"{tensor.shape[0]} values"
        + (f" for each of {count} matrices, {tensor.shape[0] * count}" if count > 1 else ""),
        hint="use an importance matrix that was made with this very model",
    )
