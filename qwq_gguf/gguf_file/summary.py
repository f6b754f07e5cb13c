"""What a GGUF file's header says about the model: for `qwq-gguf inspect`, for anyone's file.

Only the header is read. Whatever a file leaves out or gives in another type is None; what
looks wrong is in `oddities`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file.header_slack import is_room
from qwq_gguf.gguf_file.oddities import Oddity, find_oddities, readable
from qwq_gguf.gguf_file.reader import GgufFile
from qwq_gguf.metadata import KeyValue, Scalar, ValueType, shortest_float32
from qwq_gguf.thinking import NO_THOUGHT, ThoughtForm, ThoughtStart, form_of

__all__ = [
    "SUMMARY_SCHEMA",
    "FileSummary",
    "RopeScaling",
    "TypeShare",
    "VocabularySummary",
    "summarize",
    "file_type_name",
]

SUMMARY_SCHEMA = "qwq-gguf/inspect/1"
_SAMPLING = "general.sampling."
_SPECIAL = re.compile(r"tokenizer\.ggml\.(\w+)_token_id")
_SHOWN_ITEMS = 8


@dataclass(frozen=True, slots=True)
class TypeShare:
    """The tensors of one type."""

    type: GgmlType
    tensors: int
    weights: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How positions beyond the original context are reached."""

    type: str
    factor: float | None
    original_context: int | None


@dataclass(frozen=True, slots=True)
class VocabularySummary:
    """`special` maps a role such as eos to the token's id and text."""

    model: str | None
    pre_tokenizer: str | None
    tokens: int
    special: Mapping[str, tuple[int, str | None]]


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One GGUF file at a glance.

    `thought` is what the chat template does about thoughts, and `single_tokens` whether
    their tags are tokens of the vocabulary. `metadata` is without the keys that only keep room.
    """

    path: Path
    files: int
    file_bytes: int
    version: int
    architecture: str | None
    name: str | None
    file_type: str | None
    tensors: int
    weights: int
    bits_per_weight: float
    types: tuple[TypeShare, ...]
    layers: int | None
    context: int | None
    rope_base: float | None
    rope_scaling: RopeScaling | None
    vocabulary: VocabularySummary
    sampling: Mapping[str, Scalar]
    chat_template: str | None
    chat_templates: tuple[str, ...]
    thought: ThoughtForm
    single_tokens: bool
    metadata: Mapping[str, KeyValue]
    oddities: tuple[Oddity, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON object; long arrays are given by length and beginning."""
        scaling = self.rope_scaling
        return {
            "schema": SUMMARY_SCHEMA,
            "path": str(self.path),
            "files": self.files,
            "file_bytes": self.file_bytes,
            "version": self.version,
            "architecture": self.architecture,
            "name": self.name,
            "file_type": self.file_type,
            "weights": self.weights,
            "bits_per_weight": round(self.bits_per_weight, 4),
            "types": [
                {
                    "type": share.type.name,
                    "tensors": share.tensors,
                    "weights": share.weights,
                    "bytes": share.nbytes,
                }
                for share in self.types
            ],
            "layers": self.layers,
            "context": self.context,
            "rope_base": self.rope_base,
            "rope_scaling": scaling
            and {
                "type": scaling.type,
                "factor": scaling.factor,
                "original_context": scaling.original_context,
            },
            "vocabulary": {
                "model": self.vocabulary.model,
                "pre_tokenizer": self.vocabulary.pre_tokenizer,
                "tokens": self.vocabulary.tokens,
                "special": {
                    role: {"id": number, "text": text}
                    for role, (number, text) in self.vocabulary.special.items()
                },
            },
            "sampling": dict(self.sampling),
            "chat_template": self.chat_template,
            "chat_templates": list(self.chat_templates),
            "thinking": None
            if self.thought == NO_THOUGHT
            else {
                **self.thought.to_json(),
                "single_tokens": self.single_tokens,
                "opened_by_template": self.thought.unset is ThoughtStart.OPENED,
            },
            "metadata": {readable(key): _json_value(entry) for key, entry in self.metadata.items()},
            "oddities": [{"what": odd.what, "hint": odd.hint} for odd in self.oddities],
        }


