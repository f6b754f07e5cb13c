"""What is wrong in the GGUF itself, whoever runs it, and the keys that put it right. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qwq_gguf.chat.template_of_file import special_texts, template_of
from qwq_gguf.cures.troubles import Trouble
from qwq_gguf.exporters.runtime_words import spoken_order
from qwq_gguf.metadata import KeyValue
from qwq_gguf.preparation.llama_cpp import MISREAD, is_misread, tell_llama_cpp
from qwq_gguf.preparation.tokens import repair_tokens
from qwq_gguf.profiles import Profile
from qwq_gguf.profiles.gguf_keys import SAMPLING

__all__ = ["order_key", "troubles_of_file"]


def troubles_of_file(metadata: Mapping[str, KeyValue]) -> Iterator[Trouble]:
    """Special tokens that end no reply or hide thoughts, and a template that is misread."""
    for repair in repair_tokens(metadata):
        what, _, why = repair.said.partition(", because ")
        yield Trouble("ending", f"in the file, {what} has to change", why or "replies may not end")
    template = template_of(metadata)
    if template is None:
        yield Trouble(
            "template", "the file has no chat template", "every runtime guesses how to talk to it"
        )
    elif tell_llama_cpp(metadata) is not None or is_misread(template, special_texts(metadata)):
        what, _, leads_to = MISREAD.partition(": ")
        yield Trouble("thought tags", what, leads_to)


def order_key(profile: Profile) -> str:
    """The profile's order as `set --kv` takes it."""
    return f"{SAMPLING}sequence={';'.join(spoken_order(profile))}"
