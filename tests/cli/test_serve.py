"""`qwq-gguf serve` as a user starts it, and what it refuses to be started with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.cli.flags.serving import read_seconds
from qwq_gguf.cli.showing.serving import examples
from qwq_gguf.serve.web.starting import reached_at
from support.demo import make_demo
from support.http_client import ask

runner = CliRunner()


def test_it_says_where_it_is_and_ends_on_a_signal(tmp_path: Path) -> None:
    demo = make_demo(tmp_path)
    keys = tmp_path / "keys.txt"
    keys.write_text("a-key-of-ours\n")
    command = [sys.executable, "-c", "from qwq_gguf.cli.main import main; main()", "serve"]
    more = ["--port", "0", "-c", "2048", "--alias", "tiny", "--api-key-file", str(keys)]
    with subprocess.Popen(
        [*command, str(demo), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            base = server.stdout.readline().strip()
            port = int(base.removeprefix("http://127.0.0.1:"))
            assert ask(port, "/v1/models").status == 401
            told = ask(port, "/v1/models", headers={"Authorization": "Bearer a-key-of-ours"})
            assert told.json["data"][0]["id"] == "tiny"
        finally:
            server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=30)
    assert server.returncode == 0, said
    assert f"curl {base}/v1/chat/completions" in said
    assert f'OpenAI(base_url="{base}/v1"' in said
    assert "OPENAI_BASE_URL" in said
    assert "a-key-of-ours" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("fe80::2", "[fe80::2]"),
        ("192.168.1.7", "192.168.1.7"),
        ("box.local", "box.local"),
    ],
)
def test_what_it_is_asked_at_can_be_asked(host: str, told: str) -> None:
    assert reached_at(host) == told


def test_others_are_told_how_to_reach_it() -> None:
    told = examples("http://127.0.0.1:8080", "demo", keys=True, others=True)
    assert told.endswith("Others have this machine's name or address in place of the one here.\n")
    alone = examples("http://127.0.0.1:8080", "demo", keys=True, others=False)
    assert told.startswith(alone)


@pytest.mark.parametrize(
    "flags, said",
    [
        ([], "name a MODEL"),
        (["--alias", "x", "--models", "."], "--alias goes with"),
        (["demo", "--cors", "*"], "expected an origin"),
        (["demo", "--api-key", "short"], "8 to 512 characters"),
        (["demo", "--api-key-file", "nowhere.txt"], "nowhere.txt"),
        (["demo", "--idle", "soon"], "expected a time"),
        (["demo", "--parallel", "0"], "parallel"),
        (["demo", "--top-p", "7"], "top_p"),
    ],
)
def test_usage(flags: list[str], said: str) -> None:
    done = runner.invoke(app, ["serve", *flags])
    assert done.exit_code == 2, done.output
    assert said in done.output


def test_others_are_let_in_with_a_key_only(tmp_path: Path) -> None:
    demo = make_demo(tmp_path)
    done = runner.invoke(app, ["serve", str(demo), "--host", "0.0.0.0"])
    assert done.exit_code == 2
    assert "they need a key" in done.output


@pytest.mark.parametrize(
    "text, seconds", [("90", 90), ("30s", 30), ("10m", 600), ("1.5h", 5400), ("2 m", 120)]
)
def test_times(text: str, seconds: float) -> None:
    assert read_seconds(text, "--idle") == seconds
