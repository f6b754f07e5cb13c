"""Photograph a report on the demo model as docs/report.png: real replies, a real browser."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import browser  # noqa: E402  (the tests know where one is)

PROGRAM = [sys.executable, "-c", "from qwq_gguf.cli.main import main; main()"]
RECIPES = ("BF16", "Q4_K_M", "Q3_K_M", "Q2_K")
LIMIT, SEED = 10, 1  # questions of each skill
WIDTH, HEIGHT = 960, 1010
COLOURS = 96  # as many as such a page has, with the edges of letters


def called(folder: Path, *words: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [*PROGRAM, *words], cwd=folder, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"qwq-gguf {' '.join(words)}: status {done.returncode}")
    return done.stdout


def make_report(folder: Path) -> Path:
    """Quants of the demo are made, asked and compared; the page of all that."""
    called(folder, "quantize", "demo", *(word for name in RECIPES for word in ("-r", name)))
    files = [f"QwQ-Demo-{name}.gguf" for name in RECIPES]
    called(
        folder, "eval", "thinking", *files, "--suite", "skills", "--limit", str(LIMIT),
        "--seed", str(SEED), "--profile", "qwq,llama-cpp", "--traces", "--out", "replies.jsonl",
    )  # fmt: skip
    found = called(
        folder, "eval", "quality", *files, "--traces", "replies.jsonl", "--chunks", "60", "--json"
    )
    (folder / "quality.json").write_text(found, encoding="utf-8")
    manifests = sorted(path.name for path in folder.glob("*.manifest.json"))
    called(folder, "report", "replies.jsonl", "quality.json", *manifests, "-o", "report")
    return folder / "report" / "report.html"


def photograph(page: Path) -> bytes:
    """Its beginning, light and wide, as PNG."""
    with browser() as started:
        context = started.new_context(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme="light",
            device_scale_factor=1.5,
        )
        opened = context.new_page()
        opened.goto(page.as_uri())
        taken = opened.screenshot()
        context.close()
    return taken


def main(target: Path) -> None:
    """The picture."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Image.open(io.BytesIO(photograph(make_report(Path(folder)))))
    small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    print(f"{target}  {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "report.png")
