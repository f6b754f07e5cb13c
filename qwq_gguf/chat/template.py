"""Render a model's own chat template, whoever wrote it.

A chat template is a program that comes with a model, and a prompt mixes its words with
those of users and tools. Neither is trusted with more than it needs: the template runs
in `qwq_gguf.chat.sandbox`, and of the text only what it wrote itself can be a control
token (`qwq_gguf.chat.prompt`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

from jinja2 import Template
from jinja2.exceptions import TemplateSyntaxError

from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.chat.prompt import RenderedPrompt, Segment, cut_prompt
from qwq_gguf.chat.sandbox.environment import BoundedEnvironment
from qwq_gguf.chat.sandbox.marked import concatenate, marks_of, trusted
from qwq_gguf.chat.sandbox.meter import LimitExceeded, Limits, metering, one_budget, small_int
from qwq_gguf.chat.sandbox.methods import Function
from qwq_gguf.errors import TemplateError

__all__ = ["ChatTemplate", "Limits", "RenderedPrompt", "Segment", "one_budget"]

_MAX_NESTING = 64
_MAX_REASON = 500


class ChatTemplate:
    """A compiled chat template.

    Raises TemplateError when the source is too long, malformed, or uses what chat
    templates have no need of (include, import, extends, block, autoescape).
    """

    def __init__(self, source: str, *, limits: Limits | None = None) -> None:
        self.source = source
        self._limits = limits or Limits()
        if len(source) > self._limits.source:
            raise TemplateError(
                "the chat template is too long",
                found=f"{len(source)} characters",
                expected=f"at most {self._limits.source}",
            )
        environment = BoundedEnvironment()
        try:
            # Parsing runs no template code, but a hostile one must not hang it either.
            with metering(self._limits):
                code = environment.code_for(source)
            self._template = Template.from_code(environment, code, environment.globals)
        except LimitExceeded as error:
            raise TemplateError(f"the chat template was stopped: {error}") from None
        except TemplateSyntaxError as error:
            raise TemplateError(
                f"the chat template is malformed at line {error.lineno}: {_short(error.message)}"
            ) from None
        except (RecursionError, MemoryError):
            raise TemplateError("the chat template is nested too deeply") from None
        except Exception as error:
            # Jinja and Python's compiler raise many kinds on trees no human writes.
            raise TemplateError(f"the chat template cannot be compiled: {_said(error)}") from None

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec] = (),
        *,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
        special_tokens: Mapping[str, str] | None = None,
        control_tokens: Collection[str] = (),
        now: datetime | None = None,
    ) -> RenderedPrompt:
        """Render the prompt.

        `control_tokens` are the texts of all control and user-defined tokens of the
        vocabulary. `special_tokens` (bos_token, eos_token, ...) become control tokens
        where the template prints them; `variables`, like messages and tools, do not.
        Tools are `tools` and, for SmolLM3's template, `xml_tools`.
        `now` is what `strftime_now` tells.

        Raises TemplateError when the template fails, refuses the messages
        (`raise_exception`) or wants more time or memory than its limits.
        """
        try:
            with metering(self._limits) as meter:
                given = [_plain(tool.to_json()) for tool in tools] or None
                names: dict[str, Any] = {
                    **({"xml_tools": given} if given and "xml_tools" in self.source else {}),
                    **{key: _plain(value) for key, value in (variables or {}).items()},
                    **{key: trusted(text) for key, text in (special_tokens or {}).items()},
                    "messages": [_message(message) for message in messages],
                    "tools": given,
                    "add_generation_prompt": add_generation_prompt,
                }
                if meter.weight(*names.values()) > self._limits.input:
                    raise LimitExceeded(f"the chat is longer than {self._limits.input} characters")
                names["raise_exception"] = Function("raise_exception", _refuse)
                names["strftime_now"] = Function("strftime_now", _strftime, now or datetime.now())
                text = self._run(names)
        except TemplateError:
            raise
        except LimitExceeded as error:
            raise TemplateError(f"the chat template was stopped: {error}") from None
        except (RecursionError, MemoryError):
            raise TemplateError("the chat template was stopped: it nests too deeply") from None
        except Exception as error:
            raise TemplateError(
                f"the chat template failed{self._line(error.__traceback__)}: {_said(error)}"
            ) from None
        return cut_prompt(text, marks_of(text), control_tokens)

    def _run(self, names: dict[str, Any]) -> str:
        pieces: list[str] = []
        size = 0
        for piece in self._template.root_render_func(self._template.new_context(names)):
            size += len(piece)
            if size > self._limits.output:
                raise LimitExceeded(f"it prints more than {self._limits.output} characters")
            pieces.append(piece)
        return concatenate(pieces)

    def _line(self, trace: TracebackType | None) -> str:
        line = None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._template.filename:
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return "" if line is None else f" at line {line}"


def _message(message: Message) -> dict[str, Any]:
    data = _plain(message.to_json())
    # Templates print it between control tokens ("<|" ~ role ~ "|>"); it is one of a few words.
    data["role"] = trusted(message.role)
    return data  # type: ignore[no-any-return]


def _plain(value: object, depth: int = 0) -> Any:
    """A copy made of nothing but untrusted texts, numbers, None, lists and dicts."""
    if depth > _MAX_NESTING:
        raise TemplateError(f"what a template is given may nest {_MAX_NESTING} deep")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        small_int(value.bit_length())
        return value
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, Mapping):
        return {
            str.__str__(key) if isinstance(key, str) else _refuse_key(key): _plain(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item, depth + 1) for item in value]
    raise TemplateError("a template can be given JSON values only", found=type(value).__name__)


def _refuse_key(key: object) -> str:
    raise TemplateError("a template can be given texts as keys only", found=type(key).__name__)


def _refuse(message: object = "") -> None:
    raise TemplateError(f"the chat template refuses these messages: {_short(message)}")


def _strftime(now: datetime, form: str) -> str:
    # A width, as in %1000000d, makes some C libraries write that much.
    if len(form) > 200 or re.search(r"%[^a-zA-Z%]*\d", form):
        raise LimitExceeded("strftime_now takes short formats without widths")
    return now.strftime(form)


def _short(message: object) -> str:
    text = message if isinstance(message, str) else type(message).__name__
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]} ..."


def _said(error: Exception) -> str:
    return _short(str(error)) or type(error).__name__
