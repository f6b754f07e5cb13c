"""Grammars and logit biases in other runtimes' words."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.exporters import llama_server, lmstudio, openwebui, transformers, vllm
from qwq_gguf.exporters import text_generation_webui as webui
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import grammar_spellings, spoken_biases, spoken_grammar, words_of
from qwq_gguf.profiles import Profile, ThinkingTags, load_profile
from qwq_gguf.sampling import Grammar, LogitBias
from qwq_gguf.sampling.gbnf import parse_gbnf
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from qwq_gguf.thinking import read_form
from support.chat_templates import CLOSES, STRIPS, UNLESS_TOLD
from support.exports import FACTS
from support.preset_ini import read_preset

QWQ = load_profile("qwq")
YES = 'root ::= "yes" | "no"'


def bound(grammar: str = YES, **more: object) -> Profile:
    return QWQ.with_overrides(grammar=grammar, **more)  # type: ignore[arg-type]


def biased(*pairs: tuple[int | str, float]) -> Profile:
    return QWQ.with_overrides(logit_bias=pairs)


def accepts(grammar: str | None, text: str) -> bool:
    assert grammar is not None
    recogniser = Recogniser(parse_gbnf(grammar))
    reading = recogniser.read(recogniser.begin(), text.encode())
    return reading is not None and reading.complete


def test_a_grammar_for_the_answer_lets_a_thought_pass() -> None:
    grammar = spoken_grammar(bound(), FACTS)
    for text in ("</think>yes", "7*4=28 < 30 </thin </think>\n\nno", "é\n<think></think>\nyes"):
        assert accepts(grammar, text), text
    for text in ("yes", "hm</think>maybe", "hm</think>\n\nyes!", "hm</think>yes</think>yes", "hm"):
        assert not accepts(grammar, text), text


def test_a_model_that_opens_its_thought_itself_may_do_so_or_not() -> None:
    grammar = spoken_grammar(bound(), replace(FACTS, thought=read_form(UNLESS_TOLD)))
    for text in ("yes", "<think>hm</think>\n\nyes"):
        assert accepts(grammar, text), text
    for text in ("hm</think>yes", "<think>yes", "\nyes"):
        assert not accepts(grammar, text), text


def test_where_nothing_thinks_the_grammar_is_as_it_was() -> None:
    for template in ("{{ messages }}", STRIPS, CLOSES):
        assert spoken_grammar(bound(), replace(FACTS, thought=read_form(template))) == YES
    assert spoken_grammar(bound(), GgufFacts("a.gguf")) == YES
    assert spoken_grammar(bound(grammar_scope="reply"), FACTS) == YES
    assert spoken_grammar(bound(), FACTS, thoughts=False) == YES
    assert spoken_grammar(QWQ, FACTS) is None
    assert spoken_grammar(bound(" "), FACTS) is None


def test_another_root_becomes_the_root() -> None:
    # Names within texts, sets and notes are none.
    text = (
        'answer ::= root "root" [root] # root\nroot ::= "a" root-of-the-answer{1,2}\n'
        'root-of-the-answer ::= "b"'
    )
    profile = bound(text, grammar_root="answer")
    bare = spoken_grammar(profile, FACTS, thoughts=False)
    whole = spoken_grammar(profile, FACTS)
    for inside in ("abroott", "abbrootr"):
        assert accepts(bare, inside)
        assert accepts(whole, f"hm</think>{inside}")
    assert not accepts(bare, "ab")
    assert grammar_spellings(profile)[:2] == (bare, whole)


@given(
    st.sampled_from(["</think>", "aab", "aaa", "abab", '[/x]"\\', "üé"]),
    st.text(alphabet='ab</think>[]x"\\üé\n', max_size=24),
)
def test_a_thought_ends_where_its_tag_stands_for_the_first_time(close: str, text: str) -> None:
    profile = replace(bound('root ::= "!"'), thinking=ThinkingTags("<open>", close))
    grammar = spoken_grammar(profile, replace(FACTS, template=close))
    rest = text.partition(close)[2] if close in text else None
    wanted = rest is not None and len(rest) <= 4 and set(rest) <= {"\n"}
    assert accepts(grammar, f"{text}!") is wanted


def test_texts_of_tokens_become_ids_where_the_file_lists_them() -> None:
    profile = biased(("Wait", -2.0), (9, 1.0), ("unheard of", 3.0))
    assert words_of(profile) == (*QWQ.stops, "Wait", "unheard of")
    spoken = spoken_biases(profile, FACTS)
    assert spoken.by_id == ((65, -2.0), (9, 1.0))
    assert spoken.unsaid == (
        "the logit bias of 'unheard of': not one token that this file's vocabulary lists",
    )
    for runtime in (llama_server, lmstudio, openwebui, transformers, vllm, webui):
        assert any("unheard of" in said for said in runtime.export(profile, FACTS).unsaid)


def test_llama_server() -> None:
    profile = bound(logit_bias=((5, 1.5), (6, -math.inf)))
    made = llama_server.export(profile, FACTS)
    assert made.files["grammar.gbnf"] == f"{spoken_grammar(profile, FACTS)}\n"
    flags = llama_server.flags(profile, FACTS)
    assert [value for flag, value in flags if flag == "logit-bias"] == ["5+1.5", "6-inf"]
    assert ("grammar-file", "grammar.gbnf") in flags
    (preset,) = [
        section
        for section in read_preset(made.files["preset.ini"]).values()
        if "grammar-file" in section
    ]
    assert "logit-bias" not in preset
    assert any("preset.ini has room for one" in said for said in made.unsaid)
    one = llama_server.export(biased((5, -0.25)), FACTS)
    assert "logit-bias = 5-0.25" in one.files["preset.ini"].splitlines()
    assert not any("logit bias" in said for said in one.unsaid)


def test_vllm() -> None:
    made = vllm.export(bound(logit_bias=((5, 1.5), (6, -math.inf))), FACTS)
    request = json.loads(made.files["request.json"])
    assert request["logit_bias"] == {"5": 1.5, "6": -100.0}
    # The reasoning parser keeps the grammar out of the thought.
    assert request["structured_outputs"] == {"grammar": YES}
    assert any("vLLM goes no further, nor forbids" in said for said in made.unsaid)
    assert any("the grammar: a vLLM server has no default" in said for said in made.unsaid)
    whole = vllm.export(bound(grammar_scope="reply"), FACTS)
    assert any("vLLM leaves the thought alone" in said for said in whole.unsaid)
    assert "logit_bias" not in json.loads(whole.files["request.json"])


def test_transformers() -> None:
    made = transformers.export(bound(logit_bias=((5, 2), (6, -math.inf), (7, 0))), FACTS)
    config = json.loads(made.files["generation_config.json"])
    assert config["sequence_bias"] == [[[5], 2.0]]
    assert isinstance(config["sequence_bias"][0][1], float)
    assert config["suppress_tokens"] == [6]
    assert "grammar: Transformers has no such sampler" in made.unsaid


def test_text_generation_webui() -> None:
    profile = bound(logit_bias=((5, 2.0), (6, -math.inf), (8, -math.inf)))
    made = webui.export(profile, FACTS)
    (entry,) = yaml.safe_load(made.files["user_data/models/config-user.yaml"]).values()
    assert entry["custom_token_bans"] == "6,8"
    assert entry["grammar_string"] == spoken_grammar(profile, FACTS)
    assert "logit biases that do not forbid: text-generation-webui has none" in made.unsaid
    only = webui.export(biased((6, -math.inf)), FACTS)
    assert not any("logit bias" in said for said in only.unsaid)


def test_open_webui() -> None:
    made = openwebui.export(bound(logit_bias=((5, 2.4), (6, -math.inf))), FACTS)
    (model,) = json.loads(made.files["openwebui.json"])
    assert model["params"]["logit_bias"] == "5:2,6:-100"
    assert model["params"]["custom_params"]["grammar"] == spoken_grammar(bound(), FACTS)
    assert any("2.4, -inf: whole numbers" in said for said in made.unsaid)
    assert any("Ollama leaves custom parameters out" in said for said in made.unsaid)


def test_lm_studio() -> None:
    profile = bound(logit_bias=((5, 2.5), (6, -math.inf)))
    fields = {f["key"]: f["value"] for f in lmstudio.operation_fields(profile, FACTS)}
    assert fields["llm.prediction.llama.logitBias"] == [[5, 2.5], [6, "-inf"]]
    grammar = spoken_grammar(profile, FACTS)
    assert fields["llm.prediction.structured"] == {"type": "gbnf", "gbnfGrammar": grammar}
    virtual = yaml.safe_load(lmstudio.export(profile, FACTS).files["model.yaml"])
    said = {f["key"]: f["value"] for f in virtual["config"]["operation"]["fields"]}
    assert said["llm.prediction.llama.logitBias"] == [[5, 2.5], [6, "-inf"]]


def test_a_bias_after_what_scales_is_said_to_come_first() -> None:
    chain = QWQ.chain
    late = replace(chain, stages=(chain.stages[0], LogitBias(((5, 1.0),)), *chain.stages[1:]))
    made = llama_server.export(replace(QWQ, chain=late), FACTS)
    assert "logit bias after temperature: llama-server adds it first" in made.unsaid
    assert chain.stage(Grammar) is None
