"""How much of anything one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIMITS", "RequestLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Bytes, counts and seconds. A context bounds tokens, so nothing here does.

    `body` are bytes of a request and `built` those of what its JSON is made into. `choices` is
    the most of `n`, `logprobs` of tokens told beside one. A body has to be there after
    `body_seconds`, a head after `head_seconds`, and a client that takes nothing for `send_seconds`
    is gone.
    """

    body: int = 16 << 20
    built: int = 128 << 20
    messages: int = 4096
    parts: int = 1024
    tools: int = 256
    tool_calls: int = 128
    stops: int = 16
    stop_chars: int = 256
    biases: int = 1024
    choices: int = 8
    logprobs: int = 20
    schema_depth: int = 32
    schema_nodes: int = 2000
    name_chars: int = 256
    head_seconds: float = 20.0
    body_seconds: float = 30.0
    send_seconds: float = 60.0


LIMITS = RequestLimits()
