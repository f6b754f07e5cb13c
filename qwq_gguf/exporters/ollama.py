"""A profile and a model for Ollama: a Modelfile, or the files it reads on the Hub.

What Ollama does with each line was read in its sources (v0.33): parser/parser.go for the
grammar, api/types.go for the parameters, server/images.go for which template is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from qwq_gguf.errors import ExportError
from qwq_gguf.exporters.chatml import ChatMl
from qwq_gguf.exporters.exported import Command, Export
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.go_template import chatml_template
from qwq_gguf.exporters.ollama_families import built_in_of, built_in_unsaid, unseen_thoughts
from qwq_gguf.exporters.placement import Fitted
from qwq_gguf.exporters.runtime_words import RuntimeWords, flatten
from qwq_gguf.exporters.thoughts import begun, spoken_thoughts
from qwq_gguf.profiles import Profile
from qwq_gguf.profiles.gguf_keys import FileSampling
from qwq_gguf.thinking import ThinkingTags

__all__ = [
    "WORDS",
    "Modelfile",
    "export",
    "model_name",
    "modelfile",
    "quote",
    "render_modelfile",
    "spoken_chatml",
    "spoken_tags",
]

# PARSER came with 0.12 and REQUIRES with 0.14; before 0.30 the chain in the GGUF is ignored.
_REQUIRES = "0.30.0"
# A parser that starts inside the thought, tolerates an opening tag, and reads <tool_call>.
_PARSER = "qwen3-thinking"

# Ollama compares it with those it knows by name and takes the nearest, if any is less than a
# hundred letters away (template/template.go, Named).
_LEFT = "Ollama uses the one in the GGUF, or one of its own that looks like it"

# Every request to llama-server carries the numbers below, so of the GGUF's keys only the
# ones without a parameter act.
WORDS = RuntimeWords(
    "Ollama",
    {
        "repeat_penalty": "repeat_penalty",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
        "penalty_window": "repeat_last_n",
        "top_k": "top_k",
        "typical_p": "typical_p",
        "top_p": "top_p",
        "min_p": "min_p",
        "temperature": "temperature",
        "stops": "stop",
        "context": "num_ctx",
        "template": "TEMPLATE",
        "thinking": "PARSER",
    },
    carried=frozenset({"order", "xtc_probability", "xtc_threshold"}),
)
# The defaults that may go unsaid because they are the neutral values.
_QUIET = ("typical_p", "frequency_penalty")
_PARAMETERS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "penalty_window",
)


@dataclass(frozen=True, slots=True)
class Modelfile:
    """A Modelfile: instructions in order, and what could not be put into them.

    An instruction is its name and its arguments; the last argument may be any text, the
    others are bare words. `unsaid` has a sentence for each setting that Ollama cannot
    express, and who carries it instead.
    """

    instructions: tuple[tuple[str, ...], ...]
    unsaid: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """The file, for `ollama create -f`. ExportError for what no quoting can hold."""
        lines = []
        for name, *words, last in self.instructions:
            block = name in ("TEMPLATE", "LICENSE", "SYSTEM")
            lines.append(" ".join([name, *words, quote(last, block=block)]))
        return "\n".join(lines) + "\n"


def quote(text: str, *, block: bool = False) -> str:
    """`text` as Ollama reads it back: bare if it can be, else in one or three quotes.

    Ollama has no escapes, and drops characters it takes for unprintable without a word.
    """
    bad = next((c for c in text if not c.isprintable() and c not in "\n\t"), None)
    if bad is not None:
        raise ExportError("Ollama would drop a character", found=repr(bad))
    if '"""' in text:
        raise ExportError('a Modelfile cannot hold three quotes in a row (""")', found=text[:80])
    if block or "\n" in text or '"' in text:
        return f'"""{text}"""'
    bare = text and not any(c in text for c in " \t#'") and text == text.strip()
    return text if bare else f'"{text}"'


def model_name(name: str) -> str:
    """`name` as Ollama lets a model be called."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "model"


def spoken_chatml(profile: Profile, facts: GgufFacts) -> ChatMl | None:
    """The model's ChatML with the start of the reply as the profile wants it."""
    chatml = facts.chatml
    if chatml is None or not spoken_thoughts(profile, facts).possible:
        return chatml
    unset, on, off = (
        begun(profile, facts, chatml.start(thinking), thinking) for thinking in (None, True, False)
    )
    # Ollama asks for a thought wherever a template leaves it a choice.
    match profile.wants_thoughts:
        case True:
            unset = on
        case False:
            unset = on = off
    return replace(chatml, opening=unset, opening_on=on, opening_off=off)


def spoken_tags(profile: Profile, facts: GgufFacts) -> ThinkingTags | None:
    """The tags by which Ollama is to find thoughts; None where there are to be none."""
    return None if profile.wants_thoughts is False else spoken_thoughts(profile, facts).tags


