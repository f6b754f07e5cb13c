"""Which tensors an importance matrix is used for, and the files that come of it.

That every recipe's file with an ordinary one equals llama.cpp's is test_oracle_bytes.py's
work; here are the matrices that are not ordinary.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.values import Conversion
from qwq_gguf.errors import ImatrixError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.metadata import text
from qwq_gguf.quantization import (
    Imatrix,
    Overrides,
    load_recipe,
    make_plan,
    parse_tensor_type,
    read_imatrix,
    run_plan,
)
from support.imatrix import Sums, covering, gguf_bytes, importance, legacy_bytes
from support.llama_quantize import LlamaQuantizeError, quantize
from support.oracle import Model, as_model, make_model
from support.shapes import LITTLE_LLAMA, RAGGED_TIED, conversion

NOWHERE = Path("nowhere.bin")
QUERY = "blk.1.attn_q.weight"
RECIPES = ("Q4_K_M", "IQ4_XS", "Q2_K_S")


def entries(made: Conversion) -> dict[str, np.ndarray]:
    return dict(importance(made).entries)


def changed(imatrix: Imatrix, **extra: np.ndarray | None) -> Imatrix:
    """With other entries (`__` for a dot), None to leave one out."""
    named = {name.replace("__", "."): values for name, values in extra.items()}
    kept = {**imatrix.entries, **named}
    return replace(imatrix, entries={k: v for k, v in kept.items() if v is not None})


# -------------------------------------------------------------------- planning


def test_the_plan_carries_the_weights_and_the_keys() -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    given = importance(made)
    plan = make_plan(made, load_recipe("Q4_K_M"), imatrix=given)
    tensors = {tensor.name: tensor for tensor in plan.tensors}
    found = tensors[QUERY].importance
    assert found is not None
    assert found.shape == (1, 256)
    assert found.tolist() == [given.entries[QUERY].tolist()]
    assert tensors["token_embd.weight"].importance is None
    assert tensors["output.weight"].importance is None
    assert tensors["blk.1.attn_norm.weight"].importance is None
    assert plan.warnings == ()
    assert [(entry.key, entry.value) for entry in plan.metadata[-4:]] == [
        ("quantize.imatrix.file", "folder/some.imatrix.gguf"),
        ("quantize.imatrix.dataset", "calibration.txt"),
        ("quantize.imatrix.entries_count", len(given.entries)),
        ("quantize.imatrix.chunks_count", 128),
    ]


def test_its_keys_take_the_place_of_the_same_ones() -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    made = replace(made, metadata=(text("quantize.imatrix.file", "old"), *made.metadata))
    plan = make_plan(made, load_recipe("Q4_K_M"), imatrix=importance(made))
    files = [entry.value for entry in plan.metadata if entry.key == "quantize.imatrix.file"]
    assert files == ["folder/some.imatrix.gguf"]


def test_types_that_make_no_use_of_importance_get_none_and_miss_none() -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    asked = Overrides((parse_tensor_type("ffn=BF16"),))
    plan = make_plan(made, load_recipe("Q8_0"), asked, imatrix=covering(made, [QUERY]))
    assert all(tensor.importance is None for tensor in plan.tensors)
    assert plan.warnings == ()


def test_a_hole_is_a_warning_where_no_type_needs_it() -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    given = changed(importance(made), blk__0__attn_k__weight=None, blk__1__ffn_up__weight=None)
    plan = make_plan(made, load_recipe("Q4_K_M"), imatrix=given)
    (said,) = plan.warnings
    assert "says nothing about blk.0.attn_k.weight, blk.1.ffn_up.weight, 2 of the 14" in said


def test_entries_of_no_tensor_are_a_warning() -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    given = changed(importance(made), blk__9__attn_q__weight=np.ones(256, np.float32))
    (said,) = make_plan(made, load_recipe("Q4_K_M"), imatrix=given).warnings
    assert "1 of the importance matrix's 15 entries" in said
    assert "blk.9.attn_q.weight" in said


@pytest.mark.parametrize("size", [1, 255, 257, 512])
@pytest.mark.parametrize("name", [QUERY, "output.weight"])
def test_a_wrong_size_names_file_entry_and_both_sizes(name: str, size: int) -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    given = replace(importance(made), entries={name: np.ones(size, np.float32)})
    with pytest.raises(ImatrixError) as caught:
        make_plan(made, load_recipe("Q4_K_M"), imatrix=given)
    said = str(caught.value)
    assert said.startswith(f"folder/some.imatrix.gguf: {name} ")
    assert f"found:    {size} values" in said
    assert "expected: 256 values" in said


def test_llama_cpp_refuses_that_size_too(tmp_path: Path) -> None:
    model = make_model(LITTLE_LLAMA, tmp_path)
    with pytest.raises(LlamaQuantizeError, match="imatrix size 255 is different"):
        quantize(
            model.base,
            tmp_path / "theirs.gguf",
            FileType.Q4_K_M,
            imatrix={QUERY: np.ones(255, np.float32)},
        )


# ----------------------------------------------------------------- whole files


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(LITTLE_LLAMA, tmp_path_factory.mktemp("llama"))


def _everything(made: Conversion) -> Imatrix:
    rng = np.random.default_rng(8)
    more = {
        f"{name}__weight": rng.gamma(0.5, 1.0, 256).astype(np.float32)
        for name in ("token_embd", "output")
    }
    return changed(importance(made), **more)


def _holes(made: Conversion) -> Imatrix:
    return changed(importance(made), blk__1__attn_v__weight=None, blk__0__ffn_up__weight=None)


def _embedding_of_another_size(made: Conversion) -> Imatrix:
    return changed(importance(made), token_embd__weight=np.ones(32, np.float32))


def _zeros(made: Conversion) -> Imatrix:
    sparse = {
        name: np.where(np.arange(each.size) % 3 == 0, each, 0).astype(np.float32)
        for name, each in entries(made).items()
    }
    return replace(importance(made), entries=sparse)


def _unnamed_text(made: Conversion) -> Imatrix:
    return replace(importance(made), dataset=None, chunks=0, file="f" * 300)


@pytest.mark.parametrize(
    "make, recipe",
    [
        *itertools.product((_everything, _embedding_of_another_size, _zeros), RECIPES),
        *itertools.product((_holes,), ("Q4_K_M", "IQ4_XS", "Q2_K")),
        (_unnamed_text, "Q4_0"),
    ],
)
def test_files_with_matrices_that_are_not_ordinary(
    llama: Model, tmp_path: Path, make: Callable[[Conversion], Imatrix], recipe: str
) -> None:
    ours, theirs = llama.both_with(make(llama.conversion), recipe, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("recipe", ["Q4_K_M", "Q5_0"])
def test_files_whose_rows_fit_no_large_block(tmp_path: Path, recipe: str) -> None:
    model = make_model(RAGGED_TIED, tmp_path)
    ours, theirs = model.both(recipe, tmp_path, imatrix=True)
    assert ours.read_bytes() == theirs.read_bytes()


def with_experts(made: Conversion, experts: int) -> Conversion:
    """The layers' ffn_up matrices cut into one for each expert."""

    def cut(tensors: tuple) -> tuple:  # type: ignore[type-arg]
        return tuple(
            replace(
                tensor,
                name=tensor.name.replace("ffn_up", "ffn_up_exps"),
                shape=(tensor.shape[0], tensor.shape[1] // experts, experts),
            )
            if "ffn_up" in tensor.name
            else tensor
            for tensor in tensors
        )

    return replace(made, tensors=cut(made.tensors), converter_order=cut(made.converter_order))


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_expert_has_weights_of_its_own(tmp_path: Path, recipe: str) -> None:
    made = with_experts(conversion(LITTLE_LLAMA, tmp_path / "weights.bin"), 4)
    model = as_model(made, tmp_path, fill=True)
    given = importance(made)
    assert given.entries["blk.0.ffn_up_exps.weight"].size == 4 * 256
    ours, theirs = model.both_with(given, recipe, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()
    alike = changed(given, blk__0__ffn_up_exps__weight=np.ones(4 * 256, np.float32))
    plan = make_plan(made, load_recipe(recipe), imatrix=alike)
    run_plan(plan, tmp_path / "alike.gguf", threads=2, chunk_weights=1_000)
    assert (tmp_path / "alike.gguf").read_bytes() != ours.read_bytes()
    plan = make_plan(made, load_recipe(recipe), imatrix=given)
    run_plan(plan, tmp_path / "little.gguf", threads=2, chunk_weights=1_000)
    assert (tmp_path / "little.gguf").read_bytes() == ours.read_bytes()


def test_one_experts_weights_for_four_are_of_the_wrong_size() -> None:
    made = with_experts(conversion(LITTLE_LLAMA, NOWHERE), 4)
    given = changed(importance(made), blk__0__ffn_up_exps__weight=np.ones(256, np.float32))
    with pytest.raises(ImatrixError, match="ffn_up_exps") as caught:
        make_plan(made, load_recipe("Q4_K_M"), imatrix=given)
    assert "256 values for each of 4 matrices, 1024" in str(caught.value)


@pytest.mark.parametrize("recipe", ["Q4_K_M", "IQ2_XXS"])
def test_both_file_formats_give_llama_cpps_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    model = make_model(LITTLE_LLAMA, tmp_path)
    monkeypatch.chdir(tmp_path)  # the file's name as the user gave it ends up in the result
    rng = np.random.default_rng(4)
    sums = {
        tensor.name: rng.gamma(0.5, 300.0, (1, tensor.shape[0])).astype(np.float32)
        for tensor in model.conversion.tensors
        if tensor.layer is not None and len(tensor.shape) == 2
    }
    Path("same.imatrix").write_bytes(
        gguf_bytes({name: Sums(each, (300,)) for name, each in sums.items()})
    )
    new = read_imatrix("same.imatrix")
    Path("same.imatrix").write_bytes(
        legacy_bytes({name: (each.reshape(-1), 300) for name, each in sums.items()})
    )
    old = read_imatrix("same.imatrix")
    ours, theirs = model.both_with(new, recipe, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()
    run_plan(make_plan(model.conversion, load_recipe(recipe), imatrix=old), Path("old.gguf"))
    assert Path("old.gguf").read_bytes() == ours.read_bytes()
    # And by what llama-quantize's own loader would hand over: sum over count, as floats.
    quantize(
        model.base,
        tmp_path / "again.gguf",
        FileType[recipe],
        imatrix={name: each[0] / np.float32(300) for name, each in sums.items()},
        keys=new.metadata(),
    )
    assert Path("again.gguf").read_bytes() == ours.read_bytes()
    assert read_gguf(ours).text("quantize.imatrix.file") == "same.imatrix"


def test_float_files_name_the_matrix_too(tmp_path: Path) -> None:
    made = conversion(LITTLE_LLAMA, NOWHERE)
    asked = Overrides((parse_tensor_type("attn_q=Q4_K"),))
    plan = make_plan(made, load_recipe("BF16"), asked, imatrix=importance(made))
    assert plan.metadata[-1].key == "quantize.imatrix.chunks_count"
    given = {tensor.name for tensor in plan.tensors if tensor.importance is not None}
    assert given == {tensor.name for tensor in plan.tensors if tensor.type is GgmlType.Q4_K}
