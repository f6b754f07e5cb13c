"""Chat templates that write tool calls as the families of models do, in few words of our own."""

from __future__ import annotations

__all__ = ["TOOL_TEMPLATES", "tool_template"]

_TURNS = """\
{%%- if tools %%}{{- '<|sys|>' }}{%%- for tool in tools %%}{{- tool | tojson }}{%%- endfor %%}
{{- 'Write a call as <tool_call>, [TOOL_CALLS] or <function=NAME>.<|end|>' }}{%%- endif %%}
{%%- for message in messages %%}
{%%- if message.role == 'tool' %%}%(result)s
{%%- elif message.tool_calls %%}{{- '<|assistant|>' + message.content }}%(calls)s{{- '<|end|>' }}
{%%- else %%}{{- '<|' + message.role + '|>' + message.content + '<|end|>' }}{%%- endif %%}
{%%- endfor %%}
{%%- if add_generation_prompt %%}{{- '<|assistant|>' }}{%%- endif %%}"""
_RESULT = "{{- '<|tool|>' + message.content + '<|end|>' }}"
_EACH = "{%- for call in message.tool_calls %}{%- set f = call.function %}"
_NEEDS_ID = (
    "{%- if not call.id is defined or call.id | length != 9 %}"
    "{{- raise_exception('nine letters') }}{%- endif %}"
)
_RESULT_WITH_ID = (
    "{%- if not message.tool_call_id is defined %}{{- raise_exception('which call?') }}"
    "{%- endif %}{{- '[TOOL_RESULTS]' + message.tool_call_id + message.content }}"
)
_PLAIN = (
    "{%- set v = v | tojson if v is mapping or (v is sequence and v is not string) "
    "else v | string %}"
)
_CALLS = {
    "hermes": _EACH + "{{- '\\n<tool_call>\\n' + (f | tojson) + '\\n</tool_call>' }}{%- endfor %}",
    "qwen-xml": _EACH
    + "{{- '\\n<tool_call>\\n<function=' + f.name + '>\\n' }}"
    + "{%- for k, v in f.arguments | items %}"
    + _PLAIN
    + "{{- '<parameter=' + k + '>\\n' + v + '\\n</parameter>\\n' }}{%- endfor %}"
    + "{{- '</function>\\n</tool_call>' }}{%- endfor %}",
    "seed": _EACH
    + "{{- '\\n<seed:tool_call>\\n<function=' + f.name + '>\\n' }}"
    + "{%- for k, v in f.arguments | items %}"
    + _PLAIN
    + "{{- '<parameter=' + k + '>' + v + '</parameter>\\n' }}{%- endfor %}"
    + "{{- '</function>\\n</seed:tool_call>' }}{%- endfor %}",
    "glm": _EACH
    + "{{- '\\n<tool_call>' + f.name + '\\n' }}"
    + "{%- for k, v in f.arguments | items %}"
    + "{%- set v = v if v is string else v | tojson %}"
    + "{{- '<arg_key>' + k + '</arg_key>\\n<arg_value>' + v + '</arg_value>\\n' }}{%- endfor %}"
    + "{{- '</tool_call>' }}{%- endfor %}",
    "deepseek": "{{- '<｜tool▁calls▁begin｜>' }}"  # noqa: RUF001
    + _EACH
    + "{{- '<｜tool▁call▁begin｜>' + f.name + '<｜tool▁sep｜>' + (f.arguments | tojson)"  # noqa: RUF001
    + " + '<｜tool▁call▁end｜>' }}{%- endfor %}{{- '<｜tool▁calls▁end｜>' }}",  # noqa: RUF001
    "deepseek-r1": "{{- '<｜tool▁calls▁begin｜>' }}"  # noqa: RUF001
    + _EACH
    + "{{- '<｜tool▁call▁begin｜>' + call.type + '<｜tool▁sep｜>' + f.name"  # noqa: RUF001
    + " + '\\n```json\\n' + f.arguments + '\\n```<｜tool▁call▁end｜>' }}"  # noqa: RUF001
    + "{%- endfor %}{{- '<｜tool▁calls▁end｜>' }}",  # noqa: RUF001
    "mistral": _EACH
    + _NEEDS_ID
    + "{{- '[TOOL_CALLS]' + f.name + '[CALL_ID]' + call.id + '[ARGS]' + (f.arguments | tojson) }}"
    + "{%- endfor %}",
    "mistral-array": "{{- '[TOOL_CALLS][' }}"
    + _EACH
    + _NEEDS_ID
    + "{{- (f | tojson)[:-1] + ', \"id\": \"' + call.id + '\"}' }}"
    + "{{- ', ' if not loop.last else ']' }}{%- endfor %}",
    "llama": "{%- if message.tool_calls | length != 1 %}{{- raise_exception('one at once') }}"
    + "{%- endif %}{%- set f = message.tool_calls[0].function %}"
    + "{{- '{\"name\": \"' + f.name + '\", \"parameters\": ' + (f.arguments | tojson) + '}' }}",
    "gemma": "{%- macro said(v) %}"
    "{%- if v is string %}{{- '<|\"|>' + v + '<|\"|>' }}"
    "{%- elif v is boolean %}{{- 'true' if v else 'false' }}"
    "{%- elif v is mapping %}{{- '{' }}{%- for k, x in v | dictsort %}"
    "{{- '<|\"|>' + k + '<|\"|>:' + said(x) }}{{- ',' if not loop.last }}{%- endfor %}{{- '}' }}"
    "{%- elif v is sequence %}{{- '[' }}{%- for x in v %}{{- said(x) }}"
    "{{- ',' if not loop.last }}{%- endfor %}{{- ']' }}"
    "{%- else %}{{- v | string }}{%- endif %}{%- endmacro %}"
    + _EACH
    + "{{- '<|tool_call>call:' + f.name + '{' }}"
    + "{%- for k, v in f.arguments | dictsort %}{{- k + ':' + said(v) }}"
    + "{{- ',' if not loop.last }}{%- endfor %}{{- '}<tool_call|>' }}{%- endfor %}",
    "nemotron": "{{- '<TOOLCALL>[' }}"
    + _EACH
    + "{{- '{\"name\": \"' + f.name + '\", \"arguments\": ' + (f.arguments | tojson) + '}' }}"
    + "{{- ', ' if not loop.last else ']</TOOLCALL>' }}{%- endfor %}",
    # A form that we do not know.
    "unknown": _EACH + "{{- '{{' + f.name + ' ' + (f.arguments | tojson) + '}}' }}{%- endfor %}",
}
# Of each: the format, and whether ids, arguments as a text and one call a message are wanted.
TOOL_TEMPLATES: dict[str, tuple[str, bool, bool, bool]] = {
    "hermes": ("hermes", False, False, False),
    "qwen-xml": ("qwen-xml", False, False, False),
    "seed": ("seed", False, False, False),
    "glm": ("glm", False, False, False),
    "deepseek": ("deepseek", False, False, False),
    "deepseek-r1": ("deepseek", False, True, False),
    "mistral": ("mistral", True, False, False),
    "mistral-array": ("mistral", True, False, False),
    "llama": ("llama", False, False, True),
    "gemma": ("gemma", False, False, False),
    "nemotron": ("nemotron", False, False, False),
}


def tool_template(name: str) -> str:
    """A template by its name."""
    result = _RESULT_WITH_ID if name.startswith("mistral") else _RESULT
    return _TURNS % {"calls": _CALLS[name], "result": result}
