"""OpenAI's responses."""

from __future__ import annotations

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.chat import read_calls_and_form
from qwq_gguf.serve.reading.choice import Offer, openai_offer
from qwq_gguf.serve.reading.content import check_unique, read_arguments, read_content, read_tool
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.reading.messages import Turns
from qwq_gguf.serve.reading.settings import (
    read_limit,
    read_seed,
    read_stops,
    read_thoughts,
)
from qwq_gguf.serve.reading.shape import shape_of_schema
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.schema import ANY_OBJECT

__all__ = ["read_response"]

_ROLES = ("user", "assistant", "system", "developer")
_ITEMS = ("message", "reasoning", "function_call", "function_call_output")
# Tools that OpenAI's service runs, or describes to its own models. Agents send them along whoever
# answers, so they are left out.
_SERVICES_OWN = (
    "web_search",
    "file_search",
    "image_generation",
    "code_interpreter",
    "computer",
    "mcp",
    "local_shell",
    "shell",
    "apply_patch",
    "tool_search",
    "namespace",
    "custom",
)
# Nothing is kept here that they could name.
_KEPT = ("previous_response_id", "conversation", "prompt")


def read_response(fields: Fields) -> Ask:
    """A body of `/v1/responses`. Nothing is kept: the input has all turns."""
    for name in _KEPT:
        if fields.has(name):
            raise Refusal(
                f"{name}: this server keeps nothing, so send all turns as input",
                param=name,
                code="unsupported_parameter",
            )
    if fields.flag("background"):
        raise Refusal("background: an answer is made while it is waited for", param="background")
    return Ask(
        model=fields.text("model", most=LIMITS.name_chars),
        messages=_messages(fields),
        **read_calls_and_form(fields, _tools(fields), _shape(fields)),
        max_tokens=read_limit(fields, "max_output_tokens"),
        stops=read_stops(fields),
        seed=read_seed(fields),
        logprobs=_logprobs(fields),
        stream=fields.flag("stream") or False,
        **read_thoughts(fields),
    )


def _logprobs(fields: Fields) -> int | None:
    """They are asked for by what is to be included, or by how many."""
    included = fields.texts("include", most=64, chars=LIMITS.name_chars)
    best = fields.whole("top_logprobs", 0, LIMITS.logprobs)
    return best or (0 if "message.output_text.logprobs" in included else None)


def _shape(fields: Fields) -> str | None:
    text = fields.object("text")
    form = None if text is None else text.object("format")
    if form is None:
        return None
    match form.choice("type", ("text", "json_object", "json_schema")):
        case "json_object":
            return ANY_OBJECT
        case "json_schema":
            return shape_of_schema(form, "schema")
    return None


def _messages(fields: Fields) -> tuple[Message, ...]:
    turns = Turns()
    if instructions := fields.text("instructions"):
        turns.add(Message("system", instructions))
    expected = "a text, or a list of items"
    if fields.kind("input", ("text", "list"), expected, needed=True) == "text":
        turns.add(Message("user", fields.needed_text("input")))
        return turns.all()
    thought = ""
    calls: list[tuple[str, ToolCall]] = []
    said = Message("assistant", "")

    def settle() -> None:
        """One assistant's turn is several items here."""
        nonlocal thought, calls, said
        if calls:
            turns.call(said, calls)
        elif said.content:
            turns.add(said)
        thought, calls, said = "", [], Message("assistant", "")

    for item in fields.objects("input", most=LIMITS.messages, least=1):
        kind = item.word("type", _ITEMS, needed=False) or "message"
        match kind:
            case "reasoning":
                settle()
                thought = _thought_of(item)
            case "message" if item.choice("role", _ROLES) == "assistant":
                if said.content or calls:
                    settle()
                said = Message("assistant", read_content(item), thinking=thought)
            case "function_call":
                call = read_arguments(item, "arguments")
                calls.append((item.needed_text("call_id", most=LIMITS.name_chars), call))
                if not said.content:
                    said = Message("assistant", "", thinking=thought)
                if len(calls) > LIMITS.tool_calls:
                    raise fields.wrong("input", f"at most {LIMITS.tool_calls} calls in a turn")
            case "function_call_output":
                settle()
                number = item.needed_text("call_id", most=LIMITS.name_chars)
                turns.result(number, read_content(item, "output"))
            case "message":
                settle()
                role = item.needed_choice("role", _ROLES)
                turns.add(Message("user" if role == "user" else "system", read_content(item)))
            case _:
                raise Refusal(
                    f"an item of the type {kind} cannot be read",
                    param=item.place("type"),
                    code="unsupported_value",
                )
    settle()
    return turns.all()


def _thought_of(item: Fields) -> str:
    """The text of an earlier thought, whole or in summary."""
    for name in ("content", "summary"):
        texts = [part.text("text") or "" for part in item.objects(name, most=LIMITS.parts)]
        if any(texts):
            return "\n".join(texts)
    return ""


def _tools(fields: Fields) -> Offer:
    tools: list[ToolSpec] = []
    for each in fields.objects("tools", most=LIMITS.tools):
        kind = each.word("type", ("function",))
        if kind == "function":
            tools.append(read_tool(each))
        elif not kind.startswith(_SERVICES_OWN):
            raise Refusal(
                "only tools of the type function can be offered",
                param=each.place("type"),
                code="unsupported_value",
            )
    return openai_offer(fields, check_unique(tools, "tools"))
