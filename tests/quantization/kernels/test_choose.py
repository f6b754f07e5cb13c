"""Who makes the blocks, and that everything works without numba."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from subprocess import run

import numpy as np
import pytest

from qwq_gguf.errors import LibraryError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.dispatch import (
    GgmlKernels,
    Job,
    Kernels,
    NumbaKernels,
    choose_kernels,
)

BOTH: list[Kernels] = [NumbaKernels(), GgmlKernels("for comparison")]


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "numba" else find(name, package)

    monkeypatch.setattr("qwq_gguf.quantization.kernels.dispatch.find_spec", found)


def rows() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (3, 512)).astype(np.float32).view(np.uint8)


def test_our_own_are_the_first_choice() -> None:
    assert isinstance(choose_kernels(), NumbaKernels)
    assert isinstance(choose_kernels("numba"), NumbaKernels)
    assert choose_kernels("auto").description.startswith("numba ")


def test_libggml_can_be_asked_for() -> None:
    chosen = choose_kernels("ggml")
    assert isinstance(chosen, GgmlKernels)
    assert "libggml" in chosen.description


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="auto, numba, ggml"):
        choose_kernels("fast")


@pytest.mark.usefixtures("no_numba")
def test_without_numba_libggml_does_everything_and_says_so() -> None:
    chosen = choose_kernels()
    assert isinstance(chosen, GgmlKernels)
    assert "numba is not installed" in chosen.description
    expected = NumbaKernels().quantize(GgmlType.Q4_K, rows(), GgmlType.F32)
    assert np.array_equal(chosen.quantize(GgmlType.Q4_K, rows(), GgmlType.F32), expected)
    with pytest.raises(LibraryError, match="numba is not installed") as caught:
        choose_kernels("numba")
    assert "pip install numba" in str(caught.value)


def test_a_numba_that_does_not_load_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs an older NumPy')")
    code = (
        "from qwq_gguf.quantization.kernels.dispatch import choose_kernels;"
        "print(choose_kernels().description)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    done = run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert b"needs an older NumPy" in done.stdout


@pytest.mark.parametrize("kernels", BOTH, ids=lambda kernels: type(kernels).__name__)
@pytest.mark.parametrize("kind", ["Q4_K", "Q8_0", "IQ4_XS", "F16"])
def test_every_type_has_a_maker(kernels: Kernels, kind: str) -> None:
    kernels.prepare([Job(GgmlType[kind], GgmlType.F32, False)])
    blocks = kernels.quantize(GgmlType[kind], rows(), GgmlType.F32)
    assert blocks.shape == (3, GgmlType[kind].row_bytes(512))
    assert np.array_equal(blocks, BOTH[1].quantize(GgmlType[kind], rows(), GgmlType.F32))


@pytest.mark.parametrize("kernels", BOTH, ids=lambda kernels: type(kernels).__name__)
def test_rows_and_importance_must_fit(kernels: Kernels) -> None:
    kind, stored = GgmlType.Q4_K, GgmlType.F32
    wrong: list[np.ndarray] = [
        np.ones(511, dtype=np.float32),
        np.ones(512),
        np.full(512, np.nan, dtype=np.float32),
    ]
    for importance in wrong:
        with pytest.raises(ValueError, match=r"512 float32|finite"):
            kernels.quantize(kind, rows(), stored, importance)
    with pytest.raises(ValueError, match="multiple of"):
        kernels.quantize(kind, rows()[:, :400].copy(), stored)
    with pytest.raises(ValueError, match="contiguous"):
        NumbaKernels().quantize(kind, rows()[:, ::2], stored)


@pytest.mark.parametrize("kernels", BOTH, ids=lambda kernels: type(kernels).__name__)
def test_no_rows_make_no_blocks(kernels: Kernels) -> None:
    assert kernels.quantize(GgmlType.Q4_K, rows()[:0], GgmlType.F32).shape == (0, 288)


def test_misaligned_and_read_only_rows_are_read_rightly() -> None:
    raw = b"x" + rows().tobytes()
    odd = np.frombuffer(raw, dtype=np.uint8)[1:].reshape(3, -1)
    assert not odd.view("<f4").flags.aligned
    found = NumbaKernels().quantize(GgmlType.Q5_K, odd, GgmlType.F32)
    assert np.array_equal(found, NumbaKernels().quantize(GgmlType.Q5_K, rows(), GgmlType.F32))


def test_no_kernel_fuses_a_multiplication_with_an_addition(tmp_path: Path) -> None:
    """Freshly compiled, for this machine, whose compiler would gladly do it."""
    code = (
        "import numpy as np;"
        "from qwq_gguf.quantization.kernels import q4_k;"
        "q4_k.plain(np.ones(256, 'f4'), np.empty(144, 'u1'));"
        "print(*q4_k.plain.inspect_asm().values())"
    )
    environment = os.environ | {"QWQ_GGUF_CACHE_DIR": str(tmp_path)}
    done = run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assembly = done.stdout.decode()
    assert len(assembly) > 10_000
    assert not re.findall(r"\bvf(?:n?m(?:add|sub))\w*|\bfml[as]\b|\bfn?m(?:add|sub)\b", assembly)


def test_machine_code_is_kept_in_the_cache_folder_by_the_sources(tmp_path: Path) -> None:
    code = (
        "import numpy as np, numba;"
        "from qwq_gguf.quantization.kernels import q8_0;"
        "q8_0.plain(np.ones(32, 'f4'), np.empty(34, 'u1'));"
        "print(sum(q8_0.plain.stats.cache_hits.values()), numba.config.CACHE_DIR)"
    )
    environment = os.environ | {"QWQ_GGUF_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    first = run(command, env=environment, capture_output=True, check=True).stdout.split()
    second = run(command, env=environment, capture_output=True, check=True).stdout.split()
    assert (first[0], second[0]) == (b"0", b"1")
    assert len(first) == len(second) == 1, "other users of numba keep their own folder"
    (folder,) = (tmp_path / "kernels").iterdir()
    assert re.fullmatch(r"[0-9a-f]{16}", folder.name)


@pytest.mark.skipif(sys.platform == "win32", reason="owners and pipes")
@pytest.mark.parametrize("spoilt", ["everybody", "pipe"])
def test_machine_code_that_another_user_may_have_put_there_is_not_read(
    tmp_path: Path, spoilt: str
) -> None:
    """numba unpickles it."""
    code = (
        "import numpy as np;"
        "from qwq_gguf.quantization.kernels import jit, q8_0;"
        "q8_0.plain(np.ones(32, 'f4'), np.empty(34, 'u1'));"
        "print(sum(q8_0.plain.stats.cache_hits.values()), jit._code_folder())"
    )
    environment = os.environ | {"QWQ_GGUF_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    hits, folder = run(command, env=environment, capture_output=True, check=True).stdout.split()
    assert hits == b"0"
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    assert kept
    if spoilt == "everybody":
        Path(os.fsdecode(folder)).chmod(0o777)
    else:
        os.mkfifo(next(iter(kept)).parent / "more.nbi")
    again = run(command, env=environment, capture_output=True, check=True, timeout=300)
    assert again.stdout.split() == [b"0", b"None"]
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
