"""qwq-gguf: make reasoning models small, and run them as they were meant to be run.

    import qwq_gguf

    qwq_gguf.quantize("demo", "demo.gguf")              a checkpoint becomes a GGUF
    plan = qwq_gguf.plan("Qwen/QwQ-32B")                what it would become; headers only
    with qwq_gguf.load("demo.gguf") as model:           and is talked with
        print(model.ask("What is 7*43?").answer)
    qwq_gguf.inspect(path), verify(path), export(path, "ollama")
    qwq_gguf.eval_thinking("demo", "skills"), eval_quality(reference, quants, text=path)
    qwq_gguf.make_imatrix(path, out, text=path), fit_recipe("demo", bpw=4.5)
    qwq_gguf.report(results, folder), publish(files, "org/name-GGUF")
    qwq_gguf.load_profile(name), load_recipe(name)

Each verb does what the command of its name does. docs/python.md has the whole of it.
Everything raised on purpose is a QwqGgufError; its kinds are in `qwq_gguf.errors`.

Each name is imported when it is first asked for, so that `import qwq_gguf` costs next to
nothing and never loads llama.cpp.
"""

from __future__ import annotations

from qwq_gguf.version import __version__

# The module of that name takes longer to import than the program's first answer should.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from qwq_gguf.api.loading import load
    from qwq_gguf.api.looking import export, fit, inspect, load_profile, load_recipe, verify
    from qwq_gguf.api.making import QuantizeResult, plan, quantize
    from qwq_gguf.api.measuring import eval_quality, eval_thinking, report
    from qwq_gguf.api.model import Model
    from qwq_gguf.api.publishing import publish
    from qwq_gguf.api.tuning import fit_recipe, make_imatrix
    from qwq_gguf.chat.events import (
        AnswerDelta,
        AnswerWasThought,
        ChatEvent,
        Finished,
        FinishReason,
        Note,
        Reply,
        ThinkingDelta,
        ToolCallStarted,
        ToolResult,
    )
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.engine.conversation import Conversation
    from qwq_gguf.errors import *  # noqa: F403 - by name they can be had here, too
    from qwq_gguf.errors import QwqGgufError
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantization import Plan, Recipe, TensorPlan
    from qwq_gguf.sampling import SamplerChain
    from qwq_gguf.tools import Tool

__all__ = [
    # verbs
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
    # what they take and give
    "Checkpoint",
    "Conversation",
    "Model",
    "Plan",
    "Profile",
    "QuantizeResult",
    "QwqGgufError",
    "Recipe",
    "SamplerChain",
    "TensorPlan",
    "Tool",
    # a reply and its events
    "AnswerDelta",
    "AnswerWasThought",
    "ChatEvent",
    "FinishReason",
    "Finished",
    "Note",
    "Reply",
    "ThinkingDelta",
    "ToolCallStarted",
    "ToolResult",
    "__version__",
]

_HOMES = {
    "AnswerDelta": "chat.events",
    "AnswerWasThought": "chat.events",
    "ChatEvent": "chat.events",
    "Checkpoint": "checkpoint",
    "Conversation": "engine.conversation",
    "FinishReason": "chat.events",
    "Finished": "chat.events",
    "Model": "api.model",
    "Note": "chat.events",
    "Plan": "quantization",
    "Profile": "profiles",
    "QuantizeResult": "api.making",
    "Recipe": "quantization",
    "Reply": "chat.events",
    "SamplerChain": "sampling",
    "TensorPlan": "quantization",
    "ThinkingDelta": "chat.events",
    "Tool": "tools",
    "ToolCallStarted": "chat.events",
    "ToolResult": "chat.events",
    "eval_quality": "api.measuring",
    "eval_thinking": "api.measuring",
    "export": "api.looking",
    "fit": "api.looking",
    "fit_recipe": "api.tuning",
    "inspect": "api.looking",
    "load": "api.loading",
    "load_profile": "api.looking",
    "load_recipe": "api.looking",
    "make_imatrix": "api.tuning",
    "plan": "api.making",
    "publish": "api.publishing",
    "quantize": "api.making",
    "report": "api.measuring",
    "verify": "api.looking",
}


def __getattr__(name: str) -> object:
    home = "errors" if name.endswith("Error") else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
