import json
from pathlib import Path

import pytest

from qwq_gguf.export.chatml import read_chatml
from qwq_gguf.resources import demo_checkpoint

ROOT = Path(__file__).resolve().parents[2]
QWQ = (ROOT / "modelfiles" / "qwq-32b.jinja").read_text(encoding="utf-8")


def demo_template() -> str:
    config = json.loads((demo_checkpoint() / "tokenizer_config.json").read_text())
    template = config["chat_template"]
    assert isinstance(template, str)
    return template


def test_the_words_around_the_tools_are_found() -> None:
    found = read_chatml(QWQ)
    assert found is not None
    assert found.opening == "<think>\n"
    assert found.tools_after_system == found.tools_alone
    assert found.tools_alone is not None
    assert found.tools_alone.startswith("\n\n# Tools\n\nYou may call")
    assert found.tools_end is not None
    assert found.tools_end.startswith("\n</tools>\n\nFor each")


def test_a_template_that_joins_them_otherwise_keeps_both_forms() -> None:
    found = read_chatml(demo_template())
    assert found is not None
    assert found.tools_after_system == f"\n\n{found.tools_alone}"


def test_a_template_without_tools_is_still_chatml() -> None:
    plain = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{{ m.content.split('</think>')[-1].lstrip('\\n') }}<|im_end|>\n{% endfor %}"
        "{{ '<|im_start|>assistant\\n' }}"
    )
    found = read_chatml(plain)
    assert found is not None
    assert (found.opening, found.tools_end) == ("", None)


@pytest.mark.parametrize(
    "change",
    [
        ("'<|im_start|>' ~ m.role", "'<|turn|>' ~ m.role"),
        ("~ m.content ~ '<|im_end|>\\n'", "~ (m.content | trim | upper) ~ '<|im_end|>\\n'"),
        ("m.content.split('</think>')[-1].lstrip('\\n')", "m.content"),
        ("{%- set system =", "{{ raise_exception('no') }}{%- set system ="),
        ("{%- set system =", "{{ 'You are Q.' }}{%- set system ="),
    ],
)
def test_any_other_format_is_left_to_its_own_template(change: tuple[str, str]) -> None:
    assert change[0] in QWQ
    assert read_chatml(QWQ.replace(*change)) is None


def test_a_template_whose_tool_turns_differ_is_not_given_tools() -> None:
    found = read_chatml(QWQ.replace("<tool_response>", "<result>"))
    assert found is not None
    assert found.tools_end is None


def test_a_malformed_template_is_none() -> None:
    assert read_chatml("{% for %}") is None
