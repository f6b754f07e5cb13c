"""What LM Studio takes for a virtual model, by the zod schemas of its packages.

Written out from @lmstudio/lms-shared-types 0.6.14: virtualModelDefinitionSchema,
virtualModelBooleanCustomFieldDefinitionSchema, artifactManifestBaseSchema, modelManifestSchema,
kebabCaseSchema, kebabCaseWithDotsSchema.
"""

from __future__ import annotations

import re
from typing import Any

from support.lmstudio import check_fields

__all__ = ["check_manifest", "check_virtual_model"]

_OWNER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_NAME = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*", re.ASCII)
_METADATA: dict[str, type] = {
    "domain": str,
    "architectures": list,
    "compatibilityTypes": list,
    "paramsStrings": list,
    "contextLengths": list,
    "trainedForToolUse": bool,
    "vision": bool,
    "reasoning": bool,
}


def check_manifest(manifest: dict[str, Any]) -> None:
    """Assert that LM Studio would parse this manifest.json of a model."""
    assert set(manifest) == {"type", "owner", "name", "dependencies", "revision"}
    assert manifest["type"] == "model"
    assert _OWNER.fullmatch(manifest["owner"])
    assert _NAME.fullmatch(manifest["name"])
    assert len(manifest["name"]) <= 100
    assert isinstance(manifest["revision"], int)
    for dependency in manifest["dependencies"]:
        assert set(dependency) == {"type", "purpose", "modelKeys", "sources"}
        assert dependency["type"] == "model"
        assert dependency["purpose"] in ("baseModel", "draftModel", "custom")
        assert all(isinstance(key, str) and key for key in dependency["modelKeys"])
        _check_sources(dependency["sources"])


def check_virtual_model(model: dict[str, Any]) -> None:
    """Assert that LM Studio would parse this model.yaml."""
    assert set(model) <= {"model", "base", "tags", "config", "metadataOverrides", "customFields"}
    for field in model.get("customFields", ()):
        _check_choice(field)
    assert re.fullmatch(r"[^/]+/[^/]+", model["model"])
    for base in model["base"]:
        assert set(base) == {"key", "sources"}
        assert isinstance(base["key"], str)
        _check_sources(base["sources"])
    assert set(model["config"]) <= {"load", "operation"}
    for part in model["config"].values():
        check_fields(part["fields"])
    for name, value in model["metadataOverrides"].items():
        assert isinstance(value, _METADATA[name]), name


def _check_choice(field: dict[str, Any]) -> None:
    """A boolean custom field (virtualModelBooleanCustomFieldDefinitionSchema)."""
    texts = {"key", "displayName", "description"}
    assert set(field) == texts | {"type", "defaultValue", "effects"}
    assert all(isinstance(field[name], str) and field[name] for name in texts)
    assert field["type"] == "boolean"
    assert isinstance(field["defaultValue"], bool)
    for effect in field["effects"]:
        assert set(effect) == {"type", "variable"}
        assert effect["type"] == "setJinjaVariable"
        assert isinstance(effect["variable"], str)


def _check_sources(sources: list[dict[str, Any]]) -> None:
    for source in sources:
        assert set(source) == {"type", "user", "repo"}
        assert source["type"] == "huggingface"
        assert all(re.fullmatch(r"[^/\\\0]+", source[part]) for part in ("user", "repo"))
