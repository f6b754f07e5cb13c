"""A finished file is found whole; whatever is done to it is found, too."""

from __future__ import annotations

import random
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint import Checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.errors import GgufError, ImatrixError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, read_gguf
from qwq_gguf.gguf_file.reader import GgufTensor
from qwq_gguf.metadata import KeyValue, ValueType, array, text, u32
from qwq_gguf.quantization import Imatrix, load_recipe, make_plan, run_plan
from qwq_gguf.verification import Findings
from qwq_gguf.verification.check import verify
from qwq_gguf.verification.contents import read_contents
from qwq_gguf.verification.manifest import manifest_path
from qwq_gguf.verification.record import ShardDigests, make_manifest, write_manifest
from qwq_gguf.verification.source import rows_to_check
from support.imatrix import importance


def flip(path: Path, at: int, mask: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def wheres(report: Findings) -> list[tuple[str, str]]:
    return [(found.check, found.where) for found in report.differences]


def tensor_of(path: Path, name: str) -> GgufTensor:
    return next(tensor for tensor in read_gguf(path).tensors if tensor.name == name)


@pytest.mark.parametrize("recipe", ["Q4_K_M", "Q8_0", "Q2_K", "IQ4_XS", "BF16", "F16"])
def test_nothing_is_wrong_with_what_we_made(
    quantized: Callable[[str], Path], checkpoint: Checkpoint, recipe: str
) -> None:
    path = quantized(recipe)
    report = verify(path, against=path, source=convert(checkpoint), everything=True)
    assert report.differences == ()
    assert set(report.checks) == {"structure", "manifest", "against", "source"}
    size = sum(tensor.nbytes for tensor in read_gguf(path).tensors)
    assert report.checks["source"] == {"bytes": size, "of": size}


def test_a_flipped_bit_anywhere_is_found(made: Path) -> None:
    """In the header and in the data; each is put back before the next."""
    size, header = made.stat().st_size, read_gguf(made)
    tensors = header.tensors
    rng = random.Random(4)
    places = [0, 4, 8, 16, 24, header.data_offset - 1, header.data_offset, size - 1]
    places += [rng.randrange(header.data_offset) for _ in range(40)]
    places += [rng.randrange(size) for _ in range(40)]
    for at in places:
        mask = 1 << rng.randrange(8)
        flip(made, at, mask)
        report = verify(made)
        assert not report.ok, f"bit {mask:#x} of byte {at}"
        hit = next((t.name for t in tensors if t.offset <= at < t.offset + t.nbytes), None)
        if hit is not None:
            assert ("manifest", hit) in wheres(report)
            assert {where for _, where in wheres(report)} == {hit}
        elif at < header.data_offset:
            assert ("manifest", "header") in wheres(report) or ("structure", "header") in wheres(
                report
            )
        flip(made, at, mask)
    assert verify(made).ok


def test_bits_between_tensors(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """Twelve bytes that nothing reads: no more than their being zero can be wrong with them."""
    path = tmp_path / "model.gguf"
    records = [GgufTensor(f"t{at}", (5,), GgmlType.F32, 32 * at, 20) for at in range(2)]
    header = encode_header([text("general.architecture", "llama")], records)
    path.write_bytes(header + bytes(64))
    other = tmp_path / "other.gguf"
    shutil.copy(path, other)
    with ShardDigests(checkpoint) as shards:
        source = shards.record()
    contents = read_contents(read_gguf(path))
    manifest = make_manifest({path: contents}, source, load_recipe("F32"), {})
    write_manifest(manifest, path)
    assert verify(path, against=other).ok
    for at in (20, 31, 52, 63):
        flip(path, len(header) + at)
        assert wheres(verify(path, against=other)) == [
            ("structure", "padding"),
            ("manifest", "padding"),
            ("against", "padding"),
        ]
        flip(path, len(header) + at)


def test_a_flipped_bit_is_found_against_another_file(
    made: Path, quantized: Callable[[str], Path]
) -> None:
    manifest_path(made).unlink()
    original, size = quantized("Q4_K_M"), made.stat().st_size
    header = read_gguf(made).data_offset
    rng = random.Random(5)
    for at in [rng.randrange(header) for _ in range(25)] + [rng.randrange(size) for _ in range(15)]:
        mask = 1 << rng.randrange(8)
        flip(made, at, mask)
        assert not verify(made, against=original).ok, f"bit {mask:#x} of byte {at}"
        flip(made, at, mask)
    assert verify(made, against=original).ok


def test_against_another_recipe_names_what_differs(quantized: Callable[[str], Path]) -> None:
    a, b = quantized("Q4_K_M"), quantized("Q8_0")
    report = verify(a, against=b)
    types = {t.name: t.type for t in read_gguf(b).tensors}
    differ = {t.name for t in read_gguf(a).tensors if t.type is not types[t.name]}
    assert differ
    assert {where for _, where in wheres(report)} == differ | {"general.file_type"}


def test_an_invalid_block_is_found_without_a_manifest(made: Path) -> None:
    manifest_path(made).unlink()
    name = "blk.0.ffn_gate.weight"
    tensor = tensor_of(made, name)
    assert tensor.type is GgmlType.Q4_K
    with made.open("r+b") as file:
        file.seek(tensor.offset + 144)
        file.write(np.array([np.inf], dtype="<f2").tobytes())  # a super-block's scale
    report = verify(made)
    assert wheres(report) == [("structure", name)]
    assert "invalid block" in report.differences[0].what


def test_a_changed_weight_is_found_by_the_source(made: Path, checkpoint: Checkpoint) -> None:
    manifest_path(made).unlink()
    tensor = tensor_of(made, "blk.0.attn_q.weight")
    row = tensor.type.row_bytes(tensor.shape[0])
    flip(made, tensor.offset + 5 * row + 20)
    assert verify(made).ok
    report = verify(made, source=convert(checkpoint), everything=True)
    assert wheres(report) == [("source", tensor.name)]
    assert report.differences[0].what.endswith(": 5")


def test_a_sample_is_seeded_and_touches_every_tensor(
    made: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwq_gguf.verification.source._CHUNK_WEIGHTS", 2048)
    file = read_gguf(made)
    tensors = [(file, tensor) for tensor in file.tensors]
    sources = {source.name: source for source in convert(checkpoint).tensors}

    def drawn(seed: int) -> list[tuple[str, int]]:
        chunks = rows_to_check(tensors, sources, seed=seed, everything=False)
        return [(chunk.tensor.name, chunk.first) for chunk in chunks]

    assert drawn(1) == drawn(1) != drawn(2)
    assert [name for name, _ in drawn(1)] == [tensor.name for tensor in file.tensors]
    everything = rows_to_check(tensors, sources, seed=0, everything=True)
    assert sum(chunk.nbytes for chunk in everything) == sum(t.nbytes for t in file.tensors)
    report = verify(made, source=convert(checkpoint), seed=3)
    assert report.ok
    assert 0 < report.checks["source"]["bytes"] < report.checks["source"]["of"]


def test_another_source_is_found(quantized: Callable[[str], Path], tmp_path: Path) -> None:
    from qwq_gguf.checkpoint import open_checkpoint
    from support.checkpoints import write_checkpoint

    other = open_checkpoint(write_checkpoint(tmp_path / "Other", "llama", seed=9))
    path = quantized("Q8_0")
    report = verify(path, source=convert(other))
    matrices = {t.name for t in read_gguf(path).tensors if len(t.shape) == 2}
    assert matrices <= {where for _, where in wheres(report)}


def test_a_file_of_an_importance_matrix_needs_it(tmp_path: Path, checkpoint: Checkpoint) -> None:
    conversion = convert(checkpoint)
    imatrix = importance(conversion)
    path = tmp_path / "model.gguf"
    run_plan(make_plan(conversion, load_recipe("Q2_K_S"), imatrix=imatrix), path)
    report = verify(path, source=conversion, imatrix=imatrix, everything=True)
    assert report.differences == ()
    with pytest.raises(ImatrixError, match="cannot be made again without"):
        verify(path, source=conversion)
    other = Imatrix("other", {name: entry[::-1] for name, entry in imatrix.entries.items()})
    found = wheres(verify(path, source=conversion, imatrix=other, everything=True))
    assert ("source", "blk.0.ffn_gate.weight") in found


def test_another_vocabulary_than_the_source_s(made: Path, checkpoint: Checkpoint) -> None:
    tokens = {**checkpoint.tokenizer["model"]["vocab"]}
    first, second = list(tokens)[:2]
    tokens[first], tokens[second] = tokens[second], tokens[first]
    model = {**checkpoint.tokenizer["model"], "vocab": tokens}
    other = replace(checkpoint, tokenizer={**checkpoint.tokenizer, "model": model})
    report = verify(made, source=convert(other))
    assert wheres(report) == [("source", "tokenizer.ggml.tokens")]
    assert report.differences[0].what.endswith("and 1 more elements")


def test_what_the_hub_lists(made: Path) -> None:
    digest = verify(made).sha256["model.gguf"]
    assert verify(made, listed={"model.gguf": digest}).ok
    found = verify(made, listed={"model.gguf": digest[::-1]})
    assert wheres(found) == [("hub", "model.gguf")]


def test_truncated_or_no_gguf(made: Path) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[:-64])
    assert wheres(verify(made)) == [("structure", "header")]
    made.write_bytes(b"<html>")
    assert wheres(verify(made)) == [("structure", "header")]


def test_bytes_behind_the_end(made: Path) -> None:
    with made.open("ab") as file:
        file.write(bytes(5) + b"x")
    assert {("manifest", "file"), ("structure", "padding")} <= set(wheres(verify(made)))


def test_a_damaged_manifest_is_a_difference(made: Path) -> None:
    manifest_path(made).write_text("{", encoding="utf-8")
    assert wheres(verify(made)) == [("manifest", manifest_path(made).name)]


def test_against_no_gguf_is_an_error(made: Path, tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    with pytest.raises(GgufError):
        verify(made, against=tmp_path / "other.gguf")


TOKENS = array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "b", "ab", "c"])
MODEL = text("tokenizer.ggml.model", "gpt2")


@pytest.mark.parametrize(
    "entries, where",
    [
        ([MODEL], "tokenizer.ggml.tokens"),
        ([MODEL, u32("tokenizer.ggml.tokens", 1)], "tokenizer.ggml.tokens"),
        ([MODEL, array(TOKENS.key, ValueType.STRING, ["a", "a"])], TOKENS.key),
        ([TOKENS, array("tokenizer.ggml.token_type", ValueType.INT32, [1, 1])], "token_type"),
        ([TOKENS, array("tokenizer.ggml.token_type", ValueType.INT32, [1, 1, 7, 1])], "token_type"),
        ([TOKENS, array("tokenizer.ggml.scores", ValueType.INT32, [1, 1, 7, 1])], "scores"),
        ([TOKENS, MODEL, array("tokenizer.ggml.merges", ValueType.STRING, ["ab"])], "merges"),
        ([TOKENS, MODEL, array("tokenizer.ggml.merges", ValueType.STRING, ["a c"])], "merges"),
    ],
)
def test_tokenizer_arrays(tmp_path: Path, entries: list[KeyValue], where: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(encode_header([text("general.architecture", "llama"), *entries], []))
    (found, *rest) = verify(path).differences
    assert found.where.endswith(where)
    assert not [item for item in rest if not item.where.startswith("tokenizer.ggml.")]


def test_a_good_tokenizer_is_let_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    merges = array("tokenizer.ggml.merges", ValueType.STRING, ["a b"])
    types = array("tokenizer.ggml.token_type", ValueType.INT32, [1, 3, 4, 6])
    path.write_bytes(encode_header([MODEL, TOKENS, types, merges], []))
    report = verify(path)
    assert report.differences == ()
    assert report.remarks  # no architecture, for one


def test_memory_is_bounded(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """A tensor of 96 MB, half of it a hole in the file, in a few windows of 4 MiB."""
    plan = make_plan(convert(checkpoint), load_recipe("F32"))
    size = 96 << 20
    record = GgufTensor("huge", (1 << 20, size >> 22), GgmlType.F32, 0, size)
    path = tmp_path / "huge.gguf"
    with path.open("wb") as file:
        header = encode_header(plan.metadata, [record])
        file.write(header)
        file.truncate(len(header) + size)
    tracemalloc.start()
    try:
        contents = read_contents(read_gguf(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert contents.file.nbytes == len(header) + size
    assert peak < 24 << 20


def test_a_renamed_pair_is_still_whole(made: Path) -> None:
    other = made.with_name("other.gguf")
    shutil.move(made, other)
    shutil.move(manifest_path(made), manifest_path(other))
    report = verify(other)
    assert report.ok
    assert "manifest" in report.checks
