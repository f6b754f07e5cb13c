"""Which format a template's calls have, and that what it writes is read again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.tool_formats import (
    DEEPSEEK,
    FORMATS,
    GEMMA,
    GLM,
    HERMES,
    LLAMA,
    MISTRAL,
    QWEN_XML,
    ToolFormat,
    ToolUse,
    read_tool_use,
)
from support.chat_templates import CHATML, QWQ
from support.tool_templates import TOOL_TEMPLATES, tool_template

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "sure": {"type": "boolean"},
        "words": {"type": "array", "items": {"type": "string"}},
        "more": {"type": "object"},
    },
}
TOOL = ToolSpec("note.it-down", "Note.", SCHEMA)


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
def test_the_format_is_found_by_rendering(name: str) -> None:
    form, ids, as_text, one_each = TOOL_TEMPLATES[name]
    use = read_tool_use(tool_template(name), {"bos_token": "<s>"})
    assert (use.format.name, use.ids, use.as_text, use.one_each) == (form, ids, as_text, one_each)
    assert use.known


@pytest.mark.parametrize(
    "source",
    [tool_template("unknown"), "{{", "{{ raise_exception('no') }}", "{% for x in y %}", ""],
)
def test_what_is_not_known_is_taken_for_hermes(source: str) -> None:
    assert read_tool_use(source) == ToolUse()


def test_a_template_that_leaves_calls_out_is_given_them_as_text() -> None:
    """SmolLM3's is one. A model that does not see its call again makes it again."""
    use = read_tool_use(CHATML)
    assert use == ToolUse(in_text=True)
    calls = (ToolCall("a", {"n": 1}), ToolCall("b"))
    talk = [Message("assistant", "So.", calls), Message("tool", "1"), Message("tool", "2")]
    shaped = use.shaped(talk)
    assert shaped[1:] == tuple(talk[1:])
    assert (shaped[0].tool_calls, HERMES.parse(shaped[0].content).calls) == ((), calls)
    assert shaped[0].content.startswith("So.\n<tool_call>")


def test_tools_reach_a_template_that_has_another_name_for_them() -> None:
    older = "{% for t in xml_tools %}{{ t.function.name }}{% endfor %}" + CHATML
    told = ChatTemplate(older).render([Message("user", "Q")], [TOOL]).text
    assert told.startswith(TOOL.name)
    assert TOOL.name not in ChatTemplate(older).render([Message("user", "Q")]).text


def test_a_word_in_a_template_proves_nothing() -> None:
    """All of these templates name <tool_call>, [TOOL_CALLS] and <function=."""
    assert read_tool_use(QWQ).format is HERMES
    assert len({read_tool_use(tool_template(name)).format.name for name in TOOL_TEMPLATES}) == 9


texts = st.text(
    st.characters(codec="utf-8", exclude_characters="<>[]\u2028\u2029"), max_size=30
).map(str.strip)
calls = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "text": texts,
            "count": st.integers(-(10**20), 10**20),
            "share": st.floats(allow_nan=False, allow_infinity=False),
            "sure": st.booleans(),
            "words": st.lists(texts, max_size=3),
            "more": st.dictionaries(texts, texts, max_size=2),
        },
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
@settings(max_examples=25)
@given(arguments=calls)
def test_what_a_template_writes_is_read_again(name: str, arguments: list[dict[str, Any]]) -> None:
    use = read_tool_use(tool_template(name))
    made = tuple(ToolCall(TOOL.name, each) for each in arguments)
    talk = [Message("user", "Q"), Message("assistant", "", made)]
    talk += [Message("tool", f"R{n}", name=TOOL.name) for n in range(len(made))]
    text = ChatTemplate(tool_template(name)).render(use.shaped(talk), [TOOL]).text
    behind = text.partition("<|user|>Q<|end|>")[2]
    found: list[ToolCall] = []
    for turn in behind.split("<|assistant|>")[1:]:
        answer = turn.partition("<|end|>")[0]
        if answer and not answer.startswith("<|tool|>"):
            parsed = use.format.knowing([TOOL]).parse(answer)
            assert parsed.errors == ()
            assert parsed.text == ""
            found += parsed.calls
    assert tuple(found) == made


def test_results_stand_behind_their_calls_where_one_is_allowed() -> None:
    one, two = ToolCall("a"), ToolCall("b")
    use = read_tool_use(tool_template("llama"))
    talk = [Message("assistant", "So", (one, two)), Message("tool", "1"), Message("tool", "2")]
    assert use.shaped([*talk, *talk]) == (
        Message("assistant", "So", (one,)),
        Message("tool", "1"),
        Message("assistant", "", (two,)),
        Message("tool", "2"),
    ) * 2  # fmt: skip


