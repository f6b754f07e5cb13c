"""What is read: a Hugging Face checkpoint, by its headers, and its weights by slices."""

from __future__ import annotations

from qwq_gguf.checkpoint.adapter import Adapter, open_adapter
from qwq_gguf.checkpoint.folder import open_checkpoint
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.checkpoint.hub.fetch import DownloadProgress, Fetched
from qwq_gguf.checkpoint.hub.peek import peek_gguf
from qwq_gguf.checkpoint.meaning import holds_gguf, names_gguf
from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.checkpoint.resolve import LocatedGguf, fetch_gguf, locate_gguf
from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo

__all__ = [
    "Adapter",
    "Checkpoint",
    "DownloadProgress",
    "Fetched",
    "LocatedGguf",
    "ShardReader",
    "TensorInfo",
    "fetch_gguf",
    "fetch_weights",
    "holds_gguf",
    "locate_gguf",
    "names_gguf",
    "open_adapter",
    "open_checkpoint",
    "peek_gguf",
]
