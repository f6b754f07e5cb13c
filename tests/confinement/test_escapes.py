"""Programs that try to get out of a confined child, run for real: each has to be refused.

Beside them stands what has to work, so that no fence is too narrow, and so that what is refused is
refused for its own sake. All of it with namespaces and without, as not every user may make any.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

import pytest

from qwq_gguf.confinement import Ended, Limits, run_confined
from qwq_gguf.confinement.child import _landlock_version
from qwq_gguf.confinement.fences import why_not

pytestmark = pytest.mark.skipif(
    why_not(platform.system(), platform.machine(), _landlock_version()) is not None,
    reason="nothing can be confined here",
)
X86 = platform.machine() == "x86_64"
SECRET = "a-secret-of-the-parent"

_PRELUDE = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
parent = os.getppid()
"""
# What each tries, in a line or a few; it must end in an OSError.
ESCAPES = {
    "read /etc/passwd": "open('/etc/passwd').read()",
    "read a file of the user's": "open(SECRET_FILE).read()",
    "read it through /proc": "open('/proc/self/root' + SECRET_FILE).read()",
    "read it through a folder": "os.open(SECRET_FILE, os.O_RDONLY, dir_fd=os.open('/', os.O_PATH))",
    "read it beside the library": "open(os.path.dirname(os.__file__) + '/../../..' + SECRET_FILE)",
    "read it by openat2": "call(437, -100, SECRET_FILE.encode(), (ctypes.c_uint64 * 3)(), 24)",
    "list the root": "os.listdir('/')",
    "list the home": "os.listdir(os.path.dirname(SECRET_FILE))",
    "read the parent's environment": "open(f'/proc/{parent}/environ').read()",
    "read the parent's memory": "open(f'/proc/{parent}/mem', 'rb').read(1)",
    "read its own environment": "open('/proc/self/environ').read()",
    "read a device": "open('/dev/zero').read(1)",
    "write here": "open('x', 'w')",
    "write into /tmp": "open('/tmp/qwq-gguf-escape', 'w')",
    "write into the library": "open(os.path.dirname(os.__file__) + '/qwq_gguf_escape.py', 'w')",
    "change the library": "open(os.__file__, 'a')",
    "cut the library": "os.truncate(os.__file__, 0)",
    "unprotect the library": "os.chmod(os.__file__, 0o777)",
    "delete from the library": "os.unlink(os.__file__)",
    "make a folder": "os.mkdir('x')",
    "make a symbolic link": "os.symlink(SECRET_FILE, 'x')",
    "make a hard link": "os.link(os.__file__, 'x')",
    "rename": "os.rename(os.__file__, 'x')",
    "a file in memory": "os.memfd_create('x')",
    "a socket": "import socket; socket.socket()",
    "a local socket": "import socket; socket.socket(socket.AF_UNIX)",
    "a pair of sockets": "import socket; socket.socketpair()",
    "a socket of the kernel": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "look a host up": "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
    "a pipe": "os.pipe()",
    "fork": "os.fork()",
    "spawn": "os.posix_spawn(sys.executable, [sys.executable], {})",
    "execute": "os.execv('/bin/sh', ['sh'])",
    "a shell": "import subprocess; subprocess.run(['sh'])",
    "end the parent": "os.kill(parent, 9)",
    "end everything": "os.kill(-1, 9)",
    "end the parent's group": "os.killpg(0, 9)",
    "end it by a handle": "os.pidfd_open(parent)",
    "signal it by a file": "import fcntl; fcntl.fcntl(1, fcntl.F_SETOWN, parent)",
    "trace the parent": "call(101 if X86 else 117, 16, parent, 0, 0)",
    "read the parent by the kernel": "call(310 if X86 else 270, parent, 0, 0, 0, 0, 0)",
    "write the parent by the kernel": "call(311 if X86 else 271, parent, 0, 0, 0, 0, 0)",
    "raise its limits": "call(160 if X86 else 164, 0, (ctypes.c_uint64 * 2)(99, 99))",
    "raise the parent's": "import resource; resource.prlimit(parent, resource.RLIMIT_AS, (1, 1))",
    "namespaces of its own": "call(272 if X86 else 97, 0x10000000)",
    "mount": "call(165 if X86 else 40, b'x', b'/', b'tmpfs', 0, 0)",
    "another root": "os.chroot('/')",
    "another user": "os.setuid(0)",
    "io_uring": "call(425, 1, (ctypes.c_uint32 * 30)())",
    "bpf": "call(321 if X86 else 280, 0, 0, 0)",
    "userfaultfd": "call(323 if X86 else 282, 0)",
    "perf events": "call(298 if X86 else 241, 0, 0, -1, -1, 0)",
    "the kernel's keys": "call(250 if X86 else 219, 0, -3, 0)",
    "shared memory": "call(29 if X86 else 194, 1, 4096, 0o1777)",
    "the name of the machine": "os.uname()",
    "type into the terminal": "import fcntl; fcntl.ioctl(1, 0x5412, b'x')",
}
NAMESPACES = pytest.mark.parametrize("namespaces", [True, False], ids=["namespaces", "none"])


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QWQ_GGUF_SECRET", SECRET)
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


