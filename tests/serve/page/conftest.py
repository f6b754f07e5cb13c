"""One browser for all tests of the page; each test has a server and a profile of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from support.chat_server import StandIn, running

# The modules of tests are skipped where there is no Playwright; this one has to load.
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from support.browser import browser as started

    with started() as one:
        yield one


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


@pytest.fixture
def page(browser: Browser, server: StandIn) -> Iterator[Page]:
    """The page, loaded. Whatever the browser has to complain of fails the test."""
    with opened(browser, server) as tab:
        yield tab


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """A page for tests of its modules alone, which leave it as it was."""
    with running() as stand_in, opened(browser, stand_in) as tab:
        yield tab


@contextmanager
def opened(browser: Browser, server: StandIn) -> Iterator[Page]:
    from support.browser import PATIENCE

    context = browser.new_context(viewport={"width": 1100, "height": 800}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.address)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    tab.goto(server.address)
    tab.get_by_role("heading", name="Stand-In").wait_for()
    yield tab
    context.close()
    # Of markup that it refused the browser speaks twice: the other time it throws.
    expected = ("Failed to load resource", "net::ERR_", "This document requires 'TrustedHTML'")
    assert [text for text in complaints if not text.startswith(expected)] == []
