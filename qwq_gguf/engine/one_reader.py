"""Streams that two ask at the same moment: the second hears so, in an error of ours."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

from qwq_gguf.errors import ModelError, QwqGgufError

__all__ = ["OneReader"]

T = TypeVar("T")


class OneReader(Iterator[T], Generic[T]):
    """A generator, whose next value one thread at a time may wait for.

    Python itself raises a ValueError there, which says nothing of whose fault it is. After an
    error of ours it gives that again, where a generator would look as if it had come to its end.
    """

    def __init__(self, stream: Generator[T, None, None], what: str) -> None:
        """`what` names it in the error: "this reply"."""
        self._stream = stream
        self._what = what
        self._failed: QwqGgufError | None = None

    def __next__(self) -> T:
        try:
            return next(self._stream)
        except StopIteration:
            if self._failed is not None:
                raise self._failed from None
            raise
        except QwqGgufError as error:
            self._failed = error
            raise
        except ValueError as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """End it where it stands; may be called twice."""
        try:
            self._stream.close()
        except ValueError as error:
            raise self._explained(error) from None

    def _explained(self, error: ValueError) -> Exception:
        if str(error) != "generator already executing":
            return error
        return ModelError(
            f"{self._what} is being computed at this moment",
            hint="interrupt it, and wait for its end; or use a session for each thread",
        )