def render_modelfile(
    profile: Profile,
    files: tuple[str, ...],
    *,
    context: int | None = None,
    chatml: ChatMl | None = None,
    tags: ThinkingTags | None = None,
    license: str | None = None,
    built_in: tuple[str, str] | None = None,
    about: Sequence[str] = (),
    sampling: FileSampling | None = None,
    system: str | None = None,
    fitted: Fitted | None = None,
) -> Modelfile:
    """The Modelfile that runs the GGUF in `files` as `profile` says.

    `files` are what FROM names, relative to the Modelfile: one, or all parts of a split
    model. `context` is the most the model knows; the profile's is used up to that. `chatml`
    is the model's prompt format, with it a TEMPLATE is written, and without it Ollama uses
    the GGUF's own; `tags` are those of its thoughts. A PARSER without a TEMPLATE would not
    do: it makes Ollama render the prompt itself, from a TEMPLATE. `built_in` are RENDERER and
    PARSER that Ollama has for the family, in the place of both. `sampling` is what the GGUF
    itself says, `fitted` the model's place on a machine.
    """
    instructions: list[tuple[str, ...]] = [("FROM", file) for file in files]
    if built_in is not None:
        instructions += zip(("RENDERER", "PARSER"), built_in, strict=True)
    elif chatml is not None:
        instructions.append(("TEMPLATE", chatml_template(chatml, tags)))
        if tags == ThinkingTags():
            instructions.append(("PARSER", _PARSER))
    instructions += [("PARAMETER", n, str(v)) for n, v in _parameters(profile, context)]
    if fitted is not None:
        placed, unplaced = fitted.ollama()
        instructions += [("PARAMETER", name, str(value)) for name, value in placed]
        about = (*about, *unplaced)
    instructions += [("PARAMETER", "stop", stop) for stop in profile.stops]
    if system:
        instructions.append(("SYSTEM", system))
    if license:
        instructions.append(("LICENSE", license))
    instructions.append(("REQUIRES", _REQUIRES))
    return Modelfile(tuple(instructions), (*WORDS.unsaid(profile, sampling), *about))


def _parameters(profile: Profile, context: int | None) -> list[tuple[str, float | int]]:
    flat = flatten(profile, context)
    said = [
        (WORDS.names[name], flat.number(name))
        for name in _PARAMETERS
        if flat.says(name) and (name not in _QUIET or not flat.is_neutral(name))
    ]
    return [*said, ("num_ctx", flat.tokens)]


def modelfile(profile: Profile, facts: GgufFacts, *, system: str | None = None) -> Modelfile:
    """The Modelfile of a GGUF."""
    built_in = built_in_of(facts)
    if built_in is None:
        chatml, about = _prompt(profile, facts)
    else:
        chatml, about = None, built_in_unsaid(profile, facts, built_in[0])
    return render_modelfile(
        profile,
        facts.files,
        context=facts.room,
        chatml=chatml,
        tags=spoken_tags(profile, facts),
        license=facts.license,
        built_in=built_in,
        about=about,
        sampling=facts.sampling,
        system=system,
        fitted=facts.fitted,
    )


def export(
    profile: Profile, facts: GgufFacts, *, hub: bool = False, system: str | None = None
) -> Export:
    """A Modelfile, or with `hub` what a repository of GGUFs on the Hub holds for Ollama.

    There it reads `template`, `params` and, if a system prompt is given, `system`; it
    knows no PARSER there and infers the thinking tags from the template.
    """
    if not hub:
        made = modelfile(profile, facts, system=system)
        use = (Command(("ollama", "create", model_name(facts.name), "-f", "Modelfile")),)
        return Export("ollama", {"Modelfile": made.text}, WORDS.rows(), made.unsaid, use)
    params: dict[str, object] = dict(_parameters(profile, facts.room))
    unplaced: tuple[str, ...] = ()
    if facts.fitted is not None:
        placed, unplaced = facts.fitted.ollama()
        params |= dict(placed)
    if profile.stops:
        params["stop"] = list(profile.stops)
    files = {"params": json.dumps(params, ensure_ascii=False, indent=2) + "\n"}
    chatml, about = _prompt(profile, facts)
    if chatml is not None:
        files["template"] = chatml_template(chatml, spoken_tags(profile, facts))
    if system:
        files["system"] = system
    return Export(
        "ollama",
        files,
        WORDS.rows(),
        (*WORDS.unsaid(profile, facts.sampling), *about, *unplaced),
        (
            "put the files beside the GGUF in a repository on the Hub, then:",
            "ollama run hf.co/ORG/NAME",
        ),
    )


def _prompt(profile: Profile, facts: GgufFacts) -> tuple[ChatMl | None, tuple[str, ...]]:
    """The prompt to write as a TEMPLATE, None for none, and what to know of it."""
    if facts.template is None:
        return None, ("the chat template: this GGUF has none, so Ollama will guess one",)
    if (chatml := facts.chatml) is None:
        return None, (
            f"the chat template: it is not ChatML throughout, so {_LEFT}",
            *unseen_thoughts(profile, facts),
        )
    if facts.thought.switch is not None and chatml.opening_on is chatml.opening_off is None:
        return None, (
            f"the chat template: its switch for thinking changes other words, so {_LEFT}",
        )
    chatml = spoken_chatml(profile, facts)
    assert chatml is not None
    try:
        quote(chatml_template(chatml, spoken_tags(profile, facts)), block=True)
    except ExportError as error:
        return None, (f"the chat template: {error.message}, so {_LEFT}",)
    thoughts = spoken_thoughts(profile, facts)
    if profile.wants_thoughts is None and thoughts.possible and not thoughts.on:
        return chatml, (
            "no thought unless it is asked for: where a model can think, Ollama asks for a "
            "thought; `think: false` or /set nothink is for the client to say",
        )
    return chatml, ()
