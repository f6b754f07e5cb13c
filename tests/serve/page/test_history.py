"""Chats in the browser: kept, bounded, deleted, taken away; and what is set for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.chat_server import StandIn, Thought, Wait

pytest.importorskip("playwright", reason="no Playwright to drive a browser with")

from playwright.sync_api import Page, expect

STORE = """async ([many, size]) => {
  const { Store } = await import("/page/store.js");
  const store = new Store(localStorage);
  const gone = [];
  for (let at = 0; at < many; at += 1) {
    const turns = [{ role: "user", text: "x".repeat(size) }];
    const about = { id: String(at), title: `Chat ${at}`, created: at, changed: at };
    gone.push(store.put({ ...about, wishes: {}, turns }));
  }
  const chats = store.chats();
  return { gone, count: chats.length, first: chats[0]?.title, last: chats.at(-1)?.title };
}"""


def ask(page: Page, text: str) -> None:
    page.get_by_label("Your question", exact=True).fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(".user").last).to_contain_text(text)
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def open_chats(page: Page) -> None:
    page.get_by_role("button", name="Chats", exact=True).click()


def kept(page: Page) -> list[dict[str, Any]]:
    texts: list[str] = page.evaluate(
        "() => Object.keys(localStorage).filter(key => key.startsWith('qwq-gguf.chat.'))"
        ".map(key => localStorage.getItem(key))"
    )
    return [json.loads(text) for text in texts]


def test_chats_are_there_after_a_reload(page: Page, server: StandIn) -> None:
    server.script = [Thought("Thinking."), "**Hello.**"]
    ask(page, "First question?")
    page.reload()
    expect(page.locator(".turn")).to_have_count(0)
    open_chats(page)
    page.get_by_role("button", name="First question?").first.click()
    expect(page.locator(".answer strong")).to_have_text("Hello.")
    page.locator("summary").click()
    expect(page.locator(".thought-text")).to_have_text("Thinking.")
    # It goes on where it was.
    ask(page, "Second?")
    assert [turn["content"] for turn in server.requests[-1]["messages"]] == [
        "First question?",
        "**Hello.**",
        "Second?",
    ]


def test_what_was_said_is_kept_when_the_page_goes(page: Page, server: StandIn) -> None:
    server.script = ["Half a", Wait()]
    page.get_by_label("Your question", exact=True).fill("Speak!")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_have_text("Half a")
    page.reload()
    (chat,) = kept(page)
    assert [turn["text"] for turn in chat["turns"]] == ["Speak!", "Half a"]


def test_a_chat_is_deleted_and_all_are(page: Page, server: StandIn) -> None:
    for text in ("One?", "Two?", "Three?"):
        page.get_by_role("button", name="New chat").click()
        ask(page, text)
    open_chats(page)
    page.get_by_role("button", name="Delete Two?").click()
    assert {chat["title"] for chat in kept(page)} == {"One?", "Three?"}
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("button", name="Keep them").click()
    assert len(kept(page)) == 2
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("dialog", name="Delete all chats?").get_by_role(
        "button", name="Delete all"
    ).click()
    assert kept(page) == []
    expect(page.locator(".turn")).to_have_count(0)


def test_a_chat_as_files(page: Page, server: StandIn, tmp_path: Path) -> None:
    server.script = [Thought("It is ```odd```."), "The answer is \\boxed{7}."]
    ask(page, "What is 3+4?")
    with page.expect_download() as markdown:
        page.get_by_role("button", name="Export as Markdown").click()
    assert markdown.value.suggested_filename == "what-is-3-4.md"
    text = Path(markdown.value.path()).read_text(encoding="utf-8")
    assert "# What is 3+4?" in text
    assert "````\nIt is ```odd```.\n````" in text
    assert text.endswith("The answer is \\boxed{7}.\n")
    with page.expect_download() as data:
        page.get_by_role("button", name="Export as JSON").click()
    turns = json.loads(Path(data.value.path()).read_text(encoding="utf-8"))["turns"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert turns[1]["thought"] == "It is ```odd```."


def test_all_chats_as_a_file(page: Page, server: StandIn) -> None:
    ask(page, "One?")
    open_chats(page)
    with page.expect_download() as data:
        page.get_by_role("button", name="Export all").click()
    chats = json.loads(Path(data.value.path()).read_text(encoding="utf-8"))["chats"]
    assert [chat["title"] for chat in chats] == ["One?"]


def test_the_history_is_bounded(page: Page) -> None:
    page.evaluate("() => localStorage.clear()")
    found = page.evaluate(STORE, [105, 10])
    assert (found["count"], found["first"], found["last"]) == (100, "Chat 104", "Chat 5")
    page.evaluate("() => localStorage.clear()")
    found = page.evaluate(STORE, [6, 900_000])
    assert found["count"] == 4
    assert found["gone"] == [0, 0, 0, 0, 1, 1]


def test_a_chat_that_cannot_be_kept_is_told_and_goes_on(page: Page) -> None:
    page.evaluate(
        """() => {
          Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
        }"""
    )
    ask(page, "One?")
    expect(page.locator(".answer")).to_have_text("Hello.")
    expect(page.locator("#not-kept")).to_contain_text("This browser keeps no history")


def test_rubbish_in_the_store_is_passed_over(page: Page, server: StandIn) -> None:
    ask(page, "One?")
    page.evaluate(
        """() => {
          localStorage["qwq-gguf.chat.a"] = "{";
          localStorage["qwq-gguf.chat.b"] = JSON.stringify({ id: "b", turns: [{ role: "evil" }] });
          localStorage["qwq-gguf.chat.c"] = "null";
        }"""
    )
    page.reload()
    open_chats(page)
    expect(page.locator("#chat-list li")).to_have_count(1)


def test_settings_of_one_chat(page: Page, server: StandIn) -> None:
    ask(page, "As it is?")
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("temperature")).to_have_attribute("placeholder", "0.6")
    page.get_by_label("temperature").fill("0")
    page.get_by_label("System prompt").fill("Be short.")
    page.get_by_label("Budget, tokens").fill("50")
    page.get_by_label("At most, tokens").fill("200")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Thinking").select_option("off")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Settings (6 changed)")).to_be_focused()
    ask(page, "And now?")
    sent = server.requests[-1]
    assert sent["messages"][0] == {"role": "system", "content": "Be short."}
    wished = {"temperature": 0, "max_tokens": 200, "seed": 7, "reasoning_effort": "none"}
    assert wished.items() <= sent.items()
    assert "top_k" not in sent
    # Another chat is as the profile has it; this one keeps its settings.
    page.get_by_role("button", name="New chat").click()
    ask(page, "Elsewhere?")
    assert not wished.keys() & server.requests[-1].keys()
    page.reload()
    open_chats(page)
    page.get_by_role("button", name="As it is?").first.click()
    page.get_by_role("button", name="Settings (6 changed)").click()
    expect(page.get_by_label("temperature")).to_have_value("0")
    page.get_by_role("button", name="All as in the profile").click()
    page.keyboard.press("Escape")
    ask(page, "And again?")
    assert not wished.keys() & server.requests[-1].keys()


def test_a_model_that_does_not_think_is_offered_no_thought(page: Page, server: StandIn) -> None:
    server.settings |= {"thinks": False, "thought_budget": None}
    page.reload()
    expect(page.get_by_role("heading", name="Stand-In")).to_be_visible()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Budget, tokens")).to_be_hidden()
    expect(page.get_by_label("temperature")).to_be_visible()
