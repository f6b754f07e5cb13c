"""What the shell completes a word to, as typer gives it on."""

from __future__ import annotations

import pytest
from typer.main import get_command

from qwq_gguf.cli.app import app


@pytest.mark.parametrize(
    "words, parameter, begun, expected",
    [
        (["export"], "runtime", "l", ["lmstudio", "llama-server"]),
        (["fix"], "runtime", "", ["ollama", "lmstudio"]),
        (["chat"], "profile_name", "qwq", ["qwq"]),
        (["run"], "source", "dem", ["demo"]),
        (["chat"], "tools", "ca", ["calculator"]),
        (["quantize"], "recipe_option", "Q8", ["Q8_0"]),
        (["quantize"], "recipe_option", "q8", ["q8_0"]),
        (["quantize"], "output_type", "bf", ["bf16"]),
        (["recipes", "show"], "name", "tq2", ["tq2_0"]),
        (["eval", "thinking"], "suite_names", "gsm", ["gsm8k:"]),
    ],
)
def test_a_word(words: list[str], parameter: str, begun: str, expected: list[str]) -> None:
    command = get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    context = command.make_context(words[-1], [], resilient_parsing=True)
    (found,) = (each for each in command.params if each.name == parameter)
    assert [item.value for item in found.shell_complete(context, begun)] == expected
