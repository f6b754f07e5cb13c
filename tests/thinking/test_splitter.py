from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.thinking import Phase, Split, ThoughtSplitter, WasThought

OPEN, CLOSE = 7, 8


def run(
    pieces: Sequence[str | int], *, inside: bool, ids: bool = False, free: bool = False
) -> tuple[str, str]:
    """Thought and answer of a stream; an int stands for the token of that tag."""
    splitter = ThoughtSplitter(
        starts_inside=inside,
        may_be_open=free,
        open_id=OPEN if ids else None,
        close_id=CLOSE if ids else None,
    )
    splits = []
    for piece in pieces:
        if isinstance(piece, int):
            splits += splitter.feed("<think>" if piece == OPEN else "</think>", piece)
        else:
            splits += splitter.feed(piece, 99)
    splits += splitter.finish()
    return join(splits)


def join(splits: Sequence[Split | WasThought]) -> tuple[str, str]:
    texts = {Phase.THINKING: "", Phase.ANSWER: ""}
    for split in splits:
        if isinstance(split, WasThought):
            assert texts[Phase.ANSWER]
            assert not texts[Phase.THINKING]
            texts = {Phase.THINKING: texts[Phase.ANSWER], Phase.ANSWER: ""}
        else:
            assert split.text
            texts[split.phase] += split.text
    return texts[Phase.THINKING], texts[Phase.ANSWER]


CASES = [
    ("thought\n</think>\n\nanswer", True, ("thought", "answer")),
    ("<think>\nthought\n</think>\n\nanswer", False, ("thought", "answer")),
    ("  \n<think>thought</think>answer", False, ("thought", "answer")),
    ("answer only", False, ("", "answer only")),
    ("never closed\n", True, ("never closed", "")),
    ("<think>\nagain opened\n</think>\nanswer", True, ("again opened", "answer")),
    ("</think>answer", True, ("", "answer")),
    ("thought</think>", True, ("thought", "")),
    ("a < b </thin k> </th", True, ("a < b </thin k> </th", "")),
    ("a</think></think>", True, ("a", "</think>")),
    ("say <think> in the answer", False, ("", "say <think> in the answer")),
    ("t</think>the tag <think> opens", True, ("t", "the tag <think> opens")),
    ("t</think>\n\n    indented\n\ncode\n\n", True, ("t", "    indented\n\ncode")),
    ("a\n\n b</</think>c", True, ("a\n\n b</", "c")),
    ("a<<think>b</think>c", False, ("", "a<<think>b</think>c")),
    ("t <think> u</think>", True, ("t <think> u", "")),
    ("<<think>b</think>c", False, ("", "<<think>b</think>c")),
    ("", True, ("", "")),
    ("\n \n", False, ("", "")),
]


