"""The runtimes there are exporters for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from qwq_gguf.exporters import (
    llama_server,
    lmstudio,
    ollama,
    openwebui,
    text_generation_webui,
    transformers,
    vllm,
)
from qwq_gguf.exporters.exported import Export
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.runtime_words import RuntimeWords
from qwq_gguf.profiles import Profile

__all__ = ["EXPORTERS", "WORDS_OF", "Exporter"]


class Exporter(Protocol):
    """A pure function from a profile and a file's facts to files."""

    def __call__(self, profile: Profile, facts: GgufFacts) -> Export:
        """Render `profile` for a runtime; ExportError for what its format cannot hold."""


class _Runtime(Protocol):
    """What each module of a runtime has."""

    @property
    def WORDS(self) -> RuntimeWords: ...

    @property
    def export(self) -> Exporter: ...


# A new runtime is one more line here.
_RUNTIMES: Mapping[str, _Runtime] = {
    "ollama": ollama,
    "lmstudio": lmstudio,
    "llama-server": llama_server,
    "vllm": vllm,
    "transformers": transformers,
    "text-generation-webui": text_generation_webui,
    "openwebui": openwebui,
}
EXPORTERS: Mapping[str, Exporter] = {name: each.export for name, each in _RUNTIMES.items()}
WORDS_OF: Mapping[str, RuntimeWords] = {name: each.WORDS for name, each in _RUNTIMES.items()}
