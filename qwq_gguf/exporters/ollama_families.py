"""What Ollama has built in for families of models, and what it does not see of others."""

from __future__ import annotations

from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile

__all__ = ["built_in_of", "built_in_unsaid", "unseen_thoughts"]


def built_in_of(facts: GgufFacts) -> tuple[str, str] | None:
    """What Ollama renders prompts of this family with, and reads replies (model/renderers,
    model/parsers); None where it has nothing of its own for it.
    """
    renderer, parser = (facts.names.get(f"ollama_{name}") for name in ("renderer", "parser"))
    return None if renderer is None or parser is None else (renderer, parser)


def built_in_unsaid(profile: Profile, facts: GgufFacts, renderer: str) -> tuple[str, ...]:
    """Sentences about what a built-in renderer leaves out."""
    told: tuple[str, ...] = (
        f"the chat template in the GGUF: Ollama renders prompts of this family by its own "
        f"{renderer}, which knows its thoughts and tools",
    )
    thoughts = spoken_thoughts(profile, facts)
    if profile.wants_thoughts is not None or (thoughts.possible and not thoughts.on):
        on = "on" if thoughts.on else "off"
        told += (f"thinking {on}: the client says it, by `think` or /set think and nothink",)
    return told


def unseen_thoughts(profile: Profile, facts: GgufFacts) -> tuple[str, ...]:
    """Thoughts in a template that Ollama leaves to llama-server, and takes for a plain model's
    (server/images.go, chatTemplateHasThinkingSupport).
    """
    tags = spoken_thoughts(profile, facts).tags
    if tags is None or all(tag in (facts.template or "") for tag in ("<think>", "</think>")):
        return ()
    return (
        f"thoughts in {tags.open}: Ollama knows a thinking model by <think>, so it takes this "
        "one for a plain one and refuses `think`",
    )
