"""A real browser without a window, where there is one: Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Playwright, expect, sync_playwright

__all__ = ["PATIENCE", "browser"]

PATIENCE = 20_000  # milliseconds; a busy machine is slow, and what is right comes at once

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_SAFE = ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"]


def _program(playwright: Playwright) -> str | None:
    """The one that Playwright fetched (`playwright install chromium`), or the system's."""
    own = playwright.chromium.executable_path
    return own if Path(own).is_file() else next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A started browser; the test is skipped, with a word, where there is none."""
    with sync_playwright() as playwright:
        program = _program(playwright)
        if program is None:
            pytest.skip(
                "no browser: install Chromium, or let `playwright install chromium` fetch one"
            )
        # Its own sandbox needs what root in a container has not; the pages are ours.
        root = os.name == "posix" and os.geteuid() == 0
        flags = [*_SAFE, *(["--no-sandbox"] if root else [])]
        try:
            started = playwright.chromium.launch(executable_path=program, args=flags)
        except Error as error:
            pytest.skip(f"no browser: {program} does not start ({error.message.splitlines()[0]})")
        expect.set_options(timeout=PATIENCE)
        yield started
        started.close()
