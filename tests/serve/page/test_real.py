"""The page as `qwq-gguf serve` serves it, with the demo model behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.reading.settings import read_settings
from support.chat_server import KINDS, PAGE, POLICY
from support.serving import Running, running

pytest.importorskip("playwright", reason="no Playwright to drive a browser with")

from playwright.sync_api import Browser, Page, expect


@pytest.fixture(scope="module")
def real(demo_file: Path) -> Iterator[Running]:
    with running({"demo": demo_file}) as server:
        yield server


@pytest.fixture
def chat(browser: Browser, real: Running) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(real.base)
    expect(page.get_by_role("heading", name="demo")).to_be_visible()
    yield page
    context.close()
    # A request that is refused is told there, too.
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []


def ask(page: Page, text: str) -> None:
    page.get_by_label("Your question", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_a_question_is_answered(chat: Page) -> None:
    expect(chat.locator("#facts")).to_contain_text("profile qwq")
    chat.get_by_role("button", name="Settings").click()
    expect(chat.get_by_label("temperature", exact=True)).to_have_attribute("placeholder", "0.6")
    chat.get_by_label("Seed").fill("1")
    chat.get_by_label("temperature", exact=True).fill("0")
    chat.keyboard.press("Escape")
    ask(chat, "What is 7*43?")
    expect(chat.get_by_role("button", name="Regenerate")).to_be_visible(timeout=60_000)
    expect(chat.locator(".answer math .boxed")).to_have_text("301")
    expect(chat.locator("summary")).to_contain_text("tokens")
    expect(chat.locator(".stats")).to_contain_text("answered")
    chat.locator("summary").click()
    expect(chat.locator(".thought-text")).to_contain_text("7")


def test_a_budget_closes_the_thought_and_the_page_says_so(chat: Page) -> None:
    chat.get_by_role("button", name="Settings").click()
    chat.get_by_label("Budget, tokens").fill("20")
    chat.keyboard.press("Escape")
    ask(chat, "What is 123456+654321?")  # which takes four times that
    expect(chat.get_by_role("button", name="Regenerate")).to_be_visible(timeout=60_000)
    expect(chat.locator("summary")).to_contain_text("ended by its budget")


def test_wrong_settings_are_told_in_words(chat: Page) -> None:
    chat.get_by_role("button", name="Settings").click()
    chat.get_by_label("top_p").fill("7")
    chat.keyboard.press("Escape")
    ask(chat, "What is 7*43?")
    expect(chat.locator(".remark.failure")).to_contain_text("top_p")


def test_what_can_be_set_is_what_the_server_reads(chat: Page) -> None:
    names: list[str] = chat.evaluate('async () => (await import("/page/wishes.js")).IN_REQUESTS')
    for name in names:
        value = 1 if name == "top_k" else 0.5
        assert read_settings(Fields({name: value})) == {name: value}


def test_each_file_comes_with_its_rules(chat: Page, real: Running) -> None:
    names = ["/", *(f"/page/{path.name}" for path in PAGE.iterdir() if path.suffix in KINDS)]
    for name in names:
        answer = chat.request.get(real.base + name)
        assert answer.status == 200, name
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("/page/../web/page.py", "/page/__init__.py", "/page/", "/page/%2e%2e/ask.py"):
        assert chat.request.get(real.base + name).status == 404
