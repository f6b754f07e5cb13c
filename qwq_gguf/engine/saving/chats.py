"""Saving a chat, and going on with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from qwq_gguf.engine.saving.file import SavedChat, SavedFile, write_chat
from qwq_gguf.engine.saving.key import own_key

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.sequence_state import SequenceState
    from qwq_gguf.engine.saving.made_with import MadeWith

__all__ = ["KeepsState", "load_chat", "save_chat"]


@runtime_checkable
class KeepsState(Protocol):
    """What can give away all that it has computed, and take it again; a `Session`."""

    def state(self) -> SequenceState:
        """The tokens in its cache, and what was computed of them."""
        ...

    def restore(self, state: SequenceState) -> bool:
        """Go on from there; False if that cannot be, and then nothing is in the cache."""
        ...


def save_chat(path: Path, chat: SavedChat, session: object, *, force: bool) -> None:
    """Write it with the session's state, where it can be kept. OutputError, ModelError."""
    key = own_key()
    state = session.state() if key is not None and isinstance(session, KeepsState) else None
    write_chat(path, chat, state, key, force=force)


def load_chat(
    path: Path, here: MadeWith, session: object, *, context: int
) -> tuple[SavedChat, str | None]:
    """The chat of a file, and why its state was not taken: None if the session has it now.

    `here` is what the session is made with. ModelError for a file that is no saved chat.
    """
    file = SavedFile.open(path)
    try:
        why = file.chat.made_with.differs(here)
        if why is not None or not isinstance(session, KeepsState):
            return file.chat, why or "this session cannot take it"
        state = file.state(own_key(), context=context)
        if isinstance(state, str):
            return file.chat, state
        return file.chat, None if session.restore(state) else "llama.cpp does not take it"
    finally:
        file.close()
