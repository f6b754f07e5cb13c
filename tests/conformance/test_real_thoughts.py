"""What a real llama-server makes of our thinking models: by its replies, not by its settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.conformance import Verdict, ask_server, compare
from qwq_gguf.conformance.http import Client
from qwq_gguf.exporters import llama_server as exporter
from qwq_gguf.exporters.facts import gguf_facts
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.preparation.llama_cpp import is_misread, tell_llama_cpp
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.tools.calculator import Calculator
from support.chat_templates import IF_ASKED, MISREAD, OPENS, SEEN, UNLESS_TOLD
from support.llama_server import ask, llama_server, needs_llama_server, streamed
from support.preset_ini import read_preset
from support.tiny_gguf import write_random

pytestmark = needs_llama_server

CHAT = "/v1/chat/completions"
PRODUCT = {"messages": [{"role": "user", "content": "What is 7*43?"}], "temperature": 0}
WITH_TOOLS = {
    "messages": [{"role": "user", "content": "What is 3394*35979?"}],
    "tools": [Calculator().spec.to_json()],
    "temperature": 0,
}
QWQ = load_profile("qwq")


@pytest.fixture(scope="module")
def server(demo: Path) -> Iterator[str]:
    with llama_server(demo, context=4096) as address:
        yield address


def message(address: str, body: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = ask(address, CHAT, {"max_tokens": 400, **body})["choices"][0]["message"]
    return said


def test_the_thought_comes_apart(server: str) -> None:
    said = message(server, PRODUCT)
    assert said["content"].strip() == "7*43 = \\boxed{301}"
    assert "think>" not in said["reasoning_content"]
    assert "43*7" in said["reasoning_content"]


def test_the_thought_comes_apart_when_it_is_streamed(server: str) -> None:
    whole = message(server, PRODUCT)
    thought, answer, calls = streamed(server, PRODUCT | {"max_tokens": 400})
    assert (thought, answer, calls) == (whole["reasoning_content"], whole["content"], [])


def test_a_call_is_found_behind_the_thought(server: str) -> None:
    said = message(server, WITH_TOOLS)
    (call,) = said["tool_calls"]
    assert call["function"]["name"] == "calculator"
    assert json.loads(call["function"]["arguments"]) == {"expression": "3394*35979"}
    assert "calculator" in said["reasoning_content"]
    assert said["content"].strip() == ""
    thought, answer, calls = streamed(server, WITH_TOOLS | {"max_tokens": 400})
    assert (thought, answer.strip()) == (said["reasoning_content"], "")
    assert calls == [call["function"]]


def tokens(address: str, text: str) -> int:
    return len(ask(address, "/tokenize", {"content": text})["tokens"])


def test_a_budget_ends_the_thought(server: str) -> None:
    free = tokens(server, message(server, PRODUCT)["reasoning_content"])
    said = message(server, PRODUCT | {"thinking_budget_tokens": 8})
    assert free > 20
    assert 0 < tokens(server, said["reasoning_content"]) <= 10
    assert said["content"].strip()


def governed(budget: int, message: str = "") -> Profile:
    governor = replace(QWQ.governor, budget=budget, message=message)
    return replace(QWQ, governor=governor)


def from_command(script: str) -> dict[str, str]:
    words = shlex.split(script[script.index("\nexec ") :].replace("\\\n", " "))[2:-1]
    flags: dict[str, str] = {}
    for word in words:
        if word.startswith("--"):
            name = word.removeprefix("--")
            flags[name] = "true"
        else:
            flags[name] = word
    return flags


def from_preset(preset: str) -> dict[str, str]:
    sections = read_preset(preset)
    del sections["default"]
    (flags,) = sections.values()
    return flags


@pytest.mark.parametrize("form", ["preset.ini", "llama-server.sh"])
def test_an_exported_budget_acts_and_its_words_are_said(demo: Path, form: str) -> None:
    facts = gguf_facts(read_gguf(demo).metadata, file=str(demo))
    files = exporter.export(governed(8, "Enough; I answer."), facts).files
    flags = (from_preset if form == "preset.ini" else from_command)(files[form])
    with llama_server(demo, flags=flags) as address:
        thought = message(address, PRODUCT)["reasoning_content"]
        part, _, _ = thought.partition("Enough")
        assert thought.rstrip().endswith(
            "Enough, I answer." if form == "preset.ini" else "Enough; I answer."
        )
        assert 0 < tokens(address, part) <= 10
        assert message(address, WITH_TOOLS | {"thinking_budget_tokens": 200})["tool_calls"]


@pytest.mark.parametrize("form", ["preset.ini", "llama-server.sh"])
def test_an_exported_file_makes_the_server_conform(form: str, tmp_path: Path) -> None:
    """Of a GGUF that says other things by itself; and one flag that is wrong is found."""
    keys = {"tokenizer.chat_template": OPENS, "general.sampling.temp": 0.9}
    path = write_random(tmp_path / "m.gguf", keys=keys)
    facts = gguf_facts(read_gguf(path).metadata, file=str(path))
    files = exporter.export(QWQ, facts).files
    flags = (from_preset if form == "preset.ini" else from_command)(files[form])

    def differing(flags: Mapping[str, str]) -> set[str]:
        with llama_server(path, flags=flags) as address:
            rows = compare(QWQ, ask_server(Client(address)))
        return {row.setting for row in rows if row.verdict is Verdict.DIFFERS}

    assert differing(flags) == set()
    order = {name for name in flags if name.startswith("sampler")}
    without = {name: text for name, text in flags.items() if name not in {*order, "temp"}}
    wrong = {"presence-penalty": "0.3", "top-k": "20"}
    assert differing(without | wrong) == {"order", "temperature", "presence_penalty", "top_k"}


def test_thoughts_that_are_turned_off_are_off(demo: Path) -> None:
    facts = gguf_facts(read_gguf(demo).metadata, file=str(demo))
    profile = replace(QWQ, template=replace(QWQ.template, thinking=False))
    flags = from_command(exporter.export(profile, facts).files["llama-server.sh"])
    assert flags["reasoning-budget"] == "1"
    with llama_server(demo, flags=flags) as address:
        said = message(address, PRODUCT)
        assert not said.get("reasoning_content", "").strip()
        assert "boxed" in said["content"]


@pytest.mark.parametrize("template", [IF_ASKED, UNLESS_TOLD], ids=["if asked", "unless told"])
@pytest.mark.parametrize("thinking", [None, True, False])
def test_a_hybrid_starts_as_its_template_or_profile_says(
    template: str, thinking: bool | None, tmp_path: Path
) -> None:
    path = write_random(tmp_path / "m.gguf", keys={"tokenizer.chat_template": template})
    facts = gguf_facts(read_gguf(path).metadata, file=str(path))
    profile = replace(QWQ, template=replace(QWQ.template, thinking=thinking))
    files = exporter.export(profile, facts).files
    on = thinking if thinking is not None else facts.thought.thinks
    body = {"messages": [{"role": "user", "content": "hello"}]}
    for flags in (from_preset(files["preset.ini"]), from_command(files["llama-server.sh"])):
        flags["ctx-size"] = "512"
        with llama_server(path, flags=flags) as address:
            prompt = ask(address, "/apply-template", body)["prompt"]
        assert prompt.endswith("</think>\n\n") is not on


ORACLE = {**MISREAD, **SEEN}


@pytest.mark.parametrize("name", ORACLE)
def test_it_sees_the_thoughts_that_we_say_it_sees(name: str, tmp_path: Path) -> None:
    """A model that may not close its thought: all it says is one, if any is seen."""

    def thinks(template: str) -> bool:
        path = write_random(
            tmp_path / "m.gguf", context=512, keys={"tokenizer.chat_template": template}
        )
        body: dict[str, Any] = {
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": 12,
            "temperature": 0,
            "logit_bias": [["</think>", False]],
            "chat_template_kwargs": {"enable_thinking": True},
        }
        with llama_server(path, context=512) as address:
            said = ask(address, CHAT, body)["choices"][0]["message"]
        assert bool(said.get("reasoning_content")) is not bool(said["content"]), said
        return bool(said.get("reasoning_content"))

    template = ORACLE[name]
    assert thinks(template) is not is_misread(template)
    path = write_random(tmp_path / "k.gguf", keys={"tokenizer.chat_template": template})
    repair = tell_llama_cpp(read_gguf(path).metadata)
    if repair is not None:
        assert thinks(str(repair.entries[0].value))
