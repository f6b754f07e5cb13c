"""A GGUF vocabulary out of tokenizer.json alone."""

from __future__ import annotations

from qwq_gguf.conversion.vocabulary.keys import vocabulary_keys

__all__ = ["vocabulary_keys"]
