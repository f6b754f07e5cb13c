"""Chat templates: in tokenizer_config.json, or else in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint.files import MIB, read_json, read_text
from qwq_gguf.errors import TokenizerError

__all__ = ["read_templates"]

_LIMIT = 4 * MIB


def read_templates(folder: Path, tokenizer_config: Mapping[str, Any]) -> dict[str, str]:
    """Templates by name, in the order they were found; the usual one is called "default".

    The order of precedence is that of llama.cpp's converter: the field of
    tokenizer_config.json, chat_template.jinja with additional_chat_templates/*.jinja,
    chat_template.json.
    """
    field = tokenizer_config.get("chat_template")
    if field is None:
        field = _from_files(folder)
    if isinstance(field, str):
        return {"default": field}
    if field is None:
        return {}
    if not isinstance(field, list):
        raise TokenizerError(
            "chat_template is neither text nor a list of templates",
            path=folder / "tokenizer_config.json",
            found=type(field).__name__,
        )
    templates: dict[str, str] = {}
    for entry in field:
        name = entry.get("name") if isinstance(entry, dict) else None
        template = entry.get("template") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(template, str):
            raise TokenizerError(
                "a named chat template has no name or no template",
                path=folder / "tokenizer_config.json",
                found=str(entry)[:80],
            )
        templates[name] = template
    return templates


def _from_files(folder: Path) -> Any:
    jinja = folder / "chat_template.jinja"
    if jinja.is_file():
        templates = [{"name": "default", "template": _text(jinja)}]
        for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
            templates.append({"name": path.stem, "template": _text(path)})
        return templates
    single = folder / "chat_template.json"
    if single.is_file():
        return read_json(single, limit=_LIMIT, error=TokenizerError).get("chat_template")
    return None


def _text(path: Path) -> str:
    return read_text(path, limit=_LIMIT, error=TokenizerError)
