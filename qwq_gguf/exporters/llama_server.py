"""A profile for llama-server: a preset for its router, and a command line.

Flags: common/arg.cpp of llama.cpp; the preset's grammar: common/preset.cpp. There `;` and
`#` start a comment wherever they stand, so an order written as `samplers = top_k;top_p`
would lose everything after its first stage without a word: the preset spells the order in
the letters of `sampler-seq`.
"""

from __future__ import annotations

import json
import shlex

from qwq_gguf.chat.tool_formats import read_tool_use
from qwq_gguf.chat.tool_place import has_tool_place
from qwq_gguf.errors import ExportError
from qwq_gguf.exporters.exported import Command, Export
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import spoken_biases, spoken_grammar
from qwq_gguf.exporters.runtime_words import Flat, RuntimeWords, flatten, spoken_order
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling.chain import show
from qwq_gguf.sampling.stages import STAGE_TYPES

__all__ = ["WORDS", "export", "flags"]

WORDS = RuntimeWords(
    "llama-server",
    {
        "order": "samplers",
        "logit_bias": "logit-bias",
        "grammar": "grammar-file",
        "repeat_penalty": "repeat-penalty",
        "frequency_penalty": "frequency-penalty",
        "presence_penalty": "presence-penalty",
        "penalty_window": "repeat-last-n",
        "dry_multiplier": "dry-multiplier",
        "dry_base": "dry-base",
        "dry_allowed_length": "dry-allowed-length",
        "dry_window": "dry-penalty-last-n",
        "dry_breakers": "dry-sequence-breaker",
        "top_n_sigma": "top-nsigma",
        "top_k": "top-k",
        "typical_p": "typical",
        "top_p": "top-p",
        "min_p": "min-p",
        "xtc_probability": "xtc-probability",
        "xtc_threshold": "xtc-threshold",
        "temperature": "temp",
        "temperature_range": "dynatemp-range",
        "temperature_exponent": "dynatemp-exp",
        "stops": "reverse-prompt",
        "context": "ctx-size",
        "thinking": "reasoning-format",
        "thought_budget": "reasoning-budget",
    },
    carried=frozenset({"template"}),
)
# llama.cpp's own, so that they need not be said again.
_BREAKERS = ("\n", ":", '"', "*")
# Tokens of these texts end a reply in llama.cpp, whatever the stops (llama-vocab.cpp).
_ENDS = ("<|im_end|>", "<|endoftext|>")
# Said in lists of their own.
_APART = (
    "order",
    "logit_bias",
    "grammar",
    "dry_breakers",
    "stops",
    "context",
    "thinking",
    "thought_budget",
)
_GRAMMAR = "grammar.gbnf"
_MESSAGE = "reasoning-budget-message"


def flags(profile: Profile, facts: GgufFacts) -> list[tuple[str, str]]:
    """The flags without their dashes, each with its value; some stand more than once."""
    flat = flatten(profile, facts.room)
    found = [("model", facts.file), ("ctx-size", str(flat.tokens))]
    if facts.fitted is not None:
        found += facts.fitted.llama_server()
    if flat.says("order"):
        found.append(("samplers", ";".join(_known_order(profile))))
    found += [
        (flag, show(flat.number(setting)))
        for setting, flag in WORDS.names.items()
        if setting not in _APART and _wanted(setting, flat)
    ]
    if flat.breakers != _BREAKERS and not flat.is_neutral("dry_breakers"):
        found += [("dry-sequence-breaker", breaker) for breaker in flat.breakers or ("none",)]
    found += [("logit-bias", _bias(*pair)) for pair in spoken_biases(profile, facts).by_id]
    if spoken_grammar(profile, facts) is not None:
        found.append(("grammar-file", _GRAMMAR))
    found += [("reverse-prompt", stop) for stop in profile.stops]
    thoughts = spoken_thoughts(profile, facts)
    if thoughts.switch:
        found.append(("chat-template-kwargs", json.dumps(dict(thoughts.switch))))
    if thoughts.possible:
        found.append(("reasoning-format", "deepseek"))
        if thoughts.budget is not None:
            found.append(("reasoning-budget", str(thoughts.budget)))
        if profile.wants_thoughts is not False and profile.governor.message:
            found.append((_MESSAGE, profile.governor.message))
    return found


def _known_order(profile: Profile) -> list[str]:
    """The order, of what it has a sampler for; the rest is unsaid (`RuntimeWords.unsaid`)."""
    return [name for name in spoken_order(profile) if STAGE_TYPES[name].letter]


def _wanted(setting: str, flat: Flat) -> bool:
    # Its own defaults are not neutral for these; for the rest silence says the same.
    told = ("repeat_penalty", "presence_penalty", "top_k", "top_p", "min_p", "temperature")
    return flat.says(setting) and (setting in told or not flat.is_neutral(setting))


