"""The demo, served for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.demo import make_demo
from support.serving import Running, running


@pytest.fixture(scope="session")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def server(demo_file: Path) -> Iterator[Running]:
    with running({"demo": demo_file}) as server:
        yield server
