"""What packaging/ has agrees with the rest of the repository. Building an image is for by hand."""

from __future__ import annotations

import fnmatch
import hashlib
import http.server
import json
import re
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"


def dockerfile() -> list[str]:
    text = (PACKAGING / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def let_through(path: str) -> bool:
    """Whether the ignore file leaves a path in: the last rule that meets it, or a folder of it."""
    rules = (PACKAGING / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    parts = path.split("/")
    folders = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    kept = True
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        if rule.startswith("#") or not rule:
            continue
        if any(fnmatch.fnmatchcase(folder, pattern) for folder in folders):
            kept = rule.startswith("!")
    return kept


def test_the_image_gets_what_it_copies() -> None:
    copied = [line.split()[1:-1] for line in dockerfile() if re.match(r"COPY (?!--from)", line)]
    sources = [source for line in copied for source in line]
    assert {"qwq_gguf", "requirements", "scripts/lib/setup_env"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists()
        assert let_through(source)
    assert not let_through(".git")
    assert not let_through(".venv")
    assert not let_through("tests")


def test_the_set_up_in_the_image_has_its_files() -> None:
    # What setup.sh reads, and what hatchling reads for an editable install, is copied before it.
    lines = dockerfile()
    run = next(number for number, line in enumerate(lines) if "setup run" in line)
    before = " ".join(line for line in lines[:run] if line.startswith("COPY"))
    for name in ("pyproject.toml", "requirements", "setup.sh", "setup_env", "qwq_gguf/__init__.py"):
        assert name in before
    version = re.search(r'version\]\s*path = "([^"]+)"', pyproject())
    assert version is not None
    assert version[1] in before
    for name in re.findall(r'(?:readme|license-files) = \[?"([^"]+)"', pyproject()):
        assert name in before


def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_its_variables_are_flags_that_serve_has() -> None:
    text = "\n".join(dockerfile())
    flags = [name.lower() for name in re.findall(r"QWQ_GGUF_SERVE_([A-Z_]+)=", text)]
    assert flags == ["host", "port"]
    variables = {f"QWQ_GGUF_SERVE_{flag.upper()}": "8080" for flag in flags}
    done = subprocess.run(
        [sys.executable, "-c", "from qwq_gguf.cli.main import main; main()", "config", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**variables, "HOME": "/nowhere"},
    )
    settings = json.loads(done.stdout)["settings"]
    assert {f"serve --{flag}" for flag in flags} <= {each["setting"] for each in settings}


class Health(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_healthcheck(
    status: int | None,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = runpy.run_path(str(PACKAGING / "healthcheck.py"))["main"]
    handler = type("Answer", (Health,), {"status": status})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setenv("QWQ_GGUF_SERVE_PORT", str(server.server_port))
    if status is None:
        server.server_close()
        assert check() == code
        assert "no answer" in capsys.readouterr().out
        return
    answering = threading.Thread(target=server.handle_request)
    answering.start()
    try:
        assert check() == code
    finally:
        answering.join()
        server.server_close()


def test_completions_are_what_the_program_prints(tmp_path: Path) -> None:
    release = runpy.run_path(str(ROOT / "scripts" / "release"))
    for made in release["completions"](tmp_path):
        kept = PACKAGING / "completions" / made.name
        assert kept.read_text(encoding="utf-8") == made.read_text(encoding="utf-8")


def test_the_formula_names_the_sdist(tmp_path: Path) -> None:
    release = runpy.run_path(str(ROOT / "scripts" / "release"))
    sdist = tmp_path / "qwq_gguf-1.2.3.tar.gz"
    sdist.write_bytes(b"sources")
    text = release["formula"](sdist, f"https://example.org/{sdist.name}", "https://example.org")
    assert f'sha256 "{hashlib.sha256(b"sources").hexdigest()}"' in text
    assert 'url "https://example.org/qwq_gguf-1.2.3.tar.gz"' in text
    assert "version" not in text.partition("def install")[0]
    assert "@" not in re.sub(r'"python@3\.\d+"', "", text)
    for path in re.findall(r'libexec/"([^"]+)"', text):
        assert path == ".venv/bin/qwq-gguf" or (ROOT / path).is_file()
    with pytest.raises(SystemExit, match="URL"):
        release["formula"](sdist, 'https://example.org/"; system "sh', "https://example.org")


@pytest.mark.parametrize(
    ("version", "url"),
    [
        ("0.1.0.dev0", "https://example.org/qwq_gguf-0.1.0.dev0.tar.gz"),
        ("1.2.3", "https://example.org/downloads/latest"),
    ],
)
def test_the_formula_says_a_version_that_its_url_does_not(
    version: str, url: str, tmp_path: Path
) -> None:
    """Homebrew takes qwq_gguf-0.1.0.dev0.tar.gz for version 0."""
    release = runpy.run_path(str(ROOT / "scripts" / "release"))
    sdist = tmp_path / f"qwq_gguf-{version}.tar.gz"
    sdist.write_bytes(b"sources")
    text = release["formula"](sdist, url, "https://example.org")
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    at = lines.index("url")
    assert lines[at : at + 3] == ["url", "version", "sha256"]
    assert f'  version "{version}"\n' in text
