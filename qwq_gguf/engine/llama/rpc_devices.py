"""Devices of other machines, by llama.cpp's RPC backend (ggml-rpc.h, ggml-rpc.cpp).

What goes wrong with a worker ends this process: the backend aborts. So each is greeted before it is
handed to llama.cpp, which finds out most of what can be wrong. Of one that goes away later
`lines.py` tells before each step; during a step it is beyond us.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qwq_gguf.engine.llama.local_devices import GPU, IGPU, local_devices
from qwq_gguf.errors import ServerError
from qwq_gguf.native import load_registry, load_rpc

__all__ = ["MOST_WORKERS", "PORT", "Devices", "Worker", "greet"]

MOST_WORKERS = 16  # GGML_RPC_MAX_SERVERS
PORT = 50052  # that of llama.cpp's own rpc-server
_PROTOCOL = (7, 0)  # RPC_PROTO_MAJOR_VERSION and ..._MINOR_VERSION of the pinned release
_HELLO = 14
_CAPABILITIES = bytes(24)  # none: plain TCP
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Worker:
    """Where llama.cpp's RPC server runs: a name or an IPv4 address, and a port."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def greet(worker: Worker, seconds: float = _SECONDS) -> None:
    """ServerError unless this worker answers at once, in the protocol that is spoken here."""
    hint = "start one there: qwq-gguf rpc-worker --host ADDRESS"
    try:
        with socket.create_connection((worker.host, worker.port), timeout=seconds) as line:
            line.sendall(struct.pack("<BQ", _HELLO, len(_CAPABILITIES)) + _CAPABILITIES)
            (size,) = struct.unpack("<Q", _receive(line, 8))
            if size != 4 + len(_CAPABILITIES):
                raise ServerError("this is no RPC server of llama.cpp's", found=worker, hint=hint)
            said = tuple(_receive(line, size)[:2])
    except TimeoutError:
        raise ServerError(
            "this worker does not answer",
            found=worker,
            hint="it serves one at a time: is somebody else using it?",
        ) from None
    except OSError as error:
        raise ServerError("there is no worker", found=f"{worker}: {error}", hint=hint) from None
    if said[0] != _PROTOCOL[0] or said[1] > _PROTOCOL[1]:
        raise ServerError(
            "this worker speaks another version of the RPC protocol",
            found=f"{worker}: {said[0]}.{said[1]}",
            expected=f"{_PROTOCOL[0]}.{_PROTOCOL[1]}: the same llama.cpp on both machines",
        )


def _receive(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = line.recv(size - len(found))
        if not part:
            raise ConnectionError("it hung up")
        found += part
    return found


class Devices:
    """What a model's layers may go to: the devices of workers, then the cards of this machine.

    Without workers it is left to llama.cpp. Has to live until the model is loaded; the devices
    themselves stay for as long as the process.

    ServerError where a worker is not there, LibraryError for a build without the RPC backend.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = tuple(workers)
        handles: list[int] = []
        if self._workers:
            rpc, ggml = load_rpc(), load_registry()
            for worker in self._workers:
                greet(worker)
            for worker in self._workers:
                handles += _of_worker(rpc, ggml, worker)
            handles += _cards(ggml)
        self._list = (ctypes.c_void_p * (len(handles) + 1))(*handles, None)

    def __bool__(self) -> bool:
        return bool(self._workers)

    def apply(self, params: Any) -> None:
        """Write them into a `llama_model_params`."""
        if self._workers:
            params.devices = ctypes.cast(self._list, ctypes.c_void_p)


def _of_worker(rpc: ctypes.CDLL, ggml: ctypes.CDLL, worker: Worker) -> list[int]:
    add = rpc.ggml_backend_rpc_add_server
    add.restype, add.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    registered = add(str(worker).encode())
    count, get = ggml.ggml_backend_reg_dev_count, ggml.ggml_backend_reg_dev_get
    count.restype, count.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]
    found = [get(registered, number) for number in range(count(registered) if registered else 0)]
    if not found:
        raise ServerError("this worker has no device", found=worker)
    return found


def _cards(ggml: ctypes.CDLL) -> list[int]:
    """The cards here, an integrated one only where there is no other, as llama.cpp takes them."""
    by_kind: dict[int, list[int]] = {GPU: [], IGPU: []}
    for device, kind in local_devices(ggml):
        by_kind.get(kind, []).append(device)
    return by_kind[GPU] or by_kind[IGPU][:1]
