"""The plan: everything that will be written, decided before a weight is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import PlanError, UsageError
from qwq_gguf.ggml_types import FileType, GgmlType, trimmed
from qwq_gguf.gguf_file.layout import DEFAULT_ALIGNMENT, header_bytes, padded, tensor_bytes
from qwq_gguf.metadata import KeyValue, Scalar, ValueType, shortest_float32, u32
from qwq_gguf.quantization.planning.importance import Imatrix, UsedImatrix, matrices, use_imatrix
from qwq_gguf.quantization.planning.mix import Choice, Overrides, choose_types
from qwq_gguf.quantization.planning.tensor_kinds import kind_of
from qwq_gguf.quantization.recipes.recipe import (
    IMPOSSIBLE_WITHOUT_IMATRIX,
    Recipe,
    useless_without_imatrix,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qwq_gguf.conversion.values import Conversion, SourceTensor

__all__ = ["PLAN_SCHEMA", "PartPlan", "Plan", "TensorPlan", "make_plan"]

PLAN_SCHEMA = "qwq-gguf/plan/1"
_QUANTIZATION_VERSION = 2  # GGML_QNT_VERSION of ggml.h


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of the file to be.

    `shape[0]` is the length of a row; `offset` counts from the start of its part's data; `why`
    says for people how the type came about. `importance` weighs the columns of each
    matrix, shape [matrices, columns], None where all count alike.
    """

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int
    nbytes: int
    source: SourceTensor
    why: str = ""
    importance: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.type.row_bytes(self.shape[0])

    @property
    def rows(self) -> int:
        """How many rows there are, over all higher dimensions."""
        return self.nbytes // self.row_bytes

    @property
    def matrix_rows(self) -> int:
        """How many rows one of its matrices has: an expert's, or all."""
        return self.rows // matrices(self.shape)

    @property
    def weights(self) -> int:
        """How many numbers it holds."""
        return self.rows * self.shape[0]


