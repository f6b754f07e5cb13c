"""What a folder or a repository is that is no checkpoint, by the names of what is in it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from qwq_gguf.checkpoint.containment import file_inside
from qwq_gguf.checkpoint.cut_files import refuse_repository_of_pieces
from qwq_gguf.checkpoint.files import MIB, read_json
from qwq_gguf.checkpoint.safetensors import UNFINISHED
from qwq_gguf.errors import (
    NotACheckpointError,
    NotAGgufError,
    ShardError,
    UnsupportedError,
)
from qwq_gguf.files.reading import open_file
from qwq_gguf.words import some

__all__ = [
    "checkpoint_folder",
    "names_in",
    "refuse_gguf_folder",
    "refuse_other_kind",
    "refuse_repository",
    "unfinished",
]

_MOST_NAMES = 10_000
_ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_PICKLES = re.compile(r"(?:pytorch_model.*\.bin|.*\.(?:pth|pt|ckpt))")
_OTHERS = re.compile(r".*\.(?:h5|msgpack|onnx|tflite|npz)")
_WHOLE = re.compile(r"(?:model[^/]*\.safetensors|pytorch_model[^/]*\.bin)")


def names_in(folder: Path) -> list[str]:
    """What lies in a folder, by name; its folders end in a slash."""
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name + "/" if entry.is_dir() else entry.name)
            if len(names) >= _MOST_NAMES:
                break
    return sorted(names)


def unfinished(folder: Path) -> list[str]:
    """Downloads into a folder that have not come to their end, by name.

    The client of the Hub keeps those of `--local-dir` in a folder of its own.
    """
    found = [name for name in names_in(folder) if name.endswith(UNFINISHED)]
    hidden = folder / ".cache/huggingface/download"
    if not hidden.is_symlink() and hidden.is_dir():
        found += [name for name in names_in(hidden) if name.endswith(".incomplete")]
    return found


def refuse_repository(repo: str, names: Collection[str]) -> None:
    """Say what a repository on the Hub is, by the names of its files, if that is known.

    UnsupportedError, NotACheckpointError or NotAGgufError.
    """
    refuse_repository_of_pieces(repo, names)
    if any(name in names for name in _ADAPTERS) and not any(map(_WHOLE.fullmatch, names)):
        _refuse_adapter(repo, None)
    _refuse_makers_form(repo, names)
    inner = [name.removesuffix("/config.json") for name in names if name.endswith("/config.json")]
    inner = [name for name in inner if any(map(f"{name}/model".__eq__, _stems(names)))]
    if inner:
        place = inner[-1]
        bring = shlex.join(["hf", "download", repo, "--include", f"{place}/*", "--local-dir", "."])
        raise NotACheckpointError(
            "the checkpoint is a folder deeper"
            if len(inner) == 1
            else "there are several checkpoints, a folder deeper",
            path=repo,
            found=some(inner),
            hint=f"{bring} && {shlex.join(['qwq-gguf', 'quantize', place])}",
        )
    weights = [name for name in names if name.endswith(".safetensors") and "/" not in name]
    if "config.json" in names and len(weights) == 1 and not _WHOLE.fullmatch(weights[0]):
        place = repo.rpartition("/")[2]
        bring = shlex.join(["hf", "download", repo, "--local-dir", place])
        old, new = f"{place}/{weights[0]}", f"{place}/model.safetensors"
        raise NotACheckpointError(
            "no file here has the name that weights have",
            path=repo,
            found=weights[0],
            expected="model*.safetensors",
            hint=f"{bring} && {shlex.join(['mv', old, new])}, then qwq-gguf quantize "
            + shlex.quote(place),
        )


def _stems(names: Iterable[str]) -> Iterable[str]:
    """The names of weights, up to what tells shards apart."""
    for name in names:
        folder, slash, file = name.rpartition("/")
        if file.startswith("model") and file.endswith(".safetensors"):
            yield f"{folder}{slash}model"


def refuse_other_kind(folder: Path, names: Collection[str], *, here: bool = True) -> NoReturn:
    """Say what a folder without a checkpoint is, and what to do with it.

    `names` are those of its files, and of a folder on this disk (`here`) its folders' too.
    UnsupportedError, ShardError or NotACheckpointError.
    """
    if not here and folder.parent.name == "snapshots":
        repo = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        refuse_repository(repo, names)
    weights = [name for name in names if name.endswith(".safetensors") and name not in _ADAPTERS]
    if any(name in names for name in _ADAPTERS) and not any(map(_WHOLE.fullmatch, names)):
        _refuse_adapter(str(folder), folder)
    ggufs = sorted(name for name in names if name.lower().endswith(".gguf"))
    if ggufs and not weights:
        named = shlex.quote(str(folder / _usual_gguf(ggufs)))
        raise NotACheckpointError(
            "this folder holds GGUF files, which are already converted",
            path=folder,
            found=some(ggufs),
            hint=f"qwq-gguf chat {named} (or quantize it again: qwq-gguf quantize {named})",
        )
    if here:
        _refuse_unfinished(folder)
    if "config.json" not in names and here:
        _refuse_deeper(folder, names)
    _refuse_makers_form(folder, names)
    if not weights and any(map(_PICKLES.fullmatch, names)):
        raise UnsupportedError(
            "the weights are PyTorch pickles, which can run code when they are opened",
            path=folder,
            expected="*.safetensors",
            hint="take a revision with safetensors, or save the model again with transformers",
        )
    if not weights and any(map(_OTHERS.fullmatch, names)):
        raise UnsupportedError(
            "the weights are in the form of another framework",
            path=folder,
            found=some(name for name in names if _OTHERS.fullmatch(name)),
            expected="*.safetensors",
            hint="take a revision with safetensors, or save the model again with transformers",
        )
    if "config.json" in names and weights:
        _refuse_name(folder, weights, here=here)
    if "config.json" not in names:
        raise NotACheckpointError(
            "there is no config.json here",
            path=folder,
            found=some(names) if names else "an empty folder",
            expected="a checkpoint folder with config.json, tokenizer.json and *.safetensors",
            hint="download it from where the weights came from" if weights else None,
        )
    raise NotACheckpointError(
        "there are no weights here",
        path=folder,
        found=some(names),
        expected="model*.safetensors",
        hint="finish the download: hf download ORG/NAME goes on where it was" if here else None,
    )


def _refuse_adapter(name: str, folder: Path | None) -> NoReturn:
    """`name` is what PEFT would call it; `folder` where its files are, if they are here."""
    config = None if folder is None else file_inside(folder, _ADAPTERS[0], UnsupportedError)
    told = {} if config is None else read_json(config, limit=4 * MIB, error=UnsupportedError)
    base = told.get("base_model_name_or_path")
    base = base if isinstance(base, str) and base else None
    raise UnsupportedError(
        "this is a LoRA adapter, not a model",
        path=name,
        found=None if base is None else f"an adapter of {base[:200]}",
        expected="a whole model",
        hint=_merging(name, folder, base),
    )


def _merging(name: str, folder: Path | None, base: str | None) -> str:
    """The command that merges it on the way."""
    known = base is not None and len(base) <= 200
    place = str(folder) if folder is not None else name.rpartition("/")[2]
    merge = shlex.join(
        ["qwq-gguf", "quantize", base if base is not None and known else "BASE", "--lora", place]
    )
    bring = "" if folder else f"{shlex.join(['hf', 'download', name, '--local-dir', place])} && "
    what = "" if known else ", with the model that it was trained on for BASE"
    return f"{bring}{merge}{what}"


def _refuse_makers_form(place: str | Path, names: Collection[str]) -> None:
    if any(name.startswith("consolidated") for name in names) and "params.json" in names:
        raise UnsupportedError(
            "the weights are in the form of their maker (consolidated, params.json)",
            path=place,
            expected="the form of Transformers: config.json and model*.safetensors",
            hint="download that from the same repository, or another with it",
        )


def _refuse_unfinished(folder: Path) -> None:
    waiting = unfinished(folder)
    if waiting:
        raise ShardError(
            "this is still being downloaded",
            path=folder,
            found=some(waiting),
            hint="let the download finish, or start it again",
        )


def _refuse_deeper(folder: Path, names: Iterable[str]) -> None:
    """The folder above the checkpoint, or above several."""
    inner = [name.rstrip("/") for name in names if name.endswith("/")]
    places = [name for name in inner if (folder / name / "config.json").is_file()]
    if "snapshots" in inner and not places:  # a repository in the Hub's cache
        commits = [name.rstrip("/") for name in names_in(folder / "snapshots") if name[-1] == "/"]
        places = [f"snapshots/{name}" for name in commits]
    if not places:
        return
    raise NotACheckpointError(
        "the checkpoint is a folder deeper"
        if len(places) == 1
        else "there are several checkpoints, a folder deeper",
        path=folder,
        found=some(places),
        hint=f"qwq-gguf quantize {shlex.quote(str(folder / places[-1]))}",
    )


def _refuse_name(folder: Path, weights: Sequence[str], *, here: bool) -> NoReturn:
    hint = "if these are the weights, call them so"
    if here and len(weights) == 1:
        old, new = str(folder / weights[0]), str(folder / "model.safetensors")
        hint = f"if this is the whole model: {shlex.join(['mv', old, new])}"
    raise NotACheckpointError(
        "no file here has the name that weights have",
        path=folder,
        found=some(weights),
        expected="model*.safetensors",
        hint=hint,
    )


def _usual_gguf(names: Sequence[str]) -> str:
    """The one that people mean: a model rather than what sees for it, and about four bits."""
    models = [name for name in names if "mmproj" not in name.lower()] or list(names)
    return next((name for name in models if "q4_k_m" in name.lower()), models[0])


def checkpoint_folder(path: Path, shown: Path) -> Path:
    """`path`, if it is a folder; NotACheckpointError, which calls it `shown`, for a file."""
    if path.is_dir():
        return path
    if path.suffix.lower() == ".gguf":
        raise NotACheckpointError(
            "this is a GGUF file, which is already converted",
            path=shown,
            expected="a checkpoint folder with config.json and *.safetensors",
            hint=f"qwq-gguf chat {shown}",
        )
    try:
        os.close(open_file(path))
    except OSError as problem:
        raise NotACheckpointError(
            f"cannot be read: {problem.strerror or problem}", path=shown
        ) from problem
    part = path.suffix in (".safetensors", ".json", ".bin", ".pt", ".pth")
    hint = f"name its folder: {path.parent}" if part else None
    raise NotACheckpointError("a checkpoint is a folder, this is a file", path=shown, hint=hint)


def refuse_gguf_folder(shown: Path, folder: Path) -> NoReturn:
    """NotAGgufError for a folder, with what to name instead."""
    if (folder / "config.json").is_file():
        raise NotAGgufError(
            "this is a checkpoint folder, where a GGUF file is needed",
            path=shown,
            hint=f"qwq-gguf quantize {shown}, then name the file that it writes",
        )
    inside = sorted(path.name for path in folder.glob("*.gguf"))
    raise NotAGgufError(
        "this is a folder, where a GGUF file is needed",
        path=shown,
        expected="one of its files: " + some(inside, 10) if inside else None,
        hint=str(shown / inside[0]) if inside else None,
    )
