"""Opening a checkpoint folder: every small file and every shard's header, no weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint.containment import file_inside
from qwq_gguf.checkpoint.files import MIB, read_json
from qwq_gguf.checkpoint.kinds import names_in, refuse_other_kind
from qwq_gguf.checkpoint.model_card import read_card
from qwq_gguf.checkpoint.resolve import Located, locate
from qwq_gguf.checkpoint.shards import read_shards
from qwq_gguf.checkpoint.templates import read_templates
from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo
from qwq_gguf.errors import (
    ConfigError,
    NotACheckpointError,
    ShardError,
    SourceError,
    TokenizerError,
)

__all__ = ["open_checkpoint"]


def open_checkpoint(
    source: str | Path, *, revision: str | None = None, token: str | None = None
) -> Checkpoint:
    """Read the headers of the checkpoint that `source` names: `demo`, a folder, or a Hub id.

    Of a Hub id, a `revision` (default: main) is pinned to its commit, and no weights are
    downloaded before `fetch_weights`. `token` goes before HF_TOKEN and a saved one.
    SourceError, in one of its kinds, when there is none or when it contradicts itself.
    """
    located = locate(source, revision=revision, token=token)
    try:
        return _read(located)
    except (NotACheckpointError, ShardError):
        if located.hub is not None and located.hub.problem is not None:
            # Not the repository's fault: the cache holds a part of it, and the Hub is silent.
            raise located.hub.problem from None
        raise


def _read(located: Located) -> Checkpoint:
    folder = located.folder
    path = file_inside(folder, "config.json", NotACheckpointError)
    if path is None:
        here = located.hub is None
        names = names_in(folder) if located.hub is None else located.hub.files
        refuse_other_kind(folder, names, here=here)
    config = read_json(path, limit=4 * MIB, error=ConfigError)
    tokenizer_config = _optional(folder, "tokenizer_config.json", 16 * MIB, TokenizerError)
    tokenizer = _optional(folder, "tokenizer.json", 64 * MIB, TokenizerError)
    templates = read_templates(folder, tokenizer_config)
    card = file_inside(folder, "README.md", SourceError)
    return Checkpoint(
        source=located.source,
        name=located.name,
        organization=located.organization,
        folder=folder,
        config=config,
        generation_config=_optional(folder, "generation_config.json", 4 * MIB, ConfigError),
        tokenizer=tokenizer,
        tekken={} if tokenizer else _optional(folder, "tekken.json", 64 * MIB, TokenizerError),
        tokenizer_config=tokenizer_config,
        chat_template=templates.default,
        chat_templates=templates.named,
        card={} if card is None else read_card(card),
        tensors=_tensors(located, tied=config.get("tie_word_embeddings") is True),
        hub=located.hub,
        notes=templates.notes,
    )


def _tensors(located: Located, *, tied: bool) -> dict[str, TensorInfo]:
    if located.hub is None:
        return read_shards(located.folder, tied=tied)
    from qwq_gguf.checkpoint.hub.checkpoint import remote_headers

    return read_shards(
        located.folder,
        tied=tied,
        listing=located.hub.files,
        read_headers=remote_headers(located.hub),
    )


def _optional(folder: Path, name: str, limit: int, error: type[SourceError]) -> dict[str, Any]:
    path = file_inside(folder, name, error)
    return {} if path is None else read_json(path, limit=limit, error=error)