def export(profile: Profile, facts: GgufFacts) -> Export:
    """`preset.ini` for `llama-server --models-preset`, the command as a script, and the grammar."""
    said = flags(profile, facts)
    words = ["exec llama-server", *(f"--{flag} {shlex.quote(value)}" for flag, value in said)]
    script = "#!/bin/sh\n# Further flags are passed on: sh llama-server.sh --port 8081\n"
    script += 'cd -- "$(dirname -- "$0")" || exit\n'
    script += " \\\n    ".join([*words, "--jinja", '"$@"']) + "\n"
    preset, left_out = _preset(profile, facts, said)
    left_out = (*spoken_thoughts(profile, facts).unsaid, *left_out)
    files = {"preset.ini": preset, "llama-server.sh": script}
    if (grammar := spoken_grammar(profile, facts)) is not None:
        files[_GRAMMAR] = grammar.rstrip("\n") + "\n"
    unsaid = (
        *WORDS.unsaid(profile, facts.sampling),
        *spoken_biases(profile, facts).unsaid,
        *_calls_unread(facts.template),
    )
    return Export(
        "llama-server",
        files,
        WORDS.rows(),
        (*unsaid, *left_out),
        (
            Command(("llama-server", "--models-preset", "preset.ini"), inside=True),
            "or this model alone:",
            Command(("sh", "llama-server.sh")),
        ),
    )


def _preset(
    profile: Profile, facts: GgufFacts, said: list[tuple[str, str]]
) -> tuple[str, tuple[str, ...]]:
    lines = [
        "# A relative path is looked for where llama-server is started.",
        "version = 1",
        "",
        f"[{_plain(facts.name, ']')}]",
    ]
    stops = [stop for stop in profile.stops if stop not in _ENDS]
    biases = [value for flag, value in said if flag == "logit-bias"]
    left_out = []
    for flag, value in said:
        if flag == "samplers":
            letters = "".join(STAGE_TYPES[name].letter for name in _known_order(profile))
            lines.append(f"sampler-seq = {letters}")
        elif flag == "reverse-prompt":
            # A preset holds each key once; the tokens that end a turn stop it anyway.
            if [value] == stops and not _trouble(value):
                lines.append(f"reverse-prompt = {value}")
        elif flag == _MESSAGE:
            lines.append(f"{flag} = {(in_one_line := _in_one_line(value))}")
            if in_one_line != value:
                left_out.append(
                    "the words that close a thought, to the letter: preset.ini holds no "
                    f"; and #, so it says {in_one_line!r}"
                )
        elif flag == "dry-sequence-breaker" or (flag == "logit-bias" and len(biases) > 1):
            continue
        else:
            lines.append(f"{flag} = {_plain(value)}")
    if len(stops) > 1 or any(map(_trouble, stops)):
        shown = ", ".join(map(repr, stops))
        left_out.append(f"the stops {shown}: preset.ini holds one, without ; and #")
    if len(biases) > 1:
        left_out.append("the logit biases: preset.ini has room for one, the script has them")
    if any(flag == "dry-sequence-breaker" for flag, _ in said):
        left_out.append("dry's breakers: preset.ini has room for one key each, the script has them")
    return "\n".join([*lines, "jinja = true"]) + "\n", tuple(left_out)


def _bias(token: int, bias: float) -> str:
    """As --logit-bias takes it: the id, a sign, and how much."""
    return f"{token}{'-' if bias < 0 else '+'}{abs(bias):g}"


def _plain(value: str, more: str = "") -> str:
    """A value as the preset's grammar reads it back."""
    if _trouble(value, more):
        raise ExportError(
            "a llama-server preset cannot hold this: it takes `;` and `#` for a comment",
            found=repr(value),
            hint="rename the file, or start llama-server with the flags",
        )
    return value


def _in_one_line(value: str) -> str:
    """Words for a model, with other marks where the preset's grammar has its own use for one."""
    plain = "".join(c if c.isprintable() else " " for c in value).translate({59: ",", 35: " "})
    return " ".join(plain.split())


def _trouble(value: str, more: str = "") -> bool:
    cut = any(c in ";#" + more or not c.isprintable() for c in value)
    return cut or value != value.strip()


def _calls_unread(template: str | None) -> tuple[str, ...]:
    """It learns how calls are written from what the template makes of one."""
    if template is None or not read_tool_use(template).in_text or not has_tool_place(template):
        return ()
    return (
        "calls: this chat template writes none of those that were made, from which llama-server "
        "learns their form, so a call comes as text in the answer",
    )
