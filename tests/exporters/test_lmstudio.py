from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from qwq_gguf.errors import ExportError
from qwq_gguf.exporters import lmstudio
from qwq_gguf.exporters.lmstudio_places import install_plan, lmstudio_home, models_folder
from qwq_gguf.profiles import load_profile, profile_names
from qwq_gguf.sampling import Dist, SamplerChain, TopK
from support.exports import EVERYTHING, FACTS
from support.lmstudio import SCHEMA, check_fields
from support.lmstudio_hub import check_manifest, check_virtual_model

PROFILES = {name: load_profile(name) for name in profile_names()} | {"all": EVERYTHING}


def test_the_schema_is_the_sdks() -> None:
    assert SCHEMA["package"] == "@lmstudio/sdk"
    assert len(SCHEMA["keys"]) > 80
    assert SCHEMA["keys"]["llm.prediction.topPSampling"] == {
        "type": "checkboxNumeric",
        "min": 0,
        "max": 1,
    }
    assert SCHEMA["keys"]["llm.prediction.reasoning.parsing"] == {"type": "llmReasoningParsing"}


@pytest.mark.parametrize("name", PROFILES)
def test_every_field_is_one_that_lm_studio_knows(name: str) -> None:
    made = lmstudio.export(PROFILES[name], FACTS, system="Be brief.")
    (preset,) = [json.loads(t) for n, t in made.files.items() if n.endswith(".preset.json")]
    defaults = json.loads(made.files["QwQ 'x'.gguf.json"])
    virtual = yaml.safe_load(made.files["model.yaml"])
    assert set(preset) == {"identifier", "name", "operation"}
    assert preset["identifier"].startswith("@local:")
    assert set(defaults) == {"preset", "operation", "load"}
    assert defaults["operation"] == preset["operation"] == virtual["config"]["operation"]
    assert defaults["load"] == virtual["config"]["load"]
    check_virtual_model(virtual)
    check_fields(defaults["operation"]["fields"])
    check_fields(defaults["load"]["fields"])


@pytest.mark.parametrize(
    "user_repo, file, identifier, key",
    [
        ("Qwen/QwQ-32B", "QwQ 'x'.gguf", "qwen/qwq-x-qwq", "qwen/qwq-32b"),
        ("My_Self/a.B", "1.5B_Q4.gguf", "my-self/1-5b-q4-qwq", "my_self/a.b"),
        ("x/y", "q" * 150 + ".gguf", "x/" + "q" * 100, "x/y"),
        ("x/y", "q" * 99 + "--z.gguf", "x/" + "q" * 99, "x/y"),
        (None, "模型.gguf", "local/qwq", "local/model"),
    ],
)
def test_a_virtual_model_names_the_file_in_the_models_folder(
    user_repo: str | None, file: str, identifier: str, key: str
) -> None:
    made = lmstudio.export(load_profile("qwq"), replace(FACTS, file=file), user_repo=user_repo)
    virtual = yaml.safe_load(made.files["model.yaml"])
    manifest = json.loads(made.files["manifest.json"])
    check_virtual_model(virtual)
    check_manifest(manifest)
    assert virtual["model"] == f"{manifest['owner']}/{manifest['name']}" == identifier
    (base,), (dependency,) = virtual["base"], manifest["dependencies"]
    assert dependency["modelKeys"] == [base["key"]] == [key]
    assert dependency["sources"] == base["sources"]
    if user_repo is not None:
        user, repo = user_repo.split("/")
        assert base["sources"] == [{"type": "huggingface", "user": user, "repo": repo}]


def fields(profile: Any) -> dict[str, Any]:
    return {f["key"]: f["value"] for f in lmstudio.operation_fields(profile, FACTS)}


def test_the_repeat_penalty_is_switched_off_and_presence_on() -> None:
    said = fields(load_profile("qwq"))
    assert said["llm.prediction.repeatPenalty"] == {"checked": False, "value": 1.0}
    assert said["llm.prediction.llama.presencePenalty"] == {"checked": True, "value": 1.0}


def test_a_top_k_beyond_its_field_is_said() -> None:
    wide = replace(load_profile("qwq"), chain=SamplerChain((TopK(5000), Dist())))
    assert fields(wide)["llm.prediction.topKSampling"] == 500
    assert any("top k 5000" in said for said in lmstudio.export(wide, FACTS).unsaid)


@pytest.mark.parametrize(
    "name", ["", "a", "/a", "a/", "a/b/c", "../x", "a/..", "a/.b", "a b/c", "a\\b/c"]
)
def test_a_place_outside_the_models_folder_is_refused(name: str) -> None:
    with pytest.raises(ExportError, match="publisher"):
        lmstudio.export(load_profile("qwq"), FACTS, user_repo=name or "/")


@pytest.mark.parametrize(
    "home, models",
    [
        (PurePosixPath("/home/u"), PurePosixPath("/mnt/big/models")),
        (PurePosixPath("/Users/u"), PurePosixPath("/Volumes/big/models")),
        (PureWindowsPath("C:\\Users\\u"), PureWindowsPath("D:\\models")),
    ],
)
def test_where_things_go_on_every_system(
    home: PurePosixPath | PureWindowsPath, models: PurePosixPath | PureWindowsPath
) -> None:
    studio = lmstudio_home(home)
    assert studio == home / ".lmstudio"
    assert models_folder(studio, None) == studio / "models"
    assert models_folder(studio, '{"other": 1}') == studio / "models"
    settings = json.dumps({"downloadsFolder": str(models)})
    assert models_folder(studio, settings) == models
    about = json.dumps({"owner": "qwen", "name": "q-qwq"})
    plan = install_plan(
        (home / "q.gguf",),
        {"q.preset.json": "p", "q.gguf.json": "d", "model.yaml": "m", "manifest.json": about},
        user_repo="qwen/QwQ-32B",
        lmstudio=studio,
        models=models,
    )
    assert plan.models == {home / "q.gguf": models / "qwen" / "QwQ-32B" / "q.gguf"}
    assert plan.texts == {
        studio / "config-presets" / "q.preset.json": "p",
        studio
        / ".internal"
        / "user-concrete-model-default-config"
        / "qwen"
        / "QwQ-32B"
        / "q.gguf.json": "d",
        studio / "hub" / "models" / "qwen" / "q-qwq" / "model.yaml": "m",
        studio / "hub" / "models" / "qwen" / "q-qwq" / "manifest.json": about,
    }


def test_another_home_is_believed_if_it_is_a_whole_path() -> None:
    home = PurePosixPath("/home/u")
    assert lmstudio_home(home, "/data/studio\n") == PurePosixPath("/data/studio")
    assert lmstudio_home(home, "studio") == home / ".lmstudio"
    windows = PureWindowsPath("C:\\Users\\u")
    assert lmstudio_home(windows, "D:\\studio\r\n") == PureWindowsPath("D:\\studio")


def test_settings_that_cannot_be_read_are_not_guessed_at() -> None:
    with pytest.raises(ExportError, match="not JSON"):
        models_folder(PurePosixPath("/x"), "{")
