"""Everything lies where LM Studio looks, or nothing was touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.errors import OutputError
from qwq_gguf.jobs.lmstudio_installing import install, plan_install
from support.lmstudio_hub import check_manifest
from support.tiny_gguf import write_random

TEXTS = {
    "a.preset.json": "preset",
    "a.gguf.json": "defaults",
    "model.yaml": "virtual",
    "manifest.json": json.dumps({"owner": "me", "name": "a-qwq"}),
}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who has LM Studio."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".lmstudio").mkdir()
    return tmp_path / ".lmstudio"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): "" if path.is_dir() else path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
    }


def test_a_virtual_model_is_registered(studio: Path, tmp_path: Path) -> None:
    path = write_random(tmp_path / "Tiny.gguf", context=2048)
    words = ("export", "lmstudio", path, "--install", "--user-repo", "Me/Tiny", "--profile", "qwq")
    done = run(*words)
    assert done.exit_code == 0, done.output
    folder = studio / "hub" / "models" / "me" / "tiny-qwq"
    assert sorted(each.name for each in folder.iterdir()) == ["manifest.json", "model.yaml"]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    check_manifest(manifest)
    (dependency,) = manifest["dependencies"]
    assert (studio / "models" / "Me" / "Tiny" / "Tiny.gguf").samefile(path)
    assert dependency["modelKeys"] == ["me/tiny"]
    assert str(folder / "manifest.json") in done.stderr
    assert "me/tiny-qwq" in done.stderr
    before = tree(studio)
    assert run(*words).exit_code == 0
    assert tree(studio) == before
    (folder / "model.yaml").write_text("mine")
    refused = run(*words)
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert (folder / "model.yaml").read_text() == "mine"
    assert run(*words, "--force").exit_code == 0
    assert tree(studio) == before


def failing(at: int, real: Callable[..., object]) -> Callable[..., object]:
    """`real`, but for its call number `at`."""
    calls = [0]

    def call(*arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == at:
            raise OSError(28, "No space left on device")
        return real(*arguments, **named)

    return call


@pytest.mark.parametrize("force", [False, True], ids=["fresh", "force"])
@pytest.mark.parametrize(
    ("owner", "step"),
    [(os, "write"), (os, "fsync"), (Path, "replace"), (Path, "mkdir"), (Path, "symlink_to")],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_fails_on_the_way_leaves_nothing_behind(
    owner: Any,
    step: str,
    force: bool,
    studio: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = tmp_path / "a.gguf"
    source.write_text("weights")
    plan = plan_install((source,), TEXTS, user_repo="me/a", home=tmp_path)
    targets = [*map(Path, plan.models.values()), *map(Path, plan.texts)]
    if force:
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f"old {target.name}")
    before = tree(studio)
    for at in range(1, 20):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, failing(at, getattr(owner, step)))
            if step == "symlink_to":
                patch.setattr(Path, "hardlink_to", failing(at, Path.hardlink_to))
            try:
                made = install(plan, force=force)
            except OutputError:
                assert tree(studio) == before
                continue
        assert set(made) == set(targets)
        break
    else:
        pytest.fail("it never ends well")
    # With folders that are there none has to be made, without files nothing is replaced.
    assert at > 1 or (step, force) in (("mkdir", True), ("replace", False))
    after = tree(studio)
    assert set(TEXTS.values()) <= set(after.values())
    assert not [name for name in after if name.endswith((".partial", ".before"))]


def test_a_link_that_leads_nowhere_is_in_the_way(studio: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.gguf"
    source.write_text("weights")
    plan = plan_install((source,), TEXTS, user_repo="me/a", home=tmp_path)
    (target,) = map(Path, plan.models.values())
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "gone")
    with pytest.raises(OutputError, match="exists already"):
        install(plan)
    assert target.readlink() == tmp_path / "gone"
    install(plan, force=True)
    assert target.samefile(source)


def test_a_copy_in_place_of_a_link(studio: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.gguf"
    source.write_text("weights")
    plan = plan_install((source,), TEXTS, user_repo="me/a", home=tmp_path)
    (target,) = map(Path, plan.models.values())
    install(plan)
    with pytest.raises(OutputError, match="exists already"):
        install(plan, copy=True)
    assert target.is_symlink()
    assert install(plan, copy=True, force=True) == [target]
    assert not target.is_symlink()
    source.unlink()
    assert target.read_text() == "weights"


def test_a_file_that_lies_there_itself_is_not_copied_over_itself(
    studio: Path, tmp_path: Path
) -> None:
    source = studio / "models" / "me" / "a" / "a.gguf"
    source.parent.mkdir(parents=True)
    source.write_text("weights")
    plan = plan_install((source,), TEXTS, user_repo="me/a", home=tmp_path)
    assert source not in install(plan, copy=True, force=True)
    other_way = tmp_path / "way"
    other_way.symlink_to(source.parent, target_is_directory=True)
    plan = plan_install((other_way / "a.gguf",), TEXTS, user_repo="me/a", home=tmp_path)
    assert install(plan, copy=True) == []
