"""A native pointer is freed once, and not while it is used."""

from __future__ import annotations

import gc
import threading

import pytest

from qwq_gguf.engine.llama.owned import Owned
from qwq_gguf.errors import ModelError


def make(freed: list[int], pointer: int = 1, parent: Owned | None = None) -> Owned:
    return Owned(pointer, freed.append, what=f"number {pointer}", parent=parent)


def test_closing_frees_once_and_use_is_an_error_from_then_on() -> None:
    freed: list[int] = []
    owned = make(freed)
    with owned as pointer:
        assert pointer == 1
    owned.close()
    owned.close()
    assert freed == [1]
    assert owned.closed
    with pytest.raises(ModelError, match="number 1 is closed"), owned:
        pass
    with pytest.raises(ModelError, match="closed"):
        owned.check()
    del owned
    gc.collect()
    assert freed == [1]


def test_what_is_held_is_freed_when_it_is_let_go() -> None:
    freed: list[int] = []
    owned = make(freed)
    with owned:
        with owned:
            owned.close()
            assert freed == []
        with pytest.raises(ModelError), owned:
            pass
        assert freed == []
    assert freed == [1]


def test_an_error_lets_go_too() -> None:
    freed: list[int] = []
    owned = make(freed)
    with pytest.raises(ZeroDivisionError), owned:
        raise ZeroDivisionError
    owned.close()
    assert freed == [1]


def test_what_something_was_made_of_is_freed_after_it() -> None:
    freed: list[int] = []
    model = make(freed)
    context = make(freed, 2, model)
    model.close()
    assert freed == []
    assert context.closed
    with pytest.raises(ModelError, match="number 1 is closed"), context:
        pass
    with pytest.raises(ModelError, match="number 1 is closed"):
        make(freed, 3, model)
    assert freed == [3]
    context.close()
    assert freed == [3, 2, 1]


def test_what_nobody_closes_is_freed_in_order() -> None:
    freed: list[int] = []
    model = make(freed)
    context = make(freed, 2, model)
    del model
    gc.collect()
    assert freed == []
    del context
    gc.collect()
    assert freed == [2, 1]


def test_many_threads_hold_and_close() -> None:
    for _ in range(50):
        freed: list[int] = []
        owned = make(freed)
        wrong: list[object] = []
        start = threading.Barrier(4)

        def hold(
            owned: Owned = owned,
            freed: list[int] = freed,
            start: threading.Barrier = start,
            wrong: list[object] = wrong,
        ) -> None:
            start.wait()
            try:
                for _ in range(200):
                    with owned:
                        if freed:
                            wrong.append("used after it was freed")
            except ModelError:
                pass

        threads = [threading.Thread(target=hold) for _ in range(3)]
        for thread in threads:
            thread.start()
        start.wait()
        owned.close()
        for thread in threads:
            thread.join()
        assert (freed, wrong) == ([1], [])
