"""The names that others may build on. Adding one is a decision, losing one a breach."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import qwq_gguf
from qwq_gguf import errors

VERBS = {
    "eval_quality",
    "eval_thinking",
    "export",
    "fit",
    "fit_recipe",
    "inspect",
    "load",
    "load_profile",
    "load_recipe",
    "make_imatrix",
    "plan",
    "publish",
    "quantize",
    "report",
    "verify",
}
MAKING = {"Checkpoint", "Plan", "QuantizeResult", "Recipe", "TensorPlan"}
RUNNING = {"Conversation", "FinishReason", "Model", "Profile", "SamplerChain", "Tool"}
EVENTS = {
    "AnswerDelta",
    "AnswerWasThought",
    "ChatEvent",
    "Finished",
    "Note",
    "Reply",
    "ThinkingDelta",
    "ToolCallStarted",
    "ToolResult",
}
ERRORS = {
    "BusyError",
    "ChainError",
    "ConfigError",
    "ConfigurationError",
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
    "NoRoomError",
    "NotAGgufError",
    "OutputError",
    "PlanError",
    "ProfileError",
    "PromptTooLongError",
    "PublishError",
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
    "WorkerLostError",
    "WrongShardError",
}


NAMES = VERBS | MAKING | RUNNING | EVENTS


def test_the_list() -> None:
    assert set(qwq_gguf.__all__) == NAMES | {"QwqGgufError", "__version__"}
    assert len(qwq_gguf.__all__) == len(set(qwq_gguf.__all__))


@pytest.mark.parametrize("name", sorted(NAMES | ERRORS))
def test_each_is_there(name: str) -> None:
    value = getattr(qwq_gguf, name)
    if name != "ChatEvent":  # a union of the others
        assert value.__name__ == name
        assert value.__module__.startswith("qwq_gguf.")


def test_verbs_are_functions_and_rooms_are_nouns() -> None:
    """No room hides the function of its name, whatever was imported before."""
    folder = Path(qwq_gguf.__file__).parent
    rooms = {path.name.removesuffix(".py") for path in folder.iterdir()}
    assert not rooms & (NAMES | ERRORS)
    for verb in VERBS:
        assert inspect.isfunction(getattr(qwq_gguf, verb))


def test_all_errors_can_be_had_and_are_of_one_tree() -> None:
    assert set(errors.__all__) == ERRORS
    for name in ERRORS:
        assert issubclass(getattr(qwq_gguf, name), qwq_gguf.QwqGgufError)


def test_each_public_function_and_method_is_typed_and_says_what_it_does() -> None:
    found = [getattr(qwq_gguf, name) for name in VERBS]
    for kind in (qwq_gguf.Model, qwq_gguf.Conversation):
        methods = {name: one for name, one in vars(kind).items() if inspect.isfunction(one)}
        found += [one for name, one in methods.items() if not name.startswith("_")]
    for one in found:
        assert one.__doc__, one
        for parameter in inspect.signature(one).parameters.values():
            assert parameter.name == "self" or parameter.annotation is not parameter.empty, one
        assert one.__annotations__.get("return"), one


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Governess"):
        _ = qwq_gguf.Governess


def test_just_the_public_names_are_listed() -> None:
    """Errors are had by name, or from qwq_gguf.errors, and do not crowd the list."""
    assert dir(qwq_gguf) == sorted(qwq_gguf.__all__)


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
    ours = {name for name in loaded if name.startswith("qwq_gguf.")}
    assert ours == {"qwq_gguf.errors", "qwq_gguf.version"}


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


def test_quantizing_what_is_here_loads_what_it_needs(tmp_path: Path) -> None:
    """Each module is memory that every run has at its peak. Nobody sees bars in a pipe."""
    made = tmp_path / "demo.gguf"
    loaded = modules_after(
        HELP.format(arguments=f'"quantize", "demo", {str(made)!r}, "-r", "BF16"')
    )
    assert made.is_file()
    assert "jinja2" in loaded
    assert not loaded & (HEAVY - {"jinja2", "numpy"} | {"numba", "ssl", "asyncio"})
    ours = {name.removeprefix("qwq_gguf.") for name in loaded if name.startswith("qwq_gguf.")}
    needless = (
        "api",
        "checkpoint.hub.",
        "checkpoint.modelscope",
        "cli.chatting",
        "cli.terminal.markdown",
        "conversion.adapters",
        "editing",
        "engine",
        "evaluation",
        "quantization.fitting",
        "serve",
    )
    assert {name for name in ours if name.startswith(needless)} <= {"checkpoint.hub.stream_folder"}
