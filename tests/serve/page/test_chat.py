"""Asking, on the page: what is seen, what is sent, what the buttons and keys do."""

from __future__ import annotations

import re

import pytest

from support.chat_server import Break, Failure, StandIn, Thought, Wait

pytest.importorskip("playwright", reason="no Playwright to drive a browser with")

from playwright.sync_api import Page, expect


def ask(page: Page, text: str) -> None:
    page.get_by_label("Your question", exact=True).fill(text)
    page.keyboard.press("Enter")


def last_answer(page: Page) -> str:
    return page.locator(".assistant .answer").last.inner_text()


def done(page: Page) -> None:
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_thought_then_an_answer(page: Page, server: StandIn) -> None:
    server.script = [Thought("Seven times "), Thought("43."), Wait(), "It is ", "301.", Wait()]
    ask(page, "What is 7*43?")
    summary = page.locator("summary")
    expect(summary).to_contain_text("Thinking")
    expect(summary).to_contain_text("2 of 100 tokens")
    meter = page.get_by_role("progressbar", name="Budget of the thought")
    assert meter.evaluate("meter => [meter.value, meter.max]") == [2, 100]
    expect(page.locator(".thought-text")).to_be_hidden()
    summary.click()
    expect(page.locator(".thought-text")).to_have_text("Seven times 43.")
    server.go_on()
    expect(page.locator(".answer")).to_have_text("It is 301.")
    expect(page.get_by_role("button", name="Answer now")).to_be_hidden()
    expect(meter).to_be_hidden()
    server.go_on()
    done(page)
    expect(summary).to_contain_text(re.compile(r"Thought for [\d.]+ s2 tokens"))
    expect(page.locator(".stats")).to_contain_text("2 tokens answered")
    expect(page.locator(".stats")).to_contain_text("context 1 % of 4,096")
    (sent,) = server.requests
    assert sent["messages"] == [{"role": "user", "content": "What is 7*43?"}]
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    # Nothing was wished for, so everything is left to the profile.
    assert not {"temperature", "max_tokens", "thinking_budget", "reasoning_effort"} & set(sent)


def test_the_next_question_comes_with_what_was_said_and_without_the_thought(
    page: Page, server: StandIn
) -> None:
    server.script = [Thought("secret"), "First."]
    ask(page, "One?")
    done(page)
    server.script = ["Second."]
    ask(page, "Two?")
    expect(page.locator(".assistant")).to_have_count(2)
    done(page)
    assert server.requests[1]["messages"] == [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "First."},
        {"role": "user", "content": "Two?"},
    ]


@pytest.mark.parametrize("by", ["button", "key"])
def test_answer_now(page: Page, server: StandIn, by: str) -> None:
    server.script = [Thought("On "), Wait(), Thought("and on."), "Well then."]
    ask(page, "Think!")
    expect(page.locator("summary")).to_contain_text("1 of 100")
    if by == "button":
        page.get_by_role("button", name="Answer now").click()
    else:
        page.keyboard.press("Escape")
    done(page)
    assert server.controls == [{"id": "chatcmpl-1", "action": "reasoning_end"}]
    assert last_answer(page) == "Well then."
    expect(page.locator("summary")).to_contain_text("ended by you")


@pytest.mark.parametrize("by", ["button", "key"])
def test_stop_keeps_what_was_said(page: Page, server: StandIn, by: str) -> None:
    server.script = ["Half a", Wait(), " sentence.", *["x"] * 1000]
    ask(page, "Speak!")
    expect(page.locator(".answer")).to_have_text("Half a")
    if by == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    done(page)
    expect(page.locator(".remark")).to_have_text("Stopped.")
    assert last_answer(page) == "Half a"
    expect(page.get_by_label("Your question", exact=True)).to_be_focused()


def test_regenerate_asks_the_same_again(page: Page, server: StandIn) -> None:
    server.script = ["One."]
    ask(page, "Say a number.")
    done(page)
    server.script = ["Two."]
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator(".answer")).to_have_text("Two.")
    assert server.requests[0]["messages"] == server.requests[1]["messages"]


