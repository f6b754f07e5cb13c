"""Layers on other machines: here on two workers of this one, by the command that starts them."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from qwq_gguf.engine.llama.lines import Lines
from qwq_gguf.engine.llama.rpc_devices import Worker, greet
from qwq_gguf.engine.llama.rpc_server import Lent
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import LibraryError, ServerError, UsageError, WorkerLostError
from qwq_gguf.jobs.contexts import ContextWish, read_workers
from qwq_gguf.jobs.lending import Lending, lend_machine
from qwq_gguf.native import load_rpc, native_files
from qwq_gguf.sampling import Greedy, LogitBias, SamplerChain
from support.demo import make_demo

needs_rpc = pytest.mark.skipif(
    not any("ggml-rpc" in path.name for path in native_files()),
    reason="this build of llama.cpp has no RPC backend",
)


def rpc_worker(*arguments: str) -> subprocess.Popen[str]:
    program = "from qwq_gguf.cli.main import main; main()"
    command = [sys.executable, "-c", program, "rpc-worker", "--port", "0", "-t", "1"]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def worker(*arguments: str) -> Iterator[Worker]:
    with rpc_worker(*arguments) as process:
        try:
            assert process.stdout is not None
            host, port = process.stdout.readline().strip().split(":")
            yield Worker(host, int(port))
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGINT)
            rest, told = process.communicate(timeout=20)
            assert (process.returncode, rest) == (130, ""), told


@needs_rpc
def test_two_workers_say_what_one_machine_says(tmp_path: Path) -> None:
    demo = make_demo(tmp_path)
    with Model.load(demo, context=256, threads=1) as here, closing(Session(here)) as session:
        prompt = here.vocabulary.encode_text("What is 7*43?")
        endless = LogitBias(tuple((end, -math.inf) for end in here.eog_tokens))
        chain = SamplerChain((endless, Greedy()))
        alone = [token for token, _ in session.generate(prompt, chain, seed=1, max_tokens=24)]
        assert len(alone) == 24
    with ExitStack() as stack:
        workers = [stack.enter_context(worker()) for _ in range(2)]
        for each in workers:
            greet(each)
        # In a child: the registry keeps a worker's devices for as long as the process lives.
        code = TOGETHER.format(path=str(demo), workers=[(w.host, w.port) for w in workers])
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["tokens"] == alone
    lent = [line for line in said["buffers"] if "RPC" in line]
    assert {each.port for each in workers} == {
        each.port for each in workers for line in lent if str(each) in line
    }, said["buffers"]
    assert said["notes"] == []


@needs_rpc
def test_a_worker_that_goes_away_between_replies_ends_them_in_words(tmp_path: Path) -> None:
    """The process lives on, says so each time, and ends without an abort."""
    demo = make_demo(tmp_path)
    with ExitStack() as stack:
        there = stack.enter_context(worker())
        doomed = rpc_worker()
        stack.callback(doomed.communicate)
        assert doomed.stdout is not None
        host, port = doomed.stdout.readline().strip().split(":")
        workers = [(there.host, there.port), (host, int(port))]
        code = LEFT_ALONE.format(path=str(demo), workers=workers, pid=doomed.pid)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == [
        "8 tokens",
        f"a worker has gone, and what it had of the model with it: {host}:{port}",
        "no answer either",
        "a machine that has a part of the model has gone: the server has to be started again",
        "closed",
        "",
    ]


def test_lines_are_seen_to_end_and_nothing_is_read_of_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = Worker(*server.getsockname())
        with socket.create_connection((there.host, there.port)) as line:
            peer, _ = server.accept()
            lines = Lines([there])
            lines.check()
            peer.sendall(b"x")
            lines.check()
            assert line.recv(9) == b"x"
            assert not lines.lost
            peer.close()
            with pytest.raises(WorkerLostError, match="has gone"):
                lines.check()
            assert lines.lost
        assert lines.lost, "for good"
    assert not Lines([]).lost
    assert not Lines([Worker("127.0.0.1", 9)]).lost, "there is no line to it"


LEFT_ALONE = """
import math, os, signal, time
from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.llama.rpc_devices import Worker
from qwq_gguf.engine.model import Model
from qwq_gguf.errors import WorkerLostError
from qwq_gguf.sampling import Greedy, LogitBias, SamplerChain
from qwq_gguf.serve.refusal import refusal_of

workers = [Worker(*each) for each in {workers!r}]
model = Model.load({path!r}, context=256, threads=1, workers=workers)
engine = Engine(model, sequences=2)
chain = SamplerChain((LogitBias(tuple((end, -math.inf) for end in model.eog_tokens)), Greedy()))
prompt = model.vocabulary.encode_text("What is 7*43?")


def ask():
    return len(list(engine.sequence().generate(prompt, chain, seed=1, max_tokens=8)))


print(ask(), "tokens")
os.kill({pid}, signal.SIGKILL)
while not model.lines.lost:
    time.sleep(0.01)
try:
    ask()
