"""A profile and a model for Ollama: a Modelfile, or the files it reads on the Hub.

What Ollama does with each line was read in its sources (v0.33): parser/parser.go for the
grammar, api/types.go for the parameters, server/images.go for which template is used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from qwq_gguf.errors import ExportError
from qwq_gguf.export.chatml import ChatMl
from qwq_gguf.export.facts import GgufFacts
from qwq_gguf.export.go_template import chatml_template
from qwq_gguf.export.value import Export
from qwq_gguf.export.vocabulary import Vocabulary, flatten
from qwq_gguf.profiles import Profile
from qwq_gguf.profiles.gguf_keys import FileSampling

__all__ = [
    "VOCABULARY",
    "Modelfile",
    "export",
    "modelfile",
    "quote",
    "render_modelfile",
    "spoken_chatml",
]

# PARSER came with 0.12 and REQUIRES with 0.14; before 0.30 the chain in the GGUF is ignored.
_REQUIRES = "0.30.0"
# A parser that starts inside the thought, tolerates an opening tag, and reads <tool_call>.
_PARSER = "qwen3-thinking"

# Every request to llama-server carries the numbers below, so of the GGUF's keys only the
# ones without a parameter act.
VOCABULARY = Vocabulary(
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


def spoken_chatml(profile: Profile, facts: GgufFacts) -> ChatMl | None:
    """The model's ChatML with the thought opened, where profile and template ask for it."""
    chatml, tags = facts.chatml, profile.thinking
    if chatml is None or chatml.opening or not profile.template.opens_thought:
        return chatml
    source = facts.template or ""
    knows = tags.open in source or tags.close in source
    return replace(chatml, opening=f"{tags.open}\n") if knows else chatml


def render_modelfile(
    profile: Profile,
    gguf: str,
    *,
    context: int | None = None,
    chatml: ChatMl | None = None,
    license: str | None = None,
    about: Sequence[str] = (),
    sampling: FileSampling | None = None,
    system: str | None = None,
) -> Modelfile:
    """The Modelfile that runs `gguf` as `profile` says.

    `gguf` is what FROM names, relative to the Modelfile. `context` is the most the model
    knows; the profile's is used up to that. `chatml` is the model's prompt format: with
    it a TEMPLATE and a PARSER are written, without it Ollama uses the GGUF's own template.
    A PARSER alone would not do: it makes Ollama render the prompt itself, from a TEMPLATE.
    `sampling` is what the GGUF itself says.
    """
    instructions: list[tuple[str, ...]] = [("FROM", gguf)]
    if chatml is not None:
        instructions.append(("TEMPLATE", chatml_template(chatml)))
        if chatml.opening:
            instructions.append(("PARSER", _PARSER))
    instructions += [("PARAMETER", n, str(v)) for n, v in _parameters(profile, context)]
    instructions += [("PARAMETER", "stop", stop) for stop in profile.stops]
    if system:
        instructions.append(("SYSTEM", system))
    if license:
        instructions.append(("LICENSE", license))
    instructions.append(("REQUIRES", _REQUIRES))
    return Modelfile(tuple(instructions), (*VOCABULARY.unsaid(profile, sampling), *about))


def _parameters(profile: Profile, context: int | None) -> list[tuple[str, float | int]]:
    flat = flatten(profile, context)
    said = [
        (VOCABULARY.names[name], flat.number(name))
        for name in _PARAMETERS
        if name not in _QUIET or not flat.is_neutral(name)
    ]
    return [*said, ("num_ctx", flat.tokens)]


def modelfile(profile: Profile, facts: GgufFacts, *, system: str | None = None) -> Modelfile:
    """The Modelfile of a GGUF."""
    return render_modelfile(
        profile,
        facts.file,
        context=facts.context,
        chatml=spoken_chatml(profile, facts),
        license=facts.license,
        about=_about(facts),
        sampling=facts.sampling,
        system=system,
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
        use = ("ollama create NAME -f Modelfile",)
        return Export("ollama", {"Modelfile": made.text}, VOCABULARY.rows(), made.unsaid, use)
    params: dict[str, object] = dict(_parameters(profile, facts.context))
    if profile.stops:
        params["stop"] = list(profile.stops)
    files = {"params": json.dumps(params, ensure_ascii=False, indent=2) + "\n"}
    chatml = spoken_chatml(profile, facts)
    if chatml is not None:
        files["template"] = chatml_template(chatml)
    if system:
        files["system"] = system
    return Export(
        "ollama",
        files,
        VOCABULARY.rows(),
        (*VOCABULARY.unsaid(profile, facts.sampling), *_about(facts)),
        (
            "put the files beside the GGUF in a repository on the Hub, then:",
            "ollama run hf.co/ORG/NAME",
        ),
    )


def _about(facts: GgufFacts) -> tuple[str, ...]:
    if facts.template is None:
        return ("the chat template: this GGUF has none, so Ollama will guess one",)
    if facts.chatml is None:
        return ("the chat template: not ChatML, so Ollama uses the one in the GGUF",)
    return ()
