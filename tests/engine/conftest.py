"""Tiny models, loaded once, and a cache folder of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qwq_gguf.engine.loading.fact_cache import CACHE_VARIABLE
from qwq_gguf.engine.model import Model
from support.tiny_gguf import write_random


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="session")
def random_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("random") / "tiny.gguf")


@pytest.fixture(scope="session")
def model(random_gguf: Path) -> Iterator[Model]:
    with Model.load(random_gguf, threads=1) as loaded:
        yield loaded
