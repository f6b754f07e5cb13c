"""`qwq-gguf rpc-worker`: lend this machine to a model that is larger than one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.jobs.lending import Lending, lend_machine
from qwq_gguf.words import human_bytes, one_line

__all__ = ["app"]

app = command_app()


@app.command("rpc-worker", cls=HouseCommand)
def rpc_worker(
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="The IPv4 address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any that is free.")
    ] = 50052,
    threads: Annotated[
        int | None,
        typer.Option(
            "-t",
            "--threads",
            metavar="N",
            min=1,
            max=512,
            help="CPU threads, where there is no card.  [default: cores]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Lend this machine to a chat on another one.

    What is lent are its cards, or where there is none its processor.

    It is llama.cpp's own RPC server, of the same version on both machines. It has no key and no
    encryption, and whoever reaches it can read and write its memory: only this machine can, unless
    --host says otherwise, and then it belongs on a private network. One client at a time; Ctrl-C
    ends it.

    \b
    Examples:
      qwq-gguf rpc-worker --host 192.168.1.20
      qwq-gguf chat R1-Q4_K_M.gguf --rpc 192.168.1.20,192.168.1.21:50052
    """

    def ready(lending: Lending) -> None:
        if as_json:
            emit_json(lending.to_json())
        else:
            emit(f"{lending.host}:{lending.port}")
            for each in lending.devices:
                note(
                    f"{one_line(each.name)} ({one_line(each.description)}), "
                    f"{human_bytes(each.free)} of {human_bytes(each.total)} free"
                )
            note(f"there: qwq-gguf chat MODEL --rpc {lending.address}")
        sys.stdout.flush()  # whoever started us may wait for it

    lend_machine(host, port, Terminal(), ready=ready, threads=threads)
