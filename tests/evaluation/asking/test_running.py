"""Asking: one by one or several at once, tools that run and functions that don't, and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import EvaluationError, ModelError
from qwq_gguf.evaluation.asking.governors import OFF
from qwq_gguf.evaluation.asking.plan import Wanted, plan_replies
from qwq_gguf.evaluation.asking.replying import Replier
from qwq_gguf.evaluation.asking.running import ask
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.asking.tapping import Round
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.profiles import Profile, load_profile
from support.tiny_gguf import byte_level, vocab, write_bigram

CELL = Cell("m", "qwq", "default")


def question(key: str, value: str, **changes: object) -> Question:
    fields: dict[str, object] = {
        "skill": "multiply", "text": f"What is {key}?", "grader": "number",
        "expected": {"value": value},
    }  # fmt: skip
    return Question(key=key, **(fields | changes))  # type: ignore[arg-type]


RIGHT, WRONG = question("7*43", "301"), question("7*44", "308")


def bigram(path: Path, texts: list[str]) -> Path:
    """A model that says these one after the other, whatever it is asked; again from the first."""
    follows = {
        (a if a == "</think>" else byte_level(a.encode())): (
            b if b == "</think>" else byte_level(b.encode())
        )
        for a, b in zip(["\n", *texts], texts, strict=False)
    }
    return write_bigram(
        path, follows, words=vocab(list(dict.fromkeys(t for t in texts if t != "</think>")))
    )


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    texts = ["It is so.", "</think>", "\n\n", r"\boxed{301}"]
    with Model.load(
        bigram(tmp_path_factory.mktemp("parrot") / "p.gguf", texts), threads=1, context=512
    ) as model:
        yield model


@pytest.fixture(scope="module")
def qwq() -> Profile:
    return load_profile("qwq")


def wanted(*questions: Question, samples: int = 1, cell: Cell = CELL) -> tuple[Wanted, ...]:
    return plan_replies([cell], questions, samples=samples, seed=0)


def test_several_at_once_are_what_one_by_one_are(parrot: Model, qwq: Profile) -> None:
    plan = wanted(RIGHT, WRONG, samples=4)
    runs = {
        parallel: sorted(
            ask(parrot, plan, {CELL: qwq}, parallel=parallel, traces=True),
            key=lambda s: s.reply_key,
        )
        for parallel in (1, 3, 16)
    }

    def told(sample: Sample) -> tuple[object, ...]:
        return (sample.reply_key, sample.seed, sample.right, sample.thought, sample.answer,
                sample.thought_tokens, sample.reply_tokens, sample.tokens)  # fmt: skip

    first = [told(sample) for sample in runs[1]]
    assert len(first) == 8
    assert all([told(sample) for sample in run] == first for run in runs.values())
    assert [s.right for s in runs[1]] == [True] * 4 + [False] * 4
    assert {s.thought_tokens for s in runs[1]} == {2}, "the closing tag counts"
    assert all(s.seconds > 0 for s in runs[1])


def test_a_record_says_all_there_is_to_know(parrot: Model, qwq: Profile) -> None:
    (right,) = ask(parrot, wanted(RIGHT), {CELL: qwq}, traces=True)
    assert (right.found, right.why, right.answered, right.looped) == ("301", None, True, False)
    assert (right.thought, right.answer) == ("It is so.", r"\boxed{301}")
    assert (right.thought_ended, right.finish_reason) == ("closed", "stop")
    assert right.tokens is not None
    assert len(right.tokens.prompt) == right.prompt_tokens
    assert len(right.tokens.reply) == right.reply_tokens == 4
    assert parrot.vocabulary.piece(right.tokens.reply[0]) == b"It is so."
    (plain,) = ask(parrot, wanted(RIGHT), {CELL: qwq})
    assert plain.tokens is None


def test_a_limit_leaves_no_answer(parrot: Model, qwq: Profile) -> None:
    (cut,) = ask(parrot, wanted(RIGHT), {CELL: qwq.with_governor(OFF)}, max_tokens=1)
    assert (cut.answered, cut.right, cut.finish_reason) == (False, False, "length")
    (tight,) = ask(parrot, wanted(question("7*43", "301", text="x" * 9000)), {CELL: qwq})
    assert (tight.answered, tight.right, tight.finish_reason) == (False, False, "context")


def test_loops_are_seen_without_a_governor(tmp_path: Path, qwq: Profile) -> None:
    cell = Cell("m", "qwq", "off")
    words = ["one ", "two ", "three ", "one "]
    with Model.load(bigram(tmp_path / "l.gguf", words), threads=1, context=640) as model:
        (free,) = ask(model, wanted(RIGHT, cell=cell), {cell: qwq.with_governor(OFF)})
        (kept,) = ask(model, wanted(RIGHT), {CELL: qwq})
    assert (free.looped, free.answered, free.finish_reason) == (True, False, "context")
    assert (kept.looped, kept.answered, kept.thought_ended) == (True, True, "loop")


def test_a_loop_that_counts_within_a_line_is_seen(parrot: Model) -> None:
    replier = Replier(parrot, {}, Session(parrot), time=lambda: 0.0, done=lambda _: 0.0)
    words = range(40, 70)  # bytes, and thirty tokens beside a number that is another each time
    told = Round([])
    told.reply = [token for number in range(70, 130) for token in (*words, number)]
    assert replier._loops(told)
    broken = Round([])
    broken.reply = [token for number in range(70, 130) for token in (*words, 10, number)]
    assert not replier._loops(broken)  # rows of a table


def test_functions_are_offered_and_not_run(tmp_path: Path, qwq: Profile) -> None:
    call = '<tool_call>\n{"name": "area", "arguments": {"side": 3}}\n</tool_call>'
    path = bigram(tmp_path / "c.gguf", ["So.", "</think>", call])
    schema = {"name": "area", "description": "", "parameters": {"type": "object"}}
    both = question("k", "9", functions=(schema,), tools=("calculator",))
    with Model.load(path, threads=1, context=512) as model:
        # This model's template knows no tools, and says so.
        with pytest.raises(ModelError, match="tools"):
            list(ask(model, wanted(question("k", "9", functions=(schema,))), {CELL: qwq}))
        with pytest.raises(EvaluationError, match="not both"):
            list(ask(model, wanted(both), {CELL: qwq}))
        with pytest.raises(EvaluationError, match="no name"):
            list(ask(model, wanted(question("k", "9", functions=({},))), {CELL: qwq}))


def test_what_a_worker_meets_is_raised(parrot: Model, qwq: Profile) -> None:
    plan = wanted(RIGHT, question("x", "1", grader="taste"), RIGHT_AGAIN)
    with pytest.raises(EvaluationError, match="grader"):
        list(ask(parrot, plan, {CELL: qwq}, parallel=2))
    assert _workers() == 0


RIGHT_AGAIN = question("43*7", "301")


def test_who_stops_reading_ends_what_runs(tmp_path: Path, qwq: Profile) -> None:
    cell = Cell("m", "qwq", "off")
    words = ["one ", "two ", "three ", "one "]
    free = qwq.with_governor(OFF)
    with Model.load(bigram(tmp_path / "l.gguf", words), threads=1, context=512) as model:
        short = wanted(RIGHT, cell=cell)
        endless = wanted(*(question(f"9*{n}", "1") for n in range(40)), cell=cell)
        with closing(ask(model, [*short, *endless], {cell: free}, parallel=4)) as samples:
            assert next(samples).finish_reason == "context"
        assert _workers() == 0
        # The model is free for others.
        (after,) = ask(model, short, {cell: free}, max_tokens=3)
        assert after.reply_tokens == 3


def _workers() -> int:
    return sum("_work" in thread.name for thread in threading.enumerate())
