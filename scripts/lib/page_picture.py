"""Photograph the page at `/` as docs/page-*.png: a real server, the demo model, a real browser."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import browser  # noqa: E402  (the tests know where one is)

PROGRAM = [sys.executable, "-c", "from qwq_gguf.cli.main import main; main()"]
FIRST, SECOND = "What is 7*43?", "Which is larger, 9.9 or 9.11?"
SIZES = {"wide": (1080, 760), "narrow": (390, 760)}
PICTURES = [("light", "wide"), ("dark", "wide"), ("dark", "narrow")]
COLOURS = 96  # as many as such a page has, with the edges of letters
PATIENCE = 120.0


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of `qwq-gguf serve` with the demo."""
    model = folder / "QwQ-Demo-Q4_K_M.gguf"
    made = [*PROGRAM, "quantize", "demo", str(model), "--no-modelfile"]
    subprocess.run(made, check=True, capture_output=True)
    process = subprocess.Popen(
        [*PROGRAM, "serve", str(model), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        said = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
        found = next((match for match in said if match), None)
        if found is None:
            raise SystemExit("the server did not start")
        yield found[0]
    finally:
        watch.cancel()
        process.terminate()
        process.wait()


def ask(page: Page, question: str, replies: int) -> None:
    """Ask, and wait for the reply."""
    page.get_by_label("Your question", exact=True).fill(question)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "count => document.querySelectorAll('.assistant:not(.running) .stats').length === count",
        arg=replies,
    )


def photograph(started: Browser, address: str, theme: str, size: str) -> bytes:
    """Hold a chat and take the picture, as PNG."""
    width, height = SIZES[size]
    context = started.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=1.5,
    )
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Seed").fill("1")
    page.keyboard.press("Escape")
    ask(page, FIRST, 1)
    ask(page, SECOND, 2)
    if size == "wide":
        page.get_by_role("button", name="Chats", exact=True).click()
    page.locator("summary").last.click()
    page.locator("#scroll").evaluate("place => { place.scrollTop = place.scrollHeight }")
    page.get_by_label("Your question", exact=True).focus()
    page.wait_for_timeout(300)
    taken = page.screenshot()
    context.close()
    return taken


def main() -> None:
    """All pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        browser() as started,
    ):
        for theme, size in PICTURES:
            picture = Image.open(io.BytesIO(photograph(started, address, theme, size)))
            target = ROOT / "docs" / f"page-{theme}-{size}.png"
            small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            small.save(target, optimize=True)
            print(f"{target}  {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
