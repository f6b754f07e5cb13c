"""A profile and a model as an Ollama Modelfile.

What Ollama does with each line was read in its sources (v0.33): parser/parser.go for the
grammar, api/types.go for the parameters, server/images.go for which template is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qwq_gguf.errors import ExportError
from qwq_gguf.export.chatml import ChatMl
from qwq_gguf.export.go_template import chatml_template
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Dist, Greedy, MinP, Penalties, Temperature, TopK, TopP, TypicalP

__all__ = ["Modelfile", "quote", "render_modelfile"]

# PARSER came with 0.12 and REQUIRES with 0.14; before 0.30 the chain in the GGUF is ignored.
_REQUIRES = "0.30.0"
# A parser that starts inside the thought, tolerates an opening tag, and reads <tool_call>.
_PARSER = "qwen3-thinking"
_EXPRESSED = (Temperature, TopK, TopP, MinP, TypicalP, Penalties, Dist)


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
        if text.endswith('"'):
            raise ExportError(
                "a Modelfile cannot hold a text that ends in a quote", found=text[-80:]
            )
        return f'"""{text}"""'
    bare = text and not any(c in text for c in " \t#'") and text == text.strip()
    return text if bare else f'"{text}"'


def render_modelfile(
    profile: Profile,
    gguf: str,
    *,
    context: int | None = None,
    chatml: ChatMl | None = None,
    license: str | None = None,
    about: Sequence[str] = (),
) -> Modelfile:
    """The Modelfile that runs `gguf` as `profile` says.

    `gguf` is what FROM names, relative to the Modelfile. `context` is the most the model
    knows; the profile's is used up to that. `chatml` is the model's prompt format: with
    it a TEMPLATE and a PARSER are written, without it Ollama uses the GGUF's own template.
    A PARSER alone would not do: it makes Ollama render the prompt itself, from a TEMPLATE.
    """
    chain = profile.chain
    stages = {type(stage): stage for stage in chain.stages}
    tokens = profile.context if context is None else min(profile.context, context)
    unsaid = [
        f"the order {' > '.join(chain.order)}: Ollama has no parameter for it; "
        "general.sampling.sequence in the GGUF can carry it"
    ]
    parameters: list[tuple[str, str]] = []

    def say(name: str, value: object) -> None:
        parameters.append((name, str(value)))

    temperature, top_k = stages.get(Temperature), stages.get(TopK)
    top_p, min_p = stages.get(TopP), stages.get(MinP)
    if Greedy in stages:
        say("temperature", 0)
    else:
        say("temperature", temperature.t if isinstance(temperature, Temperature) else 1.0)
    # A stage that is absent is written as off: left out, Ollama's own default would act.
    say("top_k", top_k.k if isinstance(top_k, TopK) else 0)
    say("top_p", top_p.p if isinstance(top_p, TopP) else 1.0)
    say("min_p", min_p.p if isinstance(min_p, MinP) else 0.0)
    typical = stages.get(TypicalP)
    if isinstance(typical, TypicalP):
        say("typical_p", typical.p)
    penalties = stages.get(Penalties)
    if not isinstance(penalties, Penalties):
        penalties = Penalties()
    say("presence_penalty", penalties.presence)
    if penalties.frequency:
        say("frequency_penalty", penalties.frequency)
    say("repeat_penalty", penalties.repeat)
    # llama-server refuses negative windows, so "all of it" is the context's length.
    window = penalties.window if isinstance(penalties.window, int) else tokens
    say("repeat_last_n", window)
    if penalties.window == "generation" and not penalties.off:
        unsaid.append("penalties over the reply alone: Ollama counts the prompt's tokens, too")
    for stage in chain.stages:
        if not isinstance(stage, (*_EXPRESSED, Greedy)) and not stage.off:
            unsaid.append(f"{stage.name}: Ollama has no such sampler")
    say("num_ctx", tokens)
    parameters += [("stop", stop) for stop in profile.stops]

    instructions: list[tuple[str, ...]] = [("FROM", gguf)]
    if chatml is not None:
        instructions.append(("TEMPLATE", chatml_template(chatml)))
        if chatml.opening:
            instructions.append(("PARSER", _PARSER))
    instructions += [("PARAMETER", name, value) for name, value in parameters]
    if license:
        instructions.append(("LICENSE", license))
    instructions.append(("REQUIRES", _REQUIRES))
    return Modelfile(tuple(instructions), (*unsaid, *about))
