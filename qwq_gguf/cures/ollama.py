"""Ollama: how it runs a model as it stands, and the Modelfile that cures it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from qwq_gguf.cures.running import LLAMA_CPP_ORDER, Running, number_of
from qwq_gguf.cures.troubles import last_bound
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.ollama import Modelfile, model_name, modelfile
from qwq_gguf.exporters.ollama_families import unseen_thoughts
from qwq_gguf.exporters.runtime_words import flatten
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile

__all__ = ["OllamaSettings", "cured_modelfile", "cured_name", "running_in_ollama"]

# api/types.go, DefaultOptions. Every request carries these, whatever the GGUF says.
_DEFAULTS: Mapping[str, float] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
_LEAST_CONTEXT = 4096
_CONTEXT = "Ollama takes 4,096 tokens where the graphics card has less than 23 GiB"
_REPEAT = "Ollama before 0.32.10 takes 1.1"
_TEMPLATE = "Ollama before 0.30; later ones may take the GGUF's own template"
# A field inside the messages, as Ollama itself looks for it.
_THINKING = re.compile(r"\.Thinking\b")


@dataclass(frozen=True, slots=True)
class OllamaSettings:
    """What Ollama is told of a model: nothing, for a GGUF that is merely imported."""

    parameters: Mapping[str, Any]
    template: str | None = None
    parser: str | None = None
    renderer: str | None = None


def running_in_ollama(settings: OllamaSettings, profile: Profile, facts: GgufFacts) -> Running:
    """How Ollama runs the model with that."""
    told = settings.parameters
    said = {name: number for name in _DEFAULTS if (number := number_of(told.get(name))) is not None}
    context, bound = number_of(told.get("num_ctx")), number_of(told.get("num_predict"))
    tags = spoken_thoughts(profile, facts).tags
    own = settings.template is None or settings.renderer is not None
    if settings.parser is not None:
        seen = True
    elif own:
        seen = not unseen_thoughts(profile, facts)
    else:
        seen = bool(_THINKING.search(settings.template or ""))
    opens = own or tags is None or tags.open in (settings.template or "")
    return Running(
        "Ollama",
        {**_DEFAULTS, **said},
        frozenset(said),
        context=int(context) if context and context > 0 else None,
        context_least=_LEAST_CONTEXT,
        context_default=_CONTEXT,
        bound=int(bound) if bound and bound > 0 else None,
        order=facts.sampling.order or LLAMA_CPP_ORDER,
        sees_thoughts=seen,
        opens_thought=opens,
        doubts={
            "repeat_penalty": _REPEAT,
            **({} if own else {"sees_thoughts": _TEMPLATE, "opens_thought": _TEMPLATE}),
        },
    )


def cured_modelfile(profile: Profile, facts: GgufFacts) -> Modelfile:
    """The Modelfile by which Ollama runs the model as it should be, the whole reply bounded.

    `facts.file` is what FROM names: a GGUF, or a model that Ollama has.
    """
    made = modelfile(profile, facts)
    if not spoken_thoughts(profile, facts).on:
        return made
    bound = last_bound(profile, flatten(profile, facts.context).tokens)
    lines = list(made.instructions)
    after = max(i for i, line in enumerate(lines) if line[:2] == ("PARAMETER", "num_ctx"))
    lines.insert(after + 1, ("PARAMETER", "num_predict", str(bound)))
    unsaid = (
        f"an answer after {bound:,} tokens: num_predict only ends the reply there. `qwq-gguf chat` "
        "and llama-server's --reasoning-budget close the thought, and have the answer",
    )
    return replace(made, instructions=tuple(lines), unsaid=(*made.unsaid, *unsaid))


def cured_name(name: str) -> str:
    """What to call the cured model, beside the one that is there."""
    return f"{model_name(name.replace(':latest', '').replace(':', '-').rpartition('/')[2])}-fixed"
