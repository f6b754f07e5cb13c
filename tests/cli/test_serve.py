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
