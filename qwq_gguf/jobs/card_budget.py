"""Whether a model of given sizes goes whole onto a card, beside the context of a thought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import UsageError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs.fitting import wanted_of
from qwq_gguf.jobs.sizing import PlanHeader
from qwq_gguf.machine.devices import Machine, modelled_memory
from qwq_gguf.machine.known_cards import model_device
from qwq_gguf.machine.model_size import ModelShape, TensorSize, WeightBytes
from qwq_gguf.machine.placing import place

if TYPE_CHECKING:
    from qwq_gguf.conversion import Conversion

__all__ = ["Card"]

_MAIN_MEMORY = 1 << 40  # which is not the question
_BESIDE = 1024  # question and answer


@dataclass(frozen=True, slots=True)
class Card:
    """A card, or several, and what has to be there beside a model: so many tokens, in F16."""

    machine: Machine
    shape: ModelShape
    context: int

    @classmethod
    def of(cls, text: str, context: int | None, conversion: Conversion) -> Card:
        """The card that `fit --device` calls so: 24GB, rtx3090, 2x16GB. The context is what a long
        thought takes with its question and answer, unless one is named.

        UsageError for what is no card, and for a model that does not say how large its layers are.
        """
        metadata = {entry.key: entry for entry in conversion.metadata}
        shape = ModelShape.of(PlanHeader(Path(), conversion.architecture, metadata))
        if shape is None:
            raise UsageError(
                "this model's header does not say how large its layers are", found=conversion.name
            )
        machine = model_device(text, Machine("any", modelled_memory(_MAIN_MEMORY)))
        if not machine.cards:
            raise UsageError(f"--vram: {text[:40]} has no card")
        if context is None:
            wanted = wanted_of(metadata, None, None, None)
            context = wanted.thought.long + _BESIDE
            context = min(context, shape.trained or context)
        return cls(machine, shape, context)

    def holds(self, sizes: Sequence[tuple[str, int]]) -> bool:
        """Whether tensors of these bytes, by name, are all there, as llama.cpp lays them."""
        weights = WeightBytes.of((TensorSize(*each) for each in sizes), self.shape)
        found = place(self.shape, weights, self.machine, self.context, GgmlType.F16)
        return found is not None and found.all_on_cards
