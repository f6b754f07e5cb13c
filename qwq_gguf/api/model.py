"""A loaded model, as Python talks with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from qwq_gguf.api.calls import (
    check_flags,
    check_mappings,
    check_numbers,
    check_texts,
    in_python,
    profile_of,
)
from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.settings import profile_for
from qwq_gguf.profiles import Profile
from qwq_gguf.tools import Tool, as_tools

if TYPE_CHECKING:
    from qwq_gguf.chat.events import ChatEvent, Reply
    from qwq_gguf.engine import model as engine
    from qwq_gguf.engine.batching.engine import Engine
    from qwq_gguf.engine.conversation import Conversation
    from qwq_gguf.engine.protocols import Generates
    from qwq_gguf.engine.session import Session
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.sampling.settings import SettingValue

__all__ = ["Model"]


class Model:
    """A loaded model, by `load`. A context manager; what is asked of it after `close` is a
    ModelError. From one thread at a time, unless it was loaded for several sequences.
    """

    def __init__(
        self,
        loaded: engine.Model,
        profile: Profile,
        notes: tuple[str, ...],
        sequences: int = 1,
    ) -> None:
        self._loaded = loaded
        self._session: Session | None = None
        self._engine = _engine(loaded, sequences)
        self.profile = profile
        """How it is run, unless a chat says otherwise."""
        self.notes = notes
        """Sentences about settings and loading that one should know."""

    @property
    def name(self) -> str:
        """What the model is called."""
        return self._loaded.name

    @property
    def path(self) -> Path:
        """Its file, or the first of them."""
        return self._loaded.path

    @property
    def context_size(self) -> int:
        """Tokens that a conversation may hold."""
        return self._loaded.context_size

    @property
    def metadata(self) -> Mapping[str, KeyValue]:
        """All that the file says about itself."""
        return self._loaded.metadata

    @property
    def loaded(self) -> engine.Model:
        """The engine's model below, for who needs tokens and logits."""
        return self._loaded

    def ask(
        self,
        text: str,
        *,
        system: str | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
    ) -> Reply:
        """Ask once, without a history, and wait for the whole reply.

        With a `seed` the reply can be made again. `max_tokens` bounds thought and answer.
        PromptTooLongError when it does not fit the context.
        """
        return self._once(system, seed, max_tokens).ask(_text(text))

    def stream(
        self,
        text: str,
        *,
        system: str | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
    ) -> Iterator[ChatEvent]:
        """Ask once and follow the reply: deltas of thought and answer, then `Finished`.

        Read it to its end before the next question.
        """
        return self._once(system, seed, max_tokens).stream(_text(text))

    def chat(
        self,
        *,
        system: str | None = None,
        tools: Sequence[Tool | Callable[..., Any]] = (),
        profile: str | Path | Profile | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
        think: bool | None = None,
        thought_budget: int | None = None,
        reasoning_effort: str | None = None,
        settings: Mapping[str, SettingValue] | None = None,
        governor: Mapping[str, Any] | None = None,
        template_variables: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """A conversation with a history of its own: `.ask`, `.stream`, `.messages`.

        `tools` are functions with types and a docstring, or `Tool` values, which the model may
        call. With a `seed` the n-th reply has the seed `seed + n`. `think` turns thoughts on or
        off, `thought_budget` closes one after so many tokens, and `reasoning_effort` is how hard
        the model is to think ("low", "medium", "high"), where its template knows the word.
        `settings` are single numbers of the chain, such as {"temperature": 0.2}, `governor` single
        keys of the governor, such as {"seconds": 60}; `template_variables` go to the chat template.
        Each conversation has a KV cache; `close` frees it, and so does closing the model. Those
        of a model loaded for several sequences share one, and wait for their turn where more ask.
        """
        from qwq_gguf.engine.conversation import Conversation

        with in_python():
            check_texts(system=system, reasoning_effort=reasoning_effort)
            check_numbers(max_tokens=max_tokens)
            check_numbers(-1, thought_budget=thought_budget)
            check_flags(think=think)
            check_mappings(
                settings=settings, governor=governor, template_variables=template_variables
            )
            chosen, _ = profile_for(
                self.metadata,
                self.profile if profile is None else profile_of(profile),
                think=think,
                budget=thought_budget,
                effort=reasoning_effort,
                settings=settings,
                variables=template_variables,
                governor=governor,
            )
            return Conversation(
                self._loaded,
                chosen,
                tools=as_tools(tools),
                system=system,
                seed=_seed(seed),
                max_tokens=max_tokens,
                template_variables=template_variables,
                session=None if self._engine is None else self._engine.sequence(),
            )

    def close(self) -> None:
        """Free it, and all its conversations."""
        self._loaded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Model {self.name} of {self.path}, profile {self.profile.name}>"

    def _once(self, system: str | None, seed: int | None, max_tokens: int | None) -> Conversation:
        from qwq_gguf.engine.conversation import Conversation

        check_texts(system=system)
        check_numbers(max_tokens=max_tokens)
        return Conversation(
            self._loaded,
            self.profile,
            system=system,
            seed=_seed(seed),
            max_tokens=max_tokens,
            session=self._place(),
        )

    def _place(self) -> Generates:
        """Where a question is answered that belongs to no conversation."""
        from qwq_gguf.engine.session import Session

        if self._engine is not None:
            return self._engine.sequence()
        if self._session is None:
            self._session = Session(self._loaded)
        return self._session


def _engine(loaded: engine.Model, sequences: int) -> Engine | None:
    if sequences == 1:
        return None
    from qwq_gguf.engine.batching.engine import Engine

    try:
        return Engine(loaded, sequences=sequences)
    except BaseException:
        loaded.close()
        raise


def _text(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise UsageError(
            "a question is a text", found=repr(text)[:60], hint='model.ask("What is 7*43?")'
        )
    return text


def _seed(seed: object) -> int | None:
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32):
        return seed
    raise UsageError("a seed is a whole number", found=repr(seed)[:60], expected="0 to 4294967295")
