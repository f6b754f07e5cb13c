"""Chat templates: in files of their own, or else in tokenizer_config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint.containment import check_inside, file_inside
from qwq_gguf.checkpoint.files import MIB, read_json, read_text
from qwq_gguf.errors import TokenizerError
from qwq_gguf.words import some

__all__ = ["Templates", "read_templates"]

_JINJA, _CONFIG, _MORE = "chat_template.jinja", "tokenizer_config.json", "additional_chat_templates"
_DEFAULT = "default"
_LIMIT = 4 * MIB
_LIMIT_TOGETHER = 16 * MIB
_MOST = 100


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates by name, the usual one being `default`, in the order they were found; and
    what to know about where they came from.
    """

    default: str | None
    named: Mapping[str, str]
    notes: tuple[str, ...] = ()


def read_templates(folder: Path, tokenizer_config: Mapping[str, Any]) -> Templates:
    """The chat templates of a checkpoint.

    As Transformers 5 does (tokenization_utils_base.py), chat_template.jinja goes before the
    field of tokenizer_config.json, which older versions wrote and which stays behind when
    somebody mends the template. Last comes chat_template.json. TokenizerError for what is
    no template, or too many of them.
    """
    field = _field(tokenizer_config.get("chat_template"), folder / _CONFIG)
    notes: list[str] = []
    jinja = file_inside(folder, _JINJA, TokenizerError)
    more = _more(folder)
    if jinja is not None:
        found = {_DEFAULT: _text(jinja), **more}
        other = field.get(_DEFAULT)
        if other is not None and other != found[_DEFAULT]:
            notes.append(
                f"{_JINJA} and {_CONFIG} have different chat templates: "
                f"{_JINJA} is taken, as Transformers takes it"
            )
    elif field or more:
        found = {**field, **more}
    else:
        single = file_inside(folder, "chat_template.json", TokenizerError)
        value = {} if single is None else read_json(single, limit=_LIMIT, error=TokenizerError)
        found = _field(value.get("chat_template"), folder / "chat_template.json")
    if found and _DEFAULT not in found:
        names = some(sorted(found), 5)
        notes.append(
            f"the checkpoint's chat templates ({names}) have none called default, so the file "
            "has no usual one, and runtimes will guess"
        )
    _check_size(found, folder)
    return Templates(found.pop(_DEFAULT, None), found, tuple(notes))


def _field(field: Any, path: Path) -> dict[str, str]:
    if field is None:
        return {}
    if isinstance(field, str):
        return {_DEFAULT: field}
    if not isinstance(field, list):
        raise TokenizerError(
            "chat_template is neither text nor a list of templates",
            path=path,
            found=type(field).__name__,
        )
    templates: dict[str, str] = {}
    for entry in field:
        name = entry.get("name") if isinstance(entry, dict) else None
        template = entry.get("template") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(template, str):
            raise TokenizerError(
                "a named chat template has no name or no template",
                path=path,
                found=str(entry)[:80],
            )
        templates[name] = template
    return templates


def _more(folder: Path) -> dict[str, str]:
    """Those of the folder for named templates, by name."""
    place = folder / _MORE
    if not place.is_dir():
        return {}
    check_inside(place, folder, TokenizerError)
    paths = sorted(place.glob("*.jinja"))
    if len(paths) > _MOST:
        raise TokenizerError(
            "too many chat templates", path=place, found=len(paths), expected=f"at most {_MOST}"
        )
    found: dict[str, str] = {}
    for path in paths:
        check_inside(path, folder, TokenizerError)
        found[path.stem] = _text(path)
        _check_size(found, folder)
    return found


def _check_size(templates: Mapping[str, str], folder: Path) -> None:
    size = sum(map(len, templates.values()))
    if size > _LIMIT_TOGETHER or len(templates) > _MOST:
        raise TokenizerError(
            "the chat templates are larger than any real ones",
            path=folder,
            found=f"{len(templates)} templates, {size:,} characters or more",
            expected=f"at most {_MOST}, and {_LIMIT_TOGETHER:,} characters",
        )


def _text(path: Path) -> str:
    return read_text(path, limit=_LIMIT, error=TokenizerError)
