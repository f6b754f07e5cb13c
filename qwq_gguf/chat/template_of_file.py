"""A GGUF's chat template, and the texts it knows by name, from the file's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qwq_gguf.metadata import KeyValue

__all__ = ["TEMPLATE_KEY", "special_texts", "template_of"]

TEMPLATE_KEY = "tokenizer.chat_template"
_NAMES = (
    ("bos_token", "tokenizer.ggml.bos_token_id"),
    ("eos_token", "tokenizer.ggml.eos_token_id"),
    ("pad_token", "tokenizer.ggml.padding_token_id"),
)


def template_of(metadata: Mapping[str, KeyValue]) -> str | None:
    """The Jinja source of a file's chat template; None without one, or where it is no text."""
    entry = metadata.get(TEMPLATE_KEY)
    return entry.value if entry is not None and isinstance(entry.value, str) else None


def special_texts(metadata: Mapping[str, KeyValue]) -> dict[str, str]:
    """The texts of a file's bos, eos and padding tokens, as templates name them."""
    tokens = metadata.get("tokenizer.ggml.tokens")
    listed: Sequence[object] = () if tokens is None or tokens.element is None else tokens.items
    found = {}
    for name, key in _NAMES:
        entry = metadata.get(key)
        number = None if entry is None else entry.value
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(listed):
            found[name] = str(listed[number])
    return found
