"""The demo model, and a cache of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import qwq_gguf
from qwq_gguf.resources import CACHE_VARIABLE
from support.hub_fixtures import hub as hub
from support.hub_fixtures import hub_session as hub_session


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="session")
def demo(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwq_gguf.quantize("demo", tmp_path_factory.mktemp("demo") / "demo.gguf").path


@pytest.fixture(scope="session")
def model(demo: Path) -> Iterator[qwq_gguf.Model]:
    with qwq_gguf.load(demo) as loaded:
        yield loaded
