"""Errors that were measured, as a value and as the JSON in which they are kept. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.ggml_types import GgmlType

__all__ = ["MEASURED_SCHEMA", "Errors", "Measured"]

MEASURED_SCHEMA = "qwq-gguf/measured-errors/1"

Errors = Mapping[str, Mapping[GgmlType, float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The relative error of tensors by name and type; `fingerprint` says of what."""

    fingerprint: str
    errors: Errors

    def missing(self, wanted: Mapping[str, tuple[GgmlType, ...]]) -> dict[str, list[GgmlType]]:
        """What of the wanted types is not measured yet, tensors in order."""
        found = {}
        for name, kinds in wanted.items():
            have = self.errors.get(name, {})
            left = [kind for kind in kinds if kind not in have]
            if left:
                found[name] = left
        return found

    def to_json(self) -> dict[str, Any]:
        """The same as one object."""
        return {
            "schema": MEASURED_SCHEMA,
            "made_of": self.fingerprint,
            "errors": {
                name: {kind.name: error for kind, error in kinds.items()}
                for name, kinds in self.errors.items()
            },
        }

    @classmethod
    def of_json(cls, value: Any, fingerprint: str) -> Measured:
        """What was kept of the same; nothing where it is of something else, or is damaged."""
        found: dict[str, dict[GgmlType, float]] = {}
        nothing = cls(fingerprint, {})
        if not isinstance(value, dict) or value.get("schema") != MEASURED_SCHEMA:
            return nothing
        errors = value.get("errors")
        if value.get("made_of") != fingerprint or not isinstance(errors, dict):
            return nothing
        known = {kind.name: kind for kind in GgmlType}
        for name, kinds in errors.items():
            if not isinstance(kinds, dict):
                return nothing
            for word, error in kinds.items():
                fine = isinstance(error, float) and math.isfinite(error) and error >= 0
                if word not in known or not fine:
                    return nothing
                found.setdefault(name, {})[known[word]] = error
        return cls(fingerprint, found)
