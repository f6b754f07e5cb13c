"""Importance matrices out of files packed by hand, in both formats."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.errors import ImatrixError
from qwq_gguf.quantization import Imatrix, make_plan, read_imatrix
from qwq_gguf.quantization.planning.imatrix import MAX_FILE_BYTES
from qwq_gguf.quantization.planning.stored_imatrix import LARGEST_IMPORTANCE
from qwq_gguf.quantization.recipes.shipped import load_recipe
from support.gguf_fuzz import mutate
from support.imatrix import Sums, gguf_bytes, legacy_bytes, random_sums
from support.shapes import LITTLE_QWEN, conversion

SIZES = {"blk.0.attn_q.weight": 64, "blk.0.ffn_down.weight": 96, "output.weight": 64}


def write(folder: Path, content: bytes, name: str = "some.imatrix") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(folder: Path, content: bytes) -> str:
    path = write(folder, content)
    with pytest.raises(ImatrixError) as caught:
        read_imatrix(path)
    assert caught.value.path == str(path)
    return str(caught.value)


def same(left: Imatrix, right: Imatrix) -> bool:
    return left.entries.keys() == right.entries.keys() and all(
        np.array_equal(values, right.entries[name]) for name, values in left.entries.items()
    )


# ---------------------------------------------------------------- what is read


def test_sums_are_divided_by_counts_in_float32(tmp_path: Path) -> None:
    entry = Sums(np.array([[1, 2, 10], [7, 0, 5]], np.float32), (3, 7))
    path = write(tmp_path, gguf_bytes({"blk.0.ffn_up_exps.weight": entry}))
    found = read_imatrix(path)
    third = np.float32(1) / np.float32(3)
    expected = np.array([third, np.float32(2) / 3, np.float32(10) / 3, 1, 0, np.float32(5) / 7])
    assert found.entries["blk.0.ffn_up_exps.weight"].dtype == np.float32
    assert found.entries["blk.0.ffn_up_exps.weight"].tolist() == expected.tolist()
    assert (found.file, found.dataset, found.chunks) == (str(path), "calibration.txt", 128)


def test_an_expert_that_saw_nothing_weighs_all_columns_alike(tmp_path: Path) -> None:
    entry = Sums(np.array([[8, 4], [9, 9], [0, 0]], np.float32), (2, 0, 0.25))
    found = read_imatrix(write(tmp_path, gguf_bytes({"a.weight": entry})))
    assert found.entries["a.weight"].tolist() == [4, 2, 1, 1, 1, 1]


def test_halves_of_a_count_are_rounded_up(tmp_path: Path) -> None:
    entry = Sums(np.array([[6], [6]], np.float32), (2.5, 1.49))
    found = read_imatrix(write(tmp_path, gguf_bytes({"a.weight": entry})))
    assert found.entries["a.weight"].tolist() == [2, 6]


def test_the_older_format(tmp_path: Path) -> None:
    values = np.array([1, 2, 10], np.float32)
    content = legacy_bytes({"a.weight": (values, 3), "b.weight": (values, 0)})
    found = read_imatrix(write(tmp_path, content))
    assert found.entries["a.weight"].tolist() == (values / np.float32(3)).tolist()
    assert found.entries["b.weight"].tolist() == [1, 2, 10]
    assert (found.dataset, found.chunks) == ("calibration.txt", 128)


@pytest.mark.parametrize(
    "chunks, dataset, expected",
    [
        (None, None, (0, None)),
        (7, None, (7, None)),
        (-7, None, (0, None)),
        (7, "", (7, None)),
        (7, "wiki", (7, "wiki")),
    ],
)
def test_the_older_formats_end_may_be_missing(
    tmp_path: Path, chunks: int | None, dataset: str | None, expected: tuple[int, str | None]
) -> None:
    values = np.ones(4, np.float32)
    content = legacy_bytes({"a.weight": (values, 1)}, chunks=chunks, dataset=dataset)
    found = read_imatrix(write(tmp_path, content))
    assert (found.chunks, found.dataset) == expected


def test_both_formats_say_the_same_and_plan_the_same(tmp_path: Path) -> None:
    made = conversion(LITTLE_QWEN, tmp_path / "none.bin")
    entries = random_sums(
        {
            tensor.name: tensor.shape[0]
            for tensor in made.tensors
            if tensor.layer is not None and len(tensor.shape) > 1
        }
    )
    old = {name: (entry.sums.reshape(-1), 512) for name, entry in entries.items()}
    new = read_imatrix(write(tmp_path, gguf_bytes(entries)))
    legacy = read_imatrix(write(tmp_path, legacy_bytes(old)))
    assert same(new, legacy)
    for recipe in ("Q4_K_M", "IQ2_XS"):
        plans = [make_plan(made, load_recipe(recipe), imatrix=each) for each in (new, legacy)]
        assert plans[0] == plans[1]
        ours, theirs = (
            {
                each.name: each.importance.tolist()
                for each in plan.tensors
                if each.importance is not None
            }
            for plan in plans
        )
        assert ours == theirs
        assert len(ours) == len(entries)


def test_keys_that_are_missing_leave_gaps(tmp_path: Path) -> None:
    content = gguf_bytes(
        random_sums(SIZES),
        datasets=(),
        keys={"imatrix.chunk_count": struct.pack("<II", 4, 1 << 31)},
    )
    found = read_imatrix(write(tmp_path, content))
    assert (found.dataset, found.chunks) == (None, 0)
    assert [entry.key for entry in found.metadata()] == [
        "quantize.imatrix.file",
        "quantize.imatrix.entries_count",
    ]


def test_keys_are_cut_as_llama_quantize_cuts_them_but_never_within_a_character() -> None:
    found = Imatrix("x" * 200, {}, dataset="x" + "\u20ac" * 60, chunks=3).metadata()
    assert [entry.value for entry in found] == ["x" * 127, "x" + "\u20ac" * 42, 0, 3]
    (entry, *_) = Imatrix("before\0after", {}).metadata()
    assert entry.value == "before"


# ------------------------------------------------------------- what is refused


def test_values_that_cannot_be_are_refused_with_entry_and_place(tmp_path: Path) -> None:
    for value, shown in (
        (np.nan, "nan"),
        (np.inf, "inf"),
        (-1e-30, "-1e-30"),
        (LARGEST_IMPORTANCE * 1100, "1e+15"),
    ):
        entries = random_sums(SIZES)
        entries["blk.0.ffn_down.weight"].sums[0, 17] = value
        raw = {name: (entry.sums.reshape(-1), 1) for name, entry in entries.items()}
        for content in (gguf_bytes(entries), legacy_bytes(raw)):
            said = refusal(tmp_path, content)
            assert "blk.0.ffn_down.weight" in said
            assert "position 17" in said
            assert shown in said


@pytest.mark.parametrize("count", [np.nan, np.inf, -1.0])
def test_counts_that_cannot_be_are_refused(tmp_path: Path, count: float) -> None:
    content = gguf_bytes({"a.weight": Sums(np.ones((1, 4), np.float32), (count,))})
    assert "a.weight has an impossible count" in refusal(tmp_path, content)


def test_negative_calls_are_refused(tmp_path: Path) -> None:
    content = legacy_bytes({"a.weight": (np.ones(4, np.float32), -2)})
    assert "a.weight has an impossible count" in refusal(tmp_path, content)


def test_counts_that_do_not_divide_the_values_are_refused(tmp_path: Path) -> None:
    content = gguf_bytes({"a.weight": Sums(np.ones((1, 4), np.float32), (1, 1, 1))})
    assert "a.weight has more counts than fit" in refusal(tmp_path, content)


def test_halves_of_an_entry_are_refused(tmp_path: Path) -> None:
    whole = gguf_bytes(random_sums(SIZES))
    said = refusal(tmp_path, whole.replace(b"attn_q.weight.counts", b"attn_q.weight.number"))
    assert "blk.0.attn_q.weight has no counts" in said
    said = refusal(tmp_path, whole.replace(b"output.weight.in_sum2", b"output.weight.in_sum3"))
    assert "output.weight has no sums" in said


def test_a_model_is_no_imatrix(tmp_path: Path) -> None:
    content = gguf_bytes({}, keys={"general.type": struct.pack("<IQ", 8, 5) + b"model"})
    said = refusal(tmp_path, content)
    assert "no importance matrix" in said
    assert "model" in said


def test_sums_in_half_precision_are_refused(tmp_path: Path) -> None:
    content = gguf_bytes({"a.weight": Sums(np.ones((1, 8), np.float32), (1,))})
    record = struct.pack("<QQI", 8, 1, 0)
    assert content.count(record) == 1
    said = refusal(tmp_path, content.replace(record, struct.pack("<QQI", 8, 1, 1)))
    assert "a.weight.in_sum2" in said


def test_a_chunk_count_of_another_type_is_refused(tmp_path: Path) -> None:
    keys = {"imatrix.chunk_count": struct.pack("<If", 6, 2.0)}
    assert "chunk_count" in refusal(tmp_path, gguf_bytes(random_sums(SIZES), keys=keys))


LEGACY = legacy_bytes({"a.weight": (np.ones(4, np.float32), 1)}, dataset="wiki")
AT_VALUES = 4 + 4 + 8 + 4


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "the number of entries"),
        (b"\1", "the number of entries"),
        (struct.pack("<i", 0), "either format"),
        (struct.pack("<i", -1) + bytes(40), "either format"),
        (b'{\n  "weights": [1, 2, 3]\n}\n', "either format"),
        (LEGACY[:4] + struct.pack("<i", 0) + LEGACY[8:], "impossible length"),
        (LEGACY[:4] + struct.pack("<i", 64) + LEGACY[8:], "impossible length"),
        (LEGACY.replace(b"a.weight", b"a\0weight"), "zero byte"),
        (LEGACY[:AT_VALUES] + bytes(4) + LEGACY[AT_VALUES + 4 :], "number of values"),
        (LEGACY[:AT_VALUES] + b"\xff" * 4 + LEGACY[AT_VALUES + 4 :], "number of values"),
        (LEGACY[:-1], "longer than the file"),
        (LEGACY + b"\0", "after its end"),
        (LEGACY[: -len("wiki") - 2], "the dataset"),
        (LEGACY[: -len("wiki") - 7], "the number of chunks"),
    ],
)
def test_what_is_no_older_file_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ImatrixError, match=complaint):
        read_imatrix(path)


def test_an_entry_that_appears_twice_is_refused(tmp_path: Path) -> None:
    pair = {"a.weight": (np.ones(4, np.float32), 1), "b.weight": (np.ones(4, np.float32), 1)}
    said = refusal(tmp_path, legacy_bytes(pair).replace(b"b.weight", b"a.weight"))
    assert "a.weight appears twice" in said


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening it must not wait for a writer
    vast = tmp_path / "vast"
    with vast.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    for path in (tmp_path, pipe, vast, tmp_path / "none", Path("a\0b")):
        with pytest.raises(ImatrixError):
            read_imatrix(path)


# --------------------------------------------------------------------- hostile


def _new() -> bytes:
    return gguf_bytes(random_sums(SIZES, counts=(3.0, 5.0)))


def _old() -> bytes:
    entries = random_sums(SIZES)
    return legacy_bytes({name: (each.sums.reshape(-1), 9) for name, each in entries.items()})


@pytest.mark.parametrize("make", [_new, _old])
def test_damage_ends_in_a_typed_error_or_in_usable_numbers(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    content = make()
    rng = random.Random(20)
    refused = 0
    start = time.process_time()
    for _ in range(400):
        path = write(tmp_path, mutate(content, rng))
        try:
            found = read_imatrix(path)
        except ImatrixError:
            refused += 1
            continue
        for values in found.entries.values():
            assert np.isfinite(values).all()
            assert values.min() >= 0
        assert all(entry.key.startswith("quantize.imatrix.") for entry in found.metadata())
    assert 100 < refused < 400  # the damage bites, and not everywhere
    assert time.process_time() - start < 20


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS bounds memory only on Linux")
@pytest.mark.parametrize("form", ["gguf", "legacy"])
def test_the_largest_takes_little_more_memory_than_its_size(tmp_path: Path, form: str) -> None:
    """Held once: a run has 1 GiB for all that it does."""
    columns = (MAX_FILE_BYTES - 4096) // 4
    if form == "gguf":
        name = struct.pack("<Q", 9)
        content = b"GGUF" + struct.pack("<IQQ", 3, 2, 0)
        content += name + b"a.in_sum2" + struct.pack("<IQQIQ", 2, columns, 1, 0, 0)
        data = columns * 4 + -columns * 4 % 32
        content += struct.pack("<Q", 8) + b"a.counts" + struct.pack("<IQQIQ", 2, 1, 1, 0, data)
        content += bytes(-len(content) % 32)
        size = len(content) + data + 4
    else:
        content = struct.pack("<ii", 1, 1) + b"a" + struct.pack("<ii", 3, columns)
        size = len(content) + columns * 4
    path = write(tmp_path, content)
    os.truncate(path, size)  # zeros, which are importance, and no bytes on the disk
    script = """
import resource, sys
from pathlib import Path
from qwq_gguf.quantization import read_imatrix
words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
limit = int(words["VmSize"].split()[0]) * 1024 + (640 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(*(entry.size for entry in read_imatrix(sys.argv[1]).entries.values()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{columns}\n", done.stderr
