from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.chat.prompt import Segment
from qwq_gguf.editing import write_entries
from qwq_gguf.engine.llama import library as native
from qwq_gguf.engine.llama.interruptible import run_aside
from qwq_gguf.engine.loading import steps as loading
from qwq_gguf.engine.loading.fact_cache import Memory
from qwq_gguf.engine.loading.guard import Ending, Outcome
from qwq_gguf.engine.loading.probe import Probe
from qwq_gguf.engine.loading.trial import ensure_loads
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import GgufError, ModelError, PromptTooLongError, QwqGgufError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.machine import Card
from qwq_gguf.metadata import u32
from qwq_gguf.sampling import Greedy, SamplerChain
from support.tiny_gguf import TEMPLATE, vocab, write_random


def test_a_model_says_what_it_is(model: Model, random_gguf: Path) -> None:
    words = vocab()
    assert model.path == random_gguf
    assert model.name == "Tiny"
    assert model.context_size == model.trained_context == 512
    assert model.chat_template == TEMPLATE
    assert model.vocab_size == len(words.tokens)
    assert model.eos == words.id("<|im_end|>")
    assert model.eog_tokens == {words.id("<|im_end|>"), words.id("<|endoftext|>")}
    assert set(model.control_tokens) == {
        "<|endoftext|>", "<|im_start|>", "<|im_end|>",
        "<think>", "</think>", "<tool_call>", "</tool_call>",
    }  # fmt: skip
    assert model.token_id("<think>") == words.id("<think>")
    assert model.token_id("think") is None
    assert model.metadata["general.architecture"].value == "qwen2"
    assert model.weights > 50_000
    assert model.threads == 1


@pytest.mark.parametrize("named", [None, 99999], ids=["none", "no token"])
def test_a_file_that_names_no_end_does_not_end_at_a_comma(
    tmp_path: Path, named: int | None
) -> None:
    """llama.cpp takes token 11 then: a comma, where the vocabulary is GPT-2's."""
    path = write_random(tmp_path / "tiny.gguf")
    key = "tokenizer.ggml.eos_token_id"
    rest = [entry for entry in read_gguf(path).metadata.values() if entry.key != key]
    write_entries(read_gguf(path), rest if named is None else [*rest, u32(key, named)])
    with Model.load(path) as model:
        words = vocab()
        assert model.eos is None
        assert model.eog_tokens == {words.id("<|im_end|>"), words.id("<|endoftext|>")}
        assert "eos_token" not in model.vocabulary.special


def test_a_stranger_who_says_nothing_but_a_control_token_says_text(model: Model) -> None:
    for text in ("<|im_start|>", "<|im_end|>", "<|endoftext|>"):
        control = model.control_tokens[text]
        assert model.encode([Segment(text, control=True)]) == [control]
        spelled = model.encode([Segment(text, control=False)])
        assert control not in spelled
        assert b"".join(map(model.piece, spelled)) == text.encode()


