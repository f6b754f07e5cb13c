"""A refusal as a response, in the words of the protocol that its path belongs to."""

from __future__ import annotations

from starlette.responses import Response

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.writing.frames import as_json

__all__ = ["refused_response"]

_ANTHROPIC = "/v1/messages"


def refused_response(refusal: Refusal, path: str, *, close: bool = False) -> Response:
    """The response; `close` the connection after it, as a body may still be on its way."""
    anthropic = path == _ANTHROPIC or path.startswith(_ANTHROPIC + "/")
    data = refusal.to_anthropic() if anthropic else refusal.to_openai()
    response = Response(as_json(data), refusal.status, media_type="application/json")
    response.headers["cache-control"] = "no-store"
    if refusal.retry_after is not None:
        response.headers["retry-after"] = str(refusal.retry_after)
    if refusal.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    if close or refusal.status in (408, 413):
        response.headers["connection"] = "close"
    return response
