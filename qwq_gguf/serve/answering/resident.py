"""A loaded model with its engine, and how it is run where a client says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.jobs.contexts import USUAL, ContextWish
from qwq_gguf.jobs.wishes import Wishes, settle
from qwq_gguf.serve.ask import Ask, asked_profile
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.schema import calls_grammar, channel_calls_grammar

if TYPE_CHECKING:
    from qwq_gguf.engine.responder import Responder, Responding
    from qwq_gguf.jobs.events import Report

__all__ = ["Loading", "Resident", "load_resident"]

# Counting more takes long, and no context holds them.
_MOST_COUNTED = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How models are loaded: in tokens, layers, threads, texts at once and texts that wait."""

    wishes: Wishes = field(default_factory=Wishes)
    context: int | None = None
    gpu_layers: int | None = None
    threads: int | None = None
    wish: ContextWish = USUAL
    sequences: int = 4
    waiting: int = 64


class Resident:
    """One model, ready to answer. Its methods may be called from any thread."""

    def __init__(self, name: str, model: Any, engine: Any, wishes: Wishes) -> None:
        from qwq_gguf.engine.responder import Responder

        self.name = name
        self.model = model
        self.engine = engine
        settled = settle(model.metadata, wishes)
        self.variables = dict(wishes.variables)
        self.responder = Responder(
            model,
            settled.profile,
            template_variables=self.variables,
            session=engine.sequence(),
        )
        self.profile = self.responder.profile
        self.thinks = self.responder.thoughts.has_thoughts and (
            self.responder.thoughts.mode is not False
        )

    def respond(self, ask: Ask) -> list[Responding]:
        """The replies to a request, not begun yet: rendering and reading of the prompt alone.

        What is wrong with the request is a Refusal, ChainError, ProfileError, TemplateError,
        PromptTooLongError or ModelError.
        """
        from qwq_gguf.sampling.seeds import new_seed, nth_seed

        ask = self._with_calls(ask)
        profile = asked_profile(self.profile, ask)
        responder = self.responder.under(profile, {**self.variables, **ask.variables})
        seed = new_seed() if ask.seed is None else ask.seed
        return [
            self._reply(responder, ask, nth_seed(seed, number)) for number in range(ask.choices)
        ]

    def _reply(self, responder: Responder, ask: Ask, seed: int) -> Responding:
        place = responder.on(self.engine.sequence())
        bounds: dict[str, Any] = {
            "seed": seed,
            "max_tokens": ask.max_tokens,
            "stops": ask.stops,
            "odds": ask.logprobs,
        }
        if ask.prompt is not None:
            size = self.model.vocabulary.size
            if any(isinstance(each, int) and not 0 <= each < size for each in ask.prompt):
                raise Refusal(f"prompt: the ids of tokens are 0 to {size - 1}", param="prompt")
            return place.go_on(ask.prompt, **bounds)
        calls = bool(ask.forced) or ask.shape is not None
        return place.respond(ask.messages, ask.tools, calls_in_grammar=calls, **bounds)

    def _with_calls(self, ask: Ask) -> Ask:
        """The same with a grammar in which calls stand as this model writes them, where one has to
        come, or where an answer besides has a form.
        """
        if not ask.forced and ask.shape is None:
            return ask
        answer = None if ask.forced else ask.shape
        tools = ask.forced or ask.tools
        channels = self.responder.thoughts.tags.channels
        if channels is not None:
            thinks = asked_profile(self.profile, ask).wants_thoughts is not False
            text = channel_calls_grammar(channels, tools, thinks=thinks, answer=answer)
            made = {"grammar": text, "grammar_scope": "reply"}
            return replace(ask, settings={**ask.settings, **made})
        form = self.responder.tool_use.written
        if form is None:
            raise Refusal(
                "how this model writes calls is not known well enough to force one",
                param="tool_choice" if ask.forced else "response_format",
                code="unsupported_value",
            )
        text = calls_grammar(form, tools, several=not ask.one_call, answer=answer)
        return replace(ask, settings={**ask.settings, "grammar": text})

    def prompt_tokens(self, ask: Ask) -> int:
        """How long the prompt of a request is."""
        profile = asked_profile(self.profile, ask)
        responder = self.responder.under(profile, {**self.variables, **ask.variables})
        responder.check_tools(ask.tools)
        segments = responder.render(ask.messages, ask.tools).segments
        return len(self.model.encode(segments, most=_MOST_COUNTED))

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text; a control token that is written out stays text."""
        tokens: list[int] = self.model.vocabulary.encode_text(text)
        return tokens

    def settings(self) -> dict[str, Any]:
        """What a page shows of it."""
        profile = self.profile
        return {
            "model": self.name,
            "profile": profile.name,
            "context": self.model.context_size,
            "thought_budget": profile.governor.budget,
            "settings": _plain(profile.chain.settings()),
            "thinks": self.thinks,
            "tools": [],
        }

    def close(self) -> None:
        """Free it."""
        self.engine.close()
        self.model.close()


def load_resident(name: str, path: Path, loading: Loading, report: Report) -> Resident:
    """Load a model for serving; what a load may raise, it raises."""
    from qwq_gguf.engine.batching.engine import Engine
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.jobs.loading import load_model

    settled = settle(read_gguf(path).metadata, loading.wishes)
    model = load_model(
        path,
        report,
        usual_context=settled.profile.context,
        context=loading.context,
        gpu_layers=loading.gpu_layers,
        threads=loading.threads,
        wish=loading.wish,
    )
    try:
        engine = Engine(model, sequences=loading.sequences, waiting=loading.waiting)
        return Resident(name, model, engine, loading.wishes)
    except BaseException:
        model.close()
        raise


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and texts; a bias or a grammar is nobody else's business."""
    return {
        name: value
        for name, value in settings.items()
        if isinstance(value, bool | int | float | str) and not name.startswith("grammar")
    }
