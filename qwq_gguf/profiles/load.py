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
    history = "template"            # as that wants; "answers": no thoughts; "all": all of them
    thinking = "on"                 # or "off"; without it the template decides.
                                    # enable_thinking = true or false says the same
    reasoning_effort = "high"       # for templates that know the word

    [thinking]                      # one token, several, or spelled with ordinary ones
    open = "<think>"
    close = "</think>"
    also = []                       # further texts that close a thought

    [thinking.channels]             # in place of the two: a reply in messages, each for a channel
    start = "<|start|>"             # these are OpenAI's, and what is left out is as there
    channel = "<|channel|>"
    message = "<|message|>"
    end = "<|end|>"
    ends = ["<|call|>", "<|return|>"]
    role = "assistant"
    thought = ["analysis"]
    answer = "final"
    tools = "functions."

    [governor]                      # docs/thinking.md; all but the source may be left out
    budget = 12288                  # tokens; then the thought is closed; 0: no thought
    seconds = 600                   # likewise
    message = "I have to answer now."
    reserve = 1024                  # tokens of the context, or the limit, that the answer keeps
    loops = true                    # what goes in circles is closed, or ended
    answers = true                  # a turn that would end without an answer goes on
    wind_down = 0.75                # from this share of a bound on the thought is wound down
    wind_down_bias = 10.0           # logits towards its end, at the bound
    hesitation_penalty = 3.0        # logits off "Wait" and its like
    margin = 1.0                    # logits; closed where closing is that near to the best
    source = "..."

`[[fits]]`, `[[wrong]]` (qwq_gguf/profiles/fits.py) and `[runtimes]`, which says what others
call what reads and writes for such models (`profile.RUNTIME_NAMES`), are for shipped profiles.

Unknown keys are refused: a misspelt number must not silently be a default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from qwq_gguf.errors import ProfileError
from qwq_gguf.files.reading import user_path
from qwq_gguf.profiles.fits import Fits, Wrong
from qwq_gguf.profiles.load_chain import read_chain
from qwq_gguf.profiles.load_governor import read_governor
from qwq_gguf.profiles.profile import RUNTIME_NAMES, Profile, TemplatePolicy, ThinkingTags
from qwq_gguf.resources import profiles_dir
from qwq_gguf.sampling.settings import SETTINGS
from qwq_gguf.thinking import Channels, History
from qwq_gguf.thinking.form import EFFORT
from qwq_gguf.toml_table import Table, read_toml, toml_table
from qwq_gguf.words import did_you_mean

__all__ = ["DEFAULT_PROFILE", "load_profile", "parse_profile", "profile_names", "profile_text"]

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
    return parse_profile(profile_text(name_or_path), _locate(name_or_path))


def profile_text(name_or_path: str | Path) -> str:
    """The TOML of a shipped profile or of a `.toml` file, unread. Raises ProfileError."""
    path = _locate(name_or_path)
    return read_toml(path, _MAX_BYTES, "profile", ProfileError)


def parse_profile(text: str, path: Path | None = None) -> Profile:
    """Make a Profile from TOML; `path` is for messages, and for the files that it names."""
    table = toml_table(text, "profile", ProfileError, path)
    try:
        return _profile(table, None if path is None else path.parent)
    except ProfileError as error:  # of the chain, which knows no file
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


def _profile(data: Table, folder: Path | None) -> Profile:
    data.only(("schema", "name", "description", "chain", "fits", "wrong", "runtimes", *_TABLES))
    if data.values.get("schema") != SCHEMA:
        data.wrong("schema", "is not one this version reads", SCHEMA)
    if "chain" not in data:
        data.refuse("the profile has no [chain]")
    chain, given, sources = read_chain(data.table("chain"), folder)
    parts: dict[str, Any] = {}
    for name, read in _TABLES.items():
        if name in data:
            table = data.table(name)
            parts |= read(table)
            if "source" in table:
                sources[name] = table.text("source")
    return Profile(
        name=data.text("name"),
        description=data.text("description"),
        chain=chain,
        given=given,
        sources=sources,
        fits=_fits(data),
        wrong=_wrong(data),
        runtimes=_runtimes(data),
        **parts,
    )


