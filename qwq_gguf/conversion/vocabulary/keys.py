"""The `tokenizer.*` entries of a GGUF."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from qwq_gguf.conversion.vocabulary.pieces import SCORE, piece_listing, read_pieces
from qwq_gguf.conversion.vocabulary.pretokenizer import recognise
from qwq_gguf.conversion.vocabulary.special import named_special, read_special
from qwq_gguf.conversion.vocabulary.tekken import tekken_keys
from qwq_gguf.conversion.vocabulary.tokens import read_vocabulary
from qwq_gguf.errors import TokenizerError
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, text

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import Checkpoint

__all__ = ["piece_keys", "vocabulary_keys"]

_MAX_TEMPLATE_NAME = 1000
# Normalizers that llama.cpp can leave out: they change no text that is already composed.
_HARMLESS = ("NFC", "Sequence")


def vocabulary_keys(
    checkpoint: Checkpoint,
    size: int,
    roles: Sequence[tuple[str, str]] = (),
    splitting: str | None = None,
) -> list[KeyValue]:
    """Tokens, types, merges, special tokens and chat templates, in the converter's order,
    for a model of `size` embeddings. `roles` are special tokens by their kind, for those that
    the files name no token for; `splitting` is what the model's kind usually has.
    """
    if checkpoint.tekken and not checkpoint.tokenizer:
        path = checkpoint.folder / "tekken.json"
        own = tekken_keys(checkpoint.tekken, path, size)
        return [*own, *_templates(checkpoint.chat_template, checkpoint.chat_templates)]
    path = checkpoint.folder / "tokenizer.json"
    tokenizer = checkpoint.tokenizer
    vocabulary = read_vocabulary(tokenizer, path, size)
    for normalizer in _normalizers(tokenizer.get("normalizer")):
        if normalizer not in _HARMLESS:
            raise TokenizerError(
                "its normalizer changes the text in a way that llama.cpp would not",
                path=path,
                found=normalizer,
                expected="NFC or none",
            )
    special = read_special(
        tokenizer,
        checkpoint.tokenizer_config,
        checkpoint.config,
        vocabulary,
        size=size,
        path=checkpoint.folder / "config.json",
    )
    added = {token.content: token.id for token in vocabulary.added}
    for kind, content in roles:
        if content in added:
            special.ids.setdefault(kind, added[content])
    texts, types = vocabulary.listing(size, named_special(checkpoint.tokenizer_config))
    keys = [
        text("tokenizer.ggml.model", "gpt2"),
        text("tokenizer.ggml.pre", recognise(tokenizer, vocabulary, path, splitting)),
        array("tokenizer.ggml.tokens", ValueType.STRING, texts),
        array("tokenizer.ggml.token_type", ValueType.INT32, map(int, types)),
    ]
    if vocabulary.merges:
        keys.append(array("tokenizer.ggml.merges", ValueType.STRING, vocabulary.merge_lines()))
    return [
        *keys,
        *special.keys(),
        *_templates(checkpoint.chat_template, checkpoint.chat_templates),
    ]


def piece_keys(checkpoint: Checkpoint, size: int) -> list[KeyValue]:
    """The same of a SentencePiece kind of vocabulary, as Gemma 4 has it."""
    path = checkpoint.folder / "tokenizer.json"
    vocabulary = read_pieces(checkpoint, path, size)
    texts, types = piece_listing(vocabulary, checkpoint.tokenizer, checkpoint.tokenizer_config)
    special = read_special(
        checkpoint.tokenizer,
        checkpoint.tokenizer_config,
        checkpoint.config,
        vocabulary,
        size=size,
        path=checkpoint.folder / "config.json",
    )
    keys = [
        text("tokenizer.ggml.model", "gemma4"),
        array("tokenizer.ggml.tokens", ValueType.STRING, texts),
        array("tokenizer.ggml.scores", ValueType.FLOAT32, [SCORE] * len(texts)),
        array("tokenizer.ggml.token_type", ValueType.INT32, map(int, types)),
        array("tokenizer.ggml.merges", ValueType.STRING, vocabulary.merge_lines()),
    ]
    special.adds["bos"] = True
    return [
        *keys,
        *special.keys(),
        *_templates(checkpoint.chat_template, checkpoint.chat_templates),
        boolean("tokenizer.ggml.add_space_prefix", value=False),
    ]


def _templates(default: str | None, named: Mapping[str, str]) -> list[KeyValue]:
    keys: dict[str, KeyValue] = {}
    for name, template in named.items():
        # Only ASCII letters and digits are safe in a key.
        safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
        if len(safe) > _MAX_TEMPLATE_NAME:
            raise TokenizerError("a chat template's name is absurdly long", found=safe[:40])
        if safe:
            keys[safe] = text(f"tokenizer.chat_template.{safe}", template)
    listed = [array("tokenizer.chat_templates", ValueType.STRING, keys)] if keys else []
    main = [text("tokenizer.chat_template", default)] if default is not None else []
    return [*keys.values(), *listed, *main]


def _normalizers(normalizer: object, depth: int = 0) -> Iterable[str]:
    if isinstance(normalizer, Mapping) and depth < 8:
        yield str(normalizer.get("type"))
        parts = normalizer.get("normalizers")
        for part in parts if isinstance(parts, list) else ():
            yield from _normalizers(part, depth + 1)
