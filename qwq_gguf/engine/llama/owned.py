"""Native objects: never used after they were freed, never freed while they are used.

A pointer that outlives what it points to ends the process, and no `except` can catch that.
So every pointer of llama.cpp lives in an `Owned`. Using it means holding it (`with owned as
pointer:`); `close` frees it at once, or as soon as the last holder lets go, be that another
thread in the middle of a computation or the frame that a signal handler has interrupted.
What is made from it (a context from a model) keeps it in memory until it is freed itself.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Owned"]


@dataclass(slots=True)
class _State:
    """All of an `Owned` that its finalizer needs, which must not keep the object alive."""

    pointer: int
    free: Callable[[int], None]
    parent: Owned | None
    exclusive: bool
    holders: int = 0
    user: int = 0  # the thread of the holders, where there may be only one
    closed: bool = False
    freed: bool = False
    # Reentrant: a signal handler may close what its own thread is just about to hold.
    lock: Any = field(default_factory=threading.RLock)


class Owned:
    """A native pointer that is freed once. A context manager for each use of it."""

    def __init__(
        self,
        pointer: int,
        free: Callable[[int], None],
        *,
        what: str,
        path: Path | None = None,
        parent: Owned | None = None,
        exclusive: bool = False,
    ) -> None:
        """`what` names it in errors: "the session". `parent` is held until this is freed.

        `exclusive`: for a second thread that wants to hold it meanwhile it is a ModelError.

        `free` also keeps alive what has to outlive the pointer. ModelError, and the pointer
        is freed, when the parent is closed.
        """
        self._what = what
        self._path = path
        state = _State(pointer, free, parent, exclusive)
        try:
            if parent is not None:
                parent.__enter__()
        except BaseException:
            free(pointer)
            raise
        self._state = state
        # The last resort, for objects that nobody closed: nobody can hold them any more.
        self._finalizer = weakref.finalize(self, _dispose, state)

    @property
    def closed(self) -> bool:
        """Whether it, or what it was made from, may not be used any more."""
        parent = self._state.parent
        return self._state.closed or (parent is not None and parent.closed)

    def check(self) -> None:
        """ModelError once it is closed."""
        if self._state.parent is not None:
            self._state.parent.check()
        if self._state.closed:
            raise ModelError(
                f"{self._what} is closed",
                path=self._path,
                hint="make a new one; what was closed cannot be used again",
            )

    def __enter__(self) -> int:
        state = self._state
        held = False
        try:
            with state.lock:
                if state.exclusive:
                    self._take()
                # First taken, then looked at: closing in between waits for this holder.
                state.holders += 1
                held = True
            self.check()
        except BaseException:
            if held:
                _leave(state)
            raise
        return state.pointer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _leave(self._state)

    def _take(self) -> None:
        state, thread = self._state, threading.get_ident()
        if state.holders and state.user != thread:
            raise ModelError(
                f"{self._what} is being computed with at this moment, by another thread",
                path=self._path,
                hint="use it from one thread at a time, or give each a session of its own",
            )
        state.user = thread

    def close(self) -> None:
        """Free it now, or when the last holder lets go; may be called twice."""
        state = self._state
        with state.lock:
            state.closed = True
            unused = state.holders == 0
        if unused:
            self._finalizer()


def _leave(state: _State) -> None:
    with state.lock:
        state.holders -= 1
        last = state.closed and state.holders == 0
    if last:
        _dispose(state)


def _dispose(state: _State) -> None:
    with state.lock:
        if state.freed:
            return
        state.freed = state.closed = True
    state.free(state.pointer)
    if state.parent is not None:
        _leave(state.parent._state)
