"""An in-toto statement that a GGUF was made again and is equal, byte for byte.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. Its predicate is ours: the
source at a commit with the digest of each shard, the recipe's text, all options that change a
byte, and what the check was made with. No time and no place are in it, so the same check signed
with the same key is the same file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.errors import ManifestError
from qwq_gguf.json_text import named_once, parse_json
from qwq_gguf.verification.checked_values import checked_digest, checked_size, checked_text
from qwq_gguf.verification.manifest import Manifest, ShardDigest, SourceRecord

__all__ = ["MAX_STATEMENT_BYTES", "PREDICATE", "STATEMENT", "Statement", "parse_statement"]

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:qwq-gguf:rebuilt:1"
MAX_STATEMENT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Statement:
    """`files` are a model's GGUF files by name with their SHA-256, in order. `versions` are of
    the programs that have made them again.
    """

    files: Mapping[str, str]
    source: SourceRecord
    recipe: str
    recipe_text: str
    options: Mapping[str, Any]
    versions: Mapping[str, str]

    @classmethod
    def of(
        cls, manifest: Manifest, files: Mapping[str, str], versions: Mapping[str, str]
    ) -> Statement:
        """What can be said once all that a manifest tells has been found to be so."""
        return cls(
            files,
            manifest.source,
            manifest.recipe,
            manifest.recipe_text,
            manifest.options,
            versions,
        )

    def text(self) -> str:
        """The JSON that is signed."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=True) + "\n"

    def to_json(self) -> dict[str, Any]:
        """One object."""
        return {
            "_type": STATEMENT,
            "subject": [
                {"name": name, "digest": {"sha256": digest}} for name, digest in self.files.items()
            ],
            "predicateType": PREDICATE,
            "predicate": {
                "claim": "made again from the source by the recipe, and equal byte for byte",
                "source": {
                    "name": self.source.name,
                    "commit": self.source.commit,
                    "shards": [
                        {
                            "name": shard.name,
                            "bytes": shard.nbytes,
                            "digest": {"sha256": shard.sha256},
                        }
                        for shard in self.source.shards
                    ],
                },
                "recipe": {"name": self.recipe, "text": self.recipe_text},
                "options": dict(self.options),
                "versions": dict(self.versions),
            },
        }


def parse_statement(content: bytes, path: str) -> Statement:
    """A statement from its JSON. ManifestError for anything else, also for another predicate."""
    try:
        if len(content) > MAX_STATEMENT_BYTES:
            raise ValueError("too large")
        value = parse_json(content, object_pairs_hook=named_once)
        if value["_type"] != STATEMENT or value["predicateType"] != PREDICATE:
            raise ManifestError(
                "the attestation says something that this version does not know",
                path=path,
                found=f"{value['_type']} {value['predicateType']}"[:200],
                expected=f"{STATEMENT} {PREDICATE}",
            )
        return _read(value)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        what = f"no {problem}" if isinstance(problem, KeyError) else str(problem)
        raise ManifestError("the attestation is damaged", path=path, found=what[:200]) from problem


def _read(value: Mapping[str, Any]) -> Statement:
    told, files = value["predicate"], {}
    for subject in value["subject"]:
        files[checked_text(subject["name"])] = checked_digest(subject["digest"]["sha256"])
    if not files or len(files) != len(value["subject"]):
        raise ValueError("no files, or two of one name")
    source, recipe = told["source"], told["recipe"]
    shards = tuple(
        ShardDigest(
            checked_text(shard["name"]),
            checked_size(shard["bytes"]),
            checked_digest(shard["digest"]["sha256"]),
            "computed",
        )
        for shard in source["shards"]
    )
    commit = source["commit"]
    return Statement(
        files,
        SourceRecord(
            checked_text(source["name"]), None if commit is None else checked_text(commit), shards
        ),
        checked_text(recipe["name"]),
        checked_text(recipe["text"]),
        dict(told["options"]),
        {checked_text(key): checked_text(item) for key, item in told["versions"].items()},
    )
