"""Files made by us and by llama.cpp's two steps, side by side.

The first step is stood in for by our own file of the checkpoint's precision; the second
is the real llama_model_quantize.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwq_gguf.conversion.values import Conversion
from qwq_gguf.quantization import Imatrix, load_recipe, make_plan, run_plan
from support.imatrix import importance
from support.llama_quantize import quantize
from support.shapes import Shape, conversion, write_weights

__all__ = ["Model", "as_model", "make_model"]


@dataclass(frozen=True)
class Model:
    """A conversion whose weights exist, and its file of the same precision."""

    conversion: Conversion
    base: Path

    def both(self, name: str, folder: Path, *, imatrix: bool = False) -> tuple[Path, Path]:
        """Our file of a recipe, and theirs."""
        return self.both_with(importance(self.conversion) if imatrix else None, name, folder)

    def both_with(self, imatrix: Imatrix | None, name: str, folder: Path) -> tuple[Path, Path]:
        """The same with this imatrix."""
        plan = make_plan(self.conversion, load_recipe(name), imatrix=imatrix)
        ours, theirs = folder / "ours.gguf", folder / "theirs.gguf"
        run_plan(plan, ours)
        quantize(
            self.base,
            theirs,
            plan.file_type,
            imatrix=None if imatrix is None else imatrix.entries,
            keys=() if imatrix is None else imatrix.metadata(),
        )
        return ours, theirs


def make_model(shape: Shape, folder: Path, dtype: str = "BF16") -> Model:
    """Random weights of this shape and precision."""
    return as_model(conversion(shape, folder / "weights.bin", dtype), folder, dtype, fill=True)


def as_model(made: Conversion, folder: Path, dtype: str = "BF16", *, fill: bool = False) -> Model:
    """A conversion as a model, its random weights written first if `fill`."""
    if fill:
        write_weights(made)
    base = folder / f"{dtype}.gguf"
    run_plan(make_plan(made, load_recipe(dtype)), base)
    return Model(made, base)
