"""The flags that change single types and keys, by what they do to a plan."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["quantize", "demo", "--dry-run", "--json", *words])


def types(plan: dict[str, Any]) -> dict[str, str]:
    return {tensor["name"]: tensor["type"] for tensor in plan["tensors"]}


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run().stdout)
    return found


def test_a_type_by_pattern_changes_those_tensors_and_no_other(plain: dict[str, Any]) -> None:
    changed = types(json.loads(run("--tensor-type", "blk.0.ffn_down=Q8_0").stdout))
    assert changed.pop("blk.0.ffn_down.weight") == "Q8_0"
    assert changed == {
        name: kind for name, kind in types(plain).items() if name != "blk.0.ffn_down.weight"
    }


def test_the_first_pattern_that_matches_wins() -> None:
    words = ("--tensor-type", "blk.0.attn_q.weight=Q5_K", "--tensor-type", "attn_q=Q3_K")
    found = types(json.loads(run(*words).stdout))
    assert found["blk.0.attn_q.weight"] == "Q5_K"
    assert found["blk.1.attn_q.weight"] == "Q3_K"


def test_output_embedding_and_pure() -> None:
    found = types(
        json.loads(
            run("--output-tensor-type", "q8_0", "--token-embedding-type", "Q6_K", "--pure").stdout
        )
    )
    assert (found.pop("output.weight"), found.pop("token_embd.weight")) == ("Q8_0", "Q6_K")
    assert set(found.values()) == {"Q4_K", "F32"}


def test_name_and_keys() -> None:
    plan = json.loads(run("--name", "Tiny", "--override-kv", "general.author=str:somebody").stdout)
    metadata = plan["metadata"]
    assert metadata["general.name"] == "Tiny"
    assert metadata["general.author"] == "somebody"


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("--tensor-type", "attn_q"), "REGEX=TYPE"),
        (("--tensor-type", "(=Q4_K"), "regular expression"),
        (("--output-tensor-type", "Q6K"), "Q6_K"),
        (("--override-kv", "a=int:x"), "int"),
    ],
)
def test_what_is_no_type_or_key_is_said(words: tuple[str, ...], complaint: str) -> None:
    result = run(*words)
    assert result.exit_code != 0
    shown = f"{result.stderr}{result.exception}"
    assert complaint in shown
