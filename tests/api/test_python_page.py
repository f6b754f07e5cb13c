"""docs/python.md and the README's Python do what they say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import qwq_gguf
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.fitting import candidates

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "python.md"
README = ROOT / "README.md"


@pytest.fixture(autouse=True)
def few_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few that libggml makes all rows; codebooks and kernels of more take seconds to build."""
    kinds = ("Q8_0", "Q4_K", "Q3_K")
    monkeypatch.setattr(candidates, "_LARGE", tuple(GgmlType[kind] for kind in kinds))


@pytest.mark.parametrize("page", [PAGE, README], ids=lambda page: page.name)
def test_the_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(
        page.read_text(encoding="utf-8"), {}, page.name, str(page), 0
    )
    assert len(test.examples) >= (30 if page is PAGE else 5)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
    assert result.failed == 0, "".join(told)


def test_the_page_names_every_verb() -> None:
    text = PAGE.read_text(encoding="utf-8")
    verbs = [name for name in qwq_gguf.__all__ if name[0].islower() and name[0] != "_"]
    assert len(verbs) == 15
    for verb in verbs:
        assert re.search(rf"`{verb}\(", text), verb
