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
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.value import Export
from qwq_gguf.exporters.vocabulary import Vocabulary
from qwq_gguf.profiles import Profile

__all__ = ["EXPORTERS", "VOCABULARIES", "Exporter"]


class Exporter(Protocol):
    """A pure function from a profile and a file's facts to files."""

    def __call__(self, profile: Profile, facts: GgufFacts) -> Export:
        """Render `profile` for a runtime; ExportError for what its format cannot hold."""


EXPORTERS: Mapping[str, Exporter] = {
    "ollama": ollama.export,
    "lmstudio": lmstudio.export,
    "llama-server": llama_server.export,
    "vllm": vllm.export,
    "transformers": transformers.export,
    "text-generation-webui": text_generation_webui.export,
    "openwebui": openwebui.export,
}
VOCABULARIES: Mapping[str, Vocabulary] = {
    "ollama": ollama.VOCABULARY,
    "lmstudio": lmstudio.VOCABULARY,
    "llama-server": llama_server.VOCABULARY,
    "vllm": vllm.VOCABULARY,
    "transformers": transformers.VOCABULARY,
    "text-generation-webui": text_generation_webui.VOCABULARY,
    "openwebui": openwebui.VOCABULARY,
}
