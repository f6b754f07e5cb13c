"""What a server answers instead of a reply, in the words of either protocol."""

from __future__ import annotations

from typing import Any

from qwq_gguf.errors import (
    BusyError,
    ChainError,
    ProfileError,
    PromptTooLongError,
    QwqGgufError,
    TemplateError,
    UsageError,
    WorkerLostError,
)

__all__ = ["Refusal", "refusal_of"]

_OPENAI = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    408: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_MOST_SAID = 500  # characters


class Refusal(Exception):
    """A request that is not answered: the HTTP status, why, and which field is to blame.

    `code` is OpenAI's word for it, where it has one. `retry_after` is in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message[:_MOST_SAID]
        self.status = status
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's error object."""
        kind = _OPENAI.get(self.status)
        if kind is None:
            kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": self.message,
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def to_anthropic(self) -> dict[str, Any]:
        """Anthropic's error object."""
        said = self.message if self.param is None else f"{self.param}: {self.message}"
        kind = _ANTHROPIC.get(self.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": said}}


def refusal_of(error: BaseException) -> Refusal:
    """What to tell a client of an error. Never a traceback, a path or a cause within."""
    match error:
        case Refusal():
            return error
        case PromptTooLongError():
            return Refusal(_said(error), code="context_length_exceeded", param="messages")
        case BusyError():
            return Refusal(_said(error), status=429, code="rate_limit_exceeded", retry_after=1)
        case ChainError() | ProfileError() | UsageError():
            return Refusal(_said(error), code="invalid_value")
        case WorkerLostError():
            return Refusal(
                "a machine that has a part of the model has gone: the server has to be started "
                "again",
                status=503,
            )
        case TemplateError():
            return Refusal(f"these messages make no prompt: {_said(error)}", param="messages")
    return Refusal("the server could not answer; its log says why", status=500)


def _said(error: QwqGgufError) -> str:
    said = error.message
    if error.found is not None:
        said += f" ({error.found})"
    return said if error.expected is None else f"{said}; expected: {error.expected}"
