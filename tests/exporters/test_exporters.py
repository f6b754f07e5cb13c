"""What every exporter promises, and what each one writes."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from qwq_gguf.errors import ExportError
from qwq_gguf.exporters import llama_server, ollama, openwebui, transformers, vllm
from qwq_gguf.exporters import text_generation_webui as webui
from qwq_gguf.exporters.exported import Export, Support
from qwq_gguf.exporters.runtime_words import ALL_SETTINGS, spoken_order
from qwq_gguf.exporters.runtimes import EXPORTERS, WORDS_OF
from qwq_gguf.profiles import Profile, load_profile, profile_names, sampling_keys
from qwq_gguf.profiles.gguf_keys import read_sampling
from qwq_gguf.sampling import Dist, Greedy, SamplerChain, Temperature, TopK
from support.exports import EVERYTHING, FACTS, SEQUENCE
from support.modelfile import parse
from support.preset_ini import read_preset

ROOT = Path(__file__).resolve().parents[2]
QWQ = load_profile("qwq")


def written_keys(made: Export) -> set[str]:
    """Every key, flag, file and field in an export's files."""
    found: set[str] = set(made.files)
    for name, text in made.files.items():
        if name == "Modelfile":
            found |= {word for words in parse(text) for word in words[:2]}
        elif name.endswith(".json"):
            found |= set(paths(json.loads(text)))
        elif name.endswith(".yaml"):
            found |= set(paths(yaml.safe_load(text)))
        elif name.endswith(".sh"):
            for word in command(text):
                found |= {word, word.removeprefix("--")}
                found |= set(paths(json.loads(word))) if word.startswith("{") else set()
    return found


def paths(value: Any, at: str = "") -> list[str]:
    if isinstance(value, list):
        return [path for item in value for path in paths(item, at)]
    if not isinstance(value, Mapping):
        return []
    found = []
    if isinstance(value.get("key"), str):  # LM Studio's fields
        found += [value["key"], value["key"].removeprefix("llm.prediction.")]
    for key, inner in value.items():
        below = key if at in ("", "params") else f"{at}.{key}"
        found += [key, below, *paths(inner, key)]
    return found


def command(script: str) -> list[str]:
    """The words of the command that the script becomes."""
    return shlex.split(script[script.index("\nexec ") :].replace("\\\n", " "))


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_every_setting_is_answered_for(runtime: str) -> None:
    made = EXPORTERS[runtime](QWQ, FACTS)
    assert made.runtime == runtime
    assert tuple(row.setting for row in made.settings) == ALL_SETTINGS
    assert made.settings == WORDS_OF[runtime].rows()
    assert made.use


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_what_is_called_expressed_is_written(runtime: str) -> None:
    made = EXPORTERS[runtime](EVERYTHING, FACTS)
    keys = written_keys(made)
    for row in made.settings:
        if row.support is Support.EXPRESSED:
            assert row.name.removesuffix(" (request)") in keys, row


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_what_is_not_written_is_said(runtime: str) -> None:
    made = EXPORTERS[runtime](EVERYTHING, FACTS)
    told = " ".join(made.unsaid)
    stages = {name: name for name in ("dry", "logit_bias", "grammar", "top_n_sigma", "xtc")}
    stages["typical_p"] = "typ_p"
    for row in made.settings:
        if row.support is Support.EXPRESSED or row.setting in ("template", "thinking"):
            continue
        stage = next((s for start, s in stages.items() if row.setting.startswith(start)), None)
        what = row.setting.replace("_", " ")
        spoken = {"penalty window": "penalties over", "order": "the order"}.get(what, what)
        assert spoken in told or (stage is not None and stage in told), row


@pytest.mark.parametrize("runtime", EXPORTERS)
@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_gives_files_that_can_be_read(runtime: str, profile: str) -> None:
    made = EXPORTERS[runtime](load_profile(profile), FACTS)
    assert written_keys(made)
    for name, text in made.files.items():
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert text.endswith("\n") or name == "chat_template.jinja"


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_no_name_leaves_the_folder(runtime: str) -> None:
    for name in EXPORTERS[runtime](EVERYTHING, FACTS).files:
        assert ".." not in PurePosixPath(name).parts


