"""The names that others may build on. Adding one is a decision, losing one a breach."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import qwq_gguf
from qwq_gguf import errors

MAKING = {"Checkpoint", "Plan", "Recipe", "TensorPlan"}
RUNNING = {"FinishReason", "Model", "Profile", "SamplerChain"}
EVENTS = {
    "AnswerDelta",
    "AnswerWasThought",
    "ChatEvent",
    "Finished",
    "Notice",
    "Reply",
    "ThinkingDelta",
    "ToolCallStarted",
    "ToolResult",
}
ERRORS = {
    "ChainError",
    "ConfigError",
    "DiskSpaceError",
    "EvaluationError",
    "ExportError",
    "GgufError",
    "HubAccessError",
    "HubConnectionError",
    "HubError",
    "HubNotFoundError",
    "HubOfflineError",
    "ImatrixError",
    "LibraryError",
    "ManifestError",
    "MemoryLimitError",
    "MissingPackageError",
    "ModelError",
    "NotACheckpointError",
    "NotAGgufError",
    "OutputError",
    "PlanError",
    "ProfileError",
    "PromptTooLongError",
    "QwqGgufError",
    "RecipeError",
    "ServerError",
    "ShardError",
    "SourceError",
    "TemplateError",
    "TensorError",
    "TokenizerError",
    "ToolError",
    "UnsupportedError",
    "UsageError",
    "WrongShardError",
}


def test_the_list() -> None:
    assert set(qwq_gguf.__all__) == MAKING | RUNNING | EVENTS | ERRORS | {"__version__"}
    assert len(qwq_gguf.__all__) == len(set(qwq_gguf.__all__))


@pytest.mark.parametrize("name", sorted(MAKING | RUNNING | EVENTS | ERRORS))
def test_each_is_there(name: str) -> None:
    value = getattr(qwq_gguf, name)
    if name != "ChatEvent":  # a union of the others
        assert value.__name__ == name
        assert value.__module__.startswith("qwq_gguf.")


def test_all_errors_are_public_and_of_one_tree() -> None:
    assert set(errors.__all__) == ERRORS
    for name in ERRORS:
        assert issubclass(getattr(qwq_gguf, name), qwq_gguf.QwqGgufError)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Governess"):
        _ = qwq_gguf.Governess


def test_names_are_listed_for_completion() -> None:
    assert set(qwq_gguf.__all__) <= set(dir(qwq_gguf))


HEAVY = {
    "gguf",
    "huggingface_hub",
    "jinja2",
    "llama_cpp",
    "matplotlib",
    "numpy",
    "prompt_toolkit",
    "rich",
}


def modules_after(code: str) -> set[str]:
    """The modules that a fresh Python has loaded once it ran this."""
    program = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_no_library_and_no_room() -> None:
    loaded = modules_after("import qwq_gguf; qwq_gguf.QwqGgufError; dir(qwq_gguf)")
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("qwq_gguf.")} == {"qwq_gguf.errors"}


HELP = """
import sys
from qwq_gguf.cli.main import main
sys.argv = ["qwq-gguf", {arguments}]
try:
    main()
except SystemExit as leaving:
    assert leaving.code in (0, None), leaving.code
"""


@pytest.mark.parametrize("arguments", ['"--help"', '"--version"'])
def test_help_loads_nothing_heavy(arguments: str) -> None:
    loaded = modules_after(HELP.format(arguments=arguments))
    assert "qwq_gguf.cli.app" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("command", ["quantize", "chat", "modelfile", "eval"])
def test_help_of_a_command_loads_no_engine(command: str) -> None:
    loaded = modules_after(HELP.format(arguments=f'"{command}", "--help"'))
    assert not loaded & {"huggingface_hub", "jinja2", "llama_cpp", "numpy"}
