"""What a confined child runs: it puts up the fences round itself, then runs a program.

A script of its own, started by `child.py` with `python -I -S`: it imports nothing of this
package, so that nothing of it is there to be reached. From stdin it reads one JSON object: the
fences (`fences.py`), the parent's process id, and the program. Its first byte on stdout says
that all fences stand; without it, what it wrote is why they do not, and no program was run.
"""

from __future__ import annotations

import ast
import base64
import ctypes
import io
import json
import linecache
import os
import platform
import resource
import signal
import sys
import traceback
from typing import Any

NAME = "<python>"
# So that they are there when no shared library can be opened any more.
ORDINARY = (
    *("array", "bisect", "calendar", "cmath", "collections", "copy", "dataclasses", "datetime"),
    *("decimal", "enum", "fractions", "functools", "heapq", "itertools", "math", "operator"),
    *("pprint", "random", "re", "statistics", "string", "struct", "textwrap", "time", "typing"),
    *("unicodedata", "zlib"),
)

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 38, 22
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # on every machine
LANDLOCK_BENEATH, READ_FILE, READ_FOLDER = 1, 1 << 2, 1 << 3
CAPSET = {"x86_64": 126, "aarch64": 91}
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_NET = (1 << bit for bit in (17, 26, 27, 28, 30))
MS_NOSUID, MS_NODEV = 2, 4
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2

libc = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


class Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr"""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("rights", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def must(result: int, what: str) -> int:
    """The result of a call to C; OSError if it says that it failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def limit(seconds: int, memory: int) -> None:
    """Limits that the process cannot raise again."""
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(kind, (most, most))


def library() -> list[str]:
    """Where Python's own modules are: all that is to be read."""
    return [path for path in sys.path if os.path.isabs(path) and os.path.exists(path)]


def leave_the_rest_behind(folder: str) -> bool:
    """Namespaces with no network, and with Python's library as the only files. Whether it could
    be done: it needs rights that not every user has, and the other fences stand without it.
    """
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(NEW_USER | NEW_NS | NEW_UTS | NEW_IPC | NEW_NET) != 0:
        return False
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755")
        for path in library():
            if os.path.isdir(path):
                os.makedirs(folder + path, exist_ok=True)
                mount(path, folder + path, None, MS_BIND | MS_REC)
        os.chdir(folder)
        here = b"."
        must(libc.syscall(PIVOT_ROOT[platform.machine()], here, here), "pivot_root")
        must(libc.umount2(here, MNT_DETACH), "umount2")
        os.chdir("/")
    except OSError:
        return False
    return True


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount something, as the system call does."""
    texts = (text and text.encode() for text in (source, target, kind))
    arguments = (*texts, ctypes.c_ulong(flags), data.encode() or None)
    must(libc.mount(*arguments), f"mount {target}")


def only_the_library(rights: list[int], size: int) -> None:
    """Landlock: of all files, those of Python's library can be read, and that is all."""
    attributes = (ctypes.c_uint64 * 3)(*rights)
    rules = must(libc.syscall(LANDLOCK_CREATE, attributes, size, 0), "landlock_create_ruleset")
    for path in library():
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = READ_FILE | READ_FOLDER if os.path.isdir(path) else READ_FILE
        beneath = Beneath(allowed, handle)
        added = libc.syscall(LANDLOCK_ADD, rules, LANDLOCK_BENEATH, ctypes.byref(beneath), 0)
        must(added, "landlock_add_rule")
        os.close(handle)
    must(libc.syscall(LANDLOCK_RESTRICT, rules, 0), "landlock_restrict_self")
    os.close(rules)


def no_privileges() -> None:
    """No program can give rights back, and those of an administrator are laid down."""
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    none = (ctypes.c_uint32 * 6)()
    must(libc.syscall(CAPSET[platform.machine()], header, none), "capset")


def only_computing(program: bytes) -> None:
    """The filter of system calls."""
    steps = ctypes.create_string_buffer(program, len(program))
    whole = Program(len(program) // 8, ctypes.addressof(steps))
    must(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(whole), 0, 0), "prctl(PR_SET_SECCOMP)")


def check() -> None:
    """Try what must fail now: a fence that a kernel took and does not hold is none."""
    try:
        os.close(os.open("/", os.O_RDONLY))
    except PermissionError:
        pass
    else:
        raise OSError("files can be read in spite of Landlock")
    if libc.unshare(0) == 0 or libc.socket(1, 1, 0) >= 0:
        raise OSError("system calls are made in spite of the filter")


def fence(told: dict[str, Any]) -> None:
    """All of it, in the order in which each step can still be made."""
    must(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != told["parent"]:
        raise OSError("the parent has ended")
    for name in ORDINARY:
        __import__(name)
    if told["namespaces"]:
        leave_the_rest_behind(os.getcwd())
    limit(told["seconds"], told["memory"])
    no_privileges()
    only_the_library(told["landlock"], told["landlock_bytes"])
    only_computing(base64.b64decode(told["program"]))
    check()


def run(source: str) -> None:
    """Run the program; the value of a last line that is an expression is printed."""
    lines = source.splitlines(keepends=True)
    linecache.cache[NAME] = (len(source), None, lines, NAME)
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    tree = ast.parse(source, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NAME, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), NAME, "eval"), names)
        if value is not None:
            print(repr(value))


def failed(error: BaseException) -> int:
    """Print what went wrong, as the interpreter does, with the program's own frames."""
    if isinstance(error, SystemExit):
        return 0 if error.code in (None, 0) else 1
    told = traceback.TracebackException.from_exception(error)
    kept = [frame for frame in told.stack if frame.filename == NAME]
    told.stack = traceback.StackSummary.from_list(kept[-20:])
    print("".join(told.format(chain=False)), end="")
    return 1


def main() -> int:
    """0, or 1 for a program that failed, or 3 without fences."""
    try:
        with os.fdopen(0, "rb") as stdin:
            told = json.loads(stdin.read())
        os.close(os.pipe()[1])  # the other end has the lowest number: stdin, which is at its end
        fence(told)
    except BaseException as error:
        os.write(1, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        return 3
    os.write(1, bytes([told["ready"]]))
    sys.stdin = io.StringIO("")
    sys.argv = [""]
    try:
        run(told["code"])
        return 0
    except BaseException as error:
        return failed(error)


if __name__ == "__main__":
    status = main()
    try:
        sys.stdout.flush()
    finally:
        os._exit(status)