def test_an_order_the_file_carries_is_not_unsaid() -> None:
    keys = sampling_keys(QWQ, context=QWQ.context).keys
    carrying = replace(FACTS, sampling=read_sampling({key.key: key for key in keys}))
    for runtime in ("ollama", "lmstudio"):
        export = EXPORTERS[runtime]
        assert any("the order" in said for said in export(QWQ, FACTS).unsaid)
        assert not any("the order" in said for said in export(QWQ, carrying).unsaid)
        other = load_profile("qwen-reference")
        assert any("this one has another" in said for said in export(other, carrying).unsaid)


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_greedy_is_greedy_everywhere(runtime: str) -> None:
    chain = SamplerChain((Temperature(0.9), TopK(40), Greedy()))
    made = EXPORTERS[runtime](replace(QWQ, chain=chain), FACTS)
    text = "\n".join(made.files.values())
    assert "0.9" not in text.replace("0.95", "")
    if runtime == "transformers":
        assert json.loads(made.files["generation_config.json"])["do_sample"] is False
    if runtime == "llama-server":
        words = command(made.files["llama-server.sh"])
        assert words[words.index("--samplers") + 1] == "top_k;temperature"


# ------------------------------------------------------------------- llama-server


def preset(profile: Profile = EVERYTHING) -> dict[str, str]:
    facts = replace(FACTS, file="./m.gguf")
    sections = read_preset(llama_server.export(profile, facts).files["preset.ini"])
    assert sections.pop("default") == {"version": "1"}
    (name,) = sections
    assert name == "m"
    return sections[name]


def test_the_preset_says_what_the_command_says() -> None:
    facts = replace(FACTS, file="./m.gguf")
    words = command(llama_server.export(EVERYTHING, facts).files["llama-server.sh"])
    assert words[:2] == ["exec", "llama-server"]
    assert words[-2:] == ["--jinja", "$@"]
    flags = dict(zip(words[2:-2:2], words[3:-2:2], strict=True))
    assert flags.pop("--samplers") == SEQUENCE
    for apart in ("--dry-sequence-breaker", "--reverse-prompt", "--logit-bias"):
        flags.pop(apart)
    said = preset()
    assert said.pop("sampler-seq") == "dtkpmysxe"
    assert said.pop("jinja") == "true"
    assert said.pop("reverse-prompt") == "STOP \\ \uff5c"
    assert {f"--{key}": value for key, value in said.items()} == flags


def test_the_letters_are_llama_cpps() -> None:
    # Its default for --sampler-seq, and the same order in long names.
    assert preset(load_profile("llama-cpp"))["sampler-seq"] == "edskypmxt"
    order = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"
    assert spoken_order(load_profile("llama-cpp")) == tuple(order.split(";"))


def test_a_long_order_in_a_preset_would_be_cut() -> None:
    assert read_preset("samplers = top_k;top_p")["default"] == {"samplers": "top_k"}


@pytest.mark.parametrize("name", ["a;b", "a#b", "a\nb", "a]b"])
def test_a_name_that_a_preset_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(ExportError, match="preset"):
        llama_server.export(QWQ, replace(FACTS, file=f"{name}.gguf"))


@pytest.mark.parametrize(
    "message, in_the_preset",
    [("Enough; answer.", "Enough, answer."), ("Is it #1?\n\nAnswer!", "Is it 1? Answer!")],
)
def test_the_words_that_close_a_thought_are_said_as_far_as_can_be(
    message: str, in_the_preset: str
) -> None:
    governed = replace(QWQ, governor=replace(QWQ.governor, message=message))
    made = llama_server.export(governed, replace(FACTS, file="./m.gguf"))
    words = command(made.files["llama-server.sh"])
    assert words[words.index("--reasoning-budget-message") + 1] == message
    section = read_preset(made.files["preset.ini"])["m"]
    assert section["reasoning-budget-message"] == in_the_preset
    assert any(repr(in_the_preset) in said for said in made.unsaid)
    assert not any("words that close" in s for s in llama_server.export(QWQ, FACTS).unsaid)