@pytest.mark.parametrize("text, inside, expected", CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_text_tags_split_over_pieces(
    text: str, inside: bool, expected: tuple[str, str], size: int
) -> None:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert run(pieces, inside=inside) == expected


@pytest.mark.parametrize(
    "pieces, inside, expected",
    [
        (["thought\n", CLOSE, "\n\nanswer"], True, ("thought", "answer")),
        ([OPEN, "thought", CLOSE, "answer"], False, ("thought", "answer")),
        ([OPEN, "\nthought", CLOSE, "answer"], True, ("thought", "answer")),
        # A thought that mentions its tag in passing goes on...
        (["the tag </think> ends it", CLOSE, "yes"], True, ("the tag </think> ends it", "yes")),
        (["`", "</", "think>", "` ends it", CLOSE, "yes"], True, ("`</think>` ends it", "yes")),
        # ...and one that spells it on a line of its own is over.
        (["thought\n", "</", "think", ">", "\nanswer"], True, ("thought", "answer")),
        (["thought\n  </think>answer"], True, ("thought", "answer")),
        # A tag that interrupts what looked like the beginning of a spelled one.
        (["thought\n</th", CLOSE, "answer"], True, ("thought\n</th", "answer")),
        # Ids count anywhere: some models think twice.
        (["one", CLOSE, "two", OPEN, "three", CLOSE, "four"], True, ("onethree", "twofour")),
        # A stray closing tag in the answer is text like any other.
        (["one", CLOSE, "two", CLOSE, "three"], True, ("one", "two</think>three")),
        # An opening tag inside a thought is text, except as the first thing in it.
        (["one", OPEN, "two", CLOSE, "three"], True, ("one<think>two", "three")),
    ],
)
def test_known_token_ids_decide(
    pieces: list[str | int], inside: bool, expected: tuple[str, str]
) -> None:
    assert run(pieces, inside=inside, ids=True) == expected


def test_a_tag_token_may_carry_the_rest_of_a_broken_character() -> None:
    splitter = ThoughtSplitter(starts_inside=True, open_id=OPEN, close_id=CLOSE)
    splits = splitter.feed("thought", 1) + splitter.feed("\ufffd</think>", CLOSE)
    splits += splitter.feed("answer", 2) + splitter.finish()
    assert join(splits) == ("thought\ufffd", "answer")


def test_text_comes_out_as_soon_as_it_cannot_be_a_tag() -> None:
    splitter = ThoughtSplitter(starts_inside=True)
    assert splitter.feed("Let me see") == [Split(Phase.THINKING, "Let me see")]
    assert splitter.feed(" </thi") == []
    assert splitter.feed("s") == [Split(Phase.THINKING, " </this")]
    assert splitter.feed("</think>") == []
    assert splitter.phase is Phase.ANSWER
    assert splitter.feed("\n\n42 ") == [Split(Phase.ANSWER, "42")]
    assert splitter.feed("apples") == [Split(Phase.ANSWER, " apples")]


def test_tokens_are_counted_where_they_stand() -> None:
    splitter = ThoughtSplitter(starts_inside=False, open_id=OPEN, close_id=CLOSE)
    stream = [("<think>", OPEN), ("a", 1), ("b", 1), ("</think>", CLOSE), ("c", 1), ("d", 1)]
    for text, token in stream:
        splitter.feed(text, token)
    assert (splitter.thinking_tokens, splitter.answer_tokens) == (4, 2)
    assert splitter.opened
    assert splitter.closed


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    "text, expected",
    [
        ("two and three\n</think>\n\nIt is 5.", ("two and three", "It is 5.")),
        ("two and three.</think>It is 5.", ("two and three.", "It is 5.")),
        ("<think>\ntwo\n</think>\n\nIt is 5.", ("two", "It is 5.")),
        ("</think>\n\nIt is 5.", ("", "It is 5.")),
        ("It is 5.", ("", "It is 5.")),
        ("It </th", ("", "It </th")),
        ("a\n</think>\n\nuse </think> so", ("a", "use </think> so")),
        ("a\n</think>\n\n\n</think>\nb", ("a", "</think>\nb")),
        ("<think>a</think>b\n</think>\nc", ("a", "b\n</think>\nc")),
    ],
)
def test_a_closing_tag_without_an_opening_one_ends_a_thought(
    text: str, expected: tuple[str, str], size: int
) -> None:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert run(pieces, inside=False, free=True) == expected
    # Where the prompt decides it, a stray tag is text, as it always was.
    if not text.startswith("<think>"):
        assert run(pieces, inside=False) == ("", text.strip("\n"))


@pytest.mark.parametrize(
    "pieces, expected",
    [
        (["two and three.", CLOSE, "It is 5."], ("two and three.", "It is 5.")),
        (["a </think> b", CLOSE, "c"], ("a </think> b", "c")),
        (["the tag </think> ends it"], ("", "the tag </think> ends it")),
        (["a\n", "</", "think>", "\nb", CLOSE, "c"], ("a", "b</think>c")),
        (["a", OPEN, "b", CLOSE, "c", CLOSE, "d"], ("b", "ac</think>d")),
        ([CLOSE, "a", CLOSE], ("", "a</think>")),
    ],
)
def test_known_ids_decide_about_a_thought_that_was_not_opened(
    pieces: list[str | int], expected: tuple[str, str]
) -> None:
    assert run(pieces, inside=False, ids=True, free=True) == expected


