"""A model whose types are to be chosen: what there is to choose, and what a choice comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from qwq_gguf.errors import PlanError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file.layout import DEFAULT_ALIGNMENT, padded, tensor_bytes
from qwq_gguf.quantization.fitting.allocation import Allocation, Option, allocate
from qwq_gguf.quantization.fitting.candidates import candidates, sample_of
from qwq_gguf.quantization.fitting.measuring import Task
from qwq_gguf.quantization.fitting.weighing import factor_of
from qwq_gguf.quantization.planning.importance import Imatrix, use_imatrix
from qwq_gguf.quantization.planning.plan import Plan, make_plan
from qwq_gguf.quantization.recipes.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qwq_gguf.conversion.values import Conversion
    from qwq_gguf.quantization.fitting.measured import Errors

__all__ = ["Problem"]

Types = Mapping[str, GgmlType]


@dataclass(frozen=True)
class Problem:
    """`tasks` has the tensors with more than one type to choose from, in the file's order."""

    conversion: Conversion
    imatrix: Imatrix | None
    tasks: tuple[Task, ...]

    @classmethod
    def of(cls, conversion: Conversion, imatrix: Imatrix | None = None) -> Problem:
        """That of a model. ImatrixError for another model's matrix; PlanError for a model
        without a matrix of weights.
        """
        tensors = conversion.tensors
        weights: Mapping[str, NDArray[np.float32]] = {}
        if imatrix is not None:
            weights = use_imatrix(imatrix, tensors, [GgmlType.Q4_K] * len(tensors)).weights
        tasks = []
        for tensor in tensors:
            kinds = candidates(tensor, weighted=tensor.name in weights)
            if kinds:
                tasks.append(Task(tensor, sample_of(tensor), kinds, weights.get(tensor.name)))
        if not tasks:
            raise PlanError("this model has no matrix whose type could be chosen")
        return cls(conversion, imatrix, tuple(tasks))

    @property
    def looked_at(self) -> float:
        """The share of the matrices' weights that stands for all of them."""
        whole = sum(task.tensor.weights for task in self.tasks)
        return sum(task.sample.weights for task in self.tasks) / whole

    def within_bytes(self, errors: Errors, nbytes: int) -> Allocation | None:
        """The best file of at most so many bytes; None where none is that small."""
        return allocate(self._options(errors), nbytes - self._fixed_bytes)

    def within_bits(self, errors: Errors, bits: float) -> Allocation | None:
        """The best with at most so many bits of tensor data for each weight."""
        chosen = {task.tensor.name for task in self.tasks}
        tensors = self._plain.tensors
        fixed = sum(tensor.nbytes for tensor in tensors if tensor.name not in chosen)
        limit = int(bits * self._plain.weights / 8) - fixed
        return allocate(self._options(errors, alignment=1), limit)

    def within(
        self, errors: Errors, fits: Callable[[Sequence[tuple[str, int]]], bool]
    ) -> Allocation | None:
        """The best of which `fits` says so, who sees each tensor with its bytes; the larger the
        model, the less it fits. To a thousandth of its size.
        """
        options = self._options(errors)

        def tried(limit: int) -> Allocation | None:
            found = allocate(options, limit)
            return found if found is not None and fits(self.sizes(self.types(found))) else None

        low = sum(min(option.nbytes for option in own) for own in options)
        high = sum(max(option.nbytes for option in own) for own in options)
        best = tried(high)
        if best is not None:
            return best
        best = tried(low)
        if best is None:
            return None
        while high - low > max(DEFAULT_ALIGNMENT, low >> 10):
            middle = (low + high + 1) // 2
            found = tried(middle)
            if found is None:
                high = middle - 1
            else:
                low, best = middle, found
        return best

    def types(self, allocation: Allocation) -> dict[str, GgmlType]:
        """What each of the chosen gets, by name."""
        return {
            task.tensor.name: task.kinds[pick]
            for task, pick in zip(self.tasks, allocation.picks, strict=True)
        }

    def sizes(self, types: Types) -> list[tuple[str, int]]:
        """All tensors of the file with their bytes."""
        return [
            (tensor.name, tensor_bytes(types.get(tensor.name, tensor.type), tensor.shape))
            for tensor in self._plain.tensors
        ]

    def bits(self, types: Types) -> float:
        """Bits of tensor data for each weight."""
        return sum(nbytes for _, nbytes in self.sizes(types)) * 8 / self._plain.weights

    def error_of(self, plan: Plan, errors: Errors) -> float | None:
        """What a plan of the same model costs; None where it has a type that was not measured."""
        types = {tensor.name: tensor.type for tensor in plan.tensors}
        total = 0.0
        for task in self.tasks:
            error = errors[task.tensor.name].get(types[task.tensor.name])
            if error is None:
                return None
            total += self._factor(task) * error
        return total

    @cached_property
    def least_bytes(self) -> int:
        """Of the smallest file there is."""
        return self._fixed_bytes + sum(
            min(_padded(kind, task) for kind in task.kinds) for task in self.tasks
        )

    def _factor(self, task: Task) -> float:
        return factor_of(task.tensor.name, tied=self.conversion.facts.tied)

    def _options(self, errors: Errors, alignment: int = DEFAULT_ALIGNMENT) -> list[list[Option]]:
        return [
            [
                Option(
                    padded(tensor_bytes(kind, task.tensor.shape), alignment),
                    self._factor(task) * errors[task.tensor.name][kind],
                )
                for kind in task.kinds
            ]
            for task in self.tasks
        ]

    @cached_property
    def _plain(self) -> Plan:
        """Any plan of it: in the header each type is a number, whichever it is."""
        recipe = Recipe("any", GgmlType.Q8_0, FileType.Q8_0)
        return make_plan(self.conversion, recipe, imatrix=self.imatrix)

    @cached_property
    def _fixed_bytes(self) -> int:
        """The header, and the tensors that have no choice."""
        chosen = {task.tensor.name for task in self.tasks}
        of_chosen = sum(
            padded(tensor.nbytes, DEFAULT_ALIGNMENT)
            for tensor in self._plain.tensors
            if tensor.name in chosen
        )
        return self._plain.file_bytes - of_chosen


def _padded(kind: GgmlType, task: Task) -> int:
    return padded(tensor_bytes(kind, task.tensor.shape), DEFAULT_ALIGNMENT)