def _stops(table: Table) -> dict[str, Any]:
    table.only(("texts", "source"))
    table.text("source")
    return {"stops": table.texts("texts")}


def _context(table: Table) -> dict[str, Any]:
    table.only(("tokens", "source"))
    table.text("source")
    return {"context": table.whole("tokens")}


def _template(table: Table) -> dict[str, Any]:
    table.only(("opens_thought", "history", "thinking", "enable_thinking", EFFORT))
    opens = table.flag("opens_thought")
    history = table.values.get("history", "template")
    if history not in get_args(History):
        table.wrong("history", "is unknown", ", ".join(get_args(History)))
    effort = table.text(EFFORT) if EFFORT in table else None
    return {"template": TemplatePolicy(opens is not False, history, _switched(table), effort)}


def _switched(table: Table) -> bool | None:
    thinking, enable = table.values.get("thinking"), table.flag("enable_thinking")
    if thinking is None or enable is None:
        return enable if thinking is None else _on(table, thinking)
    table.refuse("template.thinking and template.enable_thinking: one of them")


def _on(table: Table, thinking: object) -> bool:
    # As people type it; TOML's own words for it are true and false.
    on = {"on": True, "off": False, "true": True, "false": False}.get(str(thinking).lower())
    if on is None or not isinstance(thinking, (bool, str)):
        table.wrong("thinking", "is unknown", "on, off")
    return on


def _thinking(table: Table) -> dict[str, Any]:
    table.only(("open", "close", "also", "channels"))
    if "channels" in table:
        if len(table.values) > 1:
            table.refuse("thinking.channels stands in the place of thinking.open and close")
        channels = table.table("channels")
        lists = [each.name for each in fields(Channels) if isinstance(each.default, tuple)]
        channels.only([each.name for each in fields(Channels)])
        values: dict[str, Any] = {
            name: channels.texts(name) if name in lists else channels.text(name)
            for name in channels.values
        }
        return {"thinking": ThinkingTags.in_channels(Channels(**values))}
    tags: dict[str, Any] = {n: table.text(n) for n in ("open", "close") if n in table}
    if "also" in table:
        tags["also"] = table.texts("also")
    return {"thinking": ThinkingTags(**tags)}


def _governor(table: Table) -> dict[str, Any]:
    return {"governor": read_governor(table)}


def _fits(data: Table) -> tuple[Fits, ...]:
    return tuple(_fit(table) for table in data.tables("fits"))


def _fit(table: Table) -> Fits:
    words, texts = ("architectures", "names"), ("opens", "prompt", "keeps")
    flags = ("thinks", "always")
    table.only((*words, "shapes", *texts, *flags))
    shapes = table.values.get("shapes", [])
    if not isinstance(shapes, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) for n in pair)
        for pair in shapes
    ):
        table.wrong("shapes", "must be a list of pairs: layers and width")
    values: dict[str, Any] = {name: table.texts(name) for name in words if name in table}
    values |= {name: table.text(name) for name in texts if name in table}
    values |= {name: table.flag(name) or False for name in flags}
    return Fits(**values, shapes=tuple(map(tuple, shapes)))


def _wrong(data: Table) -> tuple[Wrong, ...]:
    found = []
    for table in data.tables("wrong"):
        table.only(("values", "source"))
        values = table.table("values")
        for name, value in values.values.items():
            if name not in SETTINGS or not isinstance(value, (int, float)):
                values.wrong(name, "is no number of a chain")
        found.append(Wrong(dict(values.values), table.text("source")))
    return tuple(found)


def _runtimes(data: Table) -> dict[str, str]:
    if "runtimes" not in data:
        return {}
    table = data.table("runtimes")
    table.only((*RUNTIME_NAMES, "source"))
    table.text("source")
    return {name: table.text(name) for name in RUNTIME_NAMES if name in table}


# One reader a table, giving Profile's fields; a new table is one more line.
_TABLES: dict[str, Callable[[Table], dict[str, Any]]] = {
    "stops": _stops,
    "context": _context,
    "template": _template,
    "thinking": _thinking,
    "governor": _governor,
}
