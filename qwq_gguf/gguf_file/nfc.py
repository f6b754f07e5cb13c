"""Whether a model's tokenizer composes characters before it reads a text (Unicode's NFC).

Hugging Face's tokenizers do what tokenizer.json has as `normalizer`; llama.cpp does nothing of
the kind, and a GGUF has no key for it. So an e with an accent of its own after it (macOS file
names, some keyboards) reaches a Qwen model as tokens that it was hardly trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qwq_gguf.json_text import parse_json
from qwq_gguf.metadata import KeyValue

__all__ = ["composes"]

# Names of llama.cpp's pre-tokenizers all of whose published tokenizers have NFC: Qwen/Qwen2.5 and
# Qwen3 (tokenizer.json), Qwen3.5, Cohere's Command R and OLMo (a GPT-NeoX tokenizer), by
# tokenization_qwen3_5.py, _cohere.py and _gpt_neox.py of Transformers 5.24. Of the others some have
# none (Llama 3.1, DeepSeek-V3), and some were not looked at: their texts stay as they are.
_COMPOSING = frozenset({"qwen2", "qwen35", "command-r", "olmo"})
_MOST_CHARACTERS = 64 << 20
_MOST_DEPTH = 8


def composes(metadata: Mapping[str, KeyValue]) -> bool:
    """By the tokenizer.json that the file may carry, else by its pre-tokenizer."""
    whole = _text(metadata, "tokenizer.huggingface.json")
    if whole is not None and len(whole) <= _MOST_CHARACTERS:
        try:
            tokenizer = parse_json(whole)
        except ValueError:
            tokenizer = None
        if isinstance(tokenizer, dict) and "normalizer" in tokenizer:
            return "NFC" in _kinds(tokenizer["normalizer"])
    return _text(metadata, "tokenizer.ggml.pre") in _COMPOSING


def _kinds(normalizer: object, depth: int = 0) -> Iterator[str]:
    if isinstance(normalizer, Mapping) and depth < _MOST_DEPTH:
        yield str(normalizer.get("type"))
        parts = normalizer.get("normalizers")
        for part in parts if isinstance(parts, list) else ():
            yield from _kinds(part, depth + 1)


def _text(metadata: Mapping[str, KeyValue], key: str) -> str | None:
    entry = metadata.get(key)
    return entry.value if entry is not None and isinstance(entry.value, str) else None
