"""Streams that are closed, full or left early, and Ctrl-C before anything has begun."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.terminal import PROGRAM
from support.tiny_gguf import write_random

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    write_random(folder / "tiny.gguf", context=2048)
    return folder


def shell(folder: Path, command: str, redirected: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of `qwq-gguf COMMAND` in a shell."""
    program = shlex.join(PROGRAM)
    script = f"{program} {command} {redirected}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=folder, check=False
    )
    for word in ("Traceback", "fault in qwq-gguf", "Exception ignored"):
        assert word not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", ["chat --help", "inspect tiny.gguf", "modelfile tiny.gguf"])
def test_nobody_reads(command: str, folder: Path) -> None:
    status, out, err = shell(folder, command, "| true")
    assert (status in (0, 141), out) == (True, "")
    assert "error" not in err


@needs_full
@pytest.mark.parametrize("command", ["--help", "inspect tiny.gguf --json", "verify tiny.gguf"])
def test_a_full_disk_is_said_once(command: str, folder: Path) -> None:
    status, _, err = shell(folder, command, "> /dev/full")
    assert status == 1
    assert err.count("error: standard output: No space left on device") == 1


@pytest.mark.parametrize("command", ["--version", "verify tiny.gguf"])
def test_closed_streams_lead_nowhere(command: str, folder: Path) -> None:
    expected = shell(folder, command, "")[:2]
    assert expected[0] == 0
    assert shell(folder, command, ">&-")[:2] == (0, "")
    assert shell(folder, command, "2>&-")[:2] == expected, "and not into stdout"
    assert shell(folder, command, "<&- >&- 2>&-") == (0, "", "")


@needs_full
def test_what_nobody_can_hear_keeps_nothing_from_being_done(folder: Path) -> None:
    said = shell(folder, "modelfile tiny.gguf", "2> /dev/full")
    assert said == (0, shell(folder, "modelfile tiny.gguf", "2> /dev/null")[1], "")
    assert shell(folder, "modelfile none.gguf", "2> /dev/full")[0] == 1
    assert shell(folder, "nosuch", "2> /dev/full")[0] == 2


def test_a_file_never_gets_the_number_of_a_closed_stream(folder: Path) -> None:
    """What a library prints would land in it."""
    script = (
        "import os, sys; from qwq_gguf.cli.terminal.streams import set_up_streams;"
        "set_up_streams();"
        "file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); os.write(1, b'noise');"
        "os.write(2, b'noise'); print('noise'); print('noise', file=sys.stderr);"
        "sys.exit(int(file < 3))"
    )
    program = shlex.join([sys.executable, "-c", script, str(folder / "file")])
    done = subprocess.run(["bash", "-c", f"{program} <&- >&- 2>&-"], check=False)
    assert done.returncode == 0
    assert (folder / "file").read_bytes() == b""


def test_a_difference_is_one_even_if_nobody_reads_on(folder: Path) -> None:
    (folder / "torn.gguf").write_bytes((folder / "tiny.gguf").read_bytes()[:-100])
    assert shell(folder, "verify torn.gguf", ">&-")[0] == 1


CTRL_C = """
import signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
from qwq_gguf.cli.main import main
sys.argv = ["qwq-gguf", *{arguments!r}]
main()
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("qwq_gguf.cli.app", ["--help"]),
        ("typer", ["--help"]),
        ("qwq_gguf.cli.commands.inspect", ["inspect", "tiny.gguf"]),
        ("numpy", ["verify", "tiny.gguf"]),
        ("qwq_gguf.exporters.ollama", ["modelfile", "tiny.gguf"]),
        ("llama_cpp", ["chat", "tiny.gguf", "-p", "Hi"]),
    ],
)
def test_ctrl_c_at_an_import(module: str, arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C.format(module=module, arguments=arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "QWQ_GGUF_CACHE_DIR": str(folder / "cache")},
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert done.stderr == "" or done.stderr.endswith("\nInterrupted.\n")


def test_where_ctrl_c_is_ignored_it_stays_so(folder: Path) -> None:
    """As of a job that a script put into the background."""
    script = CTRL_C.format(module="typer", arguments=["--version"])
    done = subprocess.run(
        ["bash", "-c", f"trap '' INT; {shlex.join([sys.executable, '-c', script])}"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
