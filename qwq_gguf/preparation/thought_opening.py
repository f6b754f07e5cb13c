"""A chat template whose generation prompt does not open the thought, put right.

The first templates of QwQ-32B and of the R1 distillates ended where the reply begins, and
the models then sometimes answered without a thought. Their makers ask for `<think>` and a
line feed at the start of every reply (https://huggingface.co/Qwen/QwQ-32B, usage guidelines;
https://huggingface.co/deepseek-ai/DeepSeek-R1, usage recommendations), and wrote it into the
templates later. That of DeepSeek-R1-0528 leaves it out on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from qwq_gguf.chat.template import one_budget
from qwq_gguf.chat.template_of_file import special_texts
from qwq_gguf.metadata import KeyValue, text
from qwq_gguf.preparation.renderings import Renderings, renderings
from qwq_gguf.preparation.tokens import Repair
from qwq_gguf.profiles import ThinkingTags, family_of
from qwq_gguf.thinking import ThoughtStart, read_form

__all__ = ["open_thought"]

_TEMPLATE = "tokenizer.chat_template"
_FAMILIES = {"qwq": "QwQ", "r1-distill": "DeepSeek-R1-Distill"}
_WITHOUT = "0528"
_LITERAL = re.compile(r"""(['"])((?:\\.|(?!\1)[^\\\n])*)\1""")
_TRIES = 8
_NEAR = 2000  # characters: an open quote is looked for to the end of its line, each of many


@one_budget()
def open_thought(metadata: Mapping[str, KeyValue], tags: ThinkingTags) -> Repair | None:
    """The template with an opened thought, or None where that is not known to be right.

    It is for models that are named as of one of the two families and have both tags as
    tokens, and for templates that know of thoughts and give no choice about them. What is
    changed is one literal; then every prompt that was tried has to be the old one and the
    opening, and every text without a generation prompt the old one.
    """
    entry = metadata.get(_TEMPLATE)
    family = _family(metadata)
    if family is None or entry is None or not isinstance(entry.value, str):
        return None
    template = entry.value
    names = special_texts(metadata)
    form = read_form(template, names)
    if not _has_tokens(metadata, tags) or form.tags != tags or form.switch is not None:
        return None
    # One that is closed already is closed on purpose.
    if form.unset is not ThoughtStart.FREE or not form.drops_history:
        return None
    before = renderings(template, names)
    for changed in islice(_with_opening(template, tags.open), _TRIES):
        # Only the inside of a literal is longer, so what could be compiled still can be.
        if _only_opened(before, renderings(changed, names), f"{tags.open}\n"):
            return Repair(
                (text(_TEMPLATE, changed),),
                f"chat template: the generation prompt now ends in {tags.open}, because the "
                f"makers of {family} ask for it: without it the model sometimes skips its thought",
            )
    return None


def _family(metadata: Mapping[str, KeyValue]) -> str | None:
    """Whose model it is by its names; the template is what is in doubt."""
    names = [entry.value for key, entry in metadata.items() if key.startswith("general.")]
    if any(isinstance(name, str) and _WITHOUT in name for name in names):
        return None
    family = family_of(metadata)
    return None if family is None else _FAMILIES.get(family[0])


def _has_tokens(metadata: Mapping[str, KeyValue], tags: ThinkingTags) -> bool:
    tokens = metadata.get("tokenizer.ggml.tokens")
    return (
        tokens is not None
        and tokens.element is not None
        and {tags.open, tags.close} <= set(map(str, tokens.items))
    )


def _with_opening(template: str, opening: str) -> Iterator[str]:
    """The template with `opening` at the end of one literal, the last literal first."""
    start = max(template.rfind("add_generation_prompt"), 0)
    for literal in reversed(list(_LITERAL.finditer(template, start, start + _NEAR))):
        end = literal.end(2)
        yield f"{template[:end]}{opening}\\n{template[end:]}"


def _only_opened(before: Renderings, after: Renderings, opening: str) -> bool:
    for (plain, old), (new_plain, new) in zip(before, after, strict=True):
        # DeepSeek's templates print no generation prompt behind a tool's result.
        expected = old if old is None or old == plain else old + opening
        if (new_plain, new) != (plain, expected):
            return False
    return before[0] != after[0]
