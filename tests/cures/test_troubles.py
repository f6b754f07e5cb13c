"""What will go wrong in a runtime, and that the cure leaves nothing of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.cures.file_troubles import troubles_of_file
from qwq_gguf.cures.lmstudio import cured_settings, running_in_lmstudio
from qwq_gguf.cures.ollama import OllamaSettings, cured_modelfile, cured_name, running_in_ollama
from qwq_gguf.cures.troubles import Trouble, last_bound, troubles_of
from qwq_gguf.exporters.facts import GgufFacts, gguf_facts
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.profiles import load_profile, resolve
from support.lmstudio import check_fields
from support.tiny_gguf import write_random

QWQ = load_profile("qwq")


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("cures") / "QwQ-Tiny.gguf", context=40_960)


@pytest.fixture
def facts(gguf: Path) -> GgufFacts:
    return gguf_facts(read_gguf(gguf).metadata, file="qwq")


def kinds(troubles: tuple[Trouble, ...]) -> list[str]:
    return [trouble.kind for trouble in troubles]


def in_ollama(facts: GgufFacts, **settings: Any) -> tuple[Trouble, ...]:
    told = {"parameters": {}, **settings}
    return troubles_of(running_in_ollama(OllamaSettings(**told), QWQ, facts), QWQ, facts)


def in_lmstudio(facts: GgufFacts, settings: Mapping[str, Any]) -> tuple[Trouble, ...]:
    return troubles_of(running_in_lmstudio(settings, QWQ, facts), QWQ, facts)


def test_the_library_entry_of_ollama(facts: GgufFacts) -> None:
    """As `ollama pull qwq` leaves it: sampling, and neither context nor bound."""
    params = {"repeat_penalty": 1, "temperature": 0.6, "top_k": 40, "top_p": 0.95}
    template = "{{- range .Messages }}<|im_start|>{{ .Role }}{{ .Content }}{{ end }}"
    found = in_ollama(facts, parameters=params, template=template)
    assert kinds(found) == [
        *("endless", "context", "thought tags", "template", "numbers", "order"),
    ]
    texts = {trouble.kind: trouble.what for trouble in found}
    assert "4,096" in texts["context"]
    assert "0.30" in texts["template"], "which prompt acts depends on the version"
    assert "temperature" not in texts["numbers"]
    assert "presence penalty 0 instead of 1" in texts["numbers"]


@pytest.mark.parametrize(
    ("params", "kind", "word"),
    [
        ({}, "repeat penalty", "before 0.32.10 takes 1.1"),
        ({"repeat_penalty": 1.15}, "repeat penalty", "1.15"),
        ({"repeat_penalty": 1.0}, "repeat penalty", ""),
        ({"num_ctx": 2048}, "context", "2,048"),
        ({"num_ctx": 16384}, "context", ""),
        ({"num_predict": -1}, "endless", "bounds neither"),
        ({"num_predict": 9000}, "endless", ""),
        ({"num_ctx": "many", "num_predict": True}, "endless", "bounds neither"),
    ],
)
def test_a_parameter_of_ollama(
    params: dict[str, Any], kind: str, word: str, facts: GgufFacts
) -> None:
    found = {str(trouble.kind): trouble.what for trouble in in_ollama(facts, parameters=params)}
    assert (word in found[kind]) if word else (kind not in found)


def test_a_parser_or_a_field_for_thoughts_is_enough(facts: GgufFacts) -> None:
    blind = "{{ .Prompt }}<think>"
    assert "thought tags" in kinds(in_ollama(facts, template=blind))
    assert "thought tags" not in kinds(in_ollama(facts, template=blind, parser="qwen3-thinking"))
    assert "thought tags" not in kinds(in_ollama(facts, template=blind + "{{ .Thinking }}"))
    assert "thought tags" not in kinds(in_ollama(facts)), "the GGUF's own template acts"


def test_the_modelfile_cures_all_but_the_order(facts: GgufFacts) -> None:
    made = cured_modelfile(QWQ, facts)
    params = {
        name: float(value)
        for kind, name, value in (line for line in made.instructions if len(line) == 3)
        if kind == "PARAMETER" and name != "stop"
    }
    others = {line[0]: line[1] for line in made.instructions if len(line) == 2}
    assert others["FROM"] == "qwq"
    assert params["num_predict"] == last_bound(QWQ, 16384) == 14336
    left = in_ollama(facts, parameters=params, template=others["TEMPLATE"], parser=others["PARSER"])
    assert kinds(left) == ["order"]
    ordered = replace(facts, sampling=replace(facts.sampling, order=QWQ.chain.order[:-1]))
    assert in_ollama(ordered, parameters=params, template=others["TEMPLATE"]) == ()
    assert any("num_predict only ends the reply" in line for line in made.unsaid)


def test_a_bound_leaves_room_for_question_and_answer() -> None:
    for context in (256, 4096, 16384, 131072):
        bound = last_bound(QWQ, context)
        assert 0.75 * min(context, 16384) <= bound < context
    endless = QWQ.with_thought_budget(None)
    assert last_bound(endless, 4096) == 3584


def test_a_model_that_does_not_think_is_given_no_bound(tmp_path: Path) -> None:
    template = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    keys = {"tokenizer.chat_template": template, "general.name": "Plain"}
    metadata = read_gguf(write_random(tmp_path / "plain.gguf", keys=keys)).metadata
    profile, facts = resolve(metadata).profile, gguf_facts(metadata, file="plain")
    running = running_in_ollama(OllamaSettings({}), profile, facts)
    assert kinds(troubles_of(running, profile, facts)) == []
    assert "num_predict" not in cured_modelfile(profile, facts).text


def test_lm_studio_as_it_comes_and_cured(facts: GgufFacts) -> None:
    found = in_lmstudio(facts, {})
    assert kinds(found) == ["endless", "context", "repeat penalty", "numbers", "order"]
    assert "1.1, LM Studio's default" in found[2].what
    theirs = {
        "preset": "mine",
        "operation": {
            "fields": [
                {"key": "llm.prediction.temperature", "value": 1.9},
                {"key": "llm.prediction.systemPrompt", "value": "Be kind."},
                "no field",
            ],
            "odd": 1,
        },
        "load": {"fields": [{"key": "llm.load.llama.flashAttention", "value": True}]},
        "new": {"x": 1},
    }
    cured = json.loads(cured_settings(theirs, QWQ, facts))
    assert kinds(in_lmstudio(facts, cured)) == ["order"], "only the GGUF can carry that"
    assert cured["preset"] == "mine"
    assert cured["new"] == {"x": 1}
    assert cured["operation"]["odd"] == 1
    fields = cured["operation"]["fields"]
    check_fields(fields)
    assert {"key": "llm.prediction.systemPrompt", "value": "Be kind."} in fields
    assert {"key": "llm.load.llama.flashAttention", "value": True} in cured["load"]["fields"]


def test_lm_studio_told_other_tags(facts: GgufFacts) -> None:
    parsing = {"enabled": True, "startString": "<seed:think>", "endString": "</seed:think>"}
    fields = [{"key": "llm.prediction.reasoning.parsing", "value": parsing}]
    assert "thought tags" in kinds(in_lmstudio(facts, {"operation": {"fields": fields}}))


@pytest.mark.parametrize(
    "settings",
    [
        {"operation": []},
        {"operation": {"fields": {}}},
        {"operation": {"fields": [{"key": 7}, None, {"key": "llm.prediction.temperature"}]}},
        {"load": {"fields": [{"key": "llm.load.contextLength", "value": "1e400"}]}},
        {"load": {"fields": [{"key": "llm.load.contextLength", "value": float("inf")}]}},
    ],
)
def test_odd_settings_of_lm_studio_count_as_none(
    settings: dict[str, Any], facts: GgufFacts
) -> None:
    assert kinds(in_lmstudio(facts, settings)) == kinds(in_lmstudio(facts, {}))


def test_a_reply_that_cannot_end(tmp_path: Path) -> None:
    path = write_random(tmp_path / "x.gguf", keys={"tokenizer.ggml.eos_token_id": 0})
    (found,) = troubles_of_file(read_gguf(path).metadata)
    assert found.kind == "ending"
    assert "<|im_end|>" in found.what
    assert "would not stop there" in found.leads_to


def test_the_cured_model_has_a_name_beside_the_other() -> None:
    assert cured_name("qwq") == "qwq-fixed"
    assert cured_name("qwq:32b") == "qwq-32b-fixed"
    assert cured_name("hf.co/org/QwQ-GGUF:Q4_K_M") == "qwq-gguf-q4_k_m-fixed"
