"""What LoRA adapters, as PEFT saves them, make of a checkpoint's tensors. Pure."""

from __future__ import annotations

from qwq_gguf.conversion.adapters.merging import Merged, merge_adapters

__all__ = ["Merged", "merge_adapters"]
