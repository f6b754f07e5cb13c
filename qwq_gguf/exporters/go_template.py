"""ChatML as a Go template, the language of Ollama's TEMPLATE.

Variables and functions: Ollama's template/template.go. System messages stand in .System
and in .Messages, so the range skips them; .Thinking of earlier turns is not printed,
which is how thoughts stay out of the history. Yet it has to be named: from the words
around it Ollama learns which tags enclose a thought (thinking/template.go). And a call in
a reply is found by the first words inside an `if` over .ToolCalls (tools/template.go).
"""

from __future__ import annotations

from qwq_gguf.exporters.chatml import ChatMl
from qwq_gguf.thinking import ThinkingTags

__all__ = ["chatml_template"]


def chatml_template(chatml: ChatMl, tags: ThinkingTags | None = None) -> str:
    """The Go template that prints what `chatml` does.

    `tags` are those by which Ollama is to find thoughts, None for a model without any. Tool
    definitions and arguments come out as Go prints JSON: the same values without spaces
    after the separators.
    """
    return _system(chatml) + _turns(tags) + _generation(chatml)


def _literal(text: str) -> str:
    """Fixed words, which come out of a stranger's file. Every text that is not ours goes
    through here: a pair of braces in it would start an action, and so would one at its end
    in front of an action of ours.
    """
    escaped = text.replace("{{", '{{ "{{" }}')
    return escaped[:-1] + '{{ "{" }}' if escaped.endswith("{") else escaped


def _system(chatml: ChatMl) -> str:
    said, end = "{{ .System }}<|im_end|>\n", "{{ end }}"
    plain = f"<|im_start|>system\n{said}"
    if chatml.default_system:
        default = _literal(chatml.default_system)
        otherwise = f"{{{{ else }}}}<|im_start|>system\n{default}<|im_end|>\n"
    else:
        otherwise = ""
    if chatml.tools_end is None:
        return f"{{{{ if .System }}}}{plain}{otherwise}{end}"
    after, alone = _literal(chatml.tools_after_system or ""), _literal(chatml.tools_alone or "")
    return (
        "{{ if .Tools }}<|im_start|>system\n"
        f"{{{{ if .System }}}}{{{{ .System }}}}{after}{{{{ else }}}}{alone}{{{{ end }}}}"
        '{{ range $i, $tool := .Tools }}{{ if $i }}{{ "\\n" }}{{ end }}{{ json $tool }}{{ end }}'
        f"{_literal(chatml.tools_end)}<|im_end|>\n"
        f"{{{{ else if .System }}}}{plain}{otherwise}{end}"
    )


# $results: the turn being printed is a user turn of tool results, still open.
def _turns(tags: ThinkingTags | None) -> str:
    thought = ""
    if tags is not None:
        around = (_literal(tags.open), _literal(tags.close))
        thought = f"{{{{ if and false .Thinking }}}}{'{{ .Thinking }}'.join(around)}{{{{ end }}}}"
    return (
        "{{ $results := false }}{{ range .Messages }}"
        '{{ if and $results (ne .Role "tool") }}<|im_end|>\n{{ $results = false }}{{ end }}'
        '{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant'
        f"{thought}"
        '{{ if .Content }}{{ "\\n" }}{{ .Content }}{{ end }}'
        "{{ if .ToolCalls }}{{ range .ToolCalls }}\n<tool_call>\n"
        '{"name": "{{ .Function.Name }}", "arguments": {{ json .Function.Arguments }}}'
        "\n</tool_call>{{ end }}{{ end }}<|im_end|>\n"
        '{{ else if eq .Role "tool" }}'
        "{{ if not $results }}<|im_start|>user{{ $results = true }}{{ end }}"
        "\n<tool_response>\n{{ .Content }}\n</tool_response>"
        "{{ end }}{{ end }}"
        "{{ if $results }}<|im_end|>\n{{ end }}"
    )


def _generation(chatml: ChatMl) -> str:
    """The start of the reply, by .Think where a client has set it."""
    unset, on, off = (_literal(chatml.start(thinking)) for thinking in (None, True, False))
    if on == off == unset:
        start = unset
    elif on == unset:
        start = f"{{{{ if and .IsThinkSet (not .Think) }}}}{off}{{{{ else }}}}{unset}{{{{ end }}}}"
    elif off == unset:
        start = f"{{{{ if .Think }}}}{on}{{{{ else }}}}{unset}{{{{ end }}}}"
    else:
        start = (
            f"{{{{ if .Think }}}}{on}{{{{ else if .IsThinkSet }}}}{off}"
            f"{{{{ else }}}}{unset}{{{{ end }}}}"
        )
    return f"<|im_start|>assistant\n{start}"
