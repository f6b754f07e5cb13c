"""For everyone: by keys, by ear, on small screens, in the dark; and nothing from afar."""

from __future__ import annotations

import pytest

from support.chat_server import KINDS, PAGE, StandIn, Thought, Wait

pytest.importorskip("playwright", reason="no Playwright to drive a browser with")

from playwright.sync_api import Browser, Page, expect

LONG = "\n\n".join(
    [
        "# " + "A long heading " * 8,
        "word " * 300,
        "unbroken" * 60,
        "```\n" + "code " * 100 + "\n```",
        "| a | b | c | d |\n|---|---|---|---|\n"
        + "| cell cell cell | cell | cell cell | cell |\n" * 3,
        "\\[ " + "x + y + " * 40 + "z \\]",
    ]
)


def ask(page: Page, text: str) -> None:
    page.get_by_label("Your question", exact=True).fill(text)
    page.keyboard.press("Enter")


def done(page: Page) -> None:
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def contrast(page: Page, selector: str) -> float:
    """The ratio of WCAG 2 between a text and what is behind it."""
    ratio: float = page.locator(selector).first.evaluate(
        """element => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
          const paint = canvas.getContext("2d", { willReadFrequently: true });
          const rgb = colours => {
            for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
            return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
          };
          const light = rgb => rgb.map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
            .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
          const behind = [];
          for (let at = element; at; at = at.parentElement) {
            behind.unshift(getComputedStyle(at).backgroundColor);
          }
          const back = light(rgb(behind));
          const ink = light(rgb([...behind, getComputedStyle(element).color]));
          return (Math.max(back, ink) + 0.05) / (Math.min(back, ink) + 0.05);
        }"""
    )
    return ratio


def test_everything_is_reached_by_keys(page: Page, server: StandIn) -> None:
    server.script = [Thought("Hm."), "Answer.\n\n```py\nx\n```"]
    ask(page, "Question?")
    done(page)
    page.locator("a.skip").focus()
    reached = []
    for _ in range(24):
        name: str = page.evaluate(
            "() => { const at = document.activeElement;"
            " return at.getAttribute('aria-label') || at.id || at.textContent.trim() }"
        )
        reached.append(name)
        page.keyboard.press("Tab")
        if name == "send":
            break
    # The code itself, which may be wider than the page, and then the rest.
    assert reached == [
        "To the question", "open-chats", "new-chat", "Settings", "Copy", "Edit",
        "Thought1 token", "Copy this py code", "x", "Copy", "Regenerate", "export-md",
        "export-json", "question", "send",
    ]  # fmt: skip


def test_names_and_landmarks(page: Page, server: StandIn) -> None:
    ask(page, "Question?")
    done(page)
    for role in ("banner", "main"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("list", name="Conversation")).to_be_visible()
    headings = page.get_by_role("heading").all_inner_texts()
    assert headings == ["Stand-In", "You", "Answer"]
    nameless: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, dialog, progress")]
          .filter(element => !(element.textContent.trim() && element.localName === "button")
            && !element.labels?.length && !element.ariaLabel
            && !element.getAttribute("aria-labelledby"))
          .map(element => element.outerHTML)"""
    )
    assert nameless == []


def test_a_listener_hears_phases_and_the_answer_once(page: Page, server: StandIn) -> None:
    page.evaluate(
        """() => {
          window.heard = [];
          const said = document.getElementById("said");
          new MutationObserver(() => said.textContent && window.heard.push(said.textContent))
            .observe(said, { childList: true, characterData: true, subtree: true });
        }"""
    )
    live = page.locator("[aria-live], [role=status], [role=log], [role=alert]:visible")
    expect(live).to_have_count(1)
    server.script = [Thought("a "), *[Thought("b ")] * 50, Wait(), *["Word. "] * 50]
    ask(page, "Question?")
    expect(page.locator("summary")).to_contain_text("51 of")
    page.wait_for_timeout(200)
    server.go_on()
    done(page)
    page.wait_for_function("() => window.heard.at(-1)?.startsWith('Answer:')")
    heard: list[str] = page.evaluate("() => window.heard")
    assert "Thinking" in heard
    assert heard[-1].startswith("Answer: Word. Word.")
    assert len(heard) <= 4


def test_the_settings_give_the_focus_back(page: Page) -> None:
    opener = page.get_by_role("button", name="Settings")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings of this chat")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


@pytest.mark.parametrize("width", [320, 390, 768, 1600])
def test_nothing_is_wider_than_the_screen(page: Page, server: StandIn, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    server.script = [Thought("thought" * 80), LONG]
    ask(page, "A question " + "unbroken" * 40)
    done(page)
    page.locator("summary").click()
    wider: list[str] = page.evaluate(
        """() => [document.documentElement, document.getElementById("scroll")]
          .filter(element => element.scrollWidth > element.clientWidth)
          .map(element => element.localName)"""
    )
    assert wider == []
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_chats_stand_beside_or_over(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    opener = page.get_by_role("button", name="Chats", exact=True)
    opener.click()
    drawer = page.locator("#chats")
    expect(drawer).to_be_visible()
    modal = drawer.evaluate("drawer => drawer.matches(':modal')")
    assert modal == (width < 960)
    page.get_by_role("button", name="Close").click()
    expect(drawer).to_be_hidden()
    expect(opener).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out(page: Page, server: StandIn, theme: str) -> None:
    server.script = [Thought("Hm."), "An [address](https://a.example) and `code`."]
    ask(page, "Question?")
    done(page)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Colours").select_option(theme)
    page.keyboard.press("Escape")
    backs: str = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert backs == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 29)"}[theme]
    for selector in (
        ".answer p", ".answer a", ".answer code", ".said", ".thought-count", ".stats",
        ".tools button", "#facts", "#keys", "#send", "#new-chat",
    ):  # fmt: skip
        assert contrast(page, selector) >= 4.5, selector
    page.reload()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == backs


def test_less_motion(browser: Browser, server: StandIn) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(server.address)
    server.script = [Thought("Hm."), Wait(), "Answer."]
    ask(page, "Question?")
    title = page.locator(".thought-title")
    expect(title).to_have_text("Thinking")
    assert title.evaluate("title => getComputedStyle(title).animationName") == "none"
    server.go_on()
    done(page)
    context.close()


def test_who_reads_above_is_not_pulled_down(page: Page, server: StandIn) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    server.script = ["line\n\n" * 40, Wait(), "more\n\n" * 40]
    ask(page, "Question?")
    expect(page.locator(".answer p")).to_have_count(40)
    place = page.locator("#scroll")
    assert place.evaluate("p => p.scrollHeight - p.scrollTop - p.clientHeight") < 60
    place.evaluate("p => { p.scrollTop = 100 }")
    server.go_on()
    done(page)
    assert place.evaluate("p => p.scrollTop") == 100
    page.get_by_role("button", name="To the end").click()
    assert place.evaluate("p => p.scrollHeight - p.scrollTop - p.clientHeight") < 60


def test_nothing_is_asked_of_anyone_else(page: Page, server: StandIn) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    server.script = [Thought("Hm."), LONG + "\n\n![x](https://elsewhere.example/a.png)"]
    ask(page, "Question?")
    done(page)
    own = (server.address, "data:")
    assert [address for address in asked if not address.startswith(own)] == []
    assert len(asked) > 10


def test_each_file_is_used(server: StandIn, page: Page) -> None:
    files = {f"/page/{path.name}" for path in PAGE.iterdir() if path.suffix in KINDS}
    assert {path for path in server.paths if path.startswith("/page/")} == files - {
        "/page/index.html"
    }
