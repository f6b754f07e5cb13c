"""Put all that a check on a card needs into one folder, for a machine without a network.

The folder holds this tree as committed, llama.cpp as the pinned llama-cpp-python brings it
(without the backends of other cards, its models and its web pages), and wheels of what this
program depends on.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
MOST_BYTES = 60_000_000

# Below vendor/llama.cpp of the sdist: what neither the library nor its server is made of.
_LEFT_OUT = re.compile(
    r"(docs|models|media|benches|tests|gguf-py|conversion|examples|skills|requirements|grammars|ci"
    r"|\.github|\.devops)/"
    r"|tools/ui/(?!.*\.(txt|cmake|cpp|h|in)$)"
    r"|ggml/src/ggml-(?!cpu|cuda|rpc|[^/]*$)[^/]*/(?!CMakeLists\.txt$)"
)
# Compiled by what nearly every machine with nvcc has already; 90 MB of wheels.
_USUAL = ("cmake", "ninja", "numpy", "numba", "llvmlite")
_LIBRARY = "llama-cpp-python"
_TESTED_WITH = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "tokenizers")


def main() -> None:
    parser = argparse.ArgumentParser(prog="gpu_check pack", description=__doc__)
    parser.add_argument("folder", type=Path, help="is made; must not exist, or be empty")
    parser.add_argument("--python", default="3.12", help="of the other machine (default 3.12)")
    parser.add_argument("--revision", default="HEAD", help="of this tree (default HEAD)")
    parser.add_argument("--sdist", type=Path, help="llama-cpp-python's, if it is here already")
    given = parser.parse_args()
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")
    _pack_tree(folder / "tree.tar.xz", given.revision)
    with tempfile.TemporaryDirectory() as scratch:
        sdist = given.sdist or _download_sdist(Path(scratch))
        size = _pack_sources(sdist, folder / "llama.tar.xz")
    print(f"llama.cpp: {size / 1e6:.0f} MB of sources")
    _download_wheels(folder / "wheels", given.python)
    shutil.copy(ROOT / "scripts/lib/gpu/run.py", folder / "run")
    (folder / "run").chmod(0o755)
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {total / 1e6:.1f} MB")
    if total > MOST_BYTES:
        sys.exit(f"that is more than {MOST_BYTES / 1e6:.0f} MB")


def _pack_tree(target: Path, revision: str) -> None:
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision]
    content = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as tree, tarfile.open(target, "w:xz") as out:
        for member in tree:
            out.addfile(member, tree.extractfile(member) if member.isfile() else None)


def _pack_sources(sdist: Path, target: Path) -> int:
    """What is needed of the sdist, links apart; how many bytes that is."""
    size = 0
    with tarfile.open(sdist) as everything, tarfile.open(target, "w:xz") as out:
        for member in everything:
            _top, _, inside = member.name.partition("/")
            vendored = inside.removeprefix("vendor/llama.cpp/")
            ours = inside.startswith("llama_cpp/") or vendored != inside
            if not member.isfile() or not ours or _LEFT_OUT.match(vendored):
                continue
            content = everything.extractfile(member)
            # A member of its own: a long name of the old one would be in its headers, and win.
            copy = tarfile.TarInfo(inside)
            copy.size, copy.mode = member.size, member.mode
            out.addfile(copy, content)
            size += copy.size
    return size


def _download_sdist(folder: Path) -> Path:
    # Without building anything: pip would ask its build backend for metadata.
    pinned = next(need for need in _needs() if need.startswith(_LIBRARY))
    name, _, version = pinned.partition("==")
    from huggingface_hub.utils import get_session

    index = _pip("config", "get", "global.index-url") or "https://pypi.org/simple"
    page = get_session().get(f"{index.rstrip('/')}/{name}/", follow_redirects=True)
    file = f"{name.replace('-', '_')}-{version}.tar.gz"
    found = re.search(rf'href="([^"#]*/{re.escape(file)})', page.text)
    if found is None:
        sys.exit(f"the package index has no {file}: get it, and name it by --sdist")
    answer = get_session().get(str(page.url.join(found[1])), follow_redirects=True)
    answer.raise_for_status()
    (folder / file).write_bytes(answer.content)
    return folder / file


def _download_wheels(folder: Path, python: str) -> None:
    needs = [*_needs(), *_TESTED_WITH, "gguf", "diskcache"]
    wanted = [need for need in needs if not need.startswith((_LIBRARY, *_USUAL))]
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in (28, 17, 12, 5)]
    command = ["download", "-q", "-d", str(folder), "--only-binary=:all:", "--python-version"]
    command += [python, "--implementation", "cp", "--platform", "manylinux2014_x86_64"]
    command += [part for platform in platforms for part in ("--platform", platform)]
    if _pip(*command, *wanted) is None:
        sys.exit("pip could not download the wheels")
    for wheel in folder.iterdir():
        if wheel.name.startswith(_USUAL):
            wheel.unlink()


def _needs() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    yield from project["project"]["dependencies"]
    yield from project["project"]["optional-dependencies"]["serve"]


def _pip(*arguments: str) -> str | None:
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return None if done.returncode else done.stdout.strip()


if __name__ == "__main__":
    main()
