"""Families of models by what their templates and replies look like, each in few words."""

# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.chat_templates import QWQ
from support.family_templates import (
    DEEPSEEK,
    EXAONE,
    GEMMA,
    GLM,
    HARMONY,
    LLAMA,
    MISTRAL,
    NEMOTRON,
    NEMOTRON_NANO,
    OLMO,
    PHI,
    QWEN3,
    QWEN35,
    R1_DISTILL,
    SEED,
    SMOLLM,
)
from support.recital import write_recital

__all__ = ["ANSWER", "CALL", "FAMILIES", "PLAIN", "THOUGHT", "Family", "write_family"]

THOUGHT, ANSWER = "I think of France.", "It is Paris."
# In the form that each family has for it, one token each.
CALL = {"expression": "6*7"}

_ARGUMENTS = '{"expression": "6*7"}'
_HERMES_CALL = (
    "<tool_call>",
    '\n{"name": "calculator", "arguments": {"expression": "6*7"}}\n',
    "</tool_call>",
)
_XML_CALL = (
    "<tool_call>",
    "\n<function=calculator>\n<parameter=expression>\n",
    "6*7",
    "\n</parameter>\n</function>\n",
    "</tool_call>",
)


@dataclass(frozen=True)
class Family:
    """`chain` is a reply, `after` the tokens that a prompt may end in. `variables` are what
    makes the template ask for a thought. `profile` is what auto chooses for `architecture`.
    `call` is a reply that calls, `call_end` the token behind it; after each of the `turns` what
    follows a token may be another.
    """

    architecture: str
    profile: str
    template: str
    controls: tuple[str, ...]
    chain: tuple[str, ...]
    after: tuple[str, ...]
    end: str
    call: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    call_end: str = "<|call|>"
    turns: tuple[str, ...] = (THOUGHT,)


