"""Read profiles from TOML: the shipped ones by name, anyone's by path.

    schema = 1                      # of this file's layout
    name = "mine"
    description = "One line."

    [chain]
    order = ["temperature", "top_k", "penalties", "dist"]
    source = "where the order comes from"

    [chain.temperature]             # one table a number, named as in sampling.settings
    value = 0.6
    source = "where the number comes from"

    [chain.logit_bias]              # a token's id or text and a number; false forbids it
    value = [["Wait", -2.0], [151668, false]]
    source = "..."

    [chain.grammar]                 # GBNF as the value, or a file in the profile's folder
    file = "answer.gbnf"
    source = "..."

    [stops]                         # this and the tables below may be left out
    texts = ["<|im_end|>"]
    source = "..."

    [context]
    tokens = 16384
    source = "..."

    [template]
    opens_thought = true            # where the template leaves that to a model that thinks
    history = "answers"             # or "all"
    thinking = "on"                 # or "off"; without it the template decides.
                                    # enable_thinking = true or false says the same

    [thinking]
    open = "<think>"
    close = "</think>"

    [governor]                      # without it a thought ends when the model ends it
    budget = 12288                  # tokens; then the thought is closed; 0: no thought
    message = "I have to answer now."
    source = "..."

Unknown keys are refused: a misspelt number must not silently be a default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ProfileError
from qwq_gguf.files import read_given, user_path
from qwq_gguf.profiles.load_chain import read_chain
from qwq_gguf.profiles.profile import Profile, TemplatePolicy, ThinkingTags
from qwq_gguf.profiles.toml_values import only, table_of, text_of, texts_of
from qwq_gguf.resources import profiles_dir
from qwq_gguf.thinking import Governor
from qwq_gguf.toml_text import parse_toml
from qwq_gguf.words import did_you_mean

__all__ = ["DEFAULT_PROFILE", "load_profile", "parse_profile", "profile_names"]

DEFAULT_PROFILE = "qwq"
SCHEMA = 1
_MAX_BYTES = 64 * 1024


def profile_names() -> tuple[str, ...]:
    """The shipped profiles, the default first."""
    names = sorted(path.stem for path in profiles_dir().glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT_PROFILE))


def load_profile(name_or_path: str | Path) -> Profile:
    """Load a shipped profile by name, or one from a `.toml` file.

    Raises ProfileError (ChainError for its chain) with the file and the key at fault.
    """
    path = _locate(name_or_path)
    try:
        data = read_given(path, _MAX_BYTES)
    except OSError as error:
        raise ProfileError(
            "the profile cannot be read", path=path, found=error.strerror or str(error)
        ) from None
    if len(data) > _MAX_BYTES:
        raise ProfileError("too large for a profile", path=path, expected=f"{_MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ProfileError("the profile is not UTF-8 text", path=path) from None
    return parse_profile(text, path)


def parse_profile(text: str, path: Path | None = None) -> Profile:
    """Make a Profile from TOML; `path` is for messages, and for the files that it names."""
    data = parse_toml(text, "profile", ProfileError, path)
    try:
        return _profile(data, None if path is None else path.parent)
    except ProfileError as error:
        raise type(error)(
            error.message, path=path, found=error.found, expected=error.expected, hint=error.hint
        ) from None


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    path = user_path(text)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or len(path.parts) > 1:
        return path
    names = profile_names()
    if text.lower() not in names:
        raise ProfileError(
            "there is no such profile",
            found=text,
            expected=", ".join(names),
            hint=did_you_mean(text.lower(), names) or "a file of your own is named with its .toml",
        )
    return profiles_dir() / f"{text.lower()}.toml"


def _profile(data: Mapping[str, Any], folder: Path | None) -> Profile:
    only("", data, ("schema", "name", "description", "chain", *_TABLES))
    schema = data.get("schema")
    if schema != SCHEMA:
        raise ProfileError("schema is not one this version reads", found=schema, expected=SCHEMA)
    if "chain" not in data:
        raise ProfileError("the profile has no [chain]")
    chain, given, sources = read_chain(table_of("chain", data["chain"]), folder)
    parts: dict[str, Any] = {}
    for name, read in _TABLES.items():
        if name in data:
            fields, source = read(table_of(name, data[name]))
            parts |= fields
            if source is not None:
                sources[name] = source
    return Profile(
        name=text_of("name", data.get("name")),
        description=text_of("description", data.get("description")),
        chain=chain,
        given=given,
        sources=sources,
        **parts,
    )


def _stops(table: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    only("stops.", table, ("texts", "source"))
    return {"stops": texts_of("stops.texts", table.get("texts"))}, text_of(
        "stops.source", table.get("source")
    )


def _context(table: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    only("context.", table, ("tokens", "source"))
    tokens = table.get("tokens")
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        raise ProfileError("context.tokens must be a whole number", found=tokens)
    return {"context": tokens}, text_of("context.source", table.get("source"))


def _template(table: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    only("template.", table, ("opens_thought", "history", "thinking", "enable_thinking"))
    opens = table.get("opens_thought", True)
    if not isinstance(opens, bool):
        raise ProfileError("template.opens_thought must be true or false", found=opens)
    history = table.get("history", "answers")
    if history not in ("answers", "all"):
        raise ProfileError("template.history is unknown", found=history, expected="answers, all")
    return {"template": TemplatePolicy(opens, history, _switched(table))}, None


def _switched(table: Mapping[str, Any]) -> bool | None:
    thinking, enable = table.get("thinking"), table.get("enable_thinking")
    if thinking is None and enable is None:
        return None
    if thinking is not None and enable is not None:
        raise ProfileError("template.thinking and template.enable_thinking: one of them")
    if enable is not None and not isinstance(enable, bool):
        raise ProfileError("template.enable_thinking must be true or false", found=enable)
    # As people type it; TOML's own words for it are true and false.
    on = enable if thinking is None else {"on": True, "off": False}.get(str(thinking).lower())
    on = thinking if isinstance(thinking, bool) else on
    if on is None:
        raise ProfileError("template.thinking is unknown", found=thinking, expected="on, off")
    return on


def _thinking(table: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    only("thinking.", table, ("open", "close"))
    tags = {name: text_of(f"thinking.{name}", table[name]) for name in table}
    return {"thinking": ThinkingTags(**tags)}, None


def _governor(table: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    only("governor.", table, ("budget", "message", "source"))
    budget = table.get("budget")
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise ProfileError("governor.budget must be a whole number", found=budget)
    message = text_of("governor.message", table["message"]) if "message" in table else ""
    source = text_of("governor.source", table.get("source"))
    return {"governor": Governor(budget, message)}, source


# One reader a table, giving Profile's fields and a source; a new table is one more line.
_TABLES: dict[str, Callable[[Mapping[str, Any]], tuple[dict[str, Any], str | None]]] = {
    "stops": _stops,
    "context": _context,
    "template": _template,
    "thinking": _thinking,
    "governor": _governor,
}
