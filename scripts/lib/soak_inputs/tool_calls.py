"""What a model may write: thoughts, answers and tool calls, nearly right and far from it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.tool_arguments import ArgumentError, fitted
from qwq_gguf.chat.tool_formats import FORMATS, HERMES
from qwq_gguf.errors import ToolError
from qwq_gguf.thinking import ThoughtSplitter, WasThought
from qwq_gguf.tools.calculator import Calculator
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, endless
from support.chat_templates import QWEN_TOKENS, QWQ

__all__ = ["CLASS", "trials"]

CLASS = "tool-calls"

_WHOLE = (
    '<think>\nI have to compute.\n</think>\n\n<tool_call>\n{"name": "calculator", "arguments": '
    '{"expression": "3394*35979"}}\n</tool_call>',
    'Text.\n<tool_call>```json\n{"name": "calculator", "arguments": "{\\"expression\\": '
    '\\"(1+2)/3-4**5\\"}"}```</tool_call>\nMore <tool_call>{"function": {"name": "x"}}',
    '<tool_call>{"name": "calculator", "parameters": {"expression": 12}}{"name": "b"}</tool_call>',
    "<tool_call>\n<function=calculator>\n<parameter=expression>\n3394*35979\n</parameter>\n"
    "</function>\n</tool_call>",
    "<tool_call>calculator\n<arg_key>expression</arg_key>\n<arg_value>7*43</arg_value>\n</tool_call>",
    '[TOOL_CALLS]calculator[CALL_ID]call00000[ARGS]{"expression": "7*43"}',
    '<|python_tag|>{"name": "calculator", "parameters": {"expression": "7*43"}}',
    '```json\n{"name": "calculator", "arguments": {"expression": "7*43"}}\n```',
    "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>calculator"
    '<\uff5ctool\u2581sep\uff5c>{"expression": "7*43"}<\uff5ctool\u2581call\u2581end\uff5c>',
)
_PIECES = (
    "<think>", "</think>", "<tool_call>", "</tool_call>", "{", "}", "[", "]", '"', ":", ",", "\n",
    '{"name": "calculator", "arguments": {"expression": "', '"}}', "1e999", "-1e-999", "NaN",
    "9" * 400, "9" * 5000, "9**9**9", "1/0", "1/3", "((((", "))))", "sqrt(2)", "2**0.5", "0x1F",
    "\\u0000", "\\ud800", "\\uD83D\\uDE00", "<|im_end|>", "<|im", "_start|>", "```json", "%", "//",
    "<function=", "<parameter=", "</parameter>", "</function>", "<arg_key>", "</arg_key>", "[ARGS]",
    "<arg_value>", "</arg_value>", "[TOOL_CALLS]", "<|python_tag|>", "calculator", "// x\n", "/*",
    "10**4000", "1e400", "*", "**", "0.1", "-", "~", "x", "7*43",
)  # fmt: skip


def trials(seed: int) -> Iterator[Trial]:
    """Replies with tool calls, damaged, streamed in pieces and sent back."""
    return endless(seed, "reply", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    reply = damaged_text(rng.choice(_WHOLE), rng, _PIECES)
    splitter = ThoughtSplitter(starts_inside=rng.random() < 0.5)
    at, parts = 0, []
    while at < len(reply):
        size = rng.choice((1, 2, 3, 7, 4000))
        parts += splitter.feed(reply[at : at + size])
        at += size
    parts += splitter.finish()
    answer = ""
    for part in parts:
        if isinstance(part, WasThought):
            answer = ""
        elif part.phase == "answer":
            answer += part.text
    found = rng.choice((HERMES, *FORMATS)).knowing([Calculator().spec]).parse(answer)
    talk = [Message("user", "x"), Message("assistant", found.text, tool_calls=found.calls)]
    refused: ToolError | None = None
    for call in found.calls:
        try:
            fit = fitted(call.arguments, Calculator().spec.parameters)
            result = Calculator().run(fit)
        except ArgumentError as error:
            refused, result = ToolError(str(error)), str(error)
        except ToolError as error:
            refused, result = error, str(error)
        talk.append(Message("tool", result, name=call.name))
    _template().render(talk, [Calculator().spec], control_tokens=QWEN_TOKENS)
    if refused is not None:
        raise refused


def _template() -> ChatTemplate:
    return ChatTemplate(QWQ)
