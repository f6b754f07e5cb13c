"""What is said in a chat, as values.

`to_json` gives the shape Hugging Face chat templates and OpenAI-style APIs expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from qwq_gguf.errors import TemplateError

__all__ = ["ROLES", "Message", "Role", "ToolCall", "ToolSpec"]

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model asks for, with its arguments by name."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The call as an entry of a message's `tool_calls`."""
        return {
            "type": "function",
            "function": {"name": self.name, "arguments": dict(self.arguments)},
        }


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function the model may ask for; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The tool as an entry of `tools`, keys in the order models are trained on."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": dict(self.parameters),
            },
        }


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `name` is the tool that answers, in a turn of the role `tool`.

    `thinking` is the thought that preceded an assistant's content, kept for those who want
    to see it. A template gets it in the fields `thought_in`, of which there are none unless
    somebody decides so (see `qwq_gguf.chat.earlier_thoughts`).
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    name: str | None = None
    thinking: str = ""
    thought_in: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A role is printed between control tokens, so it is one of a few known words.
        if self.role not in ROLES:
            raise TemplateError(
                "a message has an unknown role", found=repr(self.role), expected=", ".join(ROLES)
            )
        if not isinstance(self.content, str):
            raise TemplateError(
                "a message's content must be text", found=type(self.content).__name__
            )

    def to_json(self) -> dict[str, Any]:
        """The message as templates see it; absent parts are left out."""
        data: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            data["tool_calls"] = [call.to_json() for call in self.tool_calls]
        if self.name is not None:
            data["name"] = self.name
        if self.thinking:
            data |= dict.fromkeys(self.thought_in, self.thinking)
        return data
