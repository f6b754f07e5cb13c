"""Families of models by what their templates and replies look like, each in few words.

The templates are ours: of each published one they have the parts that thoughts, calls and
earlier turns hang on, and the marks to the letter.
"""

# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.chat_templates import QWQ
from support.recital import write_recital

__all__ = ["ANSWER", "CALL", "FAMILIES", "HARMONY", "THOUGHT", "Family", "write_family"]

THOUGHT, ANSWER = "I think of France.", "It is Paris."
# In the form that each family has for it, one token each.
CALL = {"expression": "6*7"}

HARMONY = (
    "<|start|>system<|message|>Reasoning: {{ reasoning_effort | default('medium') }}\n"
    "# Valid channels: analysis, commentary, final.<|end|>"
    "{%- if tools %}<|start|>developer<|message|># Tools\n{% for t in tools %}"
    "{{ t | tojson }}{% endfor %}<|end|>{% endif -%}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' -%}"
    "{%- if m.tool_calls -%}"
    "{%- if m.thinking %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>"
    "{%- endif -%}"
    "{%- set call = m.tool_calls[0].function -%}"
    "<|start|>assistant to=functions.{{ call.name }}<|channel|>commentary json<|message|>"
    "{{ call.arguments | tojson }}<|call|>"
    "{%- else -%}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>"
    "{%- endif -%}"
    "{%- elif m.role == 'tool' -%}"
    "<|start|>functions.{{ m.name }} to=assistant<|channel|>commentary<|message|>"
    "{{ m.content | tojson }}<|end|>"
    "{%- else -%}"
    "<|start|>{{ 'developer' if m.role == 'system' else m.role }}<|message|>{{ m.content }}<|end|>"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<|start|>assistant{% endif -%}"
)
_LAST = (  # the user's last message: thoughts behind it are those of the turn that goes on
    "{%- set ns = namespace(last=-1) -%}"
    "{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}"
    "{% endfor -%}"
)
_GEMMA = (
    "{%- if enable_thinking or tools %}<|turn>system\n"
    "{%- if enable_thinking %}<|think|>\n{% endif %}"
    "{%- for t in tools or [] %}<|tool>{{ t | tojson }}<tool|>{% endfor %}<turn|>\n{% endif -%}"
    "{%- for m in messages if m.role != 'tool' -%}"
    "<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{%- if m.reasoning and m.tool_calls %}<|channel>thought\n{{ m.reasoning }}\n<channel|>"
    "{%- endif %}"
    "{%- for c in m.tool_calls %}{{ '<|tool_call>call:' + c.function.name + '{' }}"
    "{%- for k, v in c.function.arguments.items() %}{{ k + ':<|\"|>' + v + '<|\"|>' }}{% endfor %}"
    "{{ '}<tool_call|>' }}{% endfor %}"
    "{%- if m.tool_calls %}{%- for r in messages[loop.index:] if r.role == 'tool' %}"
    "{{ '<|tool_response>response:calculator{value:<|\"|>' + r.content }}"
    "{{ '<|\"|>}<tool_response|>' }}"
    "{% endfor %}{%- else %}{{ m.content.split('<channel|>')[-1] }}<turn|>\n{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt and messages[-1].role != 'tool' %}{{ '<|turn>model\n' }}"
    "{%- if not enable_thinking %}{{ '<|channel>thought\n<channel|>' }}{% endif %}{% endif -%}"
)
_MISTRAL = (
    "{{ '[SYSTEM_PROMPT]Write [THINK]your thoughts[/THINK] and an answer.[/SYSTEM_PROMPT]' }}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}{{ m.content }}"
    "{%- for c in m.tool_calls %}{{ '[TOOL_CALLS]' + c.function.name + '[ARGS]'"
    " + (c.function.arguments | tojson) }}{% endfor %}{{ '</s>' }}"
    "{%- else %}{{ '[INST]' + m.content + '[/INST]' }}{% endif -%}"
    "{%- endfor -%}"
)
_SEED = (
    "{%- if thinking_budget is defined and thinking_budget > 0 -%}"
    "{{ '<seed:bos>system\nYou may think for ' ~ thinking_budget ~ ' tokens.<seed:eos>' }}"
    "{%- endif -%}"
    "{%- for m in messages -%}"
    "{{ '<seed:bos>' + m.role + '\n' }}"
    "{%- if m.reasoning_content %}<seed:think>{{ m.reasoning_content }}</seed:think>{% endif -%}"
    "{{ m.content + '<seed:eos>' }}{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<seed:bos>assistant\n' }}"
    "{%- if thinking_budget is defined and thinking_budget == 0 %}"
    "{{ '<seed:think>\n</seed:think>' }}{% endif %}{% endif -%}"
)
_GLM = (
    _LAST + "[gMASK]<sop>"
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}<|assistant|>"
    "{%- if m.reasoning_content and (loop.index0 > ns.last or clear_thinking is false) %}"
    "<think>{{ m.reasoning_content }}</think>{% else %}</think>{% endif %}"
    "{{ m.content.split('</think>')[-1] }}"
    "{%- else %}<|{{ m.role }}|>{{ m.content }}{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<|assistant|>"
    "{{ '</think>' if enable_thinking is defined and not enable_thinking else '<think>' }}"
    "{% endif -%}"
)
_DEEPSEEK = (
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}"
    "<｜end▁of▁sentence｜>{% else %}<｜User｜>{{ m.content }}{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<｜Assistant｜><think>\n{% endif -%}"
)
_QWEN35 = (
    _LAST + "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.reasoning_content and (loop.index0 > ns.last or preserve_thinking) %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{% endif -%}"
    "{{ m.content.split('</think>')[-1] + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{{ '<think>\n\n</think>\n\n' if enable_thinking is false else '<think>\n' }}{% endif -%}"
)
_QWEN3 = QWQ.replace(
    "{{- '<|im_start|>assistant\\n<think>\\n' }}",
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}",
)
_HERMES_CALL = (
    "<tool_call>",
    '\n{"name": "calculator", "arguments": {"expression": "6*7"}}\n',
    "</tool_call>",
)
_NEMOTRON = (
    "{%- set enable_thinking = enable_thinking if enable_thinking is defined else True -%}"
    "{%- set cut = truncate_history_thinking"
    " if truncate_history_thinking is defined else True -%}"
    + _LAST
    + "{{ '<|im_start|>system\n<|im_end|>\n' }}"
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.role == 'assistant' -%}"
    "{%- if m.reasoning_content and not (cut and loop.index0 < ns.last) %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n' }}"
    "{%- else %}<think></think>{% endif %}{{ m.content.split('</think>')[-1] }}"
    "{%- else %}{{ m.content }}{% endif %}{{ '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{{ '<think>\n' if enable_thinking else '<think></think>' }}{% endif -%}"
)
_NEMOTRON_NANO = (  # words of the system's or the user's turn off thoughts, and no variable
    "{%- set ns = namespace(on=true) -%}"
    "{%- for m in messages -%}"
    "{%- if m.role in ['system', 'user'] -%}"
    "{%- if '/think' in m.content %}{% set ns.on = true %}"
    "{%- elif '/no_think' in m.content %}{% set ns.on = false %}{% endif -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- for m in messages -%}"
    "{%- set content = m.content or '' -%}"
    "{%- set content = content.replace('/think', '').replace('/no_think', '').strip() -%}"
    "{%- if m.role == 'system' %}{{ '<SPECIAL_10>System\n' + content + '\n' }}"
    "{%- elif m.role == 'user' %}{{ '<SPECIAL_11>User\n' + content + '\n' }}"
    "{%- elif m.role == 'tool' %}"
    "{{ '<SPECIAL_11>User\n<TOOL_RESPONSE>[' + content + ']</TOOL_RESPONSE>\n' }}"
    "{%- else %}{{ '<SPECIAL_11>Assistant\n' + content.split('</think>')[-1] }}"
    "{{ '\n<SPECIAL_12>\n' }}"
    "{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<SPECIAL_11>Assistant\n' }}"
    "{{ '<think>\n' if ns.on else '<think></think>' }}{% endif -%}"
)
_EXAONE = (
    _LAST + "{%- for m in messages -%}"
    "{{ '[|' + m.role + '|]\n' }}"
    "{%- if m.role == 'assistant' %}"
    "{%- if m.reasoning_content and loop.index0 > ns.last %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{% endif %}"
    "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}"
    "{{ '[|endofturn|]\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '[|assistant|]\n' }}"
    "{{ '<think>\n' if enable_thinking else '<think>\n\n</think>\n\n' }}{% endif -%}"
)
_OLMO = (
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>' }}{% endif -%}"
)
_PHI = (
    "<|im_start|>system<|im_sep|>Please structure your response into two main sections in this"
    " format: <think> {Thought section} </think> {Solution section}.<|im_end|>"
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content.split('</think>')[-1] + '<|im_end|>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif -%}"
)
_SMOLLM = (
    "{%- set thinks = enable_thinking if enable_thinking is defined else true -%}"
    "{{ '<|im_start|>system\n' }}"
    "{%- if thinks %}{{ 'Use this format: <think> Thought section </think> Solution section.' }}"
    "{%- endif %}{{ '<|im_end|>\n' }}"
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{{ '' if thinks else '<think>\n\n</think>\n' }}{% endif -%}"
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
            '{"expression": "6*7"}',
        ),
    ),
    "gemma4": Family(
        "gemma4",
        "gemma4",
        _GEMMA,
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
        _MISTRAL,
        ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]", "[THINK]", "[/THINK]", "</s>"),
        ("[THINK]", THOUGHT, "[/THINK]", ANSWER),
        ("[/INST]",),
        "</s>",
    ),
    "seed-oss": Family(
        "seed_oss",
        "seed-oss",
        _SEED,
        ("<seed:bos>", "<seed:eos>", "<seed:think>", "</seed:think>"),
        ("<seed:think>", THOUGHT, "</seed:think>", ANSWER),
        ("\n",),
        "<seed:eos>",
    ),
    "glm": Family(
        "glm4moe",
        "glm-4.7",
        _GLM,
        ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"),
        (THOUGHT, "</think>", ANSWER),
        ("<think>",),
        "<|user|>",
    ),
    "deepseek-r1": Family(
        "deepseek2",
        "deepseek-r1",
        _DEEPSEEK,
        ("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<｜end▁of▁sentence｜>",
    ),
    "qwen3.6": Family(
        "qwen35",
        "qwen3.6",
        _QWEN35,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
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
        _QWEN3,
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
        _NEMOTRON,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
    ),
    "nemotron-nano": Family(
        "nemotron_h",
        "nemotron-nano-v2",
        _NEMOTRON_NANO,
        ("<SPECIAL_10>", "<SPECIAL_11>", "<SPECIAL_12>"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<SPECIAL_12>",
    ),
    "exaone4": Family(
        "exaone4",
        "exaone4",
        _EXAONE,
        ("[|user|]", "[|assistant|]", "[|system|]", "[|endofturn|]"),
        (THOUGHT, "</think>", ANSWER),
        ("\n",),
        "[|endofturn|]",
        variables={"enable_thinking": True},
    ),
    "olmo3": Family(
        "olmo2",
        "olmo3-think",
        _OLMO,
        (),
        (THOUGHT, "</think>", ANSWER),
        ("<think>",),
        "<|im_end|>",
    ),
    "phi4": Family(
        "phi3",
        "phi4-reasoning",
        _PHI,
        ("<|im_sep|>",),
        ("<think>", THOUGHT, "</think>", ANSWER),
        ("<|im_sep|>",),
        "<|im_end|>",
    ),
    "smollm3": Family(
        "smollm3",
        "smollm3",
        _SMOLLM,
        (),
        ("<think>", THOUGHT, "</think>", ANSWER),
        ("\n",),
        "<|im_end|>",
    ),
}


def write_family(
    path: Path, name: str, *, calls: bool = False, template: str | None = None
) -> Path:
    """A tiny model that replies as one of this family, or calls the calculator once.

    Its architecture is Qwen2's, which any llama.cpp runs without more ado.
    """
    family = FAMILIES[name]
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
