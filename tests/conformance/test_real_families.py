"""What a real llama-server makes of each family, run as our export tells it to."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.exporters import llama_server as exporter
from qwq_gguf.exporters.facts import gguf_facts
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.preparation.llama_cpp import tell_llama_cpp
from qwq_gguf.profiles import load_profile
from qwq_gguf.tools.calculator import Calculator
from support.families import ANSWER, CALL, FAMILIES, PLAIN, THOUGHT, write_family
from support.llama_server import ask, llama_server, needs_llama_server

pytestmark = needs_llama_server

# What thinks there only if it is asked to is asked by the profile.
_ASKED = {name for name, family in FAMILIES.items() if family.variables}


def flags_of(path: Path, name: str) -> dict[str, str]:
    profile = load_profile((FAMILIES | PLAIN)[name].profile)
    if name in _ASKED:
        profile = profile.with_thinking(True)
    facts = gguf_facts(read_gguf(path).metadata, file=str(path))
    script = exporter.export(profile, facts).files["llama-server.sh"]
    words = shlex.split(script[script.index("\nexec ") :].replace("\\\n", " "))[2:-1]
    pairs = zip(words, [*words[1:], "--"], strict=True)
    flags = {w[2:]: "true" if v.startswith("--") else v for w, v in pairs if w.startswith("--")}
    return flags | {"ctx-size": "1024"}


def write_told(path: Path, name: str, *, calls: bool = False) -> Path:
    """The family's model as `quantize` makes it: its template tells llama.cpp that it thinks."""
    write_family(path, name, calls=calls)
    told = tell_llama_cpp(read_gguf(path).metadata)
    if told is None:
        return path
    return write_family(path, name, calls=calls, template=str(told.entries[0].value))


def message(address: str, **body: Any) -> dict[str, Any]:
    asked = {"messages": [{"role": "user", "content": "What is 6*7?"}], "temperature": 0}
    said = ask(address, "/v1/chat/completions", {"max_tokens": 60, **asked, **body})
    found: dict[str, Any] = said["choices"][0]["message"]
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_thought_and_answer_come_apart(name: str, tmp_path: Path) -> None:
    path = write_told(tmp_path / "m.gguf", name)
    with llama_server(path, flags=flags_of(path, name)) as address:
        said = message(address)
    assert (said["reasoning_content"].strip(), said["content"].strip()) == (THOUGHT, ANSWER)


_CALLING = {name: family for name, family in (FAMILIES | PLAIN).items() if family.call}


@pytest.mark.parametrize("name", _CALLING)
def test_a_call_in_the_familys_own_form_is_found(name: str, tmp_path: Path) -> None:
    path = write_family(tmp_path / "m.gguf", name, calls=True)
    with llama_server(path, flags=flags_of(path, name)) as address:
        said = message(address, tools=[Calculator().spec.to_json()])
    thought = THOUGHT if name in FAMILIES else ""
    assert (said.get("reasoning_content") or "").strip() == thought
    text = (said["content"] or "").strip()
    if name == "smollm3":  # the export says so: its template shows no calls to learn from
        assert text.startswith("<tool_call>")
        return
    (call,) = said["tool_calls"]
    assert (call["function"]["name"], text) == ("calculator", "")
    assert json.loads(call["function"]["arguments"]) == CALL


def test_an_exported_effort_is_in_the_prompt(tmp_path: Path) -> None:
    path = write_family(tmp_path / "m.gguf", "gpt-oss")
    facts = gguf_facts(read_gguf(path).metadata, file=str(path))
    profile = load_profile("gpt-oss").with_effort("low")
    script = exporter.export(profile, facts).files["llama-server.sh"]
    words = shlex.split(script[script.index("\nexec ") :].replace("\\\n", " "))
    kwargs = words[words.index("--chat-template-kwargs") + 1]
    with llama_server(path, flags={"chat-template-kwargs": kwargs}) as address:
        body = {"messages": [{"role": "user", "content": "hello"}]}
        prompt = ask(address, "/apply-template", body)["prompt"]
    assert "Reasoning: low" in prompt