@dataclass(frozen=True, slots=True)
class PartPlan:
    """One file: a whole model, or a part of a split one."""

    metadata: tuple[KeyValue, ...]
    tensors: tuple[TensorPlan, ...]
    alignment: int
    data_offset: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A GGUF model that does not exist yet, exact to the byte.

    `warnings` are sentences for the user about what does not quite fit together. `split`
    has the files of a model in several: `tensors` and `file_bytes` are then those of all,
    `metadata` and `data_offset` those of the first.
    """

    architecture: str
    name: str
    recipe: str
    file_type: FileType
    metadata: tuple[KeyValue, ...]
    tensors: tuple[TensorPlan, ...]
    alignment: int
    data_offset: int
    file_bytes: int
    warnings: tuple[str, ...] = ()
    split: tuple[PartPlan, ...] = ()

    @property
    def parts(self) -> tuple[PartPlan, ...]:
        """The files to write, in order."""
        whole = (self.metadata, self.tensors, self.alignment, self.data_offset, self.file_bytes)
        return self.split or (PartPlan(*whole),)

    @property
    def weights(self) -> int:
        """How many numbers the model has."""
        return sum(tensor.weights for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        """Bits of tensor data for each weight."""
        return sum(tensor.nbytes for tensor in self.tensors) * 8 / self.weights

    def to_json(self) -> dict[str, Any]:
        """The plan as one JSON object; `offset` counts from the `data_offset` of its file.

        Only of a model in several files has it `parts`, and each tensor its `part` (from 0).
        """
        value: dict[str, Any] = {
            "schema": PLAN_SCHEMA,
            "architecture": self.architecture,
            "name": self.name,
            "recipe": self.recipe,
            "file_type": self.file_type.name,
            "file_bytes": self.file_bytes,
            "bits_per_weight": round(self.bits_per_weight, 4),
            "weights": self.weights,
            "alignment": self.alignment,
            "data_offset": self.data_offset,
            "metadata": {entry.key: _json_value(entry) for entry in self.metadata},
            "tensors": [
                {
                    "name": tensor.name,
                    "shape": list(tensor.shape),
                    "type": tensor.type.name,
                    "offset": tensor.offset,
                    "bytes": tensor.nbytes,
                }
                for tensor in self.tensors
            ],
        }
        if self.split:
            value["parts"] = [
                {
                    "file_bytes": part.file_bytes,
                    "data_offset": part.data_offset,
                    "tensors": len(part.tensors),
                }
                for part in self.split
            ]
            numbers = (number for number, part in enumerate(self.split) for _ in part.tensors)
            for row, number in zip(value["tensors"], numbers, strict=True):
                row["part"] = number
        return value


def make_plan(
    conversion: Conversion,
    recipe: Recipe,
    overrides: Overrides | None = None,
    *,
    imatrix: Imatrix | None = None,
) -> Plan:
    """What quantizing this model by this recipe will write.

    An `imatrix` changes some types, weighs the columns of the tensors it has, and is
    named in the metadata. PlanError when a tensor's type is useless without one,
    ImatrixError when it is of another model.

    A file of one float type comes out as llama.cpp's converter writes it; every other as
    its converter and llama-quantize do one after the other, which orders tensors and
    keys in its own way. UsageError for what is no conversion.
    """
    if not hasattr(conversion, "converter_order"):
        raise UsageError(
            "a plan is made of a conversion",
            found=type(conversion).__name__,
            hint="qwq_gguf.plan(source, recipe) takes what a user names, and does all of it",
        )
    converted = not recipe.base.quantized
    sources = conversion.converter_order if converted else conversion.tensors
    choices = choose_types(
        sources, conversion.facts, recipe, overrides, imatrix=imatrix is not None
    )
    file_type = recipe.file_type
    if converted and conversion.packed is not None:
        file_type = conversion.packed
        choices = [
            Choice(source.stored, "stays as the checkpoint has it")
            if source.stored.quantized
            else choice
            for source, choice in zip(sources, choices, strict=True)
        ]
    used = None
    if imatrix is not None:
        used = use_imatrix(imatrix, sources, [choice.type for choice in choices])
    _refuse_without_imatrix(sources, choices, recipe, None if used is None else used.weights)
    tensors = _lay_out(sources, choices, used, converted)
    metadata = _metadata(conversion, file_type, converted)
    if imatrix is not None:
        metadata = _with(metadata, imatrix.metadata())
    data_offset = header_bytes(metadata, tensors)
    last = tensors[-1] if tensors else None
    data_bytes = 0 if last is None else last.offset + padded(last.nbytes, DEFAULT_ALIGNMENT)
    return Plan(
        architecture=conversion.architecture,
        name=conversion.name,
        recipe=recipe.name,
        file_type=file_type,
        metadata=metadata,
        tensors=tensors,
        alignment=DEFAULT_ALIGNMENT,
        data_offset=data_offset,
        file_bytes=data_offset + data_bytes,
        warnings=() if used is None else used.warnings,
    )


def _lay_out(
    sources: Sequence[SourceTensor],
    choices: Sequence[Choice],
    used: UsedImatrix | None,
    converted: bool,
) -> tuple[TensorPlan, ...]:
    tensors: list[TensorPlan] = []
    offset = 0
    for source, choice in zip(sources, choices, strict=True):
        nbytes = tensor_bytes(choice.type, source.shape)
        tensors.append(
            TensorPlan(
                name=source.name,
                shape=source.shape if converted else trimmed(source.shape),
                type=choice.type,
                offset=offset,
                nbytes=nbytes,
                source=source,
                why=choice.why,
                importance=None if used is None else used.weights.get(source.name),
            )
        )
        offset += padded(nbytes, DEFAULT_ALIGNMENT)
    return tuple(tensors)


def _metadata(conversion: Conversion, file_type: FileType, converted: bool) -> tuple[KeyValue, ...]:
    if converted:
        return conversion.converter_metadata(file_type)
    # llama-quantize sets both anew, which moves them to the end.
    return (
        *conversion.metadata,
        u32("general.quantization_version", _QUANTIZATION_VERSION),
        u32("general.file_type", file_type),
    )


def _with(metadata: tuple[KeyValue, ...], last: tuple[KeyValue, ...]) -> tuple[KeyValue, ...]:
    """With these at the end, in place of any of the same name."""
    names = {entry.key for entry in last}
    return (*(entry for entry in metadata if entry.key not in names), *last)


def _refuse_without_imatrix(
    sources: Sequence[SourceTensor],
    choices: Sequence[Choice],
    recipe: Recipe,
    covered: Collection[str] | None,
) -> None:
    for source, choice in zip(sources, choices, strict=True):
        always = choice.type in IMPOSSIBLE_WITHOUT_IMATRIX
        outer = kind_of(source.name) in ("output", "token_embd")
        needed = always or (not outer and useless_without_imatrix(choice.type, recipe.file_type))
        if needed and (covered is None or source.name not in covered):
            raise PlanError(
                f"{recipe.name} needs an importance matrix"
                if covered is None
                else f"the importance matrix says nothing about {source.name}",
                found=f"{source.name} would become {choice.type.name} without one",
                expected="a matrix made for this model",
                hint=("give one with --imatrix" if covered is None else "use another matrix")
                + ", or choose a larger recipe, such as Q3_K_M",
            )


def _json_value(entry: KeyValue) -> Any:
    kind = entry.type if entry.element is None else entry.element

    def plain(value: Scalar) -> Scalar:
        is_float32 = kind is ValueType.FLOAT32 and isinstance(value, float)
        return shortest_float32(float(value)) if is_float32 else value

    if entry.element is None:
        return plain(entry.scalar)
    return [plain(item) for item in entry.items]
