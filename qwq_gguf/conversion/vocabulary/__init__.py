"""A GGUF vocabulary out of tokenizer.json alone."""

from __future__ import annotations

from qwq_gguf.conversion.vocabulary.keys import piece_keys, vocabulary_keys

__all__ = ["piece_keys", "vocabulary_keys"]
