"""Our file in a real llama-server: it runs as its profile says, with no flag given."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.cli.app import app
from qwq_gguf.conformance import Verdict, ask_server, compare
from qwq_gguf.conformance.http import Client
from qwq_gguf.conformance.llama_server import read_llama_server
from qwq_gguf.conversion import convert
from qwq_gguf.editing import change_entries, write_entries
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.exporters.facts import gguf_facts
from qwq_gguf.exporters.forbidding import spoken_grammar
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.profiles import load_profile
from qwq_gguf.profiles.gguf_keys import read_sampling
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.sampling import LogitBias, SamplerChain
from support.llama_server import ask, llama_server, needs_llama_server

pytestmark = needs_llama_server

# How far apart log-probabilities of the twenty best tokens may be, down to e^-32. Measured:
# 0.003 with weights in F32, where both builds of llama.cpp keep a cache in F16; 0.1 with
# Q4_K_M, where each rounds activations to eight bits in its own kernels.
TOLERANCE = {"F32": 0.02, "Q4_K_M": 0.3}
QUESTION = "What is 7*43?"


@pytest.fixture(scope="module")
def server(demo: Path) -> Iterator[str]:
    with llama_server(demo) as address:
        yield address


def prompt_of(model: Model) -> tuple[str, list[int]]:
    assert model.chat_template is not None
    rendered = ChatTemplate(model.chat_template).render(
        [Message("user", QUESTION)], control_tokens=list(model.control_tokens)
    )
    return rendered.text, model.encode(rendered.segments)


def test_the_order_is_the_profiles_with_no_flag_given(server: str, demo: Path) -> None:
    props = ask(server, "/props")["default_generation_settings"]["params"]
    chain = load_profile("qwq").chain
    assert props["samplers"] == list(chain.order[:-1])
    assert props["temperature"] == pytest.approx(0.6)
    assert props["repeat_last_n"] >= 16384
    applied = ask_server(Client(server), file=read_sampling(read_gguf(demo).metadata))
    assert applied.notes == ()
    rows = {row.setting: row for row in compare(load_profile("qwq"), applied)}
    assert {name for name, row in rows.items() if row.verdict is Verdict.DIFFERS} == {
        "presence_penalty",  # no GGUF can carry it
        "context",  # this server was started with less
    }
    assert rows["order"].origin == "general.sampling.sequence in the file"
    assert rows["min_p"].origin == "general.sampling.min_p in the file"
    assert rows["presence_penalty"].origin == "llama.cpp's default"
    assert rows["penalty_window"].verdict is Verdict.NEAR


def test_a_request_as_ollama_sends_it_keeps_the_order(server: str) -> None:
    body = {
        "prompt": "a", "n_predict": 1, "stream": False, "temperature": 0.8, "top_k": 40,
        "top_p": 0.9, "min_p": 0.0, "typical_p": 1.0, "repeat_last_n": 64,
        "repeat_penalty": 1.0, "presence_penalty": 1.5, "frequency_penalty": 0.0,
        "seed": 7, "stop": ["<|im_end|>"],
    }  # fmt: skip
    used = ask(server, "/completion", body)["generation_settings"]
    assert used["samplers"] == ["temperature", "top_k", "top_p", "min_p", "penalties"]
    assert used["top_p"] == pytest.approx(0.9)
    assert used["presence_penalty"] == pytest.approx(1.5)


def test_an_exported_grammar_lets_it_think_and_binds_the_answer(server: str, demo: Path) -> None:
    profile = load_profile("qwq").with_overrides(grammar='root ::= "yes" | "no"')
    grammar = spoken_grammar(profile, gguf_facts(read_gguf(demo).metadata, file="demo.gguf"))
    with Model.load(demo, threads=1, context=2048) as model:
        _, tokens = prompt_of(model)
        bias = LogitBias(((model.vocabulary.only_token("W"), -math.inf), (5, 1.5)))
    body = {"prompt": tokens, "n_predict": 400, "seed": 3, "grammar": grammar}
    body["logit_bias"] = [[token, False if b == -math.inf else b] for token, b in bias.biases]
    said = ask(server, "/completion", body | {"special": True})
    thought, _, answer = said["content"].partition("</think>")
    assert len(thought) > 10
    assert re.fullmatch(r"\n{0,4}(yes|no)", answer), said["content"]
    # And what it says of itself is what we asked for.
    used = read_llama_server({}, said, None, None)
    wanted = replace(profile, chain=profile.chain.with_overrides(logit_bias=bias.biases))
    rows = {row.setting: row.verdict for row in compare(wanted, used)}
    assert rows["grammar"] is rows["logit_bias"] is Verdict.SAME


def test_the_first_tokens_are_those_of_our_engine(server: str, demo: Path) -> None:
    with Model.load(demo, threads=1, context=2048) as model:
        text, tokens = prompt_of(model)
        told = ask(server, "/tokenize", {"content": text, "parse_special": True})
        assert told["tokens"] == tokens
        session = Session(model)
        chain = SamplerChain.from_settings(("greedy",), {})
        ours = [step.token for step in session.generate(tokens, chain, seed=1, max_tokens=32)]
    body = {"prompt": tokens, "n_predict": 32, "temperature": 0.0, "return_tokens": True}
    theirs = ask(server, "/completion", {**body, "samplers": ["temperature"]})["tokens"]
    assert len(ours) == 32
    assert ours == theirs


@pytest.mark.parametrize("recipe", ["Q4_K_M", "F32"])
def test_the_best_tokens_are_as_likely_as_in_our_engine(
    recipe: str, demo: Path, tmp_path: Path
) -> None:
    path = demo
    if recipe != "Q4_K_M":
        path = tmp_path / "model.gguf"
        run_plan(make_plan(convert(open_checkpoint("demo")), load_recipe(recipe)), path)
    body = {"n_predict": 12, "n_probs": 20, "temperature": 0.0, "samplers": ["temperature"]}
    with llama_server(path) as address, Model.load(path, threads=1, context=2048) as model:
        _, tokens = prompt_of(model)
        said = ask(address, "/completion", {"prompt": tokens, **body})
        told = said["completion_probabilities"]
        assert len(told) == 12
        session = Session(model)
        chain = SamplerChain.from_settings(("greedy",), {})
        steps = list_with_logits(session, tokens, chain, len(told))
    apart = 0.0
    for (token, logits), theirs in zip(steps, told, strict=True):
        assert token == theirs["id"]
        highest = logits.max()
        ours = logits - highest - np.log(np.exp(logits - highest).sum())
        best = theirs["top_logprobs"]
        assert len({entry["id"] for entry in best}) == 20
        apart = max(apart, *(abs(ours[entry["id"]] - entry["logprob"]) for entry in best))
        # No token that we find likelier is missing from theirs.
        assert min(ours[entry["id"]] for entry in best) >= np.sort(ours)[-20] - TOLERANCE[recipe]
    assert apart < TOLERANCE[recipe]


def list_with_logits(
    session: Session, tokens: list[int], chain: SamplerChain, count: int
) -> list[tuple[int, NDArray[np.float64]]]:
    steps = session.generate(tokens, chain, seed=1, max_tokens=count)
    return [(step.token, session.logits().astype(np.float64)) for step in steps]


def test_a_server_that_wants_a_key(demo: Path) -> None:
    command = ["conformance", "--file", str(demo)]
    with llama_server(demo, context=4096, keys=["sk-right", "sk-other"]) as address:
        without = CliRunner().invoke(app, [*command, address])
        wrong = CliRunner().invoke(app, [*command, address, "--api-key", "sk-wrong"])
        right = CliRunner().invoke(app, [*command, address, "--api-key", "sk-right"])
    for refused in (without, wrong):
        assert refused.exit_code == 1
        assert "status 401" in refused.stderr
    assert "QWQ_GGUF_API_KEY" in without.stderr
    assert "general.sampling.sequence in the file" in right.stdout
    assert "sk-" not in without.output + wrong.output + right.output


def test_a_file_that_was_set_runs_as_it_now_says(demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.gguf"
    shutil.copyfile(demo, path)
    for name in ("llama-cpp", "qwen-llama-cpp"):  # from one slot into the other and back
        file = read_gguf(path)
        assert write_entries(
            file, change_entries(file.metadata, profile=load_profile(name)).entries
        ).in_place
    with llama_server(path, context=4096) as address:
        done = CliRunner().invoke(
            app,
            ["conformance", address, "--profile", "qwen-llama-cpp", "--file", str(path), "--json"],
        )
    said = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert said["conforms"] is True
    assert said["settings"][0]["applied"] == "top_k > top_p > min_p > temperature"


def verdicts(address: str, *arguments: str) -> tuple[dict[str, str], dict[str, Any]]:
    done = CliRunner().invoke(app, ["conformance", address, "--json", *arguments])
    said = json.loads(done.stdout)
    return {row["setting"]: row["verdict"] for row in said["settings"]}, said


def test_its_replies_are_looked_at(demo: Path) -> None:
    with llama_server(demo, context=4096) as address:
        found, _ = verdicts(address, "--profile", "qwq")
        settings, _ = verdicts(address, "--profile", "qwq", "--no-reply")
    assert [found[name] for name in ("thought", "thought_budget", "tool_calls")] == ["same"] * 3
    assert found.keys() - settings.keys() == {"thought", "thought_budget", "tool_calls"}


def test_a_server_that_does_not_see_the_thought_does_not_conform(
    demo: Path, tmp_path: Path
) -> None:
    path = tmp_path / "misread.gguf"
    file = read_gguf(demo)
    template = str(file.metadata["tokenizer.chat_template"].value)
    misread = template.replace("content.split('</think>')", "(content).split('</think>')")
    shutil.copyfile(demo, path)
    file = read_gguf(path)
    write_entries(file, change_entries(file.metadata, chat_template=misread).entries)
    with llama_server(path, context=4096) as address:
        found, said = verdicts(address, "--file", str(path))
    assert (found["thought"], found["thought_budget"]) == ("differs", "differs")
    assert said["conforms"] is False
    assert any("does not see" in note and "{# content.split" in note for note in said["notes"])
