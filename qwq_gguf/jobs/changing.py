"""Other keys for a GGUF that is there, its manifest with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import NotAGgufError, TemplateError
from qwq_gguf.files.reading import read_given
from qwq_gguf.jobs.events import Activity, Event, Meter, Report, activity
from qwq_gguf.jobs.manifest_update import Following, tidy_up

if TYPE_CHECKING:
    from qwq_gguf.editing.write import Written

__all__ = ["Changed", "Changing", "change_keys"]

_MAX_TEMPLATE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Changing:
    """What is to be set: `kv` are `KEY=VALUE`, `yarn` is a factor, None what stays. `repair`
    puts right special tokens that are known to be wrong.
    """

    path: Path
    profile: str | None = None
    kv: tuple[str, ...] = ()
    chat_template: Path | None = None
    yarn: float | None = None
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """`lines` say each key's change, none where the file says all of this already. `written`
    is None where nothing was; `manifest` is what became of the file's manifest, if it has one.
    """

    lines: tuple[str, ...]
    notes: tuple[str, ...]
    written: Written | None = None
    manifest: Event | None = None


def change_keys(
    asked: Changing,
    report: Report,
    *,
    dry_run: bool = False,
    decided: Callable[[Sequence[str], Sequence[str]], object] | None = None,
) -> Changed:
    """Change what a GGUF says about itself; its weights stay. `decided` hears of `lines` and
    `notes` before anything is written.
    """
    from qwq_gguf.editing import change_entries, write_entries
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.gguf_file.splits import part_path
    from qwq_gguf.profiles import load_profile

    path = asked.path
    if not dry_run:
        tidy_up(path, report)
    file = read_gguf(path)
    if (file.integer("split.no") or 0) > 0:
        first = part_path(path, 0, file.integer("split.count") or 1)
        raise NotAGgufError(
            "is a later file of a model in several, and the first has its keys",
            path=path,
            hint=f"qwq-gguf set {shlex.quote(str(first))} ...",
        )
    template = asked.chat_template
    change = change_entries(
        file.metadata,
        profile=None if asked.profile is None else load_profile(asked.profile),
        kv=asked.kv,
        chat_template=None if template is None else _read_template(template),
        yarn=asked.yarn,
        repair=asked.repair,
    )
    lines, notes = tuple(change.lines), tuple(change.notes)
    if decided is not None:
        decided(lines, notes)
    if not lines or dry_run:
        return Changed(lines, notes)
    options = {
        "profile": asked.profile,
        "kv": list(asked.kv),
        "chat_template": None if template is None else template.name,
        "yarn": asked.yarn,
        "repair": asked.repair,
    }
    follow = Following(file, {name: value for name, value in options.items() if value}, report)
    with activity(report, Activity.COPYING, path.name):
        copied = Meter(report, Activity.COPYING).at
        written = write_entries(file, change.entries, progress=copied, follow=follow)
    return Changed(lines, notes, written, follow.event)


def _read_template(path: Path) -> str:
    try:
        raw = read_given(path, _MAX_TEMPLATE_BYTES)
    except OSError as error:
        raise TemplateError(f"cannot be read: {error.strerror or error}", path=path) from error
    if len(raw) > _MAX_TEMPLATE_BYTES:
        raise TemplateError(
            "is too long for a chat template",
            path=path,
            expected=f"at most {_MAX_TEMPLATE_BYTES} bytes",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TemplateError("is not UTF-8 text", path=path) from error
