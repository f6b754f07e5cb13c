"""Opening the folder of a LoRA adapter, as PEFT saves one: its configuration and the header of
its weights. What they mean is decided elsewhere (`conversion/adapters.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint.containment import file_inside
from qwq_gguf.checkpoint.files import MIB, read_json
from qwq_gguf.checkpoint.kinds import names_in
from qwq_gguf.checkpoint.safetensors import read_header
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.errors import ConfigError, NotACheckpointError, ShardError, UnsupportedError
from qwq_gguf.files.reading import user_path
from qwq_gguf.words import some

__all__ = ["ADAPTER_CONFIG", "ADAPTER_WEIGHTS", "Adapter", "open_adapter"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_PICKLE = "adapter_model.bin"
_MOST_TENSORS = 1 << 18  # two for each tensor that a GGUF may have


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a folder says about an adapter, read without touching its weights. `config` is
    adapter_config.json, `tensors` are those of its one file, by name.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.folder.name

    @property
    def weights(self) -> Path:
        """The file of its tensors."""
        return self.folder / ADAPTER_WEIGHTS

    @property
    def files(self) -> tuple[Path, ...]:
        """All that a merged model is made of, beside its base."""
        return self.folder / ADAPTER_CONFIG, self.weights

    @property
    def base(self) -> str | None:
        """The model that it was trained on, as its configuration names it."""
        base = self.config.get("base_model_name_or_path")
        return base if isinstance(base, str) and base else None


def open_adapter(source: str | Path) -> Adapter:
    """Read the headers of the adapter in a folder.

    NotACheckpointError for what is none; ConfigError, ShardError or UnsupportedError for what
    is wrong with one.
    """
    folder = _folder(source)
    config = file_inside(folder, ADAPTER_CONFIG, NotACheckpointError)
    weights = file_inside(folder, ADAPTER_WEIGHTS, ShardError)
    if config is None:
        raise NotACheckpointError(
            "there is no adapter here",
            path=folder,
            found=some(names_in(folder)) or "an empty folder",
            expected=f"{ADAPTER_CONFIG} and {ADAPTER_WEIGHTS}, as PEFT saves them",
            hint="name the folder that the training has saved the adapter in",
        )
    if weights is None and (folder / _PICKLE).exists():
        raise UnsupportedError(
            "the adapter's weights are a PyTorch pickle, which can run code when it is opened",
            path=folder / _PICKLE,
            expected=ADAPTER_WEIGHTS,
            hint="save it again with a PEFT of today, which writes safetensors",
        )
    if weights is None:
        raise ShardError(
            "the adapter has no weights",
            path=folder,
            found=some(names_in(folder)),
            expected=ADAPTER_WEIGHTS,
            hint="finish the download: hf download ORG/NAME --local-dir FOLDER",
        )
    tensors = read_header(weights)
    if len(tensors) > _MOST_TENSORS:
        raise ShardError("more tensors than any adapter has", path=weights, found=len(tensors))
    return Adapter(folder, read_json(config, limit=4 * MIB, error=ConfigError), tensors)


def _folder(source: str | Path) -> Path:
    try:
        path = user_path(source).resolve()
        found = path.exists()
    except (OSError, ValueError, RuntimeError) as problem:
        raise NotACheckpointError("not a path", path=str(source), found=str(problem)) from problem
    if path.is_dir():
        return path
    if found:
        raise NotACheckpointError(
            "an adapter is a folder, this is a file", path=str(source), hint=str(path.parent)
        )
    name = str(source)
    on_hub = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    raise NotACheckpointError(
        "there is no such folder",
        path=name,
        hint=f"if it is on the Hub: hf download {name} --local-dir {path.name}, then "
        f"--lora {path.name}"
        if on_hub
        else "check the path",
    )