_MARKS = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|constrain|>")
_ANALYSIS = ("<|channel|>", "analysis", "<|message|>", THOUGHT, "<|end|>", "<|start|>", "assistant")
FAMILIES = {
    "gpt-oss": Family(
        "gpt-oss",
        "gpt-oss",
        HARMONY,
        (*_MARKS, "<|return|>"),
        (*_ANALYSIS, "<|channel|>", "final", "<|message|>", ANSWER),
        ("t",),
        "<|return|>",
        (
            *_ANALYSIS,
            "<|channel|>",
            "commentary",
            " to=functions.calculator ",
            "<|constrain|>",
            "json",
            "<|message|>",
            _ARGUMENTS,
        ),
    ),
    "gemma4": Family(
        "gemma4",
        "gemma4",
        GEMMA,
        (
            *("<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>", "<|tool>", "<tool|>"),
            *("<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>"),
        ),
        ("<|channel>", "thought\n", THOUGHT, "<channel|>", ANSWER),
        ("\n",),
        "<turn|>",
        (
            *("<|channel>", "thought\n", THOUGHT, "<channel|>", "<|tool_call>"),
            *("call:calculator{expression:", '<|"|>', "6*7", '<|"|>', "}", "<tool_call|>"),
        ),
        variables={"enable_thinking": True},
        call_end="<|tool_response>",
        turns=(THOUGHT, "6*7"),
    ),
    "magistral": Family(
        "mistral3",
        "magistral",
        MISTRAL,
        (
            *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]", "[THINK]", "[/THINK]"),
            *("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[ARGS]"),
            *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "</s>"),
        ),
        ("[THINK]", THOUGHT, "[/THINK]", ANSWER),
        ("[/INST]", "[/TOOL_RESULTS]"),
        "</s>",
        ("[THINK]", THOUGHT, "[/THINK]", "[TOOL_CALLS]", "calculator", "[ARGS]", _ARGUMENTS),
        call_end="</s>",
    ),
    "seed-oss": Family(
        "seed_oss",
        "seed-oss",
        SEED,
        ("<seed:bos>", "<seed:eos>", "<seed:think>", "</seed:think>"),
        ("<seed:think>", THOUGHT, "</seed:think>", ANSWER),
        ("\n",),
        "<seed:eos>",
        (
            *("<seed:think>", THOUGHT, "</seed:think>", "<seed:tool_call>"),
            "\n<function=calculator>\n<parameter=expression>",
            *("6*7", "</parameter>\n</function>\n", "</seed:tool_call>"),
        ),
        call_end="<seed:eos>",
    ),
    "glm": Family(
        "glm4moe",
        "glm-4.7",
        GLM,
        ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"),
        (THOUGHT, "</think>", ANSWER),
        ("<think>",),
        "<|user|>",
        (
            *(THOUGHT, "</think>", "<tool_call>", "calculator", "<arg_key>", "expression"),
            *("</arg_key>", "<arg_value>", "6*7", "</arg_value>", "</tool_call>"),
        ),
        call_end="<|observation|>",
    ),
    "deepseek-r1": Family(
        "deepseek2",
        "deepseek-r1",
        DEEPSEEK,
        ("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<｜end▁of▁sentence｜>",
        (
            *(THOUGHT, "</think>", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "function"),
            *("<｜tool▁sep｜>", "calculator\n```json\n", _ARGUMENTS, "\n```"),
            *("<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
        ),
        call_end="<｜end▁of▁sentence｜>",
    ),
    "qwen3.6": Family(
        "qwen35",
        "qwen3.6",
        QWEN35,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
        (THOUGHT, "</think>", *_XML_CALL),
        call_end="<|im_end|>",
    ),
    "qwq": Family(
        "qwen2",
        "qwq",
        QWQ,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
        (THOUGHT, "</think>", *_HERMES_CALL),
        call_end="<|im_end|>",
    ),
    "qwen3": Family(
        "qwen3",
        "qwen3-thinking",
        QWEN3,
        (),
        ("<think>", THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
        ("<think>", THOUGHT, "</think>", *_HERMES_CALL),
        call_end="<|im_end|>",
    ),
    "nemotron": Family(
        "nemotron_h_moe",
        "nemotron",
        NEMOTRON,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
        (THOUGHT, "</think>", *_XML_CALL),
        call_end="<|im_end|>",
    ),
    "nemotron-nano": Family(
        "nemotron_h",
        "nemotron-nano-v2",
        NEMOTRON_NANO,
        ("<SPECIAL_10>", "<SPECIAL_11>", "<SPECIAL_12>"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<SPECIAL_12>",
        (
            *(THOUGHT, "</think>", "<TOOLCALL>", '[{"name": "calculator", "arguments": '),
            *(_ARGUMENTS, "}]", "</TOOLCALL>"),
        ),
        call_end="<SPECIAL_12>",
    ),
    "exaone4": Family(
        "exaone4",
        "exaone4",
        EXAONE,
        ("[|user|]", "[|assistant|]", "[|system|]", "[|endofturn|]"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "[|endofturn|]",
        (
            *(THOUGHT, "</think>", "<tool_call>", '{"name": "calculator", "arguments": '),
            *(_ARGUMENTS, "}", "</tool_call>"),
        ),
        variables={"enable_thinking": True},
        call_end="[|endofturn|]",
    ),
    "olmo3": Family(
        "olmo2",
        "olmo3-think",
        OLMO,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("<think>",),
        "<|im_end|>",
    ),
    "phi4": Family(
        "phi3",
        "phi4-reasoning",
        PHI,
        ("<|im_sep|>",),
        ("<think>", THOUGHT, "</think>", ANSWER),
        ("<|im_sep|>",),
        "<|im_end|>",
    ),
    "smollm3": Family(
        "smollm3",
        "smollm3",
        SMOLLM,
        (),
        ("<think>", THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
        ("<think>", THOUGHT, "</think>", *_HERMES_CALL),
        call_end="<|im_end|>",
    ),
    "qwen3-next": Family(
        "qwen3next",
        "qwen3-next",
        QWQ,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
        (THOUGHT, "</think>", *_HERMES_CALL),
        call_end="<|im_end|>",
    ),
    "r1-llama": Family(
        "llama",
        "r1-distill",
        R1_DISTILL,
        ("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<｜end▁of▁sentence｜>",
    ),
}
# Models that do not think, and call.
PLAIN = {
    "llama3": Family(
        "llama",
        "llama-cpp",
        LLAMA,
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        (ANSWER,),
        ("\n",),
        "<|eot_id|>",
        ('{"name": "calculator", "parameters": ', _ARGUMENTS, "}"),
        call_end="<|eot_id|>",
    ),
}


def write_family(
    path: Path, name: str, *, calls: bool = False, template: str | None = None
) -> Path:
    """A tiny model that replies as one of this family, or calls the calculator once.

    Its architecture is Qwen2's, which any llama.cpp runs without more ado.
    """
    family = (FAMILIES | PLAIN)[name]
    chain = family.call if calls else family.chain
    return write_recital(
        path,
        chain,
        after=family.after,
        controls=family.controls,
        turns=[turn for turn in family.turns if turn in chain],
        end=family.call_end if calls else family.end,
        keys={"tokenizer.chat_template": template or family.template, "general.name": "Reciter"},
    )
