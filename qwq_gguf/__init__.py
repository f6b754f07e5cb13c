"""qwq-gguf: make reasoning models small, and run them as they were meant to be run.

The names below are the library's public ones. Each is imported when it is first asked
for, so that `import qwq_gguf` costs next to nothing and never loads llama.cpp:

    Checkpoint, Recipe, Plan, TensorPlan        from a checkpoint to a GGUF file
    SamplerChain, Profile                       how a model is meant to be run
    Model, FinishReason, the chat events        running it
    QwqGgufError and its subclasses             everything that is raised on purpose
"""

from __future__ import annotations

# The module of that name takes longer to import than the program's first answer should.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from qwq_gguf.chat.events import (
        AnswerDelta,
        AnswerWasThought,
        ChatEvent,
        Finished,
        FinishReason,
        Notice,
        Reply,
        ThinkingDelta,
        ToolCallStarted,
        ToolResult,
    )
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.engine.model import Model
    from qwq_gguf.errors import (
        ChainError,
        ConfigError,
        DiskSpaceError,
        EvaluationError,
        ExportError,
        GgufError,
        HubAccessError,
        HubConnectionError,
        HubError,
        HubNotFoundError,
        HubOfflineError,
        ImatrixError,
        LibraryError,
        ManifestError,
        MemoryLimitError,
        MissingPackageError,
        ModelError,
        NotACheckpointError,
        NotAGgufError,
        OutputError,
        PlanError,
        ProfileError,
        PromptTooLongError,
        QwqGgufError,
        RecipeError,
        ServerError,
        ShardError,
        SourceError,
        TemplateError,
        TensorError,
        TokenizerError,
        ToolError,
        UnsupportedError,
        UsageError,
        WrongShardError,
    )
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantization import Plan, Recipe, TensorPlan
    from qwq_gguf.sampling import SamplerChain

__version__ = "0.1.0.dev0"

__all__ = [
    "AnswerDelta",
    "AnswerWasThought",
    "ChainError",
    "ChatEvent",
    "Checkpoint",
    "ConfigError",
    "DiskSpaceError",
    "EvaluationError",
    "ExportError",
    "FinishReason",
    "Finished",
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
    "Model",
    "ModelError",
    "NotACheckpointError",
    "NotAGgufError",
    "Notice",
    "OutputError",
    "Plan",
    "PlanError",
    "Profile",
    "ProfileError",
    "PromptTooLongError",
    "QwqGgufError",
    "Recipe",
    "RecipeError",
    "Reply",
    "SamplerChain",
    "ServerError",
    "ShardError",
    "SourceError",
    "TemplateError",
    "TensorError",
    "TensorPlan",
    "ThinkingDelta",
    "TokenizerError",
    "ToolCallStarted",
    "ToolError",
    "ToolResult",
    "UnsupportedError",
    "UsageError",
    "WrongShardError",
    "__version__",
]

_HOMES = {
    "AnswerDelta": "chat.events",
    "AnswerWasThought": "chat.events",
    "ChatEvent": "chat.events",
    "Checkpoint": "checkpoint",
    "FinishReason": "chat.events",
    "Finished": "chat.events",
    "Model": "engine.model",
    "Notice": "chat.events",
    "Plan": "quantization",
    "Profile": "profiles",
    "Recipe": "quantization",
    "Reply": "chat.events",
    "SamplerChain": "sampling",
    "TensorPlan": "quantization",
    "ThinkingDelta": "chat.events",
    "ToolCallStarted": "chat.events",
    "ToolResult": "chat.events",
} | {name: "errors" for name in __all__ if name.endswith("Error")}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
