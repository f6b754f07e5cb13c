"""What is read: a Hugging Face checkpoint, by its headers, and its weights by slices."""

from __future__ import annotations

from qwq_gguf.checkpoint.folder import open_checkpoint
from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo

__all__ = ["Checkpoint", "ShardReader", "TensorInfo", "open_checkpoint"]