def test_edit_asks_another_question_in_its_place(page: Page, server: StandIn) -> None:
    server.script = ["One."]
    ask(page, "First?")
    done(page)
    ask(page, "Second?")
    expect(page.locator(".assistant")).to_have_count(2)
    done(page)
    page.get_by_role("button", name="Edit").first.click()
    area = page.get_by_label("Your question, to be changed")
    expect(area).to_be_focused()
    area.fill("Third?")
    page.keyboard.press("Enter")
    expect(page.locator(".assistant")).to_have_count(1)
    done(page)
    assert server.requests[-1]["messages"] == [{"role": "user", "content": "Third?"}]


def test_edit_by_keys_and_back(page: Page, server: StandIn) -> None:
    ask(page, "First?")
    done(page)
    page.keyboard.press("ArrowUp")
    area = page.get_by_label("Your question, to be changed")
    expect(area).to_have_value("First?")
    page.keyboard.press("Escape")
    expect(area).to_have_count(0)
    expect(page.get_by_role("button", name="Edit")).to_be_focused()


def test_shift_enter_begins_a_line(page: Page, server: StandIn) -> None:
    page.get_by_label("Your question", exact=True).fill("a")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("b")
    page.keyboard.press("Enter")
    done(page)
    assert server.requests[0]["messages"][0]["content"] == "a\nb"


@pytest.mark.parametrize(
    "script, said",
    [
        (["Half", Break()], "The connection was lost before the reply ended."),
        (["Half", Failure("The model is gone.")], "The model is gone."),
    ],
)
def test_a_reply_that_breaks_off(
    page: Page, server: StandIn, script: list[str | Break | Failure], said: str
) -> None:
    server.script = script
    ask(page, "Speak!")
    done(page)
    expect(page.locator(".remark")).to_have_text(said)
    expect(page.locator(".answer")).to_have_text("Half")
    server.script = ["Whole."]
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator(".answer")).to_have_text("Whole.")
    expect(page.locator(".remark")).to_be_hidden()


def test_a_refused_question_can_be_asked_again(page: Page, server: StandIn) -> None:
    server.refusal = 429, "Too many are waiting."
    ask(page, "Now?")
    expect(page.locator(".remark")).to_have_text("Too many are waiting.")
    server.refusal = None
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".answer")).to_have_text("Hello.")


def test_a_key_is_asked_for_and_sent(page: Page, server: StandIn) -> None:
    server.key = "secret"
    page.reload()
    field = page.get_by_label("Key", exact=True)
    field.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("That key was refused.")).to_be_visible()
    field.fill("secret")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("heading", name="Stand-In")).to_be_visible()
    ask(page, "Hello?")
    expect(page.locator(".answer")).to_have_text("Hello.")
    assert page.evaluate("JSON.stringify(localStorage)").count("secret") == 0


def test_a_key_that_is_wanted_later(page: Page, server: StandIn) -> None:
    server.key = "secret"
    ask(page, "Hello?")
    page.get_by_label("Key", exact=True).fill("secret")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_have_text("Hello.")
    expect(page.locator(".user")).to_have_count(1)


def test_a_reply_goes_on_while_another_chat_is_looked_at(page: Page, server: StandIn) -> None:
    server.script = ["Slow ", Wait(), "reply."]
    ask(page, "First?")
    expect(page.locator(".answer")).to_have_text("Slow")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".turn")).to_have_count(0)
    done(page)
    server.go_on()
    page.get_by_role("button", name="Chats").click()
    page.get_by_role("button", name="First?", exact=False).first.click()
    expect(page.locator(".answer")).to_have_text("Slow reply.")


def test_another_model_can_be_chosen(page: Page, server: StandIn) -> None:
    server.models = ("Stand-In", "Another")
    page.reload()
    page.get_by_label("Model", exact=True).select_option("Another")
    expect(page.get_by_role("heading", name="Another")).to_be_visible()
    ask(page, "Hello?")
    done(page)
    assert server.requests[0]["model"] == "Another"
    page.reload()
    expect(page.get_by_role("heading", name="Another")).to_be_visible()
