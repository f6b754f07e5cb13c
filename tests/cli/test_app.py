"""The list of commands: fast, complete, and true to the commands themselves."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib import import_module

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from support.terminal import PROGRAM

runner = CliRunner()
TABLE = get_command(app).table  # type: ignore[attr-defined]
HEAVY = ("llama_cpp", "numpy", "gguf", "jinja2", "rich", "prompt_toolkit", "huggingface_hub")


def test_help_lists_every_command() -> None:
    page = runner.invoke(app, ["--help"])
    assert page.exit_code == 0
    assert page.output == runner.invoke(app, ["-h"]).output
    for name, entry in TABLE.items():
        assert f"  {name} " in page.output
        assert entry.summary in page.output


@pytest.mark.parametrize("name", TABLE)
def test_each_command_says_what_the_list_says_and_shows_examples(name: str) -> None:
    page = runner.invoke(app, [name, "--help"], env={"COLUMNS": "100"})
    assert page.exit_code == 0, page.output
    assert TABLE[name].summary in page.output
    assert "Example" in page.output
    assert f"\n    qwq-gguf {name} " in page.output or f"\n  qwq-gguf {name}" in page.output


@pytest.mark.parametrize("name", TABLE)
def test_help_pages_are_not_cut_at_80_columns(name: str) -> None:
    page = runner.invoke(app, [name, "--help"], terminal_width=80)
    assert all(len(line) <= 90 for line in page.output.splitlines())


def test_no_arguments_is_help() -> None:
    page = runner.invoke(app, [])
    assert page.exit_code == 2
    assert "Commands:" in page.output


def test_a_misspelt_command_gets_a_suggestion() -> None:
    page = runner.invoke(app, ["quantise", "demo"])
    assert page.exit_code == 2
    assert "Did you mean 'quantize'?" in page.output


def test_version() -> None:
    from qwq_gguf import __version__

    first, second, third = runner.invoke(app, ["--version"]).output.splitlines()
    assert first == f"qwq-gguf {__version__}"
    assert "llama-cpp-python 0.3.36" in second
    assert "CPU" in second
    assert third.startswith("Python 3.")
    told = json.loads(runner.invoke(app, ["--version", "--json"]).output)
    assert told["qwq_gguf"] == __version__
    assert "CPU" in told["backends"]


def test_command_modules_load_nothing_heavy() -> None:
    """Not even all of them together."""
    modules = [entry.module for entry in TABLE.values()]
    code = (
        f"import sys, {', '.join(modules)}\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(import_module(module).__doc__ for module in modules)


def test_help_is_fast() -> None:
    # Processor time, not time on a clock: a busy machine makes no command slower.
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3
