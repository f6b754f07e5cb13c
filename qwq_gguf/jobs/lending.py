"""Lending this machine's devices to others, by llama.cpp's RPC server."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ServerError, UsageError
from qwq_gguf.jobs.events import Note, Report

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.rpc_server import Lent

__all__ = ["WORKER_SCHEMA", "Lending", "lend_machine"]

WORKER_SCHEMA = "qwq-gguf/rpc-worker/1"
_OWN = "--host takes an address of this machine's own; 0.0.0.0 is all of them"


@dataclass(frozen=True, slots=True)
class Lending:
    """What is lent, and where others find it."""

    host: str
    port: int
    devices: tuple[Lent, ...]

    @property
    def address(self) -> str:
        """HOST:PORT, as --rpc takes it; ADDRESS stands for whatever others call this machine."""
        everywhere = ipaddress.IPv4Address(self.host).is_unspecified
        return f"{'ADDRESS' if everywhere else self.host}:{self.port}"

    def to_json(self) -> dict[str, Any]:
        """The same for `--json`; sizes in bytes."""
        return {
            "schema": WORKER_SCHEMA,
            "host": self.host,
            "port": self.port,
            "devices": [
                {
                    "name": each.name,
                    "description": each.description,
                    "total": each.total,
                    "free": each.free,
                }
                for each in self.devices
            ],
        }


def lend_machine(
    host: str,
    port: int,
    report: Report,
    *,
    ready: Callable[[Lending], None],
    threads: int | None = None,
) -> None:
    """Lend what there is, for ever; `ready` is told what and where once it answers.

    `port` 0 is any that is free. UsageError for a host that is no IPv4 address, ServerError where
    nobody can listen, LibraryError for a build of llama.cpp without the RPC backend.
    """
    from qwq_gguf.engine.llama.rpc_server import lend, lendable
    from qwq_gguf.machine import physical_cores

    address = _address(host)
    devices = lendable()
    number = _free_port(str(address), port)
    if not address.is_loopback:
        report(
            Note(
                f"whoever reaches {address}:{number} can read and write this process: there is no "
                "key and no encryption. It belongs on a network of your own, behind a firewall"
            )
        )
    lending = Lending(str(address), number, devices)
    lend(devices, str(address), number, threads or physical_cores(), lambda: ready(lending))


def _address(host: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise UsageError(
            f"--host: {host[:60]!r} is no IPv4 address, and llama.cpp's RPC server takes no other"
        ) from None


def _free_port(host: str, port: int) -> int:
    """The port, if one may listen there; else the server would say so where nobody reads it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise ServerError(
                "nobody can listen here",
                found=f"{host}:{port}: {error.strerror}",
                hint="--port 0 takes one that is free" if taken else _OWN,
            ) from None
        found: int = line.getsockname()[1]
        return found