def test_calls_and_results_share_an_id() -> None:
    use = read_tool_use(tool_template("mistral"))
    calls = (ToolCall("a"), ToolCall("b"))
    talk = [Message("assistant", "", calls), Message("tool", "1"), Message("tool", "2")]
    said = [message.to_json() for message in use.shaped([*talk, *talk, Message("tool", "?")])]
    ids = [call["id"] for each in said for call in each.get("tool_calls", ())]
    assert ids == ["call00000", "call00001", "call00002", "call00003"]
    assert [each["tool_call_id"] for each in said if "tool_call_id" in each] == [*ids, "call00004"]


def function(name: str, **parameters: str) -> str:
    values = "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in parameters.items())
    return f"<function={name}>\n{values}</function>"


ONE = ToolCall("f", {"a": "1", "b": "x\ny"})
ONE_WRITTEN = function("f", a="1", b="x\ny")


@pytest.mark.parametrize(
    "answer",
    [
        f"<tool_call>\n{ONE_WRITTEN}\n</tool_call>",
        f"<tool_call>{ONE_WRITTEN}",
        ONE_WRITTEN,
        ONE_WRITTEN + "\n</tool_call>",
        f"<tool_call>\n{ONE_WRITTEN}</tool_call>".replace("</function>", ""),
        f"<tool_call>\n{ONE_WRITTEN}</tool_call>".replace("1\n</parameter>\n", "1\n"),
        f"<tool_call>\n{ONE_WRITTEN}\n</tool_call>".replace("y\n</parameter>\n", "y\n"),
        '<tool_call>\n<function="f"><parameter="a">1</parameter><parameter=b>x\ny</parameter>'
        "</function></tool_call>",
        '<tool_call>\n{"name": "f", "arguments": {"a": "1", "b": "x\\ny"}}\n</tool_call>',
        "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n<arg_key>b</arg_key>"
        "<arg_value>x\ny</arg_value></tool_call>",
    ],
)
def test_near_misses_of_qwens_tags_are_understood(answer: str) -> None:
    parsed = QWEN_XML.parse(answer)
    assert (parsed.text, parsed.calls, parsed.errors) == ("", (ONE,), ())


def test_a_value_may_hold_code_with_tags() -> None:
    code = "print('</parameter>')\nif a < b: x('<function=')"
    written = function("run", code=code, b="2")
    parsed = QWEN_XML.parse(f"So: <tool_call>\n{written}\n</tool_call>!")
    assert parsed.calls == (ToolCall("run", {"code": code, "b": "2"}),)
    assert parsed.text == "So: !"


@pytest.mark.parametrize("form", [HERMES, QWEN_XML])
def test_of_two_functions_in_one_tag_none_is_lost(form: ToolFormat) -> None:
    both = function("f", a="1") + "\n" + function("f", a="2")
    parsed = form.parse(f"<tool_call>\n{both}\n</tool_call>")
    assert [call.arguments["a"] for call in parsed.calls] == ["1", "2"]


@pytest.mark.parametrize(
    ("form", "answer", "said"),
    [
        (QWEN_XML, "<tool_call>oops</tool_call>", "no <function=NAME>"),
        (QWEN_XML, "<tool_call>\n<function=>\n</function></tool_call>", "names no function"),
        (GLM, "<tool_call>what? I do not know</tool_call>", "no name behind its tag"),
        (GLM, "<tool_call>f\n<arg_key>a</arg_key>1</tool_call>", "a of f has no <arg_value>"),
        (GLM, "<tool_call>f <arg_value>1</arg_value></tool_call>", "f cannot be read from"),
        (DEEPSEEK, "<｜tool▁call▁begin｜>f {}<｜tool▁call▁end｜>", "no <｜tool▁sep｜>"),  # noqa: RUF001
        (DEEPSEEK, "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{oops", "of f: not valid JSON"),  # noqa: RUF001
        (MISTRAL, "[TOOL_CALLS]?", "no NAME[ARGS]"),
        (MISTRAL, '[TOOL_CALLS]f[ARGS]{"a": 1e999}', "1e999 is too large"),
        (MISTRAL, "[TOOL_CALLS]f[ARGS][1]", "not a JSON object"),
        (LLAMA, "<|python_tag|>print(1)", "not valid JSON"),
        (GEMMA, "<|tool_call>what?<tool_call|>", "no call:NAME{ behind"),
        (GEMMA, "<|tool_call>call:f{a:1", "of f cannot be read: it ends too soon"),
        (GEMMA, '<|tool_call>call:f{a:<|"|>b}<tool_call|>', 'has no <|"|> behind it'),
        (GEMMA, "<|tool_call>call:f{a}<tool_call|>", "no : behind 'a'"),
        (GEMMA, "<|tool_call>call:f{a:" + "[" * 40, "nests too deeply"),
        (LLAMA, '{"name": "f", "parameters": {"a": }}', "not valid JSON"),
    ],
)
def test_what_is_wrong_is_said(form: ToolFormat, answer: str, said: str) -> None:
    parsed = form.parse(answer)
    assert parsed.calls == ()
    assert len(parsed.errors) == 1
    assert said in parsed.errors[0]


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "Ada", "born": 1815}',
        'In JSON: {"name": "f", "parameters": {}}',
        '{"type": "object"}',
        "{\n}",
    ],
)
def test_other_json_is_an_answer_of_a_llama(answer: str) -> None:
    parsed = LLAMA.parse(answer)
    assert (parsed.text, parsed.calls, parsed.errors) == (answer, (), ())


