"""What exporters need to know of a GGUF, taken from its keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from qwq_gguf.conversion.vocabulary.bpe import byte_letters
from qwq_gguf.exporters.chatml import ChatMl, read_chatml
from qwq_gguf.exporters.cluster import Cluster
from qwq_gguf.exporters.placement import Fitted
from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles import is_reasoner, made_for
from qwq_gguf.profiles.gguf_keys import FileSampling, read_sampling
from qwq_gguf.thinking import NO_THOUGHT, ThoughtForm, form_of

__all__ = ["GgufFacts", "gguf_facts", "model_of"]

_ENDING = re.compile(r"(-\d{5}-of-\d{5})?\.gguf$", re.ASCII)
_HUB = re.compile(r"https://huggingface\.co/(\w[\w.-]*/\w[\w.-]*)/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """One GGUF file, as its keys describe it.

    `file` is how the exported files name it, relative to where they lie; of a model in
    several files it is the first, and `parts` are all of them. `context` is the
    most tokens the model knows. `chatml` are the words of its `template`, where that is
    ChatML, `thought` says what the template does about thoughts, and `reasoner` that the model's
    names are of a family that thinks. `names` are what runtimes call what reads and writes for
    its family (`Profile.runtimes`). `base` is the Hub repository it was made from.
    `ids` are ids of the texts that were asked for and of the
    tags, as far as they are single tokens. `fitted` is its place on a machine, `cluster` that
    on cards of a cluster, if they were asked for.
    """

    file: str
    architecture: str | None = None
    context: int | None = None
    template: str | None = None
    chatml: ChatMl | None = None
    thought: ThoughtForm = NO_THOUGHT
    reasoner: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    license: str | None = None
    base: str | None = None
    size: str | None = None
    bos: int | None = None
    eos: int | None = None
    pad: int | None = None
    ids: Mapping[str, int] = field(default_factory=dict)
    sampling: FileSampling = field(default_factory=FileSampling)
    parts: tuple[str, ...] = ()
    fitted: Fitted | None = None
    cluster: Cluster | None = None

    @property
    def room(self) -> int | None:
        """The most tokens of context there is room for; None where nothing says."""
        if self.fitted is None:
            return self.context
        return min(self.fitted.context, self.context or self.fitted.context)

    @property
    def files(self) -> tuple[str, ...]:
        """All of its files."""
        return self.parts or (self.file,)

    @property
    def filename(self) -> str:
        """The file's own name."""
        return re.split(r"[/\\]", self.file)[-1]

    @property
    def name(self) -> str:
        """What `model_of` makes of the file's name."""
        return model_of(self.filename)


def model_of(filename: str) -> str:
    """A file's name without its ending and, if it is one of several, its number."""
    return _ENDING.sub("", filename) or "model"


def gguf_facts(
    metadata: Mapping[str, KeyValue],
    *,
    file: str,
    parts: Sequence[str] = (),
    words: Collection[str] = (),
) -> GgufFacts:
    """Read the facts off a GGUF's keys. A key of the wrong type counts as absent.

    `file` and, of a model in several files, `parts` are as in `GgufFacts`.
    `words` are texts whose token ids will be needed: stops, and tokens with a bias.
    """
    architecture = _text(metadata, "general.architecture")
    template = _text(metadata, "tokenizer.chat_template")
    thought = form_of(metadata)
    tags = set(thought.tags.texts) if thought.tags else set()
    family = made_for(metadata)
    licenses = (_text(metadata, f"general.license{part}") for part in ("", ".name", ".link"))
    base = _HUB.fullmatch(_text(metadata, "general.base_model.0.repo_url") or "")
    return GgufFacts(
        file=file,
        parts=tuple(parts),
        architecture=architecture,
        context=_integer(metadata, f"{architecture}.context_length"),
        template=template,
        chatml=None if template is None else read_chatml(template, thought),
        thought=thought,
        reasoner=is_reasoner(metadata),
        names={} if family is None else family.runtimes,
        license="\n".join(part for part in licenses if part) or None,
        base=None if base is None else base[1],
        size=_text(metadata, "general.size_label"),
        bos=_integer(metadata, "tokenizer.ggml.bos_token_id"),
        eos=_integer(metadata, "tokenizer.ggml.eos_token_id"),
        pad=_integer(metadata, "tokenizer.ggml.padding_token_id"),
        ids=_ids(metadata, frozenset(words) | tags),
        sampling=read_sampling(metadata),
    )


def _text(metadata: Mapping[str, KeyValue], key: str) -> str | None:
    entry = metadata.get(key)
    return entry.value if entry is not None and isinstance(entry.value, str) else None


def _integer(metadata: Mapping[str, KeyValue], key: str) -> int | None:
    value = metadata[key].value if key in metadata else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _ids(metadata: Mapping[str, KeyValue], wanted: Collection[str]) -> dict[str, int]:
    entry = metadata.get("tokenizer.ggml.tokens")
    if entry is None or not wanted or isinstance(entry.value, (str, bool, int, float)):
        return {}
    spellings = {text: text for text in wanted}
    if _text(metadata, "tokenizer.ggml.model") == "gpt2":
        letters = byte_letters()
        # A special token is stored as it is written, any other in letters for its bytes.
        for text in wanted:
            spellings.setdefault("".join(letters[byte] for byte in text.encode()), text)
    return {
        spellings[str(stored)]: index
        for index, stored in enumerate(entry.value)
        if stored in spellings
    }
