"""What a context is made with is a value, and reaches llama.cpp."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.editing import stretch
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ModelError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.gguf_file.yarn import yarn_of
from qwq_gguf.machine import KvShape
from qwq_gguf.sampling import Greedy, SamplerChain
from support.tiny_gguf import write_random

GREEDY = SamplerChain((Greedy(),))
PROMPT = [5, 6, 7, 8]


def reply(session: Session, most: int = 6) -> list[int]:
    return [token for token, _ in session.generate(PROMPT, GREEDY, seed=1, max_tokens=most)]


def written(model: Model, settings: ContextSettings) -> dict[str, object]:
    api = model.library.api
    params = api.llama_context_default_params()
    settings.apply(api, params)
    names = [name for name, _ in params._fields_]
    return {name: getattr(params, name) for name in names}


def test_by_default_all_is_as_llama_cpp_has_it(model: Model) -> None:
    params = model.library.api.llama_context_default_params()
    made = written(model, ContextSettings())
    plain = {name for name, value in made.items() if isinstance(value, int | float)}
    assert {"n_seq_max", "type_k", "type_v", "flash_attn_type", "kv_unified"} <= plain
    assert {name: made[name] for name in plain} == {name: getattr(params, name) for name in plain}


@pytest.mark.parametrize("flash", [None, True, False])
def test_flash_attention_and_sequences(model: Model, flash: bool | None) -> None:
    session = Session(model, ContextSettings(sequences=3, flash_attention=flash, batch=4))
    api = model.library.api
    with session._context.owned as handle:
        assert api.llama_n_seq_max(handle) == 3
        assert api.llama_n_ctx_seq(handle) == model.context_size  # they share it
        assert api.llama_n_batch(handle) == 4
    assert len(reply(session)) == 6
    session.close()


def test_a_cache_in_fewer_bytes(tmp_path: Path) -> None:
    """Its state is what a file of it would hold: mostly the cache."""
    path = write_random(tmp_path / "wide.gguf", width=128)
    with Model.load(path, threads=1, context=256) as model:
        sizes = []
        for kind in (GgmlType.F32, GgmlType.F16, GgmlType.Q8_0):
            session = Session(model, ContextSettings(keys=kind, values=kind))
            assert len(reply(session)) == 6
            with session._context.owned as handle:
                sizes.append(model.library.api.llama_state_get_size(handle))
            session.close()
        assert sizes[0] > sizes[1] > sizes[2]


def test_a_callback_sees_what_is_computed_and_may_end_it(model: Model) -> None:
    seen: list[tuple[int, bool]] = []

    def look(tensor: int, asked: bool) -> bool:
        seen.append((tensor, asked))
        return True

    session = Session(model, ContextSettings(on_tensor=look))
    with_callback = reply(session)
    assert {asked for _, asked in seen} == {True, False}
    assert all(tensor for tensor, _ in seen)
    session.close()
    plain = Session(model)
    assert reply(plain) == with_callback
    plain.close()

    calls = 0

    def stop(tensor: int, asked: bool) -> bool:
        nonlocal calls
        calls += 1
        raise KeyError("mine")

    session = Session(model, ContextSettings(on_tensor=stop))
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            reply(session)
    assert calls == 2
    assert session.cached_tokens == 0
    session.close()


@pytest.mark.parametrize(
    "options",
    [
        {"sequences": 0},
        {"sequences": 257},
        {"batch": 0},
        {"sequences": 3, "batch": 2},
        {"keys": GgmlType.Q4_K},
        {"values": GgmlType.IQ1_S},
        {"values": GgmlType.Q8_0, "flash_attention": False},
    ],
)
def test_what_llama_cpp_would_abort_over_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ModelError):
        ContextSettings(**options)  # type: ignore[arg-type]


def test_a_cache_that_does_not_fit_is_refused_before_it_is_made(
    random_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = KvShape.of(read_gguf(random_gguf))
    assert shape is not None
    # Only where no card computes: what a card takes llama.cpp says as it takes it.
    with Model.load(random_gguf, threads=1, gpu_layers=0) as model:
        least = shape.nbytes(model.context_size)
        monkeypatch.setattr("qwq_gguf.machine.kv_cache.available_memory", lambda: least)
        Session(model, ContextSettings(sequences=2)).close()
        with pytest.raises(ModelError, match="does not fit"):
            Session(model, ContextSettings(keys=GgmlType.F32))


def test_heads_that_do_not_fill_a_block_are_an_error_of_ours(tmp_path: Path) -> None:
    path = write_random(tmp_path / "narrow.gguf")
    with Model.load(path, threads=1) as model:
        settings = ContextSettings(keys=GgmlType.Q8_0)
        with pytest.raises(ModelError, match="cannot be kept in q8_0") as caught:
            Session(model, settings)
        assert caught.value.expected == "a multiple of 32"


def test_a_model_is_loaded_for_the_cache_it_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_random(tmp_path / "wide.gguf", width=128)
    small = ContextSettings(keys=GgmlType.Q8_0, values=GgmlType.Q4_0)
    shape = KvShape.of(read_gguf(path))
    assert shape is not None
    least = shape.nbytes(512, GgmlType.Q8_0, GgmlType.Q4_0)
    monkeypatch.setattr("qwq_gguf.machine.kv_cache.available_memory", lambda: least)
    with pytest.raises(ModelError, match="does not fit"):
        Model.load(path, threads=1, context=512, gpu_layers=0)
    with Model.load(path, threads=1, context=512, gpu_layers=0, settings=small) as model:
        session = Session(model)
        assert len(reply(session)) == 6
        monkeypatch.setattr("qwq_gguf.machine.kv_cache.available_memory", lambda: least - 1)
        Session(model).close()  # that was looked for
        with pytest.raises(ModelError, match="does not fit"):
            Session(model, ContextSettings(keys=GgmlType.Q8_0))
    with pytest.raises(ModelError, match="does not fit"):
        Model.load(path, threads=1, context=512, gpu_layers=0, settings=small)


def test_yarn_of_a_context_is_that_of_a_file(tmp_path: Path) -> None:
    plain = write_random(tmp_path / "plain.gguf", width=128)
    changed = stretch(read_gguf(plain).metadata, 4)
    keys = {entry.key: entry.value for entry in changed.entries}
    stretched = write_random(tmp_path / "yarn.gguf", width=128, keys=keys)
    yarn = yarn_of(read_gguf(plain).metadata, 4)
    assert (yarn.original, yarn.length) == (512, 2048)
    prompt = [(7 * index) % 250 for index in range(900)]

    def logits(path: Path, settings: ContextSettings) -> list[float]:
        with Model.load(path, threads=1, context=1024, settings=settings) as model:
            session = Session(model)
            [token for token, _ in session.generate(prompt, GREEDY, seed=1, max_tokens=1)]
            return list(map(float, session.logits()))

    off = yarn_of(read_gguf(stretched).metadata, 1)
    as_it_is = logits(plain, ContextSettings())
    as_stretched = logits(stretched, ContextSettings())
    assert as_it_is != as_stretched
    assert logits(plain, ContextSettings(yarn=yarn)) == as_stretched
    assert logits(stretched, ContextSettings(yarn=off)) == as_it_is


def test_what_should_be_known_of_yarn_is_said(tmp_path: Path) -> None:
    path = write_random(tmp_path / "plain.gguf")
    yarn = ContextSettings(yarn=yarn_of(read_gguf(path).metadata, 2))
    for context, said in ((512, "may make short ones worse"), (1024, ""), (1025, "larger than")):
        with Model.load(path, threads=1, context=context, settings=yarn) as model:
            notes = [text for text in model.notes if "tokens" in text]
            assert len(notes) == bool(said)
            assert said in "".join(notes)
