"""ChatML as a Go template, the language of Ollama's TEMPLATE.

Variables and functions: Ollama's template/template.go. System messages stand in .System
and in .Messages, so the range skips them; .Thinking of earlier turns is not printed,
which is how thoughts stay out of the history. Yet it has to be named: from the words
around it Ollama learns which tags enclose a thought (thinking/template.go).
"""

from __future__ import annotations

from qwq_gguf.export.chatml import ChatMl

__all__ = ["chatml_template"]


def chatml_template(chatml: ChatMl) -> str:
    """The Go template that prints what `chatml` does.

    Tool definitions and arguments come out as Go prints JSON: the same values without
    spaces after the separators.
    """
    turns = _TURNS.replace(_THOUGHT_HERE, _THOUGHT if chatml.opening else "")
    return _system(chatml) + turns + _TOOL_TURNS_END + _generation(chatml)


def _literal(text: str) -> str:
    """Fixed words, which come out of a stranger's file. Every text that is not ours goes
    through here: a pair of braces in it would start an action, and so would one at its end
    in front of an action of ours.
    """
    escaped = text.replace("{{", '{{ "{{" }}')
    return escaped[:-1] + '{{ "{" }}' if escaped.endswith("{") else escaped


def _system(chatml: ChatMl) -> str:
    plain = "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
    if chatml.tools_end is None:
        return plain
    after, alone = _literal(chatml.tools_after_system or ""), _literal(chatml.tools_alone or "")
    return (
        "{{ if .Tools }}<|im_start|>system\n"
        f"{{{{ if .System }}}}{{{{ .System }}}}{after}{{{{ else }}}}{alone}{{{{ end }}}}"
        '{{ range $i, $tool := .Tools }}{{ if $i }}{{ "\\n" }}{{ end }}{{ json $tool }}{{ end }}'
        f"{_literal(chatml.tools_end)}<|im_end|>\n"
        "{{ else if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
    )


_THOUGHT_HERE = "{{ thought }}"
_THOUGHT = "{{ if and false .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"

# $results: the turn being printed is a user turn of tool results, still open.
_TURNS = (
    "{{ $results := false }}{{ range .Messages }}"
    '{{ if and $results (ne .Role "tool") }}<|im_end|>\n{{ $results = false }}{{ end }}'
    '{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
    '{{ else if eq .Role "assistant" }}<|im_start|>assistant'
    f"{_THOUGHT_HERE}"
    '{{ if .Content }}{{ "\\n" }}{{ .Content }}{{ end }}'
    "{{ range .ToolCalls }}\n<tool_call>\n"
    '{"name": "{{ .Function.Name }}", "arguments": {{ json .Function.Arguments }}}'
    "\n</tool_call>{{ end }}<|im_end|>\n"
    '{{ else if eq .Role "tool" }}'
    "{{ if not $results }}<|im_start|>user{{ $results = true }}{{ end }}"
    "\n<tool_response>\n{{ .Content }}\n</tool_response>"
    "{{ end }}{{ end }}"
)
_TOOL_TURNS_END = "{{ if $results }}<|im_end|>\n{{ end }}"


def _generation(chatml: ChatMl) -> str:
    if not chatml.opening:
        return "<|im_start|>assistant\n"
    opening = _literal(chatml.opening)
    # Asked not to think, the model is handed a thought that is already over.
    closed = f"{opening}\n</think>\n\n"
    return (
        "<|im_start|>assistant\n{{ if and .IsThinkSet (not .Think) }}"
        f"{closed}{{{{ else }}}}{opening}{{{{ end }}}}"
    )
