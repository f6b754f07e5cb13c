"""Models by name: loaded on demand, one at a time, unloaded when idle."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import pytest

from qwq_gguf.errors import UsageError
from qwq_gguf.serve.answering.resident import Resident
from qwq_gguf.serve.answering.shelf import Shelf
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.web.starting import models_in
from support.http_client import ask
from support.own_loop import in_own_loop
from support.serving import running

FILES = {"a": Path("a.gguf"), "b": Path("b.gguf")}


class Loads:
    """Stands for what loads: `now` is what is loaded."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.told: list[str] = []

    def __call__(self, name: str, path: Path) -> Resident:
        loads = self

        class Loaded:
            def __init__(self) -> None:
                self.name = name
                loads.now.append(name)
                loads.told.append(name)

            def close(self) -> None:
                loads.now.remove(name)

        assert path == FILES[name]
        return cast(Resident, Loaded())


def test_names() -> None:
    async def run() -> None:
        shelf = Shelf(FILES, Loads(), default="b")
        assert shelf.name_of("a") == "a"
        assert shelf.name_of(None) == "b"
        for name in ("c", "a.gguf", "", "../a"):
            with pytest.raises(Refusal) as caught:
                shelf.name_of(name)
            assert caught.value.status == 404
        assert Shelf({"a": Path("a.gguf")}, Loads()).name_of("gpt-4o") == "a"

    in_own_loop(run())


def test_another_one_waits_until_the_first_is_not_used() -> None:
    async def run() -> None:
        loads = Loads()
        shelf = Shelf(FILES, loads)
        first = await shelf.take("a")
        again = await shelf.take("a")
        assert first is again
        other = asyncio.create_task(shelf.take("b"))
        behind = asyncio.create_task(shelf.take("a"))
        await asyncio.sleep(0.05)
        assert loads.now == ["a"]
        shelf.give_back()
        shelf.give_back()
        assert (await other).name == "b"
        assert loads.now == ["b"]
        shelf.give_back()
        assert (await behind).name == "a"
        assert loads.told == ["a", "b", "a"]
        shelf.give_back()
        await shelf.close()
        assert loads.now == []

    in_own_loop(run())


def test_an_idle_one_is_unloaded() -> None:
    async def run() -> None:
        loads = Loads()
        shelf = Shelf(FILES, loads, idle=0.1)
        watching = asyncio.create_task(shelf.watch())
        await shelf.take("a")
        await asyncio.sleep(0.3)
        assert loads.now == ["a"]  # somebody uses it
        shelf.give_back()
        until = time.monotonic() + 5
        while loads.now:
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        await shelf.take("a")
        watching.cancel()

    in_own_loop(run())


def test_a_load_that_fails_is_tried_again() -> None:
    async def run() -> None:
        loads = Loads()

        def load(name: str, path: Path) -> Resident:
            if not loads.told:
                loads.told.append("failed")
                raise OSError("not there")
            return loads(name, path)

        shelf = Shelf(FILES, load)
        with pytest.raises(OSError, match="not there"):
            await shelf.take("a")
        assert (await shelf.take("a")).name == "a"

    in_own_loop(run())


def test_two_models_of_a_folder(demo_file: Path, tmp_path: Path) -> None:
    for name in ("one.gguf", "two.gguf"):
        (tmp_path / name).hardlink_to(demo_file)
    (tmp_path / "notes.txt").touch()
    models = models_in(tmp_path)
    assert list(models) == ["one", "two"]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    with running(models, first=None) as server:
        assert ask(server.port, "/health").status == 200
        assert server.service.shelf.current is None
        for name in ("two", "one", "two"):
            told = ask(server.port, "/v1/chat/completions", body | {"model": name})
            assert told.json["model"] == name
            assert server.service.shelf.current is not None
            assert server.service.shelf.current.name == name
        listed = ask(server.port, "/v1/models").json["data"]
        assert [model["id"] for model in listed] == ["one", "two"]


def test_a_folder_of_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder of GGUF files"):
        models_in(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        models_in(tmp_path / "nowhere")
    for part in (1, 2):
        (tmp_path / f"big-0000{part}-of-00002.gguf").touch()
    assert list(models_in(tmp_path)) == ["big"]
