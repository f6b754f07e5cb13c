"""What is read: a Hugging Face checkpoint, by its headers, and its weights by slices.

What only a model on the Hub needs is in `hub/`, and loaded when one is named.
"""

from __future__ import annotations

from qwq_gguf.checkpoint.adapter import Adapter, open_adapter
from qwq_gguf.checkpoint.folder import open_checkpoint
from qwq_gguf.checkpoint.meaning import holds_gguf, names_gguf
from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.checkpoint.resolve import LocatedGguf, fetch_gguf, locate_gguf
from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo

__all__ = [
    "Adapter",
    "Checkpoint",
    "LocatedGguf",
    "ShardReader",
    "TensorInfo",
    "fetch_gguf",
    "holds_gguf",
    "locate_gguf",
    "names_gguf",
    "open_adapter",
    "open_checkpoint",
]