@pytest.mark.parametrize("stop", ["a;b", "a#b", "a\nb", " a"])
def test_a_stop_that_a_preset_cannot_hold_is_in_the_script_alone(stop: str) -> None:
    made = llama_server.export(replace(QWQ, stops=(stop,)), FACTS)
    assert "reverse-prompt" not in made.files["preset.ini"]
    words = command(made.files["llama-server.sh"])
    assert words[words.index("--reverse-prompt") + 1] == stop
    assert any(repr(stop) in said for said in made.unsaid)


def test_several_breakers_are_flags_and_said_to_be_missing_in_the_preset() -> None:
    made = llama_server.export(EVERYTHING, FACTS)
    words = command(made.files["llama-server.sh"])
    assert [words[i + 1] for i, w in enumerate(words) if w == "--dry-sequence-breaker"] == [
        "\n",
        "§",
    ]
    assert any("dry's breakers" in said for said in made.unsaid)


# --------------------------------------------------------------------------- vLLM


def test_vllms_order_is_that_of_its_profile() -> None:
    assert not any(
        "order" in said for said in vllm.export(load_profile("qwen-reference"), FACTS).unsaid
    )
    assert any("order" in said for said in vllm.export(QWQ, FACTS).unsaid)


def test_vllms_command_and_request() -> None:
    made = vllm.export(QWQ, FACTS)
    words = command(made.files["vllm.sh"])
    assert words[:4] == ["exec", "vllm", "serve", FACTS.file]
    assert words[words.index("--tokenizer") + 1] == "Qwen/QwQ-32B"
    assert json.loads(words[words.index("--override-generation-config") + 1]) == {
        "temperature": 0.6,
        "top_k": 40,
        "top_p": 0.95,
        "min_p": 0.01,
        "repetition_penalty": 1.0,
        "presence_penalty": 1.0,
        "frequency_penalty": 0.0,
    }
    assert words[words.index("--hf-config-path") + 1] == "Qwen/QwQ-32B"
    assert words[words.index("--reasoning-parser") + 1] == "deepseek_r1"
    assert any("vllm-gguf-plugin" in str(line) for line in made.use)
    assert set(json.loads(made.files["request.json"])) == {"stop"}
    assert made.files["chat_template.jinja"] == FACTS.template
    bare = vllm.export(QWQ, replace(FACTS, base=None, template=None, chatml=None))
    assert ("BASE=ORG/NAME", "sh", "vllm.sh") in [getattr(told, "words", ()) for told in bare.use]
    assert ("sh", "vllm.sh") in [getattr(told, "words", ()) for told in made.use]
    assert any("BASE=ORG/NAME before the command" in said for said in bare.unsaid)
    assert '--tokenizer "${BASE:?' in bare.files["vllm.sh"], "the script asks instead of failing"
    assert "chat_template.jinja" not in bare.files


# ------------------------------------------------------------------- Transformers


def test_generation_config() -> None:
    made = transformers.export(QWQ, FACTS)
    assert json.loads(made.files["generation_config.json"]) == {
        "do_sample": True,
        "temperature": 0.6,
        "top_k": 40,
        "top_p": 0.95,
        "min_p": 0.01,
        "repetition_penalty": 1.0,
        "max_length": 16384,
        "bos_token_id": 5,
        "eos_token_id": [7, 6, 5],
        "pad_token_id": 5,
    }
    assert any("presence penalty 1" in said for said in made.unsaid)
    assert any("STOP" in said for said in transformers.export(EVERYTHING, FACTS).unsaid)


# ----------------------------------------------------------- text-generation-webui


def test_the_webuis_key_matches_the_file_and_no_other() -> None:
    name = "QwQ+1.5(b).gguf"
    made = webui.export(QWQ, replace(FACTS, file=f"./{name}"))
    (pattern,) = yaml.safe_load(made.files["user_data/models/config-user.yaml"])
    # As its modules/models_settings.py compares them.
    assert re.match(pattern.lower(), name.lower())
    assert not re.match(pattern.lower(), "qwqq1x5b.gguf")