def test_llamas_calls_may_follow_one_another() -> None:
    first, second = (f'{{"name": "f", "parameters": {{"n": {n}}}}}' for n in (1, 2))
    for answer in (f"{first}; {second}", f"<|python_tag|>{first}\n{second}"):
        parsed = LLAMA.parse(answer)
        assert [call.arguments["n"] for call in parsed.calls] == [1, 2]


def test_text_around_deepseeks_and_mistrals_calls_is_kept() -> None:
    call = "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜>"  # noqa: RUF001
    answer = f"Well. <｜tool▁calls▁begin｜>{call}\n{call}<｜tool▁calls▁end｜>"  # noqa: RUF001
    assert DEEPSEEK.parse(answer) == DEEPSEEK.parse(answer.replace("\n", ""))
    assert DEEPSEEK.parse(answer).text == "Well."
    assert DEEPSEEK.parse(answer).calls == (ToolCall("f"),) * 2
    assert MISTRAL.parse("Well. [TOOL_CALLS]f[ARGS]{}[TOOL_CALLS]f{}").calls == (ToolCall("f"),) * 2
    assert MISTRAL.parse("Well. [TOOL_CALLS]f[ARGS]{} {so}").text == "Well.  {so}"


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ('{a:<|"|>x, {y}: "z"<|"|>,b:-1.5e3,c:true,d:null}', ['x, {y}: "z"', -1500.0, True, None]),
        (
            '{ a : <|"|><|"|> , b : [1, <|"|>x<|"|>,] , c: {e:{}} , d:[] , }',
            ["", [1, "x"], {"e": {}}, []],
        ),
        ('{"a": "x", \'b\': 2, <|"|>c<|"|>: None, d: new york}', ["x", 2, None, "new york"]),
    ],
)
def test_gemmas_values_are_read_as_far_as_they_have_one_meaning(
    body: str, arguments: list[Any]
) -> None:
    for opened, closed in (("call:", "<tool_call|>"), (" call: ", ""), ("", "<tool_call|>")):
        parsed = GEMMA.parse(f"So: <|tool_call>{opened}f{body}{closed}")
        assert parsed.calls == (ToolCall("f", dict(zip("abcd", arguments, strict=True))),)
        assert parsed.text == "So:"


ENDINGS = {
    "hermes": '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>',
    "seed": "<seed:tool_call>\n" + function("f", a="1") + "\n</seed:tool_call>",
    "qwen-xml": "<tool_call>\n" + function("f", a="1") + "\n</tool_call>",
    "glm": "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>",
    "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}"  # noqa: RUF001
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",  # noqa: RUF001
    "mistral": '[TOOL_CALLS]f[ARGS]{"a": "b"}',
    "llama": '<|python_tag|>{"name": "f", "parameters": {}}',
    "gemma": '<|tool_call>call:f{a:<|"|>b<|"|>,n:1}<tool_call|>',
    "nemotron": '<TOOLCALL>[{"name": "f", "arguments": {}}]</TOOLCALL>',
}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@settings(max_examples=30)
@given(data=st.data())
def test_calls_that_end_a_thought_are_found_in_every_format(
    form: ToolFormat, data: st.DataObject
) -> None:
    calls = ENDINGS[form.name] * data.draw(st.integers(1, 2))
    thought = f"I should use it. {calls}"
    assert form.trailing_calls(thought) == 17
    assert form.parse(thought[17:]).calls
    assert form.trailing_calls(thought + "\nBut no.") is None
    first = max(len(each) for each in form.watched if calls.startswith(each))
    cut = data.draw(st.integers(first, len(calls)))
    assert form.may_be_last(calls[:cut])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@given(data=st.data())
def test_no_answer_makes_a_reader_raise(form: ToolFormat, data: st.DataObject) -> None:
    pieces = [*form.watched, form.close, ENDINGS[form.name], *"{}[]\"'<>/=:,; \n1", "<function="]
    pieces += ["<parameter=a>", "</parameter>", "</function>", "<arg_key>", "</arg_key>", "f"]
    pieces += ["<arg_value>", "[ARGS]", "[CALL_ID]", '{"name": "f", "arguments": {', "1e999"]
    answer = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=12)))
    parsed = form.knowing([TOOL]).parse(answer)
    assert len(parsed.calls) <= 16
    assert len(parsed.errors) <= 17
    form.trailing_calls(answer)
    for each in form.watched:
        form.may_be_last(each + answer)
    if any(each in answer for each in form.openings):  # it was meant as a call
        assert parsed.calls or parsed.errors
