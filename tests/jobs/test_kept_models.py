"""What `run` keeps is found again, and a stranger's notes in the folder do no harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qwq_gguf.errors import OutputError
from qwq_gguf.jobs.configuration import Configuration, Said
from qwq_gguf.jobs.kept_models import (
    Kept,
    find_kept,
    forget,
    keep,
    kept_models,
    models_folder,
    touched,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def model(folder: Path, name: str, source: str, **more: object) -> Kept:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.gguf"
    path.write_bytes(b"GGUF")
    (folder / f"{name}.manifest.json").write_text("{}")
    (folder / f"{name}-other.gguf").write_bytes(b"another's")
    return keep(folder, Kept(name, source, path, "Q4_K_M", **more))  # type: ignore[arg-type]


def test_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = Configuration(tmp_path)
    said = Configuration(tmp_path, general={"models": Said("/large", "here")})
    assert models_folder(said) == Path("/large")
    monkeypatch.setattr("sys.platform", "linux")
    assert models_folder(none, {"XDG_DATA_HOME": "/d"}) == Path("/d/qwq-gguf/models")
    monkeypatch.setattr("sys.platform", "darwin")
    assert "Application Support" in str(models_folder(none, {}))


def test_kept_and_found_by_any_of_its_names(tmp_path: Path) -> None:
    kept = model(tmp_path / "m", "QwQ-32B-Q4_K_M", "Qwen/QwQ-32B", context=8192, used=NOW)
    for name in ("Qwen/QwQ-32B", "QwQ-32B-Q4_K_M", "qwq-32b-q4_k_m", "QwQ-32B", "qwq-32b"):
        assert find_kept(tmp_path / "m", name) == kept, name
    assert find_kept(tmp_path / "m", "32B") is None
    assert find_kept(tmp_path / "none", "QwQ-32B") is None
    assert [path.name for path in kept.files] == [
        "QwQ-32B-Q4_K_M.gguf",
        "QwQ-32B-Q4_K_M.manifest.json",
    ]


def test_the_last_used_comes_first(tmp_path: Path) -> None:
    old = model(tmp_path, "A-Q4_K_M", "org/a", used=NOW)
    new = model(tmp_path, "A-Q6_K", "org/a", used=NOW + timedelta(days=1))
    assert find_kept(tmp_path, "org/a") == new
    touched(tmp_path, old, NOW + timedelta(days=2))
    assert [kept.name for kept in kept_models(tmp_path)] == ["A-Q4_K_M", "A-Q6_K"]


def test_what_is_gone_is_not_found_unless_it_was_begun(tmp_path: Path) -> None:
    kept = model(tmp_path, "A", "org/a")
    kept.path.unlink()
    assert find_kept(tmp_path, "org/a") is None
    keep(tmp_path, Kept("A", "org/a", kept.path, begun=True))
    found = find_kept(tmp_path, "org/a")
    assert found is not None
    assert found.begun


def test_removed(tmp_path: Path) -> None:
    kept = model(tmp_path, "A", "org/a")
    cached = tmp_path / "cache" / "b.gguf"
    cached.parent.mkdir()
    cached.write_bytes(b"GGUF")
    other = keep(tmp_path, Kept("b", "org/b:Q4", cached, ours=False))
    assert {path.name for path in forget(tmp_path, kept)} == {
        *("A.gguf", "A.manifest.json", "A.model.json"),
    }
    forget(tmp_path, other)
    assert cached.is_file(), "the Hub's cache is not ours"
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "A-other.gguf"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        "x" * (1 << 16),
        json.dumps({"schema": "qwq-gguf/model/1", "source": "x", "file": "../../etc/passwd"}),
        json.dumps({"schema": "qwq-gguf/model/1", "source": 7, "file": "a.gguf"}),
        json.dumps({"schema": "other", "source": "x", "file": "a.gguf"}),
    ],
)
def test_a_note_that_is_none_of_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.model.json").write_text(text)
    assert kept_models(tmp_path) == ()


def test_odd_values_of_a_note_count_as_none(tmp_path: Path) -> None:
    value = {
        "schema": "qwq-gguf/model/1",
        "source": "x",
        "file": "a.gguf",
        "recipe": ["Q4"],
        "context": -5,
        "used": "yesterday",
    }
    (tmp_path / "a.model.json").write_text(json.dumps(value))
    (kept,) = kept_models(tmp_path)
    assert (kept.recipe, kept.context, kept.used) == (None, None, None)


def test_a_name_that_is_no_file_name(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no name for a model"):
        keep(tmp_path, Kept("../x", "org/a", tmp_path / "x.gguf"))
