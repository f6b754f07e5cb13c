"""The formats in which models write tool calls. A new one is a line here, and what reads it."""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.chat.tool_formats.format import MAX_CALL_CHARS, Body, ReadBody, ToolFormat
from qwq_gguf.chat.tool_formats.json_body import begins_json, json_calls
from qwq_gguf.chat.tool_formats.marked_body import begins_marked, marked_body
from qwq_gguf.chat.tool_formats.named_body import (
    LLAMA_OPENING,
    begins_named,
    deepseek_body,
    llama_body,
    mistral_body,
)
from qwq_gguf.chat.tool_formats.tag_body import begins_glm, begins_xml, glm_body, xml_body

__all__ = [
    "DEEPSEEK",
    "FORMATS",
    "GEMMA",
    "GLM",
    "HERMES",
    "LLAMA",
    "MISTRAL",
    "NEMOTRON",
    "QWEN_XML",
    "SEED",
]

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"


def _in_tag(own: ReadBody) -> ReadBody:
    """Reads what stands in `<tool_call>`: a format's own way, or clearly one of its cousins'."""

    def read(text: str, start: int) -> Body:
        window = text[start : start + MAX_CALL_CHARS]
        if begins_json(window):
            return json_calls(text, start, (_OPEN, _CLOSE))
        if begins_xml(window):
            return xml_body(text, start)
        if begins_glm(window, bare_names=False):
            return glm_body(text, start)
        return own(text, start)

    return read


def _json_in_tag(text: str, start: int) -> Body:
    return json_calls(text, start, (_OPEN, _CLOSE))


# QwQ, Qwen2.5, Qwen3, and the Hermes models it is named after.
HERMES = ToolFormat(
    "hermes",
    _in_tag(_json_in_tag),
    begins_json,
    openings=(_OPEN,),
    close=_CLOSE,
    whole_body=json_calls,
)
# Qwen3-Coder and the Qwens since 3.5, Nemotron 3, Step 3.5. They leave the outer tag out at times.
QWEN_XML = ToolFormat(
    "qwen-xml",
    _in_tag(xml_body),
    begins_xml,
    openings=(_OPEN,),
    close=_CLOSE,
    bare=("<function=",),
    whole_body=json_calls,
)
# Seed-OSS: the same in a tag of its own.
SEED = replace(
    QWEN_XML, name="seed", openings=("<seed:tool_call>",), close="</seed:tool_call>", bare=()
)
# GLM since 4.5.
GLM = ToolFormat(
    "glm", _in_tag(glm_body), begins_glm, openings=(_OPEN,), close=_CLOSE, whole_body=json_calls
)
# DeepSeek R1, its distills, V3 and V3.1.
DEEPSEEK = ToolFormat(
    "deepseek",
    deepseek_body,
    begins_named,
    openings=("<｜tool▁call▁begin｜>",),  # noqa: RUF001
    close="<｜tool▁call▁end｜>",  # noqa: RUF001
    wrappers=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),  # noqa: RUF001
    whole_body=json_calls,
)
# Mistral, Magistral, Ministral, Devstral.
MISTRAL = ToolFormat(
    "mistral", mistral_body, begins_named, openings=("[TOOL_CALLS]",), whole_body=json_calls
)
# Llama 3.1 to 3.3: bare JSON, if it is all that is answered, or behind a token.
LLAMA = ToolFormat(
    "llama",
    llama_body,
    begins_json,
    openings=(LLAMA_OPENING,),
    bare=('{"name"', '{ "name"', '{"type"', '{"function"', "{\n"),
    leads=True,
)

# Gemma 4. Behind its calls it waits for `<|tool_response>`, which is a stop of its profile.
GEMMA = ToolFormat(
    "gemma",
    marked_body,
    begins_marked,
    openings=("<|tool_call>",),
    close="<tool_call|>",
    whole_body=json_calls,
)
# Nemotron Nano 2: an array of JSON calls.
NEMOTRON = ToolFormat(
    "nemotron",
    json_calls,
    begins_json,
    openings=("<TOOLCALL>",),
    close="</TOOLCALL>",
    whole_body=json_calls,
)

# In the order in which a template's own call is tried on them: bare JSON is part of others.
FORMATS = (HERMES, SEED, QWEN_XML, GLM, DEEPSEEK, MISTRAL, GEMMA, NEMOTRON, LLAMA)
