"""The smallest card that a finished GGUF goes on whole, with a thought: for its model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwq_gguf.jobs.fitting import wanted_of
from qwq_gguf.jobs.sizing import candidate_of
from qwq_gguf.machine.choosing import row_of
from qwq_gguf.machine.devices import GIB, Machine, modelled_memory
from qwq_gguf.machine.known_cards import model_device
from qwq_gguf.machine.model_size import ModelShape
from qwq_gguf.publication.values import Room

if TYPE_CHECKING:
    from qwq_gguf.gguf_file import GgufFile

__all__ = ["smallest_card"]

_CARDS = ("4GB", "6GB", "8GB", "12GB", "16GB", "24GB", "32GB", "48GB", "80GB")
_SEVERAL = ("2x80GB", "4x80GB", "8x80GB", "8x141GB")


def smallest_card(gguf: GgufFile) -> Room | None:
    """The first of these that has room for all of a model and a typical thought."""
    shape = ModelShape.of(gguf)
    if shape is None:
        return None
    candidate = candidate_of(gguf, shape)
    wanted = wanted_of(gguf.metadata, None, None, None)
    # Nothing of it is to lie in main memory; 64 GiB of it are what such a machine may have.
    here = Machine("", modelled_memory(64 * GIB))
    for name in (*_CARDS, *_SEVERAL):
        row = row_of(shape, candidate, model_device(name, here), wanted)
        if row.placed is not None and row.enough and row.placed.all_on_cards:
            number, _, card = name.rpartition("x")
            told = f"{number} cards of {card[:-2]} GB" if number else f"{card[:-2]} GB"
            return Room(told, row.placed.context, row.placed.kind.name.lower())
    return None
