"""A cure that is shown before it is applied, and what was found of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.jobs.changing import Changing, change_keys
from qwq_gguf.jobs.events import silent

if TYPE_CHECKING:
    from qwq_gguf.cures.troubles import Trouble
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Profile

__all__ = ["Cure", "Examined", "key_cure"]


@dataclass(frozen=True, slots=True)
class Cure:
    """One change: a file to write whole, or keys of a GGUF. `lines` say what changes, `use` is
    what a person types afterwards. `text` is None where keys change.
    """

    path: Path
    lines: tuple[str, ...]
    text: str | None = None
    keys: Changing | None = None
    use: str | None = None
    replaces: bool = False

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        kind = "keys" if self.text is None else "file"
        told = {"kind": kind, "path": str(self.path), "lines": list(self.lines), "use": self.use}
        return told if self.text is None else {**told, "text": self.text}


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. `uncured` says what no cure here changes, and who could."""

    model: str
    runtime: str
    profile: str
    reason: str
    troubles: tuple[Trouble, ...]
    cures: tuple[Cure, ...]
    uncured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self, changed: bool) -> dict[str, Any]:
        """All of it as one object; `changed`: the cures were applied."""
        return {
            "schema": "qwq-gguf/fix/1",
            "model": self.model,
            "runtime": self.runtime,
            "profile": self.profile,
            "reason": self.reason,
            "troubles": [trouble.to_json() for trouble in self.troubles],
            "cures": [cure.to_json() for cure in self.cures],
            "uncured": list(self.uncured),
            "notes": list(self.notes),
            "changed": changed,
        }


def key_cure(
    path: Path, file: GgufFile, profile: Profile, troubles: tuple[Trouble, ...]
) -> Cure | None:
    """The keys that put the file itself right; None where there are none, or it is a link: then
    it is somebody's file under several names.
    """
    from qwq_gguf.cures.file_troubles import order_key
    from qwq_gguf.profiles import profile_names
    from qwq_gguf.profiles.gguf_keys import read_sampling

    if path.is_symlink():
        return None
    asked = Changing(path, repair=True)
    if any(trouble.kind == "order" for trouble in troubles):
        said = read_sampling(file.metadata)
        says_nothing = said.order is None and not said.values
        if says_nothing and profile.name in profile_names():  # the author's numbers would stay
            asked = replace(asked, profile=profile.name)
        else:
            asked = replace(asked, kv=(order_key(profile),))
    changed = change_keys(asked, silent, dry_run=True)
    return Cure(path, changed.lines, keys=asked) if changed.lines else None
