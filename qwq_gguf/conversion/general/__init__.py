"""The `general.*` entries: what a model is called and where it comes from."""

from __future__ import annotations

from qwq_gguf.conversion.general.keys import general_keys
from qwq_gguf.conversion.general.modelid import size_label

__all__ = ["general_keys", "size_label"]