def test_the_webuis_preset() -> None:
    made = webui.export(EVERYTHING, FACTS)
    said = yaml.safe_load(made.files["user_data/presets/everything-at-once.yaml"])
    assert said["sampler_priority"].split("\n") == [
        "dry",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "top_n_sigma",
        "xtc",
        "repetition_penalty",
    ]
    assert (said["dynatemp_low"], said["dynatemp_high"]) == (
        pytest.approx(0.4),
        pytest.approx(0.82),
    )
    assert json.loads(said["dry_sequence_breakers"]) == ["\n", "§"]
    assert said["repetition_penalty_range"] == 301
    assert any("dry over 77 tokens" in sentence for sentence in made.unsaid)
    model = yaml.safe_load(made.files["user_data/models/config-user.yaml"])["QwQ\\ 'x'\\.gguf$"]
    assert model["ctx_size"] == 8190
    assert json.loads(f"[{model['custom_stopping_strings']}]") == list(EVERYTHING.stops)


# --------------------------------------------------------------------- Open WebUI


def test_open_webuis_model() -> None:
    made = openwebui.export(EVERYTHING, FACTS)
    (model,) = json.loads(made.files["openwebui.json"])
    params = model["params"]
    assert params["custom_params"]["samplers"] == SEQUENCE.split(";")
    # As it decodes them.
    decoded = [bytes(s, "utf-8").decode("unicode_escape") for s in params["stop"]]
    assert decoded == list(EVERYTHING.stops)
    assert params["reasoning_tags"] == ["<think>", "</think>"]


# ------------------------------------------------------------------------- Ollama


def test_the_files_for_the_hub_say_what_the_modelfile_says() -> None:
    made = ollama.export(QWQ, FACTS, hub=True, system='Be "brief".\n')
    assert made.files["system"] == 'Be "brief".\n'
    words = parse(ollama.export(QWQ, FACTS, system='Be "brief".\n').files["Modelfile"])
    assert ("SYSTEM", 'Be "brief".\n') in words
    params = json.loads(made.files["params"])
    assert params.pop("stop") == [w[2] for w in words if w[:2] == ("PARAMETER", "stop")]
    numbers = {w[1]: float(w[2]) for w in words if w[0] == "PARAMETER" and w[1] != "stop"}
    assert params == numbers
    assert ("TEMPLATE", made.files["template"]) in words


# ------------------------------------------------------- what nobody has decided


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_numbers_that_nobody_decided_are_not_written(runtime: str) -> None:
    """A model that no profile is made for, whose file gives one number, or none."""
    numbers = {"temperature": 0.35, "top_k": 77, "top_p": 0.91, "min_p": 0.07}
    chain = load_profile("llama-cpp").chain.with_overrides(**numbers)
    base = replace(load_profile("llama-cpp"), name="file", chain=chain)
    for named in (frozenset({"top_k"}), frozenset[str]()):
        made = EXPORTERS[runtime](replace(base, named=named), replace(FACTS, template="x"))
        text = "\n".join(made.files.values()).replace("QwQ", "")
        for name, value in numbers.items():
            assert (str(value) in text) is (name in named), name
        assert not any("the order" in said for said in made.unsaid)
        assert "samplers" not in text
        assert "sampler-seq" not in text
    if runtime == "transformers":
        # The checkpoint's own says what its author wants.
        assert "generation_config.json" not in made.files
        assert any("author's own numbers stay" in said for said in made.unsaid)
    if runtime == "vllm":
        assert "--generation-config" not in made.files["vllm.sh"]


# ----------------------------------------------------------------------- examples


def test_the_examples_and_the_table_are_up_to_date(tmp_path: Path) -> None:
    names = runpy.run_path(str(ROOT / "scripts" / "render_exports"))
    names["main"](tmp_path)
    fresh = files(tmp_path / "modelfiles") | files(tmp_path / "docs")
    kept = files(ROOT / "modelfiles") | {
        "runtimes.md": (ROOT / "docs/runtimes.md").read_text("utf-8")
    }
    kept.pop("qwq-32b.jinja")
    assert fresh == kept, "run scripts/render_exports"
    assert len(fresh) == 18


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_chain_of_one_stage_has_no_order_to_lose() -> None:
    one = replace(QWQ, chain=SamplerChain((Temperature(0.7), Dist())))
    for export in EXPORTERS.values():
        assert not any(said.startswith("the order") for said in export(one, FACTS).unsaid)
