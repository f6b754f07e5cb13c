"""llama.cpp's RPC server in this process: its devices, lent to other machines (ggml-rpc.h).

It has no authentication and no encryption, and reads and writes memory as it is told: it is for
networks of one's own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from qwq_gguf.engine.llama.library import load
from qwq_gguf.engine.llama.local_devices import CARDS, CPU, local_devices
from qwq_gguf.engine.llama.rpc_devices import Worker, greet
from qwq_gguf.errors import ServerError
from qwq_gguf.native import load_registry, load_rpc

__all__ = ["Lent", "lend", "lendable"]


@dataclass(frozen=True, slots=True)
class Lent:
    """A device of this machine: its name and what it calls itself, and bytes in all and free."""

    name: str
    description: str
    total: int
    free: int
    handle: int


def lendable() -> tuple[Lent, ...]:
    """The cards of this machine, or where there is none its processor. LibraryError for a build
    without the RPC backend.
    """
    load()
    load_rpc()
    ggml = load_registry()
    devices = local_devices(ggml)
    chosen = [handle for handle, kind in devices if kind in CARDS]
    chosen = chosen or [handle for handle, kind in devices if kind == CPU][:1]
    return tuple(_described(ggml, handle) for handle in chosen)


def lend(
    devices: tuple[Lent, ...], host: str, port: int, threads: int, ready: Callable[[], None]
) -> None:
    """Serve for ever, one client at a time; an exception in the main thread (Ctrl-C) ends the wait.

    `host` is an IPv4 address; `ready` is called once it answers. ServerError where nobody can
    listen there.
    """
    load()
    serve = load_rpc().ggml_backend_rpc_start_server
    serve.restype = None
    serve.argtypes = [
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_void_p),
    ]
    handles = (ctypes.c_void_p * len(devices))(*(device.handle for device in devices))
    ended = threading.Event()

    def run() -> None:
        serve(f"{host}:{port}".encode(), None, threads, len(devices), handles)
        ended.set()

    _print_nowhere()
    # Aside, as C waits for clients and hears no Ctrl-C.
    threading.Thread(target=run, daemon=True, name="rpc-worker").start()
    here = Worker("127.0.0.1" if host == "0.0.0.0" else host, port)
    while not ended.wait(0.05):
        with contextlib.suppress(ServerError):
            greet(here)
            break
    else:
        raise ServerError("the RPC server ended", found=f"{host}:{port}")
    ready()
    while not ended.wait(0.2):
        pass
    raise ServerError("the RPC server ended", found=f"{host}:{port}")


def _described(ggml: ctypes.CDLL, handle: int) -> Lent:
    texts = []
    for part in ("name", "description"):
        ask = getattr(ggml, f"ggml_backend_dev_{part}")
        ask.restype, ask.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        texts.append((ask(handle) or b"").decode("utf-8", "replace"))
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    memory = ggml.ggml_backend_dev_memory
    memory.restype = None
    memory.argtypes = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2]
    memory(handle, ctypes.byref(free), ctypes.byref(total))
    return Lent(texts[0], texts[1], total.value, free.value, handle)


def _print_nowhere() -> None:
    """The server tells of each client on descriptor 1; Python's stdout gets another one.

    For good: the server's thread ends with the process only, and may print until then.
    """
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
