"""Chat templates of the families, in few words of our own.

Of each published one they have the parts that thoughts, calls and earlier turns hang on, and the
marks to the letter. What tells the model of tools is a line of JSON each.
"""

# ruff: noqa: RUF001

from __future__ import annotations

from support.chat_templates import QWQ

__all__ = [
    "DEEPSEEK",
    "EXAONE",
    "GEMMA",
    "GLM",
    "HARMONY",
    "LLAMA",
    "MISTRAL",
    "NEMOTRON",
    "NEMOTRON_NANO",
    "OLMO",
    "PHI",
    "QWEN3",
    "QWEN35",
    "R1_DISTILL",
    "SEED",
    "SMOLLM",
]


def _told(begin: str, end: str) -> str:
    """A turn of the system that names the tools."""
    return (
        "{%- if tools %}{{ '"
        + begin
        + "# Tools\n' }}{% for t in tools %}{{ t | tojson }}{% endfor %}"
        "{{ '" + end + "' }}{% endif -%}"
    )


def _called(call: str) -> str:
    """Each call of the message `m`, as `call` writes the function `f`."""
    return "{%- for c in m.tool_calls or [] %}{% set f = c.function %}" + call + "{% endfor -%}"


# The arguments of `f` in tags of their own, each with a line end before its value and behind it.
_FUNCTION = (
    "{{ '<function=' + f.name + '>\n' }}{% for k, v in f.arguments | items %}"
    "{{ '<parameter=' + k + '>\n' + v | string + '\n</parameter>\n' }}{% endfor %}"
    "{{ '</function>\n' }}"
)
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
GEMMA = (
    "{%- if enable_thinking or tools %}<|turn>system\n"
    "{%- if enable_thinking %}<|think|>\n{% endif %}"
    "{%- for t in tools or [] %}<|tool>{{ t | tojson }}<tool|>{% endfor %}<turn|>\n{% endif -%}"
    "{%- for m in messages if m.role != 'tool' -%}"
    "<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{%- if m.reasoning and m.tool_calls %}<|channel>thought\n{{ m.reasoning }}\n<channel|>"
    "{%- endif %}"
    "{%- for c in m.tool_calls %}{{ '<|tool_call>call:' + c.function.name + '{' }}"
    "{%- for k, v in c.function.arguments | dictsort %}{{ k + ':<|\"|>' + v + '<|\"|>' }}"
    "{{ '' if loop.last else ',' }}{% endfor %}"
    "{{ '}<tool_call|>' }}{% endfor %}"
    "{%- if m.tool_calls %}{%- for r in messages[loop.index:] if r.role == 'tool' %}"
    "{{ '<|tool_response>response:calculator{value:<|\"|>' + r.content }}"
    "{{ '<|\"|>}<tool_response|>' }}"
    "{% endfor %}{%- else %}{{ m.content.split('<channel|>')[-1] }}<turn|>\n{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt and messages[-1].role != 'tool' %}{{ '<|turn>model\n' }}"
    "{%- if not enable_thinking %}{{ '<|channel>thought\n<channel|>' }}{% endif %}{% endif -%}"
)
MISTRAL = (
    "{{ '[SYSTEM_PROMPT]Write [THINK]your thoughts[/THINK] and an answer.[/SYSTEM_PROMPT]' }}"
    "{%- if tools %}{{ '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif -%}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}{{ m.content }}"
    + _called("{{ '[TOOL_CALLS]' + f.name + '[ARGS]' + (f.arguments | tojson) }}")
    + "{{ '</s>' }}"
    "{%- elif m.role == 'tool' %}{{ '[TOOL_RESULTS]' + m.content + '[/TOOL_RESULTS]' }}"
    "{%- else %}{{ '[INST]' + m.content + '[/INST]' }}{% endif -%}"
    "{%- endfor -%}"
)
SEED = (
    _told("<seed:bos>system\n", "<seed:eos>")
    + "{%- if thinking_budget is defined and thinking_budget > 0 -%}"
    "{{ '<seed:bos>system\nYou may think for ' ~ thinking_budget ~ ' tokens.<seed:eos>' }}"
    "{%- endif -%}"
    "{%- for m in messages -%}"
    "{{ '<seed:bos>' + m.role + '\n' }}"
    "{%- if m.reasoning_content %}<seed:think>{{ m.reasoning_content }}</seed:think>{% endif -%}"
    "{{ m.content }}"
    + _called(
        "{{ '\n<seed:tool_call>\n<function=' + f.name + '>\n' }}"
        "{% for k, v in f.arguments | items %}"
        "{{ '<parameter=' + k + '>' + v | string + '</parameter>\n' }}{% endfor %}"
        "{{ '</function>\n</seed:tool_call>' }}"
    )
    + "{{ '<seed:eos>' }}{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<seed:bos>assistant\n' }}"
    "{%- if thinking_budget is defined and thinking_budget == 0 %}"
    "{{ '<seed:think>\n</seed:think>' }}{% endif %}{% endif -%}"
)
GLM = (
    _LAST + "[gMASK]<sop>" + _told("<|system|>", "") + "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}<|assistant|>"
    "{%- if m.reasoning_content and (loop.index0 > ns.last or clear_thinking is false) %}"
    "<think>{{ m.reasoning_content }}</think>{% else %}</think>{% endif %}"
    "{{ m.content.split('</think>')[-1] }}"
    + _called(
        "{{ '<tool_call>' + f.name }}{% for k, v in f.arguments | items %}"
        "{{ '<arg_key>' + k + '</arg_key><arg_value>' }}{{ v if v is string else v | tojson }}"
        "{{ '</arg_value>' }}{% endfor %}</tool_call>"
    )
    + "{%- elif m.role == 'tool' %}<|observation|><tool_response>{{ m.content }}</tool_response>"
    "{%- else %}<|{{ m.role }}|>{{ m.content }}{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<|assistant|>"
    "{{ '</think>' if enable_thinking is defined and not enable_thinking else '<think>' }}"
    "{% endif -%}"
)
DEEPSEEK = (
    "{%- if tools %}{{ 'Tools: ' + (tools | tojson) }}{% endif -%}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}"
    "{%- if m.tool_calls %}<｜tool▁calls▁begin｜>"
    + _called(
        "{{ '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + f.name + '\n```json\n' }}"
        "{{ (f.arguments | tojson) + '\n```<｜tool▁call▁end｜>' }}"
    )
    + "<｜tool▁calls▁end｜>{% endif %}"
    "<｜end▁of▁sentence｜>"
    "{%- elif m.role == 'tool' %}<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>{{ m.content }}"
    "<｜tool▁output▁end｜><｜tool▁outputs▁end｜>"
    "{%- else %}<｜User｜>{{ m.content }}{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<｜Assistant｜><think>\n{% endif -%}"
)
R1_DISTILL = (  # no place for tools
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}"
    "<｜end▁of▁sentence｜>{% else %}<｜User｜>{{ m.content }}{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<｜Assistant｜><think>\n{% endif -%}"
)
QWEN35 = (
    _LAST + _told("<|im_start|>system\n", "<|im_end|>\n") + "{%- for m in messages -%}"
    "{%- if m.role == 'tool' %}"
    "{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}"
    "{%- else %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.reasoning_content and (loop.index0 > ns.last or preserve_thinking) %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{% endif -%}"
    "{{ m.content.split('</think>')[-1] }}"
    + _called("{{ '\n<tool_call>\n' }}" + _FUNCTION + "{{ '</tool_call>' }}")
    + "{{ '<|im_end|>\n' }}{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{{ '<think>\n\n</think>\n\n' if enable_thinking is false else '<think>\n' }}{% endif -%}"
)
QWEN3 = QWQ.replace(
    "{{- '<|im_start|>assistant\\n<think>\\n' }}",
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}",
)
NEMOTRON = (
    "{%- set enable_thinking = enable_thinking if enable_thinking is defined else True -%}"
    "{%- set cut = truncate_history_thinking"
    " if truncate_history_thinking is defined else True -%}"
    + _LAST
    + "{{ '<|im_start|>system\n' }}{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
    "{{ '<|im_end|>\n' }}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'tool' %}"
    "{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response>\n' }}"
    "{%- else %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.role == 'assistant' -%}"
    "{%- if m.reasoning_content and not (cut and loop.index0 < ns.last) %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n' }}"
    "{%- else %}<think></think>{% endif %}{{ m.content.split('</think>')[-1] }}"
    + _called("{{ '<tool_call>\n' }}" + _FUNCTION + "{{ '</tool_call>\n' }}")
    + "{%- else %}{{ m.content }}{% endif %}{% endif %}{{ '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{{ '<think>\n' if enable_thinking else '<think></think>' }}{% endif -%}"
)
NEMOTRON_NANO = (  # words of the system's or the user's turn off thoughts, and no variable
    "{%- set ns = namespace(on=true) -%}"
    "{%- for m in messages -%}"
    "{%- if m.role in ['system', 'user'] -%}"
    "{%- if '/think' in m.content %}{% set ns.on = true %}"
    "{%- elif '/no_think' in m.content %}{% set ns.on = false %}{% endif -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{{ '<SPECIAL_10>System\n' }}"
    "{%- if messages[0].role == 'system' %}"
    "{{ messages[0].content.replace('/think', '').replace('/no_think', '').strip() }}{% endif -%}"
    "{%- if tools %}{{ '\n<AVAILABLE_TOOLS>' + (tools | tojson) + '</AVAILABLE_TOOLS>' }}"
    "{%- endif %}{{ '\n\n' }}"
    "{%- for m in messages if m.role != 'system' -%}"
    "{%- set content = m.content or '' -%}"
    "{%- if m.role == 'user' %}{{ '<SPECIAL_11>User\n' }}"
    "{{ content.replace('/think', '').replace('/no_think', '').strip() + '\n' }}"
    "{%- elif m.role == 'tool' %}"
    "{{ '<SPECIAL_11>User\n<TOOL_RESPONSE>[' + content + ']</TOOL_RESPONSE>' }}"
    "{%- else %}{{ '<SPECIAL_11>Assistant\n' + content.split('</think>')[-1].strip() }}"
    "{%- if m.tool_calls %}<TOOLCALL>["
    + _called(
        "{{ '{\"name\": \"' + f.name + '\", \"arguments\": ' + (f.arguments | tojson) + '}' }}"
        "{{ '' if loop.last else ', ' }}"
    )
    + "]</TOOLCALL>{% endif %}"
    "{{ '\n<SPECIAL_12>\n' }}"
    "{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<SPECIAL_11>Assistant\n' }}"
    "{{ '<think>\n' if ns.on else '<think></think>' }}{% endif -%}"
)
EXAONE = (
    _LAST + _told("[|system|]\n", "[|endofturn|]\n") + "{%- for m in messages -%}"
    "{{ '[|' + m.role + '|]\n' }}"
    "{%- if m.role == 'assistant' %}"
    "{%- if m.reasoning_content and loop.index0 > ns.last %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{% endif %}"
    "{{ m.content.split('</think>')[-1] }}"
    + _called(
        '{{ \'<tool_call>{"name": "\' + f.name + \'", "arguments": \' + (f.arguments | tojson) }}'
        "{{ '}</tool_call>' }}"
    )
    + "{%- elif m.role == 'tool' %}"
    "{{ '<tool_result>{\"result\": ' + (m.content | tojson) + '}</tool_result>' }}"
    "{%- else %}{{ m.content }}{% endif %}"
    "{{ '[|endofturn|]\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '[|assistant|]\n' }}"
    "{{ '<think>\n' if enable_thinking else '<think>\n\n</think>\n\n' }}{% endif -%}"
)
OLMO = (  # its kin that do not think write calls as Python does, for which we have no format
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>' }}{% endif -%}"
)
PHI = (
    "<|im_start|>system<|im_sep|>Please structure your response into two main sections in this"
    " format: <think> {Thought section} </think> {Solution section}.<|im_end|>"
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content.split('</think>')[-1] + '<|im_end|>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif -%}"
)
SMOLLM = (  # it says how calls are to be written, and leaves those of earlier turns out
    "{%- set thinks = enable_thinking if enable_thinking is defined else true -%}"
    "{{ '<|im_start|>system\n' }}"
    "{%- if thinks %}{{ 'Use this format: <think> Thought section </think> Solution section.' }}"
    "{%- endif %}"
    "{%- set xml_tools = xml_tools or tools -%}"
    "{%- if xml_tools %}{{ '### Tools\n' }}{% for t in xml_tools %}{{ t | string }}{% endfor %}"
    '{{ \'Write: <tool_call>\n{"name": <name>, "arguments": <json>}\n</tool_call>\' }}'
    "{%- endif %}{{ '<|im_end|>\n' }}"
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + ('user' if m.role == 'tool' else m.role) + '\n' }}"
    "{{ m.content + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{{ '' if thinks else '<think>\n\n</think>\n' }}{% endif -%}"
)
LLAMA = (  # Llama 3.1: no thoughts, and one call a message
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date.<|eot_id|>' }}"
    "{%- if tools %}{{ '<|start_header_id|>user<|end_header_id|>\n\n' }}"
    "{%- for t in tools %}{{ t | tojson }}{% endfor %}{{ '<|eot_id|>' }}{% endif -%}"
    "{%- for m in messages -%}"
    "{%- if m.tool_calls -%}"
    "{%- if m.tool_calls | length != 1 %}{{ raise_exception('one call at once') }}{% endif -%}"
    "{%- set f = m.tool_calls[0].function -%}"
    '{{ \'<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "\' + f.name }}'
    "{{ '\", \"parameters\": ' + (f.arguments | tojson) + '}<|eot_id|>' }}"
    "{%- else -%}"
    "{{ '<|start_header_id|>' + ('ipython' if m.role == 'tool' else m.role) }}"
    "{{ '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{% endif -%}"
)
