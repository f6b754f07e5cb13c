"""A server from what its user wants of it."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.events import Report
from qwq_gguf.serve.access import Access, is_loopback
from qwq_gguf.serve.answering.resident import Loading, Resident, load_resident
from qwq_gguf.serve.answering.shelf import Shelf
from qwq_gguf.serve.web.running import HttpServer, listen
from qwq_gguf.serve.web.service import Service

__all__ = ["Serving", "models_in", "name_of_file", "reached_at", "serve"]

_MOST_MODELS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a server is started with.

    `models` are files by the names that clients use. The model `first` is loaded before anything
    is answered, where it is named; `access` says who may ask, and `open_to_all` that nobody
    needs a key on an address that others reach. `idle` and `grace` are in seconds.
    """

    models: Mapping[str, Path]
    first: str | None = None
    loading: Loading = field(default_factory=Loading)
    host: str = "127.0.0.1"
    port: int = 8080
    access: Access = field(default_factory=Access)
    open_to_all: bool = False
    idle: float | None = None
    grace: float = 30.0

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("there is no model to serve", hint="name one, or --models FOLDER")
        if not is_loopback(self.host) and not self.access.keys and not self.open_to_all:
            raise UsageError(
                f"--host {self.host} lets others in: they need a key",
                hint="--api-key-file FILE, or --without-key if whoever reaches it may use it",
            )


def reached_at(host: str) -> str:
    """What this machine's own clients put into a URL for a server that listens there."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:  # all of this machine's addresses, and itself none
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"


def models_in(folder: Path) -> dict[str, Path]:
    """The GGUF files of a folder by their names without .gguf; of a split model the first.

    UsageError for a folder that cannot be read, or that holds none.
    """
    try:
        files = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise UsageError(f"--models {folder} cannot be read", found=error.strerror) from None
    names = [name for name in files if name.endswith(".gguf")]
    first = [name for name in names if "-of-" not in name or "-00001-of-" in name]
    if not first or len(first) > _MOST_MODELS:
        raise UsageError(
            f"--models {folder} is a folder of GGUF files",
            found=f"{len(first):,} of them",
            expected=f"1 to {_MOST_MODELS:,}",
        )
    return {name_of_file(name): folder / name for name in first}


def name_of_file(file: str) -> str:
    """What clients call a model by its file's name; of a split one without the part's number."""
    return file.removesuffix(".gguf").partition("-00001-of-")[0]


def serve(
    serving: Serving,
    report: Report,
    *,
    ready: Callable[[str], None],
    log: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is told the base address once requests are answered.

    What a load may raise; UsageError for an address that cannot be had.
    """
    sock = listen(serving.host, serving.port)
    try:
        loading = serving.loading

        def load(name: str, path: Path) -> Resident:
            return load_resident(name, path, loading, report)

        first = None
        if serving.first is not None:
            first = load(serving.first, serving.models[serving.first])
        port = sock.getsockname()[1]
        host = reached_at(serving.host)

        async def run() -> None:
            shelf = Shelf(
                serving.models, load, first=first, default=serving.first, idle=serving.idle
            )
            service = Service(shelf, sequences=loading.sequences, waiting=loading.waiting, log=log)
            server = HttpServer(service, serving.access, grace=serving.grace)
            await server.serve_on(sock, lambda: ready(f"http://{host}:{port}"))

        asyncio.run(run())
    finally:
        sock.close()
