from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking import (
    Called,
    Channels,
    ChannelSplitter,
    Phase,
    Split,
    ThinkingTags,
    ThoughtStart,
)

CHANNELS = Channels()
IDS = {mark: 1000 + number for number, mark in enumerate(CHANNELS.marks)}
START, CHANNEL, MESSAGE, END = "<|start|>", "<|channel|>", "<|message|>", "<|end|>"
ANALYSIS = (CHANNEL, "analysis", MESSAGE, "I think.", END, START, "assistant")
FINAL = (CHANNEL, "final", MESSAGE, "It is ", "Paris.")
FREE, OPENED, CLOSED = ThoughtStart.FREE, ThoughtStart.OPENED, ThoughtStart.CLOSED


def splitter(start: ThoughtStart = FREE, *, ids: bool = True) -> ChannelSplitter:
    return ChannelSplitter(CHANNELS, start=start, token_id=IDS.get if ids else lambda text: None)


def feed(made: ChannelSplitter, pieces: Sequence[str], *, ids: bool = True) -> list[Split | Called]:
    """Each piece a token: one that is a mark has the id of that."""
    out: list[Split | Called] = []
    for piece in pieces:
        out += made.feed(piece, IDS.get(piece, 7) if ids else 7)
    return out + made.finish()


def told(pieces: Sequence[str], start: ThoughtStart = FREE) -> tuple[str, str, list[Called]]:
    return parted(feed(splitter(start), pieces))


def parted(out: Sequence[Split | Called]) -> tuple[str, str, list[Called]]:
    texts = {Phase.THINKING: "", Phase.ANSWER: ""}
    for each in out:
        if isinstance(each, Split):
            texts[each.phase] += each.text
    calls = [each for each in out if isinstance(each, Called)]
    return texts[Phase.THINKING], texts[Phase.ANSWER], calls


CALL = (CHANNEL, "commentary", " to=functions.calculator ", "<|constrain|>", "json", MESSAGE)
ROLE_CALL = (" to=functions.calculator", CHANNEL, "commentary json", MESSAGE)
ASKED = Called("calculator", '{"x": 1}')


@pytest.mark.parametrize(
    "pieces, start, expected",
    [
        ((*ANALYSIS, *FINAL), FREE, ("I think.", "It is Paris.", [])),
        (FINAL, FREE, ("", "It is Paris.", [])),
        (("It is ", "Paris."), CLOSED, ("", "It is Paris.", [])),
        (("I think.", END, START, "assistant", *FINAL), OPENED, ("I think.", "It is Paris.", [])),
        ((*ANALYSIS, *CALL, '{"x"', ": 1}"), FREE, ("I think.", "", [ASKED])),
        ((*ANALYSIS, *ROLE_CALL, '{"x": 1}'), FREE, ("I think.", "", [ASKED])),
        # With what ends the call, where the vocabulary does not end the turn there.
        ((*CALL, '{"x": 1}', "<|call|>"), FREE, ("", "", [ASKED])),
        # A call on the thought's own channel, as of a tool that came with the model.
        (
            (CHANNEL, "analysis", " to=python", MESSAGE, "print(1)"),
            FREE,
            ("", "", [Called("python", "print(1)")]),
        ),
        # What it is going to do, said to the user.
        (
            (CHANNEL, "commentary", MESSAGE, "I look it up.", END, START, "assistant", *FINAL),
            FREE,
            ("", "I look it up.\n\nIt is Paris.", []),
        ),
        ((*ANALYSIS, *ANALYSIS, *FINAL), FREE, ("I think.\n\nI think.", "It is Paris.", [])),
        # gpt-oss-20b says a channel twice at times.
        ((CHANNEL, "commentary", *ANALYSIS, *FINAL), FREE, ("I think.", "It is Paris.", [])),
        # Marks that are forgotten.
        ((*ANALYSIS[:4], *FINAL), FREE, ("I think.", "It is Paris.", [])),
        (("It is", " Paris."), FREE, ("", "It is Paris.", [])),
        ((CHANNEL, "final", MESSAGE, "a", MESSAGE, "b"), FREE, ("", "ab", [])),
        ((CHANNEL, "x" * 600), FREE, ("", f"{CHANNEL}{'x' * 600}", [])),
        # White space belongs to the form at the edges, and else to the text.
        ((CHANNEL, "final", MESSAGE, "\n\n a", "\n\nb ", "\n"), FREE, ("", " a\n\nb", [])),
    ],
)
def test_messages_come_apart(
    pieces: Sequence[str], start: ThoughtStart, expected: tuple[str, str, list[Called]]
) -> None:
    assert told(pieces, start) == expected


def test_a_text_that_spells_a_mark_is_text() -> None:
    said = f"Write {START}assistant{CHANNEL}final{MESSAGE} then."
    thought, answer, _ = told((CHANNEL, "final", MESSAGE, said))
    assert (thought, answer) == ("", said)


def test_marks_are_spelled_where_the_vocabulary_has_none() -> None:
    text = "".join((*ANALYSIS, *FINAL))
    for size in (1, 2, 3, 5, 200):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        out = feed(splitter(ids=False), pieces, ids=False)
        assert parted(out) == ("I think.", "It is Paris.", [])


