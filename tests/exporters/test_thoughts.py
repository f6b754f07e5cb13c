"""Every runtime's words for thinking, for every form that thoughts take in templates."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from qwq_gguf.exporters import (
    llama_server,
    lmstudio,
    ollama,
    openwebui,
    text_generation_webui,
    transformers,
    vllm,
)
from qwq_gguf.exporters.chatml import read_chatml
from qwq_gguf.exporters.exported import Export
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.thinking import read_form
from support.chat_templates import CLOSES, IF_ASKED, QWQ, R1_STYLE, STRIPS, UNLESS_TOLD
from support.lmstudio_hub import check_virtual_model
from support.modelfile import parse
from support.preset_ini import read_preset

PROFILE = load_profile("qwq")
# Thoughts in tags of which vLLM has a parser, and a switch that is a budget.
SEED = (
    "{%- for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ 'assistant: ' }}"
    "{%- if thinking_budget is defined and thinking_budget == 0 %}"
    "{{ '<seed:think>\\n</seed:think>' }}{%- endif %}{%- endif %}"
)
# As Cogito's: the switch is a sentence in the system turn.
ELSEWHERE = IF_ASKED.replace("{%- for", "{{ 'Think deeply.' if enable_thinking }}{%- for", 1)
# Thoughts in tags that few runtimes know.
MAGISTRAL = SEED.replace("seed:think>", "THINK]").replace("</", "[/").replace("<", "[")
TAGS = ("<think>", "</think>", "<seed:think>", "</seed:think>", "[THINK]", "[/THINK]")


def facts(template: str, ids: tuple[str, ...] = TAGS) -> GgufFacts:
    form = read_form(template)
    return GgufFacts(
        "./m.gguf",
        context=131072,
        template=template,
        chatml=read_chatml(template, form),
        thought=form,
        ids={text: number for number, text in enumerate(ids)},
    )


def wanting(thinking: bool | None) -> Profile:
    return replace(PROFILE, template=replace(PROFILE.template, thinking=thinking))


@dataclass(frozen=True)
class Said:
    """What the files say about thinking. `parser` is Ollama's, `reasoning` vLLM's parser,
    `switch` what servers tell the template, `budget` llama-server's.
    """

    parser: str | None = None
    reasoning: str | None = None
    switch: Mapping[str, object] | None = None
    budget: int | None = None
    tags: list[str] | None = None
    choice: bool | None = None


def words(script: str) -> list[str]:
    return shlex.split(script[script.index("\nexec ") :].replace("\\\n", " "))


def after(found: list[str], flag: str) -> str | None:
    return found[found.index(flag) + 1] if flag in found else None


def said(template: str, thinking: bool | None = None) -> Said:
    profile, model = wanting(thinking), facts(template)
    made = {
        module.__name__.rpartition(".")[2]: module.export(profile, model)
        for module in (llama_server, lmstudio, ollama, openwebui, vllm)
    }
    modelfile = {w[0]: w[1] for w in parse(made["ollama"].files["Modelfile"])}
    server = words(made["llama_server"].files["llama-server.sh"])
    other = words(made["vllm"].files["vllm.sh"])
    (preset,) = (v for k, v in read_preset(_preset(made["llama_server"])).items() if k != "default")
    (model_of_webui,) = json.loads(made["openwebui"].files["openwebui.json"])
    params = model_of_webui["params"]
    virtual = yaml.safe_load(made["lmstudio"].files["model.yaml"])
    check_virtual_model(virtual)
    fields = {f["key"]: f["value"] for f in virtual["config"]["operation"]["fields"]}

    kwargs = after(server, "--chat-template-kwargs")
    switch = None if kwargs is None else json.loads(kwargs)
    # What one of them says, the others say as well.
    assert preset.get("chat-template-kwargs") == kwargs
    assert after(other, "--default-chat-template-kwargs") == kwargs
    assert params["custom_params"].get("chat_template_kwargs") == switch
    assert params.get("think") == (None if switch is None else spoken_thoughts(profile, model).on)
    budget = after(server, "--reasoning-budget")
    assert preset.get("reasoning-budget") == budget
    formatted = after(server, "--reasoning-format")
    assert preset.get("reasoning-format") == formatted
    assert (formatted is None) == (not model.thought.can_think)
    assert virtual["metadataOverrides"]["reasoning"] == model.thought.can_think
    parsing: dict[str, Any] | None = fields.get("llm.prediction.reasoning.parsing")
    tags = params.get("reasoning_tags")
    assert tags == (parsing and [parsing["startString"], parsing["endString"]])
    limit = fields.get("llm.prediction.reasoning.budgetTokens")
    assert (limit and str(limit["value"])) == budget
    choices = virtual.get("customFields")
    return Said(
        parser=modelfile.get("PARSER"),
        reasoning=after(other, "--reasoning-parser"),
        switch=switch,
        budget=None if budget is None else int(budget),
        tags=tags,
        choice=choices and choices[0]["defaultValue"],
    )


def _preset(made: Export) -> str:
    return made.files["preset.ini"]


THINK = ["<think>", "</think>"]
ON, OFF = {"enable_thinking": True}, {"enable_thinking": False}
HYBRID = Said("qwen3-thinking", "qwen3", None, 12288, THINK, choice=True)


@pytest.mark.parametrize(
    "template, thinking, expected",
    [
        pytest.param(STRIPS, None, Said(), id="plain"),
        pytest.param(STRIPS, True, Said(), id="plain, though told to"),
        pytest.param(CLOSES, None, Said(), id="closes"),
        pytest.param(
            QWQ, None, Said("qwen3-thinking", "deepseek_r1", None, 12288, THINK), id="qwq"
        ),
        # Only a budget keeps its thought away there; in Ollama, a closed one.
        pytest.param(QWQ, False, Said(None, "deepseek_r1", None, 1, THINK), id="qwq, off"),
        # Not ChatML: Ollama has the file's own template, and so no parser.
        pytest.param(R1_STYLE, None, Said(None, "deepseek_r1", None, 12288, THINK), id="r1"),
        pytest.param(UNLESS_TOLD, None, HYBRID, id="unless told"),
        pytest.param(UNLESS_TOLD, True, replace(HYBRID, switch=ON), id="unless told, on"),
        pytest.param(
            UNLESS_TOLD,
            False,
            replace(HYBRID, parser=None, switch=OFF, choice=False),
            id="unless told, off",
        ),
        # A server has a default of its own, so that of the template is told.
        pytest.param(IF_ASKED, None, replace(HYBRID, switch=OFF, choice=False), id="if asked"),
        pytest.param(IF_ASKED, True, replace(HYBRID, switch=ON), id="if asked, on"),
        pytest.param(
            IF_ASKED,
            False,
            replace(HYBRID, parser=None, switch=OFF, choice=False),
            id="if asked, off",
        ),
        # Not the end of the prompt alone: a TEMPLATE cannot say it, so there is none, nor a parser.
        pytest.param(
            ELSEWHERE, None, replace(HYBRID, parser=None, switch=OFF, choice=False), id="elsewhere"
        ),
        pytest.param(
            SEED,
            None,
            Said(None, "seed_oss", None, 12288, ["<seed:think>", "</seed:think>"]),
            id="seed",
        ),
        pytest.param(
            MAGISTRAL, None, Said(None, None, None, 12288, ["[THINK]", "[/THINK]"]), id="magistral"
        ),
    ],
)
def test_what_is_said_of_thinking(template: str, thinking: bool | None, expected: Said) -> None:
    assert said(template, thinking) == expected


def test_who_is_not_told_the_switch_is_named() -> None:
    model = facts(IF_ASKED)
    for module in (lmstudio, text_generation_webui, transformers):
        told = [s for s in module.export(PROFILE, model).unsaid if "enable_thinking" in s]
        assert len(told) == 1, module
        assert told[0].startswith("thinking off (enable_thinking = false for the template): ")
        assert "enable_thinking" not in " ".join(module.export(PROFILE, facts(QWQ)).unsaid)
    assert any("no thought: " in s for s in vllm.export(wanting(False), facts(QWQ)).unsaid)
    assert not any("no thought: " in s for s in vllm.export(wanting(False), model).unsaid)


def test_a_vocabulary_without_the_tags_gets_no_parser_that_would_raise() -> None:
    made = vllm.export(PROFILE, facts(QWQ, ids=("<think>",)))
    assert "--reasoning-parser" not in made.files["vllm.sh"]
    assert any("no token </think>" in sentence for sentence in made.unsaid)
    assert any("none that is known" in s for s in vllm.export(PROFILE, facts(MAGISTRAL)).unsaid)


@pytest.mark.parametrize("context, budget", [(131072, 12288), (16384, 12288), (4096, 3072)])
def test_a_budget_leaves_room_for_the_answer(context: int, budget: int) -> None:
    made = llama_server.export(PROFILE, replace(facts(QWQ), context=context))
    assert after(words(made.files["llama-server.sh"]), "--reasoning-budget") == str(budget)
    told = [sentence for sentence in made.unsaid if "thought budget" in sentence]
    assert bool(told) is (budget != 12288)
    plain = llama_server.export(PROFILE, replace(facts(STRIPS), context=context))
    assert not any("thought budget" in sentence for sentence in plain.unsaid)


def test_ollama_asks_for_a_thought_and_that_is_said() -> None:
    told = "no thought unless it is asked for"
    assert any(told in sentence for sentence in ollama.modelfile(PROFILE, facts(IF_ASKED)).unsaid)
    for thinking, template in ((False, IF_ASKED), (None, UNLESS_TOLD), (None, STRIPS)):
        made = ollama.modelfile(wanting(thinking), facts(template))
        assert not any(told in sentence for sentence in made.unsaid)