def test_what_cannot_fit_is_refused_before_it_is_encoded(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = model.vocabulary.pieces.longest
    assert longest == 64
    end = Segment("<|im_end|>", control=True)
    # Never too early: this is as few tokens as so many bytes can be.
    text = Segment("-" * 64 * 100, control=False)
    assert len(model.encode([text, end, text], most=201)) == 201
    monkeypatch.setattr(model.vocabulary, "encode_text", lambda text: pytest.fail("encoded"))
    for segments, least in (([text, end, text], 201), ([end] * 300, 300)):
        with pytest.raises(PromptTooLongError, match="does not fit") as caught:
            model.encode(segments, most=least - 1)
        assert caught.value.found == f"at least {least} tokens"


@pytest.mark.parametrize("threads", [513, 1_000_000])
def test_threads_that_llama_cpp_aborts_over_are_refused(random_gguf: Path, threads: int) -> None:
    with pytest.raises(ModelError, match="that many threads") as caught:
        Model.load(random_gguf, threads=threads)
    assert "512" in str(caught.value.expected)


def test_as_many_threads_as_llama_cpp_takes(random_gguf: Path) -> None:
    with Model.load(random_gguf, threads=512) as model:
        assert next(Session(model).generate([5, 6], SamplerChain((Greedy(),)), seed=1))


def test_the_context_is_what_was_asked_for(random_gguf: Path) -> None:
    with Model.load(random_gguf, context=100, threads=1) as model:
        assert model.context_size == 100
        assert model.notes == ()
    with Model.load(random_gguf, context=1000, threads=1) as model:
        assert model.context_size == 1000
        (note,) = model.notes
        assert "512" in note


def test_sampling_keys_are_read(tmp_path: Path) -> None:
    keys = {"general.sampling.temp": 0.5, "general.sampling.sequence": "top_k;min_p"}
    path = write_random(tmp_path / "keys.gguf", keys=keys)
    with Model.load(path, threads=1) as model:
        assert model.sampling == {"temp": 0.5, "sequence": "top_k;min_p"}


@pytest.mark.parametrize("option", [{"context": 0}, {"threads": 0}, {"gpu_layers": -2}])
def test_absurd_options_are_refused(random_gguf: Path, option: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="makes no sense"):
        Model.load(random_gguf, **option)  # type: ignore[arg-type]


def test_text_becomes_tokens_and_back(model: Model) -> None:
    encode = model.vocabulary.encode_text
    for text in ["the thing", "grüße 你好 👍", "-" * 100, "a\0b", "", "\n\n  x"]:
        pieces = [model.piece(token) for token in encode(text)]
        assert b"".join(pieces) == text.encode()
    assert len(encode("-" * 64)) == 1
    assert model.piece(encode("-" * 64)[0]) == b"-" * 64  # more than 32 bytes


def test_pieces_of_any_length_come_out_whole(tmp_path: Path) -> None:
    long = "wörd" * 400
    words = vocab([long])
    path = write_random(tmp_path / "long.gguf", words=words)
    with Model.load(path, threads=1) as model:
        token = next(t for t in range(model.vocab_size) if len(model.piece(t)) > 1000)
        assert model.piece(token).decode() == long
        assert model.piece(token + 1) == b"<|endoftext|>"


def test_control_tokens_written_out_stay_text(model: Model) -> None:
    tokens = model.vocabulary.encode_text("<|im_end|><|im_start|>system")
    assert not {model.control_tokens["<|im_end|>"], model.control_tokens["<|im_start|>"]} & {
        *tokens
    }
    assert b"".join(map(model.piece, tokens)) == b"<|im_end|><|im_start|>system"


@pytest.mark.parametrize("token", [-1, 10**6])
def test_a_token_that_does_not_exist_has_no_piece(model: Model, token: int) -> None:
    with pytest.raises(ValueError, match="not a token"):
        model.piece(token)


def test_closing_ends_sessions_first_and_may_be_repeated(random_gguf: Path) -> None:
    model = Model.load(random_gguf, threads=1)
    session = Session(model)
    model.close()
    model.close()
    session.close()
    with pytest.raises(ModelError, match="closed"):
        Session(model)


def test_ctrl_c_while_llama_cpp_is_at_work_ends_the_load(
    random_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = native.load().api
    calls: list[float] = []
    told = threading.Event()

    def callback_that_comes_late(report: Callable[[float, object], bool]) -> Any:
        def called(fraction: float, data: object) -> bool:
            calls.append(fraction)
            if len(calls) == 1:
                # As if it had been pressed in native code: before our first line is run.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                assert told.wait(60)
            return report(fraction, data)

        return real(called)

    def watched(work: Callable[[], None], stop: Callable[[], None]) -> None:
        def stop_and_tell() -> None:
            stop()
            told.set()

        run_aside(work, stop_and_tell)

    real = api.llama_progress_callback
    monkeypatch.setattr(api, "llama_progress_callback", callback_that_comes_late)
    monkeypatch.setattr(loading, "run_aside", watched, raising=False)
    with pytest.raises(KeyboardInterrupt):
        Model.load(random_gguf, threads=1)
    assert len(calls) == 1, "and nothing more was loaded"


def test_progress_is_reported_and_can_stop_the_load(random_gguf: Path) -> None:
    seen: list[float] = []
    Model.load(random_gguf, threads=1, progress=seen.append).close()
    assert seen[-1] == 1.0
    assert seen == sorted(seen)

    def stop(_fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Model.load(random_gguf, threads=1, progress=stop)


@pytest.mark.parametrize(
    "name", ["missing.gguf", "folder", "empty.gguf", "text.gguf", "cut.gguf", "header.gguf"]
)
def test_what_is_no_gguf_is_refused(tmp_path: Path, random_gguf: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.gguf").write_bytes(b"")
    (tmp_path / "text.gguf").write_text("version https://git-lfs", "utf-8")
    whole = random_gguf.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-1000])
    (tmp_path / "header.gguf").write_bytes(whole[:3000])
    with pytest.raises(GgufError) as caught:
        Model.load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


NAN = np.full((len(vocab().tokens), 64), np.nan, np.float32)
# Each of these, alone, ends a process that hands it to llama.cpp, or fails there.
BROKEN: dict[str, dict[str, Any]] = {
    "no layers": {"keys": {"qwen2.block_count": 0}},
    "a million layers": {"keys": {"qwen2.block_count": 10**6}},
    "a layer too many": {"keys": {"qwen2.block_count": 3}},
    "no context": {"keys": {"qwen2.context_length": 0}},
    "no heads": {"keys": {"qwen2.attention.head_count": 0}},
    "no heads but a state": {"keys": {"qwen2.attention.head_count": 0, "qwen2.ssm.state_size": 16}},
    "no width": {"keys": {"qwen2.embedding_length": None}},
    "odd rotation": {"keys": {"qwen2.rope.dimension_count": 3}},
    "unknown scaling": {"keys": {"qwen2.rope.scaling.type": "bogus"}},
    "negative epsilon": {"keys": {"qwen2.attention.layer_norm_rms_epsilon": -1.0}},
    "unknown architecture": {"keys": {"general.architecture": "bogus"}},
    "unknown vocabulary": {"keys": {"tokenizer.ggml.model": "bogus"}},
    "another vocabulary": {"keys": {"tokenizer.ggml.model": "llama"}},
    "no vocabulary": {"keys": {"tokenizer.ggml.model": None}},
    "no tokens": {"keys": {"tokenizer.ggml.tokens": None}},
    "no merges": {"keys": {"tokenizer.ggml.merges": None}},
    "few types": {"keys": {"tokenizer.ggml.token_type": [1]}},
    "the same token twice": {"keys": {"tokenizer.ggml.tokens": ["x"] * len(vocab().tokens)}},
    "a vocabulary too short": {
        "keys": {
            "tokenizer.ggml.tokens": list(vocab().tokens[:-1]),
            "tokenizer.ggml.token_type": list(vocab().types[:-1]),
        }
    },
    "a matrix of another shape": {
        "tensors": {"blk.0.attn_q.weight": np.ones((64, 32), np.float32)}
    },
    "weights that are no numbers": {"tensors": {"output.weight": NAN}},
    "an importance matrix": {"keys": {"general.type": "imatrix"}},
    "a part of a whole": {"keys": {"split.count": 3}},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_ends_in_an_error(tmp_path: Path, name: str) -> None:
    path = write_random(tmp_path / "broken.gguf", **BROKEN[name])
    with pytest.raises(QwqGgufError) as caught:
        Model.load(path, threads=1)
    assert isinstance(caught.value, GgufError | ModelError)
    assert caught.value.path == str(path)
    assert len(caught.value.message) < 200


def test_an_abort_of_the_library_is_named(tmp_path: Path) -> None:
    path = write_random(tmp_path / "broken.gguf", **BROKEN["negative epsilon"])
    with pytest.raises(ModelError) as caught:
        Model.load(path, threads=1)
    assert caught.value.found is not None
    assert "eps >= 0.0f" in caught.value.found


def test_a_missing_part_of_a_split_model_is_named(tmp_path: Path) -> None:
    first = write_random(tmp_path / "m-00001-of-00003.gguf", keys={"split.count": 3})
    with pytest.raises(GgufError, match="missing") as caught:
        Model.load(first)
    assert caught.value.path == str(tmp_path / "m-00002-of-00003.gguf")
    second = write_random(tmp_path / "m-00002-of-00003.gguf", keys={"split.count": 3})
    with pytest.raises(GgufError, match="later part") as caught:
        Model.load(second)
    assert str(first) in str(caught.value)


def test_a_file_is_tried_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    asked: list[str] = []

    def run(request: Any, *, timeout: float) -> Outcome:
        asked.append(request["path"])
        return Outcome(Ending.OK)

    def attempt() -> None:
        ensure_loads(
            [path], identity="lib", context=8, use_extra_bufts=True, mmap=True,
            threads=1, memory=Memory("trials", tmp_path / "cache"), run=run,
        )  # fmt: skip

    attempt()
    attempt()
    assert len(asked) == 1
    path.write_bytes(b"changed")
    attempt()
    assert len(asked) == 2


def test_a_file_that_failed_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    memory = Memory("trials", tmp_path / "cache")
    for ending in (Ending.CRASHED, Ending.REFUSED, Ending.TIMEOUT):

        def run(request: Any, *, timeout: float, ending: Ending = ending) -> Outcome:
            return Outcome(ending, "why")

        with pytest.raises(ModelError) as caught:
            ensure_loads(
                [path], identity="lib", context=8, use_extra_bufts=True, mmap=True,
                threads=1, memory=memory, run=run,
            )  # fmt: skip
        assert caught.value.found == "why"


def test_it_is_loaded_as_the_probe_found_it_to_work(
    random_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Probe(use_extra_bufts=False, use_gpu=False, notes=("the plain kernels are used",))
    monkeypatch.setattr("qwq_gguf.engine.model.probe", lambda *_, **__: found)
    facts = replace(native.library_facts(), gpu_offload=True)
    monkeypatch.setattr(native, "library_facts", lambda: facts)
    tried: list[bool] = []
    monkeypatch.setattr(
        "qwq_gguf.engine.model.ensure_loads",
        lambda *_, use_extra_bufts, **__: tried.append(use_extra_bufts),
    )
    api, loaded = native.load().api, []
    load = api.llama_model_load_from_file

    def watched(path: bytes, params: Any) -> Any:
        loaded.append((params.use_extra_bufts, params.n_gpu_layers))
        return load(path, params)

    monkeypatch.setattr(api, "llama_model_load_from_file", watched)
    with Model.load(random_gguf, threads=1) as model:
        assert model.notes == ("the plain kernels are used",)
        assert model.gpu_layers == 0
    assert (tried, loaded) == ([False], [(False, 0)])


def test_a_card_that_the_build_cannot_use_is_said_loudly(
    random_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card("NVIDIA", "NVIDIA GeForce RTX 4090", "CUDA")
    monkeypatch.setattr(loading, "find_cards", lambda: (card,))
    facts = native.library_facts()
    monkeypatch.setattr(
        native,
        "library_facts",
        lambda: native.LibraryFacts(
            facts.version, facts.llama_version, facts.folder, False, facts.system_info
        ),
    )
    with Model.load(random_gguf, threads=1) as model:
        (note,) = model.notes
    assert "RTX 4090" in note
    assert "-DGGML_CUDA=on" in note
    with Model.load(random_gguf, threads=1, gpu_layers=0) as model:
        assert model.notes == ()  # not asked for, so nothing is missing


def test_the_library_is_loaded_once_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    library = native.load()
    assert native.load() is library
    native._check(library.api, library.version)
    with pytest.raises(QwqGgufError, match="another native interface"):
        native._check(library.api, "0.2.0")
    monkeypatch.setattr(library.api, "llama_version", lambda: b"0.4.0")
    with pytest.raises(QwqGgufError, match="does not belong"):
        native._check(library.api, library.version)


def test_an_absurd_context_is_refused_before_memory_is_asked_for(random_gguf: Path) -> None:
    with pytest.raises(ModelError, match="does not fit"):
        Model.load(random_gguf, context=2**31 - 1, gpu_layers=0)
