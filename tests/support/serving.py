"""A server on a free port of this machine, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qwq_gguf.serve.access import Access
from qwq_gguf.serve.answering.resident import Loading, Resident, load_resident
from qwq_gguf.serve.answering.shelf import Shelf
from qwq_gguf.serve.limits import LIMITS, RequestLimits
from qwq_gguf.serve.web.running import HttpServer, listen
from qwq_gguf.serve.web.service import Service

__all__ = ["Running", "running"]


@dataclass
class Running:
    """Where it is, and what a test may look at."""

    port: int
    service: Service
    server: HttpServer
    lines: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(
    models: Mapping[str, Path],
    *,
    access: Access | None = None,
    limits: RequestLimits = LIMITS,
    first: str | None = "demo",
    idle: float | None = None,
    grace: float = 5.0,
    **loading: Any,
) -> Iterator[Running]:
    """Stopped, and its thread waited for, at the end."""
    how = Loading(**{"context": 4096, "threads": 1, "sequences": 4} | loading)
    started = threading.Event()
    made: list[Running] = []
    failed: list[BaseException] = []

    def load(name: str, path: Path) -> Resident:
        return load_resident(name, path, how, lambda event: None)

    async def run() -> None:
        lines: list[str] = []
        shelf = Shelf(
            models,
            load,
            first=None if first is None else load(first, models[first]),
            default=first,
            idle=idle,
        )
        service = Service(
            shelf,
            sequences=how.sequences,
            waiting=how.waiting,
            limits=limits,
            log=lines.append,
        )
        server = HttpServer(service, access or Access(), grace=grace)
        sock = listen("127.0.0.1", 0)
        made.append(Running(sock.getsockname()[1], service, server, lines))
        with sock:
            await server.serve_on(sock, started.set)

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=main)
    thread.start()
    assert started.wait(60)
    if failed:
        raise failed[0]
    try:
        yield made[0]
    finally:
        made[0].server.stop()
        thread.join(60)
        assert not thread.is_alive()