@NAMESPACES
def test_nothing_gets_out(secret: Path, namespaces: bool) -> None:
    """One program tries all, each for itself, and says which were refused."""
    tries = "".join(
        f"try:\n    exec({what!r})\n    print('OUT', {name!r})\n"
        "except OSError as error:\n"
        "    refused = error.errno in (errno.EPERM, errno.EACCES, errno.ENOENT)\n"
        f"    print('refused' if refused else error, {name!r})\n"
        for name, what in ESCAPES.items()
    )
    prelude = f"{_PRELUDE}X86 = {X86}\nSECRET_FILE = {str(secret)!r}\n"
    ran = run_confined(prelude + tries, namespaces=namespaces)
    assert ran.ended is Ended.DONE, ran
    assert ran.output.splitlines() == [f"refused {name}" for name in ESCAPES]
    assert secret.read_text() == SECRET
    assert not Path("/tmp/qwq-gguf-escape").exists()


@NAMESPACES
def test_nothing_of_the_parent_is_inside(secret: Path, namespaces: bool) -> None:
    """Not its environment, nor a file it has open, nor a module of its own."""
    program = (
        "import os, sys\nprint(sorted(os.environ), len(sys.path), 'qwq_gguf' in sys.modules)\n"
        "found = []\nfor number in range(200):\n    try: os.fstat(number); found.append(number)\n"
        "    except OSError: pass\nprint(found)"
    )
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        ran = run_confined(program, namespaces=namespaces)
    environment, opened = ran.output.splitlines()
    assert environment.startswith("['LANG'] ")
    assert environment.endswith("False")
    assert opened == "[0, 1, 2]"


def test_with_namespaces_not_even_the_name_of_a_file_is_known(secret: Path) -> None:
    asked = f"import os\nprint(os.path.exists({str(secret)!r}), os.path.exists('/etc/passwd'))"
    inside = run_confined(f"import os\nprint(os.getcwd() == '/')\n{asked}").output
    if inside.startswith("False"):
        pytest.skip("this user may make no namespaces")
    assert inside == "True\nFalse False\n"
    # Without, what Landlock does not hide can be asked: whether a path is there.
    assert run_confined(asked, namespaces=False).output == "True True\n"


