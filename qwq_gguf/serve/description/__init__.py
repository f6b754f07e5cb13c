"""The server's own OpenAPI description, made of the readers that check its requests."""

from __future__ import annotations

from qwq_gguf.serve.description.document import describe

__all__ = ["describe"]