def summarize(file: GgufFile, files: int = 1) -> FileSummary:
    """The summary of a file whose header has been read, or of `files` of them as if in one.

    GgufError if the file has changed.
    """
    arch = file.architecture
    tokens = texts(file, "tokenizer.ggml.tokens")
    template = _text(file, "tokenizer.chat_template")
    thought = form_of(file.metadata)
    types = _shares(file)
    weights = sum(share.weights for share in types)
    data = sum(share.nbytes for share in types)
    return FileSummary(
        path=file.path,
        files=files,
        file_bytes=file.file_bytes,
        version=file.version,
        architecture=None if arch is None else readable(arch),
        name=_text(file, "general.name"),
        file_type=file_type_name(file),
        tensors=len(file.tensors),
        weights=weights,
        bits_per_weight=data * 8 / weights if weights else 0.0,
        types=types,
        layers=file.integer(f"{arch}.block_count"),
        context=file.integer(f"{arch}.context_length"),
        rope_base=_plain_number(file.number(f"{arch}.rope.freq_base")),
        rope_scaling=_rope_scaling(file, arch),
        vocabulary=VocabularySummary(
            model=_text(file, "tokenizer.ggml.model"),
            pre_tokenizer=_text(file, "tokenizer.ggml.pre"),
            tokens=len(tokens),
            special=_special(file, tokens),
        ),
        sampling={
            readable(key.removeprefix(_SAMPLING)): _plain(entry, entry.scalar)
            for key, entry in file.metadata.items()
            if key.startswith(_SAMPLING) and entry.element is None
        },
        chat_template=template,
        chat_templates=tuple(texts(file, "tokenizer.chat_templates")),
        thought=thought,
        single_tokens=thought.tags is not None and set(thought.tags.texts) <= set(tokens),
        metadata={key: entry for key, entry in file.metadata.items() if not is_room(key)},
        oddities=find_oddities(file),
    )


def texts(file: GgufFile, key: str) -> Sequence[str]:
    """An array of strings, empty when the key is absent or something else."""
    entry = file.metadata.get(key)
    if entry is None or entry.element is not ValueType.STRING:
        return ()
    return [readable(str(item)) for item in entry.items]


def _text(file: GgufFile, key: str) -> str | None:
    value = file.text(key)
    return None if value is None else readable(value)


def _shares(file: GgufFile) -> tuple[TypeShare, ...]:
    """Largest first."""
    kinds = {tensor.type for tensor in file.tensors}
    shares = []
    for kind in kinds:
        tensors = [tensor for tensor in file.tensors if tensor.type is kind]
        weights = sum(tensor.weights for tensor in tensors)
        nbytes = sum(tensor.nbytes for tensor in tensors)
        shares.append(TypeShare(kind, len(tensors), weights, nbytes))
    return tuple(sorted(shares, key=lambda share: (-share.nbytes, share.type)))


def file_type_name(file: GgufFile) -> str | None:
    """What the file says it is (Q4_K_M); None if nothing."""
    number = file.integer("general.file_type")
    if number is None:
        return None
    try:
        return FileType(number).name
    except ValueError:
        return f"unknown ({number})"


def _rope_scaling(file: GgufFile, arch: str | None) -> RopeScaling | None:
    kind = _text(file, f"{arch}.rope.scaling.type")
    if kind is None:
        return None
    return RopeScaling(
        type=kind,
        factor=_plain_number(file.number(f"{arch}.rope.scaling.factor")),
        original_context=file.integer(f"{arch}.rope.scaling.original_context_length"),
    )


def _special(file: GgufFile, tokens: Sequence[str]) -> dict[str, tuple[int, str | None]]:
    found: dict[str, tuple[int, str | None]] = {}
    for key in file.metadata:
        match = _SPECIAL.fullmatch(key)
        number = file.integer(key)
        if match and number is not None:
            found[match[1]] = number, tokens[number] if 0 <= number < len(tokens) else None
    return found


def _plain_number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else shortest_float32(value)


def _plain(entry: KeyValue, value: Scalar) -> Scalar:
    """A value that can be printed and is valid JSON: infinities and NaN as text."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        kind = entry.type if entry.element is None else entry.element
        return shortest_float32(value) if kind is ValueType.FLOAT32 else value
    return value


def _json_value(entry: KeyValue) -> Any:
    if entry.element is None:
        return _plain(entry, entry.scalar)
    items = entry.items
    shown = [_plain(entry, item) for item in items[:_SHOWN_ITEMS]]
    if len(items) <= _SHOWN_ITEMS:
        return shown
    return {"length": len(items), "element": entry.element.name.lower(), "first": shown}
