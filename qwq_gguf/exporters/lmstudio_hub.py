"""A virtual model as LM Studio keeps those of its hub: model.yaml and a manifest beside it.

Both forms are those of the zod schemas in the npm package @lmstudio/lms-shared-types 0.6.14
(virtualModelDefinitionSchema, modelManifestSchema): an owner and a name of small letters,
digits and dashes, and a manifest that names the concrete model with its sources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.exporters.exported import slug
from qwq_gguf.exporters.yaml_text import to_yaml

__all__ = ["MANIFEST", "MODEL", "VirtualModel"]

MODEL, MANIFEST = "model.yaml", "manifest.json"
_MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class VirtualModel:
    """A model of `publisher/model` in LM Studio's models folder under a name of its own."""

    publisher: str
    model: str
    title: str

    @property
    def owner(self) -> str:
        """Its owner on the hub."""
        return _identifier(self.publisher)

    @property
    def name(self) -> str:
        """Its name on the hub."""
        return _identifier(self.title)

    def files(
        self,
        config: Mapping[str, object],
        metadata: Mapping[str, object],
        choices: Sequence[Mapping[str, object]] = (),
    ) -> dict[str, str]:
        """The two files. `config` are the settings that it brings, `metadata` what is shown,
        `choices` what its user may switch (`customFields`).
        """
        source = {"type": "huggingface", "user": self.publisher, "repo": self.model}
        key = f"{self.publisher}/{self.model}".lower()  # as LM Studio names concrete models
        virtual: dict[str, object] = {
            "model": f"{self.owner}/{self.name}",
            "base": [{"key": key, "sources": [source]}],
            "metadataOverrides": metadata,
            "config": config,
        }
        if choices:
            virtual["customFields"] = list(choices)
        manifest = {
            "type": "model",
            "owner": self.owner,
            "name": self.name,
            "dependencies": [
                {"type": "model", "purpose": "baseModel", "modelKeys": [key], "sources": [source]}
            ],
            "revision": 1,
        }
        return {
            MODEL: to_yaml(virtual, ("A model for LM Studio that is run as it should be.",)),
            MANIFEST: json.dumps(manifest, ensure_ascii=False, indent=2) + "\n",
        }


def _identifier(text: str) -> str:
    return slug(text)[:_MOST_NAME].strip("-")
