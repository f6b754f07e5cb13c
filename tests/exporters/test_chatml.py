import json
from pathlib import Path

import pytest

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.exporters.chatml import read_chatml
from qwq_gguf.resources import demo_checkpoint
from support.chat_templates import DEFAULT_SYSTEM, IF_ASKED, UNLESS_TOLD

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


def test_a_template_that_keeps_old_thoughts_says_the_same_of_all_else() -> None:
    keeping = QWQ.replace("m.content.split('</think>')[-1].lstrip('\\n')", "m.content")
    assert keeping != QWQ
    assert read_chatml(keeping) == read_chatml(QWQ)


def test_a_default_system_prompt_is_learnt() -> None:
    # As Qwen2.5's and SmolLM2's: a system turn that nobody asked for.
    found = read_chatml(DEFAULT_SYSTEM)
    assert found is not None
    assert found.default_system == "You are Q, {{ made }} here."
    turns = [Message("user", "hello")]
    for talk in (turns, [Message("system", "Be terse."), *turns]):
        assert found.render(talk) == ChatTemplate(DEFAULT_SYSTEM).render(talk).text


def test_a_template_that_tells_the_day_is_left_to_tell_it() -> None:
    # As SmolLM3's: today's date would be read off as a fixed word.
    daily = DEFAULT_SYSTEM.replace("You are Q,", "Today is ' + strftime_now('%d %B %Y') + '.")
    assert daily != DEFAULT_SYSTEM
    assert "Today is" in ChatTemplate(daily).render([Message("user", "hello")]).text
    assert read_chatml(daily) is None


@pytest.mark.parametrize(
    "template, unset, on, off",
    [
        pytest.param(UNLESS_TOLD, "", "", "<think>\n\n</think>\n\n", id="unless told"),
        pytest.param(
            IF_ASKED,
            "<think>\n\n</think>\n\n",
            "<think>\n",
            "<think>\n\n</think>\n\n",
            id="if asked",
        ),
        pytest.param(
            # What the switch changes besides cannot be said in these words.
            IF_ASKED.replace("{%- for", "{{ 'thinking' if enable_thinking }}{%- for"),
            "<think>\n\n</think>\n\n",
            None,
            None,
            id="more than the end",
        ),
    ],
)
def test_the_switch_of_a_hybrid_is_learnt(
    template: str, unset: str, on: str | None, off: str | None
) -> None:
    found = read_chatml(template)
    assert found is not None
    assert (found.opening, found.opening_on, found.opening_off) == (unset, on, off)


def test_a_malformed_template_is_none() -> None:
    assert read_chatml("{% for %}") is None