@NAMESPACES
@pytest.mark.skipif(not X86, reason="tables that only this machine has")
@pytest.mark.parametrize("code", [b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"])
def test_another_table_of_system_calls_is_death(namespaces: bool, code: bytes) -> None:
    """The calls of 32 bits, by machine code; and those of x32, by their numbers."""
    by_code = (
        "import ctypes, mmap\nroom = mmap.mmap(-1, 4096, prot=7)\n"
        f"room.write({code!r})\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(room))\n"
        "print('before', flush=True)\nprint(ctypes.CFUNCTYPE(ctypes.c_int)(at)())"
    )
    by_number = (
        "import ctypes\nprint('before', flush=True)\n"
        "print(ctypes.CDLL(None).syscall(0x40000000 + 39))"
    )
    for program in (by_code, by_number):
        ran = run_confined(program, namespaces=namespaces)
        assert (ran.output, ran.ended, ran.signal) == ("before\n", Ended.SIGNAL, "SIGSYS")


@NAMESPACES
def test_bombs_go_off_inside(namespaces: bool) -> None:
    memory = run_confined("x = []\nwhile True: x.append(bytes(1 << 24))", namespaces=namespaces)
    assert memory.ended is Ended.FAILED
    assert memory.output.endswith("MemoryError\n")
    threads = run_confined(
        "import threading\nwhile True: threading.Thread(target=input).start()",
        namespaces=namespaces,
    )
    assert (threads.ended, "can't start new thread" in threads.output) == (Ended.FAILED, True)
    processes = run_confined("import os\nwhile True: os.fork()", namespaces=namespaces)
    assert (processes.ended, "PermissionError" in processes.output) == (Ended.FAILED, True)
    output = run_confined("while True: print('x' * 4096)", namespaces=namespaces)
    assert (output.ended, len(output.output)) == (Ended.OUTPUT, Limits().output)


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(1000)",
        "import signal, time\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except OSError: pass\nwhile True: pass",
        "9 ** 9 ** 9",
        "import re\nre.match('(a*)*b', 'a' * 1000)",
    ],
)
def test_what_never_ends_is_ended(program: str) -> None:
    began = time.monotonic()
    ran = run_confined(program, Limits(seconds=1))
    assert ran.ended is Ended.TIME
    assert time.monotonic() - began < 15


@NAMESPACES
def test_what_only_computes_works(namespaces: bool) -> None:
    program = (
        "import math, decimal, fractions, statistics, itertools, collections, json, re, random\n"
        "import datetime, hashlib, string, textwrap, heapq, bisect, csv, base64, zlib, time, uuid\n"
        "from dataclasses import dataclass\n"
        "print(math.factorial(20), fractions.Fraction(1, 3), sum(range(10)))\n"
        "print(hashlib.sha256(b'x').hexdigest()[:8], len(zlib.compress(b'x' * 1000)) < 100)\n"
        "print(time.time() > 1.7e9, random.random() < 1, 'é€😀')\n"
        "def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
        "fib(15)"
    )
    ran = run_confined(program, namespaces=namespaces)
    assert ran.output == "2432902008176640000 1/3 45\n2d711642 True\nTrue True é€😀\n610\n"
    assert ran.ended is Ended.DONE


@pytest.mark.parametrize(
    ("program", "ended", "output"),
    [
        ("", Ended.DONE, ""),
        ("1 + 1", Ended.DONE, "2\n"),
        ("x = 3\nprint('a')\nx", Ended.DONE, "a\n3\n"),
        ("None", Ended.DONE, ""),
        ("import sys\nsys.exit()", Ended.DONE, ""),
        ("import sys\nsys.exit(3)", Ended.FAILED, ""),
        ("import os\nos._exit(0)", Ended.DONE, ""),
        ("input()", Ended.FAILED, "EOFError: EOF when reading a line\n"),
        ("x = ", Ended.FAILED, "SyntaxError: invalid syntax\n"),
        ("def f(): f()\nf()", Ended.FAILED, "RecursionError: maximum recursion depth exceeded\n"),
        ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E", Ended.FAILED, None),
        ("import os\nos.write(1, b'\\xff\\xfe')", Ended.DONE, "\ufffd\ufffd2\n"),
        ("import sys\nprint('x', file=sys.stderr)", Ended.DONE, "x\n"),
        ("import ctypes\nctypes.string_at(0)", Ended.SIGNAL, ""),
    ],
)
def test_how_it_ends_is_told(program: str, ended: Ended, output: str | None) -> None:
    ran = run_confined(program)
    assert ran.ended is ended
    if output is not None:
        assert ran.output.endswith(output)
    assert sys.prefix not in ran.output


def test_a_failure_shows_the_programs_own_lines() -> None:
    ran = run_confined("import json\ndef f():\n    return json.loads('{')\nf()")
    assert 'File "<python>", line 3, in f\n    return json.loads' in ran.output
    assert ran.output.count("File") == 2


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(1000)",
        "while True: print('more')",
    ],
)
def test_one_that_nobody_waits_for_is_ended_within_a_second(program: str) -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] > 0.5

    ran = run_confined(program, Limits(seconds=60, output=1 << 30), cancelled=cancelled)
    assert ran.ended is Ended.CANCELLED
    first = next(moment for moment in asked if moment - asked[0] > 0.5)
    assert time.monotonic() - first < 1
