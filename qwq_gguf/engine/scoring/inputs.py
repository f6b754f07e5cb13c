"""What a model's matrices are multiplied with: the summed squares that an importance matrix holds.

As llama-imatrix collects them (tools/imatrix/imatrix.cpp): of each matrix of a layer the squares
of its inputs, column by column, over all tokens that were computed 16 or more at a time; of each
expert those of the tokens that were sent to it. Sums are kept in float64; there they are float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.engine.llama.tensors import F32, Tensor, Tensors
from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["InputSums", "Inputs"]

_LEAST_ROWS = 16
_LAYERS = "blk."


@dataclass(slots=True, eq=False)
class InputSums:
    """Of one tensor: summed squares [matrices, columns], and over how many inputs, for each of its
    matrices or for all of them at once.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


class Inputs:
    """Give `on_tensor` to a context as what sees its tensors; `sums` is what it has collected, on
    top of those it is given.

    `output`: the output matrix, too, which no quantizer of llama.cpp asks for.
    """

    def __init__(
        self, *, output: bool = False, sums: Mapping[str, InputSums] | None = None
    ) -> None:
        self.sums: dict[str, InputSums] = dict(sums or {})
        self._output = output
        self._tensors = Tensors()

    def round(self) -> None:
        """Have the sums as a file of float32 has them."""
        for entry in self.sums.values():
            entry.sums = entry.sums.astype(np.float32).astype(np.float64)

    def on_tensor(self, address: int, asked: bool) -> bool:
        """Whether this one is wanted; afterwards takes its inputs."""
        tensor = Tensor(address)
        op = tensor.op
        if op not in (self._tensors.mul_mat, self._tensors.mul_mat_id):
            return False
        routed = op == self._tensors.mul_mat_id
        if asked:
            return routed or self._wants(tensor)
        if routed:
            self._take_routed(tensor)
        else:
            self._take(tensor)
        return True

    def _wants(self, tensor: Tensor) -> bool:
        inputs = tensor.source(1)
        if inputs.shape[1] < _LEAST_ROWS or inputs.type != F32:
            return False
        name = tensor.source(0).name
        return name.startswith(_LAYERS) or (self._output and name == "output.weight")

    def _take(self, tensor: Tensor) -> None:
        weights, inputs = tensor.source(0), tensor.source(1)
        columns, rows, second, third = inputs.shape
        of_second, of_third = weights.shape[2:]
        entry = self._entry(weights.name, of_second * of_third, columns, counts=1)
        squares = np.square(self._tensors.values(inputs), dtype=np.float64).sum(axis=2)
        for n3 in range(third):
            for n2 in range(second):
                matrix = (n3 % of_third) * of_second + n2 % of_second
                entry.sums[matrix] += squares[n3, n2]
        entry.counts += rows * second * third // (of_second * of_third)
        self._check(weights.name, entry)

    def _take_routed(self, tensor: Tensor) -> None:
        weights, inputs, chosen = (tensor.source(number) for number in range(3))
        experts = weights.shape[2]
        entry = self._entry(weights.name, experts, inputs.shape[0], counts=experts)
        rows = self._tensors.values(inputs)[0]  # [tokens, inputs of a token, columns]
        ids = self._tensors.values(chosen)[0, 0]  # [tokens, experts of a token]
        squares = np.square(rows, dtype=np.float64)
        for slot in range(ids.shape[1]):
            given = squares[:, slot % squares.shape[1]]
            for expert in np.unique(ids[:, slot]):
                theirs = ids[:, slot] == expert
                entry.sums[expert] += given[theirs].sum(axis=0)
                entry.counts[expert] += int(theirs.sum())
        self._check(weights.name, entry)

    def _entry(self, name: str, matrices: int, columns: int, *, counts: int) -> InputSums:
        entry = self.sums.get(name)
        if entry is None:
            entry = self.sums[name] = InputSums(
                np.zeros((matrices, columns)), np.zeros(counts, np.int64)
            )
        if entry.sums.size == matrices * columns:
            entry.sums = entry.sums.reshape(matrices, columns)  # it came from a file, flat
        if entry.sums.shape != (matrices, columns) or len(entry.counts) != counts:
            raise ModelError(
                f"{name} is used in two ways: its inputs cannot be summed",
                found=f"{matrices} x {columns}",
                expected=" x ".join(map(str, entry.sums.shape)),
            )
        return entry

    def _check(self, name: str, entry: InputSums) -> None:
        if not np.isfinite(entry.sums).all():
            raise ModelError(
                f"the inputs of {name} are no numbers",
                hint="the model's weights are damaged: get or make the file again",
            )
