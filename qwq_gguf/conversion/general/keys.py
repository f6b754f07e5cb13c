"""Name, origin, licence and recommended sampling, from the places where people put them.

For most keys the model card's front matter is asked first, then config.json's
`_name_or_path`, then the name of the checkpoint itself: the order of llama.cpp's converter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qwq_gguf.conversion.general.modelid import parse_model_id, size_label, titled
from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, ValueType, array, f32, i32, text, u32

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import Checkpoint

__all__ = ["general_keys", "sampling_keys"]

_HUB_URL = re.compile(r"https?://huggingface.co/([^/]+/[^/]+)")
_COMMIT = re.compile(r"(^|/)[0-9a-f]{40}$")
_MAX_ENTRIES = 1000
_MAX_FLOAT32 = 3.4e38

# (key in GGUF, names in a model card by precedence), in the order of the file
_CARD_NAMES = (
    ("name", ("name", "model_name")),
    ("author", ("author", "model_author", "model_creator")),
    ("version", ("version", "model_version")),
    ("organization", ("organization", "model_organization")),
    ("finetune", ("finetune", "model_finetune")),
    ("basename", ("basename", "model_basename", "model_type")),
    ("description", ("description", "model_description")),
    ("size_label", ("size_label", "model_size_label")),
    ("license", ("license",)),
    ("license.name", ("license_name",)),
    ("license.link", ("license_link",)),
    ("source.url", ("url", "model_url")),
    ("source.doi", ("doi", "model_doi")),
    ("source.uuid", ("uuid", "model_uuid")),
    ("source.repo_url", ("repo_url", "model_repo_url")),
)
# (key in GGUF, names in generation_config.json by precedence, whether a whole number)
_SAMPLING = (
    ("top_k", ("top_k",), True),
    ("top_p", ("top_p",), False),
    ("min_p", ("min_p",), False),
    ("xtc_probability", ("xtc_probability",), False),
    ("xtc_threshold", ("xtc_threshold",), False),
    ("temp", ("temperature",), False),
    ("penalty_last_n", ("penalty_last_n",), True),
    ("penalty_repeat", ("penalty_repeat", "repetition_penalty"), False),
    ("mirostat", ("mirostat",), True),
    ("mirostat_tau", ("mirostat_tau",), False),
    ("mirostat_eta", ("mirostat_eta",), False),
)


def general_keys(
    checkpoint: Checkpoint, weights: int, *, name: str | None, label: str | None = None
) -> list[KeyValue]:
    """`general.*` in the converter's order, for a model of `weights` values. `name`, where
    given, is the model's name whatever the checkpoint says; `label` the size where nothing
    else tells one.
    """
    card = checkpoint.card
    values = _from_card(card)
    own_name = checkpoint.name
    if checkpoint.organization:
        own_name = f"{checkpoint.organization}/{own_name}"
    path = checkpoint.config.get("_name_or_path")
    ids = [path] if isinstance(path, str) and _is_model_id(path) else []
    for model_id in (*ids, own_name):
        parts = parse_model_id(model_id, weights)
        for key, value in (
            ("name", titled(parts.name)),
            ("organization", titled(parts.organization) if parts.organization else None),
            ("basename", parts.basename),
            ("finetune", parts.finetune),
            ("version", parts.version),
            ("size_label", parts.size),
        ):
            if value:
                values.setdefault(key, value)
    values.setdefault("name", checkpoint.name)
    if weights > 0:
        values.setdefault("size_label", label or size_label(weights))
    if name is not None:
        values["name"] = name
    return [
        *sampling_keys(checkpoint),
        *(text(f"general.{key}", values[key]) for key, _ in _CARD_NAMES if key in values),
        *_sources(
            "base_model", _first(card, "base_model", "base_models", "base_model_sources"), weights
        ),
        *_sources("dataset", _first(card, "datasets", "dataset", "dataset_sources"), weights),
        *_lists(card),
    ]


def sampling_keys(checkpoint: Checkpoint) -> list[KeyValue]:
    """`general.sampling.*`: what generation_config.json recommends."""
    config = checkpoint.generation_config
    path = checkpoint.folder / "generation_config.json"
    sequence = config.get("sequence")
    keys = [text("general.sampling.sequence", sequence)] if isinstance(sequence, str) else []
    for key, names, whole in _SAMPLING:
        value = _first(config, *names)
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not -_MAX_FLOAT32 <= value <= _MAX_FLOAT32
        ):
            raise ConfigError(f"{names[0]} is no number", path=path, found=str(value)[:80])
        try:
            entry = f"general.sampling.{key}"
            keys.append(i32(entry, int(value)) if whole else f32(entry, value))
        except ValueError as problem:
            raise ConfigError(
                f"{names[0]} is absurd", path=path, found=str(value)[:80]
            ) from problem
    return keys


def _from_card(card: Mapping[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, names in _CARD_NAMES:
        for name in names:
            value = card.get(name)
            if isinstance(value, list) and key == "license":
                value = ",".join(item for item in value if isinstance(item, str))
            if isinstance(value, str) and value not in ("", "null", "~"):
                values.setdefault(key, value)
    return values


def _sources(kind: str, entries: Any, weights: int) -> list[KeyValue]:
    """`general.base_model.*` or `general.dataset.*`: a count, then each one's origin."""
    if entries is None:
        return []
    names = [entries] if isinstance(entries, str) else entries
    listed = (
        [name for name in names if isinstance(name, str) and name]
        if isinstance(names, list)
        else []
    )
    keys = [u32(f"general.{kind}.count", len(listed[:_MAX_ENTRIES]))]
    for index, name in enumerate(listed[:_MAX_ENTRIES]):
        prefix = f"general.{kind}.{index}"
        keys += [text(f"{prefix}.{key}", value) for key, value in _origin(name, weights)]
    return keys


def _origin(name: str, weights: int) -> list[tuple[str, str]]:
    address: str | None = None
    if name.startswith(("http://", "https://", "ssh://")):
        address = name
        match = _HUB_URL.fullmatch(name)
        if match is None:
            return [("repo_url", address)]
        name = match[1]
    parts = parse_model_id(name, weights)
    if address is None and parts.organization:
        address = f"https://huggingface.co/{parts.organization}/{parts.name}"
    values = (
        ("name", titled(parts.name)),
        ("version", parts.version),
        ("organization", titled(parts.organization) if parts.organization else None),
        ("repo_url", address),
    )
    return [(key, value) for key, value in values if value]


def _lists(card: Mapping[str, Any]) -> list[KeyValue]:
    keys = []
    for key, names in (
        ("tags", ("tags", "pipeline_tag")),
        ("languages", ("languages", "language")),
    ):
        items: list[Any] = []
        for name in names:
            value = card.get(name, [])
            items += value if isinstance(value, list) else [value]
        items = [item for item in items if isinstance(item, str) and item][:_MAX_ENTRIES]
        if items:
            keys.append(array(f"general.{key}", ValueType.STRING, items))
    return keys


def _is_model_id(path: str) -> bool:
    """Whether a `_name_or_path` is a name: neither a path on a computer nor a commit."""
    return path != "" and path.count("/") <= 1 and not _COMMIT.search(path)


def _first(values: Mapping[str, Any], *names: str) -> Any:
    """The value of the first of these names that is there at all."""
    return next((values[name] for name in names if name in values), None)
