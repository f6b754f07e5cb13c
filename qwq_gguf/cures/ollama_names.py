"""What Ollama calls a model, and where its manifest lies in a store. Pure.

As in Ollama's types/model/name.go: `[host/][namespace/]model[:tag]`, the missing parts being
registry.ollama.ai, library and latest; a part is a folder's name in the store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["OllamaName", "parse_name"]

_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)
_HOST_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OllamaName:
    """A model's full name; each part is safe as a folder's name."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """The folders from `manifests` on, and the file."""
        return (self.host, self.namespace, self.model, self.tag)

    def __str__(self) -> str:
        """As short as one types it."""
        name = self.model if self.tag == _TAG else f"{self.model}:{self.tag}"
        if self.host == _HOST:
            return name if self.namespace == _NAMESPACE else f"{self.namespace}/{name}"
        return f"{self.host}/{self.namespace}/{name}"


def parse_name(text: str) -> OllamaName | None:
    """The name that somebody typed; None for what Ollama would not take for one."""
    if len(text) > 600:
        return None
    rest, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:  # a port, and no tag
        rest, tag = text, _TAG
    pieces = rest.split("/")
    if len(pieces) > 3:
        return None
    host, namespace, model = [_HOST, _NAMESPACE, ""][: 3 - len(pieces)] + pieces
    if not _HOST_PART.fullmatch(host):
        return None
    if not all(_PART.fullmatch(part) and ".." not in part for part in (namespace, model, tag)):
        return None
    return OllamaName(host, namespace, model, tag)
