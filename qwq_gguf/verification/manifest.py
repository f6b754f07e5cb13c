"""The manifest beside a GGUF: what it was made from, by what, and the digest of every part.

A model in several files has one, beside the first of them. It holds no time, no path and
no setting that does not change a byte, so the same command on the same source gives the
same manifest anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from qwq_gguf.errors import ManifestError
from qwq_gguf.gguf_file.splits import MAX_PARTS
from qwq_gguf.json_text import parse_json
from qwq_gguf.verification.checked_values import checked_digest, checked_size, checked_text

__all__ = [
    "MANIFEST_SCHEMA",
    "MAX_MANIFEST_BYTES",
    "FileRecord",
    "Manifest",
    "PartDigest",
    "Pending",
    "ShardDigest",
    "SourceRecord",
    "TensorDigest",
    "manifest_path",
    "parse_manifest",
]

MANIFEST_SCHEMA = "qwq-gguf/manifest/1"
MAX_MANIFEST_BYTES = 1 << 26  # a tensor takes some 200 bytes, and no model has 100,000


@dataclass(frozen=True, slots=True)
class PartDigest:
    """A number of bytes and their SHA-256 in hex."""

    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TensorDigest:
    """A tensor's place in the table and the SHA-256 of its data, without padding.

    `type` is ggml's name of it; `shape[0]` is the length of a row.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ShardDigest:
    """A file of weights. `known_from`: its digest was computed when the GGUF was made; or,
    as manifests of older versions say, the Hub only listed it, and nobody looked.
    """

    name: str
    nbytes: int
    sha256: str
    known_from: Literal["hub", "computed"]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A checkpoint: a repository of the Hub at a commit, or the name of a folder."""

    name: str
    commit: str | None
    shards: tuple[ShardDigest, ...]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One GGUF file by its name, `file` the whole of it, `header` all before the first tensor."""

    name: str
    file: PartDigest
    header: PartDigest
    tensors: tuple[TensorDigest, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """A change of the first file's keys, written down before it is made: what the file and
    its header then come to, and what was `asked` for.
    """

    file: PartDigest
    header: PartDigest
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A model's GGUF files in order and how they came about. With a `pending` change the
    first file is as `files` has it, or as the change would make it, or on the way.
    """

    files: tuple[FileRecord, ...]
    source: SourceRecord
    recipe: str
    recipe_text: str
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    pending: Pending | None = None

    @property
    def tensors(self) -> tuple[TensorDigest, ...]:
        """Those of all files."""
        return tuple(tensor for file in self.files for tensor in file.tensors)

    def to_json(self) -> dict[str, Any]:
        """One JSON object, always with the same keys in the same order.

        A single file is `file` and `header`; several are `files`, each with its header and
        how many of the `tensors` are in it.
        """
        first = self.files[0]
        several = [
            {
                "name": file.name,
                **_part(file.file),
                "header": _part(file.header),
                "tensors": len(file.tensors),
            }
            for file in self.files
        ]
        single = {"file": {"name": first.name, **_part(first.file)}, "header": _part(first.header)}
        return {
            "schema": MANIFEST_SCHEMA,
            **(single if len(self.files) == 1 else {"files": several}),
            **({} if self.pending is None else {"pending": _pending(self.pending)}),
            "source": {
                "name": self.source.name,
                "commit": self.source.commit,
                "shards": [
                    {
                        "name": shard.name,
                        "bytes": shard.nbytes,
                        "sha256": shard.sha256,
                        "known_from": shard.known_from,
                    }
                    for shard in self.source.shards
                ],
            },
            "recipe": {"name": self.recipe, "text": self.recipe_text},
            "options": dict(self.options),
            "versions": dict(self.versions),
            "tensors": [
                {
                    "name": tensor.name,
                    "type": tensor.type,
                    "shape": list(tensor.shape),
                    "bytes": tensor.nbytes,
                    "sha256": tensor.sha256,
                }
                for tensor in self.tensors
            ],
        }

    def text(self) -> str:
        """The file's text: JSON with one line a tensor, so that two of them can be diffed."""
        value = self.to_json()
        tensors = value.pop("tensors")
        head = json.dumps(value, indent=1, ensure_ascii=True)[:-2]
        rows = ",\n".join("  " + json.dumps(row, ensure_ascii=True) for row in tensors)
        return f'{head},\n "tensors": [\n{rows}\n ]\n}}\n'


def _part(part: PartDigest) -> dict[str, Any]:
    return {"bytes": part.nbytes, "sha256": part.sha256}


def _pending(pending: Pending) -> dict[str, Any]:
    header = _part(pending.header)
    return {"file": _part(pending.file), "header": header, "set": dict(pending.asked)}


def manifest_path(gguf: Path) -> Path:
    """Where the manifest of a GGUF lies; of a split model, give the first file."""
    return gguf.with_name(f"{gguf.name.removesuffix('.gguf')}.manifest.json")


def parse_manifest(text: str, path: Path) -> Manifest:
    """A manifest from its text; GgufError naming what is missing or of the wrong kind."""
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ManifestError("the manifest is no JSON", path=path, found=str(error)[:200]) from error
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != MANIFEST_SCHEMA:
        raise ManifestError(
            "not a manifest that this version can read",
            path=path,
            found=str(schema)[:80],
            expected=MANIFEST_SCHEMA,
        )
    try:
        return _read(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ManifestError("the manifest is damaged", path=path, found=what[:200]) from error


def _read(value: Mapping[str, Any]) -> Manifest:
    source, recipe = value["source"], value["recipe"]
    return Manifest(
        files=_read_files(value),
        source=SourceRecord(
            name=checked_text(source["name"]),
            commit=None if source["commit"] is None else checked_text(source["commit"]),
            shards=tuple(
                ShardDigest(
                    name=checked_text(row["name"]),
                    nbytes=checked_size(row["bytes"]),
                    sha256=checked_digest(row["sha256"]),
                    known_from="hub" if row["known_from"] == "hub" else "computed",
                )
                for row in source["shards"]
            ),
        ),
        recipe=checked_text(recipe["name"]),
        recipe_text=checked_text(recipe["text"]),
        options=dict(value["options"]),
        versions={checked_text(key): checked_text(item) for key, item in value["versions"].items()},
        pending=_read_pending(value["pending"]) if "pending" in value else None,
    )


def _read_pending(value: Mapping[str, Any]) -> Pending:
    file, header = _read_part(value["file"]), _read_part(value["header"])
    return Pending(file, header, dict(value["set"]))


def _read_files(value: Mapping[str, Any]) -> tuple[FileRecord, ...]:
    tensors = [
        TensorDigest(
            name=checked_text(row["name"]),
            type=checked_text(row["type"]),
            shape=tuple(checked_size(length) for length in row["shape"]),
            nbytes=checked_size(row["bytes"]),
            sha256=checked_digest(row["sha256"]),
        )
        for row in value["tensors"]
    ]
    if "files" not in value:
        file = {**value["file"], "header": value["header"], "tensors": len(tensors)}
        rows = [file]
    else:
        rows = value["files"]
        if not isinstance(rows, list) or not 1 < len(rows) <= MAX_PARTS:
            raise TypeError("files is no list of several files")
    counts = [checked_size(row["tensors"]) for row in rows]
    if sum(counts) != len(tensors):
        raise ValueError(f"{len(tensors)} tensors where the files have {sum(counts)}")
    left = iter(tensors)
    return tuple(
        FileRecord(
            name=checked_text(row["name"]),
            file=_read_part(row),
            header=_read_part(row["header"]),
            tensors=tuple(islice(left, count)),
        )
        for row, count in zip(rows, counts, strict=True)
    )


def _read_part(value: Mapping[str, Any]) -> PartDigest:
    return PartDigest(checked_size(value["bytes"]), checked_digest(value["sha256"]))
