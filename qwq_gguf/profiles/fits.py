"""Which models a profile is made for, as data of the profile.

    [[fits]]                            # all that is given has to agree; any one table will do
    architectures = ["qwen2"]           # general.architecture, to the letter
    names = ["qwq"]                     # one of these words in one of the model's names
    shapes = [[64, 5120]]               # layers and width
    opens = "<think>"                   # what the template's thoughts begin with
    prompt = "[gMASK]"                  # a text of the template
    keeps = "preserve_thinking"         # the variable by which it keeps earlier thoughts
    thinks = true                       # also where the template does not show it
    always = true                       # the numbers hold for replies without a thought, too

    [[wrong]]                           # numbers that files of such models have by mistake
    values = { repeat_penalty = 1.05 }
    source = "..."

Whoever makes a model out of another keeps its name, so a name without the architecture and
the shape says that a model thinks, and decides no number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.chat.template_of_file import template_of
from qwq_gguf.errors import ProfileError
from qwq_gguf.metadata import KeyValue
from qwq_gguf.thinking import ThoughtForm

__all__ = ["Fits", "Wrong", "named_like"]

_NAME_KEYS = (
    "general.name",
    "general.basename",
    "general.finetune",
    "general.base_model.0.name",
    "general.base_model.0.repo_url",
)
_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Fits:
    """What a model has to be; see the module. ProfileError for one that would fit anything."""

    architectures: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    shapes: tuple[tuple[int, int], ...] = ()
    opens: str | None = None
    prompt: str | None = None
    keeps: str | None = None
    thinks: bool = False
    always: bool = False

    def __post_init__(self) -> None:
        if not self.architectures:
            raise ProfileError("fits.architectures names none")

    @property
    def certainty(self) -> int:
        """How much is asked of a model besides its architecture: more is more certain."""
        asked = (self.names, self.shapes, self.opens, self.prompt, self.keeps)
        return sum(bool(each) for each in asked)

    def architecture(self, metadata: Mapping[str, KeyValue]) -> bool:
        """Whether the model is of one of the architectures."""
        return _text(metadata, "general.architecture") in self.architectures

    def named(self, metadata: Mapping[str, KeyValue]) -> tuple[str, str] | None:
        """The word of its names that the model bears, and where; a model of another
        architecture bears none. A file that tells no architecture may be of any.
        """
        known = "general.architecture" in metadata
        if not self.names or (known and not self.architecture(metadata)):
            return None
        return named_like(metadata, self.names)

    def match(self, metadata: Mapping[str, KeyValue], form: ThoughtForm) -> bool:
        """Whether a model is what the profile is made for; `form` is that of its template."""
        return (
            self.architecture(metadata)
            and (not self.names or self.named(metadata) is not None)
            and self.has_shape(metadata)
            and (self.opens is None or (form.tags is not None and form.tags.open == self.opens))
            and (self.prompt is None or self.prompt in (template_of(metadata) or ""))
            and (self.keeps is None or (form.keeps is not None and form.keeps[0] == self.keeps))
        )

    def has_shape(self, metadata: Mapping[str, KeyValue]) -> bool:
        """Whether the model has one of the shapes, as far as its file tells one."""
        return not self.shapes or _shape(metadata) in (*self.shapes, None)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Numbers, by setting, that a file has by mistake when it has all of them; and why."""

    values: Mapping[str, float]
    source: str

    def match(self, values: Mapping[str, object]) -> bool:
        """Whether a file with these numbers has them."""
        return all(values.get(name) == value for name, value in self.values.items())

    def said(self, where: str) -> str:
        """The sentence for who is not given the numbers that are there."""
        numbers = ", ".join(f"{name} {value:g}" for name, value in self.values.items())
        return f"{numbers} {where} give way to the profile's: {self.source}"


def named_like(metadata: Mapping[str, KeyValue], words: tuple[str, ...]) -> tuple[str, str] | None:
    """The longest of the words that one of the model's names has, and which name has it."""
    for word in sorted(words, key=len, reverse=True):
        for key in _NAME_KEYS:
            name = _text(metadata, key)[:_MAX_NAME]
            if word in re.sub(r"[\s_]+", "-", name.lower()):
                return word, f"{key} is {name}"
    return None


def _shape(metadata: Mapping[str, KeyValue]) -> tuple[int, int] | None:
    architecture = _text(metadata, "general.architecture")
    layers, width = (
        metadata.get(f"{architecture}.{name}") for name in ("block_count", "embedding_length")
    )
    if layers is None or width is None:
        return None
    if not isinstance(layers.value, int) or not isinstance(width.value, int):
        return None
    return layers.value, width.value


def _text(metadata: Mapping[str, KeyValue], key: str) -> str:
    entry = metadata.get(key)
    return entry.value if entry is not None and isinstance(entry.value, str) else ""
