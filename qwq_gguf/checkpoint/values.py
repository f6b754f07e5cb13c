"""A checkpoint as a value: its configuration, and where each tensor's bytes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot

__all__ = ["Checkpoint", "TensorInfo"]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a safetensors shard.

    `dtype` is the safetensors name ("BF16", "F16", "F32", and others that are read but not
    converted), `shape` is in PyTorch order (rows first), `start` and `nbytes` are in bytes
    of the file `shard`. `aliases` are other names that the file's metadata gives it, as
    safetensors' `save_model` notes of tensors that share their memory.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: Path
    start: int
    nbytes: int
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint folder says about itself, read without touching the weights.

    `source` is what the user named. `name` is the model's own name, the last part of a Hub
    id or the folder's name, never a commit hash; `organization` is known for Hub ids only.
    `config`, `generation_config`, `tokenizer` and `tokenizer_config` are the JSON files of
    those names, the last three empty when absent. `tekken` is Mistral's own form of a
    tokenizer, where there is no other. `chat_template` is the default template,
    `chat_templates` the other, named ones. `card` is the front matter of README.md.
    `tensors` lists every tensor of every shard in the order of the shards' names, and in
    each shard by tensor name. `hub` is what of the Hub was named: then the shards may not
    be on this disk before `fetch_weights`. `notes` say what was found that is not usual.
    """

    source: str
    name: str
    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]
    generation_config: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    tokenizer_config: Mapping[str, Any] = field(default_factory=dict)
    tekken: Mapping[str, Any] = field(default_factory=dict)
    chat_template: str | None = None
    chat_templates: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    organization: str | None = None
    hub: HubSnapshot | None = None
    notes: tuple[str, ...] = ()

    @property
    def shards(self) -> tuple[Path, ...]:
        """The safetensors files, in order."""
        return tuple(dict.fromkeys(info.shard for info in self.tensors.values()))

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors together."""
        return sum(info.nbytes for info in self.tensors.values())
