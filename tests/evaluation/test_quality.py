"""How far a quant is from its reference: by hand, and what hostile files come to."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.quality.base_file import BaseFile, BaseHeader, NewBaseFile, is_base_file
from qwq_gguf.evaluation.quality.closing import Closing
from qwq_gguf.evaluation.quality.figures import figures, gathered, perplexity
from qwq_gguf.evaluation.quality.log_probs import Places, code_words, compare, decode, encode
from qwq_gguf.evaluation.quality.rows_on_disk import RowsOnDisk
from qwq_gguf.evaluation.quality.tally import Reply, Tally
from qwq_gguf.evaluation.quality.traces import Trace, kinds_of, read_traces
from support.quality import BASE


def _logits(rows: int, vocabulary: int, seed: int, scale: float = 3.0) -> np.ndarray:
    dice = np.random.default_rng(seed)
    return (scale * dice.standard_normal((rows, vocabulary))).astype(np.float32)


def _log_probs(logits: np.ndarray) -> np.ndarray:
    exact = logits.astype(np.float64)
    log_probs: np.ndarray = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
    return log_probs


class TestLogProbs:
    def test_codes_are_as_near_as_sixteen_bits_can_be(self) -> None:
        logits = _logits(5, 101, 1, scale=2.0)
        found = decode(encode(logits), 101)
        span = np.minimum(16, np.ptp(logits, axis=1)) / 65535
        assert (np.abs(found - _log_probs(logits)) <= span[:, None] * 0.51 + 2e-6).all()

    def test_what_is_far_below_counts_as_16_below_the_best(self) -> None:
        logits = np.array([[0.0, -5.0, -16.5, -300.0]], np.float32)
        found = decode(encode(logits), 4)
        assert found[0, 2] == found[0, 3] == pytest.approx(found[0, 0] - 16, abs=1e-5)

    def test_a_row_where_all_are_alike_has_a_scale_of_zero(self) -> None:
        found = decode(encode(np.full((1, 8), 7, np.float32)), 8)
        assert found[0] == pytest.approx(np.full(8, -np.log(8)), abs=1e-6)

    def test_a_row_has_an_even_number_of_codes(self) -> None:
        assert (code_words(7), code_words(8)) == (12, 12)
        assert encode(_logits(2, 7, 0)).shape == (2, 12)

    def test_divergence_and_its_company_are_what_the_definitions_say(self) -> None:
        base, quant = _logits(40, 61, 2), _logits(40, 61, 3)
        came = np.arange(40, dtype=np.int64)
        found = compare(encode(base), quant, came)
        p, q = _log_probs(base), _log_probs(quant)
        assert found.kld == pytest.approx((np.exp(p) * (p - q)).sum(axis=1), rel=2e-3, abs=2e-3)
        assert found.nll == pytest.approx(-q[came, came], abs=1e-5)
        expected = np.exp(q[came, came]) - np.exp(p[came, came])
        assert found.p_diff == pytest.approx(expected, abs=1e-4)
        assert (found.top == q.argmax(axis=1)).all()
        assert (found.base_top == p.argmax(axis=1)).all()

    def test_a_model_does_not_diverge_from_itself(self) -> None:
        logits = _logits(10, 333, 4)
        found = compare(encode(logits), logits, np.zeros(10, np.int64))
        assert np.abs(found.kld).max() < 1e-4
        assert (found.top == found.base_top).all()


def _places(nll: list[float], base: list[float], kld: list[float]) -> Places:
    one, two = np.array(nll, np.float32), np.array(base, np.float32)
    top = np.arange(len(nll), dtype=np.int32)
    other = top.copy()
    other[0] += 1
    return Places(one, two, np.array(kld, np.float32), np.exp(-one) - np.exp(-two), top, other)


class TestFigures:
    def test_figures_of_a_dozen_places(self) -> None:
        nll = [0.5, 1.0, 1.5, 2.0, 0.25, 0.75, 1.25, 1.75, 0.1, 0.9, 1.1, 2.5]
        base = [value * 0.9 for value in nll]
        found = figures(_places(nll, base, [float(n) for n in range(12)]))
        mean = sum(nll) / 12
        error = np.sqrt(np.var(nll) / 11)
        assert found.perplexity.value == pytest.approx(np.exp(mean), rel=1e-6)
        assert found.perplexity.error == pytest.approx(np.exp(mean) * error, rel=1e-6)
        assert found.log_ratio.value == pytest.approx(0.1 * mean, rel=1e-5)
        assert found.log_ratio.error == pytest.approx(0.1 * error, rel=1e-4)
        assert found.correlation == pytest.approx(1, rel=1e-6)
        assert found.kld.value == found.median == 5.5
        assert (found.lowest, found.highest) == (0, 11)
        assert found.percentiles[90] == pytest.approx(9.9)
        assert found.same_top.value == pytest.approx(11 / 12)
        assert found.to_json()["kl_divergence"]["p50"] == 5.5

    def test_parts_are_put_together(self) -> None:
        parts = [_places([1.0], [1.0], [0.5]), _places([2.0], [2.0], [1.5])]
        assert figures(gathered(parts)).kld.value == 1
        assert perplexity(gathered(parts).nll).value.value == pytest.approx(np.exp(1.5))
        assert len(gathered([]).nll) == 0


class TestTally:
    def test_the_worst_places_are_kept_with_what_was_wanted(self) -> None:
        base, quant = _logits(6, 20, 5), _logits(6, 20, 6)
        texts = [[1, 2, 3, 4], [5, 6, 7, 8]]
        tally = Tally(texts, worst=2)
        for text in range(2):
            rows = slice(3 * text, 3 * text + 3)
            tally.add(text, 0, encode(base[rows]), quant[rows])
        came = np.array([2, 3, 4, 6, 7, 8])
        divergences = compare(encode(base), quant, came).kld
        first, second = np.argsort(-divergences)[:2]
        assert [(p.text, p.at) for p in tally.worst] == [divmod(first, 3), divmod(second, 3)]
        worst = tally.worst[0]
        assert worst.came.token == came[first]
        assert worst.wanted.token == base[first].argmax()
        assert worst.picked.quant == pytest.approx(np.exp(_log_probs(quant)[first]).max(), rel=1e-4)
        assert tally.figures().places == 6

    def test_traces_are_sorted_into_thought_answer_and_hesitation(self) -> None:
        # A prompt of two tokens, a thought 7 8 9 (9 closes), an answer 4 5.
        texts = [[1, 2, 7, 8, 9, 4, 5]]
        tally = Tally(texts, replies=[Reply(1, 3)], hesitations=frozenset({8}))
        base = _logits(5, 20, 7)
        tally.add(0, 1, encode(base[:2]), base[:2])  # as a batch may cut it
        tally.add(0, 3, encode(base[2:]), base[2:])
        kinds = tally.kinds()
        assert {kind: each.places for kind, each in kinds.items()} == {
            "thought": 3,
            "answer": 2,
            "hesitation": 1,
        }


class TestClosing:
    def test_the_tag_is_looked_at_where_the_reference_would_close_or_the_trace_did(self) -> None:
        tag, wait = 3, 4
        base = np.zeros((4, 6), np.float32)
        base[0, tag] = 9  # it would close here
        base[1:, 0] = 9  # it would not; behind row 2 the trace closed all the same
        quant = base.copy()
        quant[0, tag], quant[0, wait] = 0, 9  # it hesitates
        closing = Closing(tag, {"Wait": [wait], "none": []})
        top = base.argmax(axis=1).astype(np.int32)
        closing.add(0, encode(base), quant, top, np.array([1, 1, tag, 1]))
        found = closing.figures()
        assert found is not None
        p = np.exp(_log_probs(base))[:, tag]
        q = np.exp(_log_probs(quant))[:, tag]
        assert found.places == 2
        assert found.tag.reference == pytest.approx((p[0] + p[2]) / 2, rel=1e-3)
        assert found.tag.ratio == pytest.approx((q[0] + q[2]) / (p[0] + p[2]), rel=1e-3)
        assert found.early.reference == pytest.approx((p[1] + p[3]) / 2, rel=1e-3)
        assert found.agreed == 0
        assert list(found.words) == ["Wait"]
        assert (found.words["Wait"].ratio or 0) > 100

    def test_what_both_think_impossible_is_no_difference(self) -> None:
        base = np.zeros((2, 5), np.float32)
        base[0, 0] = 40  # it would close here, but not behind the second
        base[1, 1], base[1, 0] = 40, -20
        closing = Closing(0, {})
        closing.add(0, encode(base), base, np.array([0, 1], np.int32), np.array([0, 1]))
        found = closing.figures()
        assert found is not None
        assert found.early.ratio == pytest.approx(1, rel=1e-3)

    def test_the_interval_is_drawn_over_traces(self) -> None:
        closing = Closing(0, {})
        dice = np.random.default_rng(0)
        for trace in range(30):
            base, quant = np.zeros((1, 5), np.float32), np.zeros((1, 5), np.float32)
            base[0, 0], quant[0, 0] = 3, 3 + dice.normal(-0.5, 0.3)
            closing.add(trace, encode(base), quant, np.zeros(1, np.int32), np.zeros(1, np.int64))
        tag = closing.figures().tag  # type: ignore[union-attr]
        assert 0 < (tag.low or 0) < (tag.ratio or 0) < (tag.high or 0) < 1

    def test_without_such_a_place_there_is_nothing_to_say(self) -> None:
        closing = Closing(0, {})
        base = np.zeros((1, 5), np.float32)
        base[0, 2] = 5
        closing.add(0, encode(base), base, np.array([2], np.int32), np.array([1]))
        assert closing.figures() is None


class TestBaseFile:
    def test_llama_perplexitys_own_file_is_read(self) -> None:
        assert is_base_file(BASE)
        with BaseFile(BASE) as base:
            assert base.header == BaseHeader(16, 320, 2)
            assert base.tokens.shape == (2, 16)
            rows = decode(base.rows(1, 8, 7), 320)
        assert np.exp(rows).sum(axis=1) == pytest.approx(np.ones(7), rel=1e-3)

    def test_what_is_written_is_the_same_file(self, tmp_path: Path) -> None:
        path = tmp_path / "copy.kld"
        with BaseFile(BASE) as base, NewBaseFile(path, base.header, base.tokens) as new:
            for window in (1, 0):
                new.put(window, 8, base.rows(window, 8, 3))
                new.put(window, 11, base.rows(window, 11, 4))
            new.commit()
        assert path.read_bytes() == BASE.read_bytes()

    def test_nothing_appears_unless_it_is_whole(self, tmp_path: Path) -> None:
        with BaseFile(BASE) as base, NewBaseFile(tmp_path / "x", base.header, base.tokens):
            pass
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda raw: b"_LOGITS_" + raw[8:], "no file of llama-perplexity"),
            (lambda raw: raw[:-1], "cut short"),
            (lambda raw: raw + b"\0", "goes on too long"),
            (lambda raw: raw[:10], "no file of llama-perplexity"),
            (lambda raw: raw[:8] + struct.pack("<Iii", 1 << 31, 320, 2) + raw[20:], "cut short"),
            (lambda raw: raw[:8] + struct.pack("<Iii", 16, -320, 2) + raw[20:], "makes no sense"),
            (lambda raw: raw[:8] + struct.pack("<Iii", 16, 320, -1) + raw[20:], "makes no sense"),
            (lambda raw: raw[:20] + struct.pack("<i", 320) + raw[24:], "not in the vocabulary"),
            (lambda raw: raw[:20] + struct.pack("<i", -1) + raw[24:], "not in the vocabulary"),
        ],
    )
    def test_hostile_ones_are_refused(self, tmp_path: Path, change: object, said: str) -> None:
        path = tmp_path / "base.kld"
        path.write_bytes(change(BASE.read_bytes()))  # type: ignore[operator]
        with pytest.raises(EvaluationError, match=said):
            BaseFile(path)


def test_rows_between_two_passes_are_found_again() -> None:
    codes = encode(_logits(7, 9, 8))
    with RowsOnDisk([2, 0], [6, 5], 9) as rows:
        rows.put(1, 0, codes[3:7])
        rows.put(0, 2, codes[:1])
        rows.put(0, 3, codes[1:3])
        assert (rows.rows(0, 2, 3) == codes[:3]).all()
        assert (rows.rows(1, 1, 2) == codes[4:6]).all()
        assert rows.nbytes == 7 * 2 * code_words(9)


RUN = {"schema": "qwq-gguf/eval-run/1"}


def _line(**changes: object) -> dict[str, object]:
    tokens = {"prompt": [1, 2], "reply": [3, 9, 4]}
    return {"schema": "qwq-gguf/eval-sample/2", "thought_tokens": 2, "tokens": tokens} | changes


def _written(tmp_path: Path, *lines: object, end: str = "\n") -> Path:
    path = tmp_path / "replies.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + end)
    return path


class TestTraces:
    def test_replies_with_tokens_are_read(self, tmp_path: Path) -> None:
        path = _written(tmp_path, RUN, _line(), _line(tokens=None), _line(thought_tokens=0))
        assert read_traces(path, 10) == [
            Trace((1, 2), (3, 9, 4), True),
            Trace((1, 2), (3, 9, 4), False),
        ]

    def test_a_last_line_that_is_not_whole_is_left_out(self, tmp_path: Path) -> None:
        path = _written(tmp_path, RUN, _line(), end='\n{"schema": "qwq-gguf/ev')
        assert len(read_traces(path, 10)) == 1

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            ([{"schema": "other"}, _line()], "no file of replies"),
            ([RUN, _line(tokens=None)], "no replies with their tokens"),
            ([RUN, _line(tokens={"prompt": [1], "reply": [10]})], "does not have"),
            ([RUN, _line(tokens={"prompt": [-1], "reply": [1]})], "does not have"),
            ([RUN, _line(tokens={"prompt": [True], "reply": [1]})], "no numbers"),
            ([RUN, _line(tokens=[1])], "no numbers"),
            ([RUN, _line(schema="x")], "line 2 is no reply"),
            ([RUN, [1]], "no file of replies"),
        ],
    )
    def test_others_are_refused(self, tmp_path: Path, lines: list[object], said: str) -> None:
        with pytest.raises(EvaluationError, match=said):
            read_traces(_written(tmp_path, *lines), 10)

    def test_a_thought_ends_with_its_tag(self) -> None:
        trace = Trace((1,), (5, 8, 9, 8, 9, 4), True)
        assert kinds_of(trace, [8, 9]) == (3, True)
        assert kinds_of(trace, [7]) == (6, False)
        assert kinds_of(trace._replace(thinks=False), [8, 9]) == (0, False)
