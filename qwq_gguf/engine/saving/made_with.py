"""What a saved state belongs to, and whether that is what is here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.files.reading import open_file

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.context_settings import ContextSettings
    from qwq_gguf.engine.model import Model

__all__ = ["MadeWith", "files_digest"]

_SAMPLES = 64
_SAMPLE = 4096
_HEAD = 1 << 18


@dataclass(frozen=True, slots=True)
class MadeWith:
    """All that decides the bytes of a state, as texts and for people."""

    model: str
    digest: str
    library: str
    cache: str

    @classmethod
    def of(cls, model: Model, settings: ContextSettings | None = None) -> MadeWith:
        """That of a loaded model and a context of it (default: the model's own kind)."""
        settings = settings or model.settings
        yarn = settings.yarn
        flash = {None: "auto", True: "on", False: "off"}[settings.flash_attention]
        cache = [
            f"keys {settings.keys.name.lower()}",
            f"values {settings.values.name.lower()}",
            f"flash attention {flash}",
        ]
        if yarn is not None:
            cache.append(f"yarn {yarn.factor:g} of {yarn.original}")
        return cls(
            model.name, files_digest(model.files.paths), model.library.version, ", ".join(cache)
        )

    def to_json(self) -> dict[str, str]:
        """As an object of texts."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: object) -> MadeWith:
        """ValueError for anything else."""
        if not isinstance(raw, Mapping):
            raise ValueError("made_with is no object")
        found: dict[str, Any] = {name: raw.get(name) for name in cls.__slots__}
        if not all(isinstance(value, str) for value in found.values()):
            raise ValueError("made_with is incomplete")
        return cls(**found)

    def differs(self, here: MadeWith) -> str | None:
        """Why a state made with this is of no use here; None if it is."""
        if self.digest != here.digest:
            return f"it was saved with another file of {self.model}"
        if self.library != here.library:
            return f"it was saved with llama-cpp-python {self.library}, this is {here.library}"
        if self.cache != here.cache:
            return f"its context had {self.cache}, this one has {here.cache}"
        return None


def files_digest(parts: Sequence[Path]) -> str:
    """Tells a model's files from others: by sizes, headers, and samples of the weights.

    Reading all of them takes as long as loading them does.
    """
    digest = hashlib.sha256()
    for path in parts:
        size = path.stat().st_size
        digest.update(b"%d\n" % size)
        with os.fdopen(open_file(path), "rb") as file:
            digest.update(file.read(_HEAD))
            for number in range(_SAMPLES):
                file.seek(max(0, size - _SAMPLE) * number // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