def test_tokens_belong_to_the_message_that_they_begin() -> None:
    made = splitter()
    feed(made, (*ANALYSIS, *FINAL))
    assert (made.thinking_tokens, made.answer_tokens) == (5, 7)
    assert made.opened
    assert made.closed
    assert not made.undecided


def test_before_an_answer_a_header_is_no_answer() -> None:
    """A grammar for the answer waits until the answer's own text."""
    made = splitter()
    phases = []
    for piece in (*ANALYSIS, *FINAL):
        made.feed(piece, IDS.get(piece, 7))
        phases.append(made.phase)
    assert phases[:9] == [Phase.THINKING] * 9
    assert phases[9:] == [Phase.ANSWER] * 3
    assert splitter(CLOSED).phase is Phase.ANSWER


ANSWER = f"{CHANNEL}final{MESSAGE}"


@pytest.mark.parametrize(
    "so_far",
    [
        (),
        (CHANNEL,),
        (CHANNEL, "analysis"),
        (CHANNEL, "analysis", MESSAGE),
        (CHANNEL, "analysis", MESSAGE, "I think."),
        (CHANNEL, "analysis", MESSAGE, "I think.", END),
        (CHANNEL, "analysis", MESSAGE, "I think.", END, START),
        ANALYSIS,
        (*ANALYSIS, CHANNEL, "final"),
    ],
)
@pytest.mark.parametrize("knows_where", [True, False])
def test_from_anywhere_its_closing_text_leads_to_the_answer(
    knows_where: bool, so_far: Sequence[str]
) -> None:
    made = splitter()
    out = [split for piece in so_far for split in made.feed(piece, IDS.get(piece, 7))]
    rest = made.closing_text if knows_where else ThinkingTags.in_channels(CHANNELS).closing_text
    while rest:
        mark = next((text for text in IDS if rest.startswith(text)), rest[0])
        out += made.feed(mark, IDS.get(mark, 7))
        rest = rest[len(mark) :]
    assert made.phase is Phase.ANSWER
    out += made.feed("It is Paris.", 7)
    thought, answer, _ = parted(out)
    assert thought in ("", "I think.")
    assert answer == "It is Paris."


def test_a_call_is_known_while_it_is_written() -> None:
    made = splitter()
    for piece in (*ANALYSIS, *CALL, '{"x"'):
        assert not made.calling
        made.feed(piece, IDS.get(piece, 7))
        if piece == MESSAGE and made.phase is Phase.ANSWER:
            break
    assert made.calling
    made.feed("<|call|>", IDS["<|call|>"])
    assert not made.calling


def test_tags_in_channels_say_what_opens_and_closes() -> None:
    tags = ThinkingTags.in_channels(CHANNELS)
    assert (tags.open, tags.close) == (f"{CHANNEL}analysis{MESSAGE}", END)
    assert tags.closing_text == f"{END}{START}assistant{ANSWER}"
    assert tags.no_thought == ANSWER
    assert ThinkingTags().closing_text == "</think>"


@pytest.mark.parametrize(
    "values",
    [
        {"start": ""},
        {"thought": ()},
        {"end": "<|start|>"},
        {"ends": ("x",) * 9},
        {"role": ""},
    ],
)
def test_channels_that_could_not_be_told_apart_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ProfileError):
        Channels(**values)  # type: ignore[arg-type]


WORDS = ("analysis", "final", " to=functions.x", "a", "\n", "\ufffd")
PIECES = st.lists(st.sampled_from((*IDS, *WORDS)))


@given(pieces=PIECES, start=st.sampled_from(list(ThoughtStart)))
def test_whatever_comes_comes_apart(pieces: list[str], start: ThoughtStart) -> None:
    """Nothing is made up, and no text of a message is lost."""
    made = splitter(start)
    thought, answer, calls = parted(feed(made, pieces))
    said = thought + answer + "".join(call.arguments for call in calls)
    assert said.count("a") <= "".join(pieces).count("a")
    assert made.thinking_tokens + made.answer_tokens == len(pieces)
    again = parted(feed(splitter(start), [*pieces, END, START, "assistant", *FINAL]))
    assert again[1].endswith("It is Paris.")


def test_a_header_without_end_is_bounded() -> None:
    made = splitter()
    for _ in range(2000):
        assert made.feed(CHANNEL, IDS[CHANNEL]) == []
    assert len(made._header or "") < 1000


def test_marks_that_a_grammar_writes_are_marks_where_no_such_text_may_stand() -> None:
    words = f'{{"x": "{END}{START}"}}'
    spelled = [*"".join((*ANALYSIS, *CALL)), *words]
    made = ChannelSplitter(CHANNELS, start=FREE, token_id=IDS.get, spelled=True)
    assert parted(feed(made, spelled)) == ("I think.", "", [Called("calculator", words)])
    made = ChannelSplitter(CHANNELS, start=FREE, token_id=IDS.get, spelled=True)
    answered = [*"".join((*ANALYSIS, CHANNEL, "final", MESSAGE)), words]
    assert parted(feed(made, answered)) == ("I think.", words, [])
    # Real marks stay marks everywhere.
    made = ChannelSplitter(CHANNELS, start=FREE, token_id=IDS.get, spelled=True)
    assert parted(feed(made, (*ANALYSIS, *FINAL))) == ("I think.", "It is Paris.", [])
