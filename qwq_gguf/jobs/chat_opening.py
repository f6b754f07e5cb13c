"""Opening a chat with a loaded model, and closing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.jobs.chatting import Chat
from qwq_gguf.jobs.events import Activity, Report, activity
from qwq_gguf.jobs.wishes import Wishes, settle

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.session import PromptProgress
    from qwq_gguf.tools import Tool

__all__ = ["open_chat"]


@contextmanager
def open_chat(
    model: Model,
    wishes: Wishes,
    report: Report,
    *,
    tools: Sequence[Tool] = (),
    system: str | None = None,
    seed: int | None = None,
    max_tokens: int | None = None,
    session: Path | None = None,
    on_prompt: PromptProgress | None = None,
) -> Iterator[Chat]:
    """A chat with a loaded model, and the room for it; freed at the end.

    With a `session` it goes on where that file is, and is kept there.
    """
    from qwq_gguf.engine.conversation import Conversation

    profile = settle(model.metadata, wishes).profile
    with activity(report, Activity.WARMING, f"{model.context_size:,} tokens of context"):
        conversation = Conversation(
            model,
            profile,
            tools=tools,
            system=system,
            seed=seed,
            max_tokens=max_tokens,
            template_variables=wishes.variables,
            on_prompt=on_prompt,
        )
    try:
        chat = Chat(conversation, wishes, seed=seed, tools=tools, session=session)
        chat.go_on()
        if system:
            chat.set_system(system)
        yield chat
        chat.keep(with_state=True)
    finally:
        conversation.close()
