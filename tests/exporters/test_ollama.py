from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import ExportError
from qwq_gguf.exporters.chatml import read_chatml
from qwq_gguf.exporters.ollama import Modelfile, quote, render_modelfile
from qwq_gguf.profiles import ThinkingTags, load_profile, profile_names
from qwq_gguf.sampling import Greedy, SamplerChain, Temperature, TopNSigma
from support.modelfile import ModelfileError, parse

ROOT = Path(__file__).resolve().parents[2]
QWQ = (ROOT / "modelfiles" / "qwq-32b.jinja").read_text(encoding="utf-8")


def parameters(text: str) -> dict[str, str]:
    return {
        words[1]: words[2]
        for words in parse(text)
        if words[:2] != ("PARAMETER", "stop") and words[0] == "PARAMETER"
    }


def test_the_qwq_profile_is_said_in_full() -> None:
    modelfile = render_modelfile(load_profile("qwq"), ("./q.gguf",), context=131072)
    said = {name: float(value) for name, value in parameters(modelfile.text).items()}
    assert said == {
        "temperature": 0.6,
        "top_k": 40,
        "top_p": 0.95,
        "min_p": 0.01,
        "presence_penalty": 1.0,
        "repeat_penalty": 1.0,
        "repeat_last_n": 16384,
        "num_ctx": 16384,
    }
    stops = [words[2] for words in parse(modelfile.text) if words[:2] == ("PARAMETER", "stop")]
    assert stops == list(load_profile("qwq").stops)
    assert any("order" in sentence for sentence in modelfile.unsaid)
    assert any("prompt's tokens" in sentence for sentence in modelfile.unsaid)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_reads_back_as_it_was_written(name: str) -> None:
    modelfile = render_modelfile(
        load_profile(name), ("./q.gguf",), chatml=read_chatml(QWQ), license="apache-2.0"
    )
    assert tuple(parse(modelfile.text)) == modelfile.instructions


def test_a_model_that_knows_less_context_gets_less() -> None:
    said = parameters(render_modelfile(load_profile("qwq"), ("./q.gguf",), context=4096).text)
    assert said["num_ctx"] == said["repeat_last_n"] == "4096"


def test_what_is_absent_is_written_as_off_and_what_cannot_be_said_is_named() -> None:
    from dataclasses import replace

    profile = load_profile("qwq")
    bare = replace(profile, chain=SamplerChain((TopNSigma(1.0), Temperature(0.5), Greedy())))
    modelfile = render_modelfile(bare, ("./q.gguf",))
    said = parameters(modelfile.text)
    assert (said["top_k"], said["top_p"], said["min_p"]) == ("0", "1.0", "0.0")
    assert said["temperature"] == "0"
    assert said["presence_penalty"] == "0.0"
    assert any("top_n_sigma" in sentence for sentence in modelfile.unsaid)


def test_a_parser_only_ever_comes_with_a_template() -> None:
    with_words = render_modelfile(
        load_profile("qwq"), ("./q.gguf",), chatml=read_chatml(QWQ), tags=ThinkingTags()
    )
    names = [words[0] for words in with_words.instructions]
    assert names.count("TEMPLATE") == names.count("PARSER") == 1
    without = render_modelfile(load_profile("qwq"), ("./q.gguf",))
    assert {"TEMPLATE", "PARSER"}.isdisjoint(words[0] for words in without.instructions)


def test_the_reader_of_these_tests_reads_what_ollama_reads() -> None:
    assert parse("\x07FROM a\u200b\nParser x\x00y") == [("FROM", "a"), ("PARSER", "xy")]
    odd = (
        "\ufefffrom a b # c  \r\n  # note\n"
        'system  """\n x"" \t\r\n"y" """ \nPARAMETER stop "two\nlines"\n'
        'MESSAGE user it\'s\x07 \'so\'\nparameter stop """""""'
    )
    assert parse(odd) == [
        ("FROM", "a b # c"),
        ("SYSTEM", '\n x"" \t\r\n"y" '),
        ("PARAMETER", "stop", "two\nlines"),
        ("MESSAGE", "user", "it's 'so'"),
        ("PARAMETER", "stop", '"'),
    ]


_texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.just("\n"), min_size=1)


@given(_texts, st.booleans())
def test_any_text_comes_back_or_is_refused(text: str, block: bool) -> None:
    try:
        quoted = quote(text, block=block)
    except ExportError:
        assert '"""' in text or any(not c.isprintable() and c not in "\n\t" for c in text)
        return
    assert parse(f"FROM a\nSYSTEM {quoted}\nPARAMETER seed 1\n") == [
        ("FROM", "a"),
        ("SYSTEM", text),
        ("PARAMETER", "seed", "1"),
    ]


@pytest.mark.parametrize("text", ['a """ b', "bell\a", "escape\x1b[0m", "nul\0"])
def test_what_no_quoting_holds_is_refused(text: str) -> None:
    with pytest.raises(ExportError):
        _ = Modelfile((("FROM", "a"), ("SYSTEM", text))).text


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("FROM a\nPARAMETER heat 1\n", "(line 2): unknown parameter 'heat'"),
        ("FROM a\nPARAMETER Top_K 1\n", "(line 2): unknown parameter 'Top_K'"),
        ("FROM a\n\n# note\nBREW b\n", "(line 4): command must be one of"),
        ("FROM a\nSYSTEM\n", "(line 3): command must be one of"),
        ('FROM a\nSYSTEM """x\n', "(line 2): unexpected EOF"),
        ("FROM a\nPARAMETER", "(line 2): unexpected EOF"),
        ("FROM a\nMESSAGE User hi\n", "(line 2): message role must be one of"),
        ("FROM a\nPARAMETER top_k 1.5\n", "(line 2): invalid int value [1.5]"),
        ("FROM a\nPARAMETER top_p 1.5\n", "(line 2): top_p 1.5 is out of range"),
        ("PARAMETER seed 1\n", "no FROM line"),
    ],
)
def test_the_reader_of_these_tests_is_strict(text: str, complaint: str) -> None:
    with pytest.raises(ModelfileError) as caught:
        parse(text)
    assert complaint in str(caught.value)
