"""What each runtime is told of models that think in other ways than QwQ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from qwq_gguf.exporters.facts import GgufFacts, gguf_facts
from qwq_gguf.exporters.runtimes import EXPORTERS
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.metadata import KeyValue, ValueType, array, text
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.sampling import Grammar
from support.families import FAMILIES
from support.lmstudio_hub import check_virtual_model
from support.modelfile import parse


def facts_of(name: str) -> GgufFacts:
    family = FAMILIES[name]
    tags = ("<think>", "</think>", "<seed:think>", "</seed:think>")
    entries: tuple[KeyValue, ...] = (
        text("general.architecture", family.architecture),
        text("tokenizer.chat_template", family.template),
        array("tokenizer.ggml.tokens", ValueType.STRING, [*family.controls, *tags]),
    )
    return gguf_facts({entry.key: entry for entry in entries}, file="./m.gguf")


def profile_of(name: str) -> Profile:
    profile = load_profile(FAMILIES[name].profile)
    return profile.with_thinking(True) if FAMILIES[name].variables else profile


@dataclass(frozen=True)
class Told:
    """RENDERER and PARSER of Ollama, vLLM's two parsers, and the two texts around a thought.

    With a PARSER alone there is a TEMPLATE of ours: that of ChatML.
    """

    ollama: tuple[str | None, str] | None
    reasoning: str
    tools: str | None
    around: tuple[str, str] | None


EXPECTED = {
    "gpt-oss": Told(None, "openai_gptoss", "openai", None),
    "gemma4": Told(("gemma4", "gemma4"), "gemma4", "gemma4", ("<|channel>thought", "<channel|>")),
    "magistral": Told(None, "mistral", "mistral", ("[THINK]", "[/THINK]")),
    "seed-oss": Told(None, "seed_oss", "seed_oss", ("<seed:think>", "</seed:think>")),
    "glm": Told(("glm-4.7", "glm-4.7"), "glm47", "glm47", ("<think>", "</think>")),
    "deepseek-r1": Told(None, "deepseek_r1", "deepseek_v3", ("<think>", "</think>")),
    "qwq": Told((None, "qwen3-thinking"), "deepseek_r1", "hermes", ("<think>", "</think>")),
    "qwen3": Told((None, "qwen3-thinking"), "qwen3", "hermes", ("<think>", "</think>")),
    "qwen3-next": Told((None, "qwen3-thinking"), "deepseek_r1", "hermes", ("<think>", "</think>")),
    "r1-llama": Told(None, "deepseek_r1", None, ("<think>", "</think>")),
    "nemotron": Told(
        ("nemotron-3-nano", "nemotron-3-nano"),
        "nemotron_v3",
        "qwen3_coder",
        ("<think>", "</think>"),
    ),
    "nemotron-nano": Told(None, "deepseek_r1", None, ("<think>", "</think>")),
    "exaone4": Told(None, "qwen3", "hermes", ("<think>", "</think>")),
    "olmo3": Told(("olmo3-think", "olmo3-think"), "olmo3", None, ("<think>", "</think>")),
    "phi4": Told(None, "deepseek_r1", None, ("<think>", "</think>")),
    "smollm3": Told(None, "qwen3", "hermes", ("<think>", "</think>")),
    "qwen3.6": Told(("qwen3.5", "qwen3.5"), "qwen3", "qwen3_coder", ("<think>", "</think>")),
}


def after(script: str, flag: str) -> str | None:
    words = script.replace("\\\n", " ").split()
    return words[words.index(flag) + 1] if flag in words else None


@pytest.mark.parametrize("name", FAMILIES)
def test_each_runtime_is_told_in_its_own_words(name: str) -> None:
    facts, profile = facts_of(name), profile_of(name)
    made = {runtime: export(profile, facts) for runtime, export in EXPORTERS.items()}
    lines = {words[0]: words[1] for words in parse(made["ollama"].files["Modelfile"])}
    vllm = made["vllm"].files["vllm.sh"]
    model = yaml.safe_load(made["lmstudio"].files["model.yaml"])
    check_virtual_model(model)
    fields = {f["key"]: f["value"] for f in model["config"]["operation"]["fields"]}
    parsing: dict[str, Any] | None = fields.get("llm.prediction.reasoning.parsing")
    (webui,) = json.loads(made["openwebui"].files["openwebui.json"])
    around = (parsing["startString"], parsing["endString"]) if parsing else None
    tags = webui["params"].get("reasoning_tags")
    assert (tags and tuple(tags)) == around
    renderer, parser = lines.get("RENDERER"), lines.get("PARSER")
    assert (
        Told(
            None if parser is None else (renderer, parser),
            after(vllm, "--reasoning-parser") or "",
            after(vllm, "--tool-call-parser"),
            around,
        )
        == EXPECTED[name]
    )
    assert ("TEMPLATE" in lines) is (parser is not None and renderer is None)
    assert after(made["llama-server"].files["llama-server.sh"], "--reasoning-format") == "deepseek"
    assert model["metadataOverrides"]["reasoning"] is True


@pytest.mark.parametrize(
    "runtime, sentence",
    [
        ("ollama", "Ollama knows a thinking model by <think>"),
        ("lmstudio", "the channels of thought and answer: LM Studio has to know this format"),
        ("openwebui", "the channels of thought and answer: the server has to know this format"),
    ],
)
def test_what_a_runtime_cannot_be_told_of_channels_is_said(runtime: str, sentence: str) -> None:
    made = EXPORTERS[runtime](profile_of("gpt-oss"), facts_of("gpt-oss"))
    assert [line for line in made.unsaid if sentence in line]


@pytest.mark.parametrize(
    "name, runtime, sentence",
    [
        ("smollm3", "llama-server", "calls: this chat template writes none of those"),
        ("nemotron-nano", "vllm", "calls in <TOOLCALL>: vLLM has nothing that reads them"),
    ],
)
def test_what_a_runtime_makes_of_calls_is_said(name: str, runtime: str, sentence: str) -> None:
    made = EXPORTERS[runtime](profile_of(name), facts_of(name))
    assert [line for line in made.unsaid if line.startswith(sentence)]
    made = EXPORTERS[runtime](profile_of("qwen3.6"), facts_of("qwen3.6"))
    assert not [line for line in made.unsaid if line.startswith("calls")]


@pytest.mark.parametrize("runtime", ["llama-server", "vllm", "lmstudio"])
def test_a_word_that_turns_thoughts_off_is_the_clients(runtime: str) -> None:
    profile = load_profile("nemotron-nano-v2").with_thinking(False)
    made = EXPORTERS[runtime](profile, facts_of("nemotron-nano"))
    (said,) = [line for line in made.unsaid if "/no_think" in line]
    assert said.startswith("thinking off: the template looks for /no_think in the system's")


def test_an_effort_is_told_where_the_template_knows_the_word() -> None:
    low = load_profile("gpt-oss").with_effort("low")
    thoughts = spoken_thoughts(low, facts_of("gpt-oss"))
    assert (thoughts.switch, thoughts.effort) == ((("reasoning_effort", "low"),), "low")
    made = {name: export(low, facts_of("gpt-oss")) for name, export in EXPORTERS.items()}
    for runtime, file in (("llama-server", "llama-server.sh"), ("vllm", "vllm.sh")):
        assert '{"reasoning_effort": "low"}' in made[runtime].files[file]
    (webui,) = json.loads(made["openwebui"].files["openwebui.json"])
    assert webui["params"]["think"] == "low"
    assert spoken_thoughts(low, facts_of("glm")).switch == ()


def test_a_thinking_budget_is_told_to_the_template_that_speaks_of_one() -> None:
    bound = load_profile("seed-oss").with_thought_budget(512)
    assert spoken_thoughts(bound, facts_of("seed-oss")).switch == (("thinking_budget", 512),)


def test_a_grammar_lets_the_marks_of_channels_pass() -> None:
    bound = load_profile("gpt-oss").with_overrides(grammar='root ::= "yes"')
    grammar = EXPORTERS["llama-server"](bound, facts_of("gpt-oss")).files["grammar.gbnf"]
    rules = Grammar(grammar)
    first = grammar.splitlines()[0]
    assert first.startswith('root ::= ("<|channel|>analysis<|message|>" thought')
    assert '"<|start|>assistant")? "<|channel|>final<|message|>"' in first
    assert "root" in rules.rules.names


def test_what_a_built_in_renderer_leaves_out_is_said() -> None:
    made = EXPORTERS["ollama"](load_profile("gemma4").with_thinking(False), facts_of("gemma4"))
    assert [line for line in made.unsaid if line.startswith("the chat template in the GGUF")]
    assert [line for line in made.unsaid if line.startswith("thinking off: the client says it")]
    assert not [line for line in made.unsaid if "not ChatML" in line]
