"""Events out of pieces of a stream, wherever it is cut."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="no Playwright to drive a browser with")

from playwright.sync_api import Page

FEED = """async pieces => {
  const { EventReader } = await import("/page/sse.js");
  const reader = new EventReader();
  return pieces.flatMap(piece => reader.feed(piece));
}"""
TEXT = 'data: {"a": 1}\n\n: a comment\n\nevent: x\ndata:two\ndata: lines\n\ndata: [DONE]\n\n'
EVENTS = ['{"a": 1}', "two\nlines", "[DONE]"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_wherever_the_stream_is_cut(modules: Page, end: str, size: int) -> None:
    text = TEXT.replace("\n", end)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert modules.evaluate(FEED, pieces) == EVENTS


def test_what_is_not_ended_is_no_event(modules: Page) -> None:
    assert modules.evaluate(FEED, ["data: a\n\ndata: b\n"]) == ["a"]


@pytest.mark.parametrize("begin, piece", [("data: ", "x"), ("", "data: x\n")])
def test_an_event_without_an_end_is_given_up(modules: Page, begin: str, piece: str) -> None:
    name: str = modules.evaluate(
        """async ([begin, piece]) => {
          const { EventReader } = await import("/page/sse.js");
          const reader = new EventReader();
          reader.feed(begin);
          try {
            for (let at = 0; at < 50; at += 1) reader.feed(piece.repeat(100_000));
          } catch (error) {
            return error.name;
          }
          return "read";
        }""",
        [begin, piece],
    )
    assert name == "RangeError"


def test_a_long_event_takes_no_time(modules: Page) -> None:
    milliseconds: float = modules.evaluate(
        """async () => {
          const { EventReader } = await import("/page/sse.js");
          const reader = new EventReader();
          const before = performance.now();
          reader.feed("data: ");
          for (let at = 0; at < 4_000; at += 1) reader.feed("x".repeat(1_000));
          return reader.feed("\\n\\n")[0].length === 4_000_000 ? performance.now() - before : -1;
        }"""
    )
    assert 0 <= milliseconds < 2000
