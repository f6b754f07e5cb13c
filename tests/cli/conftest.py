"""Tiny models that say known words, and a cache folder of the tests' own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwq_gguf.engine.loading.fact_cache import CACHE_VARIABLE
from support.hub_fixtures import hub as hub
from support.hub_fixtures import hub_session as hub_session
from support.tiny_gguf import byte_level, vocab, write_bigram

THOUGHT = "Let me see."
ANSWER = "**It** is 301."


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))  # models that `run` has kept
        # Whoever runs the tests may have these set; the tests' expectations do not.
        for name in ("NO_COLOR", "FORCE_COLOR", "QWQ_GGUF_DEBUG", "COLUMNS"):
            patch.delenv(name, raising=False)
        yield folder


def said(*texts: str) -> dict[str, str]:
    """Each text follows the one before it; the first follows the prompt's last newline."""
    stored = ["\n", *texts]
    return {_stored(a): _stored(b) for a, b in itertools.pairwise(stored)}


def _stored(text: str) -> str:
    return text if text == "</think>" else byte_level(text.encode())


@pytest.fixture(scope="session")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thinks THOUGHT and answers ANSWER, whatever it is asked."""
    words = ["Let me see.", "**It** is", " 301.", "\n\n"]
    follows = said("Let me see.", "</think>", "\n\n", "**It** is", " 301.")
    path = tmp_path_factory.mktemp("talker") / "talker.gguf"
    return write_bigram(path, follows, words=vocab(words))


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thinks `hm ` until the context is full."""
    path = tmp_path_factory.mktemp("endless") / "endless.gguf"
    follows = said("hm ") | {"hm\u0120": "hm\u0120"}
    return write_bigram(path, follows, words=vocab(["hm "]), context=100_000)


@pytest.fixture(scope="session")
def rambler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thinks `hm ` until the context is full; made to answer, it says ANSWER."""
    path = tmp_path_factory.mktemp("rambler") / "rambler.gguf"
    follows = said("hm ") | {"hm\u0120": "hm\u0120"} | said("**It** is", " 301.")
    follows |= {"\u010a": "hm\u0120", "</think>": _stored("**It** is")}
    return write_bigram(path, follows, words=vocab(["hm ", "**It** is", " 301."]), context=100_000)