except WorkerLostError as error:
    print(f"{{error.message}}: {{error.found}}")
try:
    ask()
except WorkerLostError as error:
    print("no answer either", refusal_of(error).message, sep="\\n")
model.close()
print("closed")
"""

TOGETHER = """
import json, math
from contextlib import closing
from qwq_gguf.engine.llama.rpc_server import Lent
from qwq_gguf.engine.llama.rpc_devices import Worker
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.sampling import Greedy, LogitBias, SamplerChain

workers = [Worker(*each) for each in {workers!r}]
with Model.load({path!r}, context=256, threads=1, workers=workers) as model:
    lines = [line for line in model.library.log.lines() if "model buffer size" in line]
    with closing(Session(model)) as session:
        prompt = model.vocabulary.encode_text("What is 7*43?")
        endless = LogitBias(tuple((end, -math.inf) for end in model.eog_tokens))
        chain = SamplerChain((endless, Greedy()))
        tokens = [token for token, _ in session.generate(prompt, chain, seed=1, max_tokens=24)]
    print(json.dumps({{"tokens": tokens, "buffers": lines, "notes": list(model.notes)}}))
"""


def answering(reply: bytes | None) -> tuple[Worker, threading.Thread, socket.socket]:
    """Something that listens, and answers one greeting with these bytes; None: with silence."""
    line = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = line.accept()
        with peer:
            assert len(peer.recv(64)) == 33
            with suppress(OSError):  # it may have read enough, and gone
                if reply is not None:
                    peer.sendall(reply)
                    peer.shutdown(socket.SHUT_WR)
                peer.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    return Worker(*line.getsockname()), thread, line


HELLO = struct.pack("<Q", 28) + bytes([7, 0, 0]) + bytes(25)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (HELLO, None),
        (struct.pack("<Q", 28) + bytes([6, 0, 0]) + bytes(25), "another version"),
        (struct.pack("<Q", 28) + bytes([7, 1, 0]) + bytes(25), "another version"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no RPC server"),
        (b"", "hung up"),
        (None, "does not answer"),
    ],
)
def test_a_greeting_tells_what_listens_there(reply: bytes | None, words: str | None) -> None:
    there, thread, line = answering(reply)
    try:
        if words is None:
            greet(there)
        else:
            with pytest.raises(ServerError, match=words):
                greet(there, seconds=0.3 if reply is None else 10)
    finally:
        line.close()
        thread.join()


def test_nobody_there_is_an_error_before_llama_cpp_hears_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    with pytest.raises(ServerError, match="no worker"):
        greet(Worker("127.0.0.1", port))


def test_workers_as_they_are_typed() -> None:
    assert read_workers("a.local, 10.0.0.2:7") == (Worker("a.local", 50052), Worker("10.0.0.2", 7))
    for text, words in (
        ("", "HOST:PORT"),
        ("a,", "HOST:PORT"),
        ("http://a", "no port"),
        ("a:0", "no port"),
        ("a:65536", "no port"),
        ("a:99999999999", "no port"),
        ("a,a:50052", "twice"),
        (",".join(f"h{number}" for number in range(17)), "at most 16"),
    ):
        with pytest.raises(UsageError, match=words):
            read_workers(text)
    with pytest.raises(UsageError, match="auto"):
        ContextWish(workers=read_workers("a"), automatic=frozenset({"context"}))


def test_a_build_without_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    with pytest.raises(LibraryError, match="no RPC backend") as caught:
        load_rpc()
    assert "GGML_RPC=on" in str(caught.value.hint)


@needs_rpc
def test_a_taken_port_and_a_foreign_address_are_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as line,
        pytest.raises(ServerError, match="nobody can listen"),
    ):
        lend_machine("127.0.0.1", line.getsockname()[1], print, ready=print)
    with pytest.raises(ServerError) as caught:
        lend_machine("192.0.2.1", 0, print, ready=print)
    assert "of this machine" in str(caught.value.hint)
    with pytest.raises(UsageError, match="IPv4"):
        lend_machine("::1", 0, print, ready=print)


@needs_rpc
def test_beyond_loopback_the_danger_is_said() -> None:
    command = [sys.executable, "-c", "from qwq_gguf.cli.main import main; main()", "rpc-worker"]
    with subprocess.Popen(
        [*command, "--host", "0.0.0.0", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert address.startswith("0.0.0.0:")
    assert "no key and no encryption" in told
    assert "--rpc ADDRESS:" in told


def test_what_is_lent_as_json() -> None:
    lending = Lending("10.0.0.2", 50052, (Lent("CUDA0", "a card", 24 << 30, 20 << 30, 1),))
    assert lending.address == "10.0.0.2:50052"
    assert lending.to_json() == {
        "schema": "qwq-gguf/rpc-worker/1",
        "host": "10.0.0.2",
        "port": 50052,
        "devices": [
            {"name": "CUDA0", "description": "a card", "total": 24 << 30, "free": 20 << 30}
        ],
    }
    assert Lending("0.0.0.0", 7, ()).address == "ADDRESS:7"