def test_what_was_handed_over_is_taken_back_once_and_counted_anew() -> None:
    splitter = ThoughtSplitter(starts_inside=False, may_be_open=True, close_id=CLOSE)
    assert splitter.feed("two", 1) == [Split(Phase.ANSWER, "two")]
    assert splitter.feed(" and\n", 1) == [Split(Phase.ANSWER, " and")]
    assert splitter.undecided
    assert (splitter.thinking_tokens, splitter.answer_tokens) == (0, 2)
    assert splitter.feed("</think>", CLOSE) == [WasThought()]
    assert not splitter.undecided
    assert splitter.opened
    assert splitter.closed
    assert splitter.feed("5", 1) == [Split(Phase.ANSWER, "5")]
    assert (splitter.thinking_tokens, splitter.answer_tokens) == (3, 1)


def test_a_thought_that_the_prompt_opened_is_decided() -> None:
    assert not ThoughtSplitter(starts_inside=True, may_be_open=True).undecided
    assert not ThoughtSplitter(starts_inside=False).undecided


def test_an_unclosed_thought_says_so() -> None:
    splitter = ThoughtSplitter(starts_inside=True)
    splitter.feed("endless", 1)
    assert splitter.opened
    assert not splitter.closed


def test_empty_tags_are_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        ThoughtSplitter("", "</think>", starts_inside=False)


TEXT = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think>", "t", "\n", " ", "\n\n", "x y"]),
    max_size=12,
).map("".join)


@given(text=TEXT, inside=st.booleans(), known=st.booleans(), free=st.booleans(), data=st.data())
def test_the_cut_depends_on_the_text_alone_and_loses_none_of_it(
    text: str, inside: bool, known: bool, free: bool, data: st.DataObject
) -> None:
    pieces: list[str | int] = []
    rest = text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces.append(rest[:size])
        rest = rest[size:]
    thought, answer = run(pieces, inside=inside, ids=known, free=free)
    assert (thought, answer) == run([text], inside=inside, ids=known, free=free)
    kept = "".join((thought + answer).split())
    given_ = "".join(text.split())
    # Only white space, opening tags at the very beginning and one closing tag may be missing.
    assert len(given_) - len(kept) in {7 * opening + 8 * c for opening in range(13) for c in (0, 1)}
    rest_of = iter(given_)
    assert all(character in rest_of for character in kept)  # nothing moved, nothing made up
    assert kept.count("xy") == given_.count("xy")


def test_any_of_several_tags_closes_a_thought() -> None:
    for close, token in (("</think>", CLOSE), ("<answer>", 9), ("[END]", None)):
        splitter = ThoughtSplitter(
            starts_inside=True, close_id=CLOSE, also={"<answer>": 9, "[END]": None}
        )
        splits = splitter.feed("hm", 1) + splitter.feed(close, token) + splitter.feed("yes", 2)
        assert join(splits + splitter.finish()) == ("hm", "yes")
        assert splitter.closed


LEAD = ("<|channel>", 5)


def led(*pieces: str) -> tuple[str, str]:
    """Of a tag of several tokens, of which the first is special."""
    splitter = ThoughtSplitter(
        "<|channel>thought", "<channel|>", starts_inside=False, close_id=6, lead_id=LEAD[1]
    )
    tokens = {LEAD[0]: LEAD[1], "<channel|>": 6}
    splits = [split for piece in pieces for split in splitter.feed(piece, tokens.get(piece, 1))]
    return join(splits + splitter.finish())


def test_an_opening_tag_may_be_a_token_and_what_follows_it() -> None:
    assert led("<|channel>", "thought", "\n", "hm", "<channel|>", "yes") == ("hm", "yes")
    assert led("<|channel>", "thought\nhm", "<channel|>", "yes") == ("hm", "yes")
    # Wherever it stands: some close an answer with one more, empty.
    assert led("yes", "<|channel>", "thought", "\n", "<channel|>") == ("", "yes")
    assert led("<|channel>", "other", " yes") == ("", "<|channel>other yes")
    assert led("yes", "<|channel>") == ("", "yes<|channel>")
    assert led("a <|chan", "nel>thought b") == ("", "a <|channel>thought b")
