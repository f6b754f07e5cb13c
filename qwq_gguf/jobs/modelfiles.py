"""Ollama's Modelfile of a GGUF, and how the two find each other."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import ExportError, OutputError
from qwq_gguf.files.reading import user_path
from qwq_gguf.jobs.events import Kept, Note, Report, Said, Wrote

if TYPE_CHECKING:
    from qwq_gguf.exporters.ollama import Modelfile
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Profile

__all__ = [
    "Made",
    "create_command",
    "make_modelfile",
    "modelfile_of",
    "origins_of",
    "seen_from",
    "write_beside",
]

_NAME = "Modelfile"


@dataclass(frozen=True, slots=True)
class Made:
    """The Modelfile of a GGUF. `create` is what has Ollama take it, `unsaid` what it cannot say.

    `path` is where it was written, None where it was not.
    """

    text: str
    create: str
    unsaid: tuple[str, ...]
    path: Path | None


def make_modelfile(
    source: str,
    report: Report,
    *,
    out: Path | None = None,
    profile: str = "auto",
    effort: str | None = None,
    force: bool = False,
    revision: str | None = None,
    token: str | None = None,
) -> Made:
    """The Modelfile of a GGUF here or on the Hub, written to `out`, which may be a folder.

    `effort` is how hard the model is to think, where its template knows the word. Without `out` it
    is made for one beside the working folder, and not written. OutputError,
    ExportError, and what keeps a GGUF from being read.
    """
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.exporters.signature import sign, signature
    from qwq_gguf.files.naming import open_descriptor, refuse_sources
    from qwq_gguf.files.writing import write_descriptor, write_file
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header, ollama_name
    from qwq_gguf.profiles import resolve, thoughts_of

    target = Path(_NAME) if out is None else out
    descriptor = None if out is None else open_descriptor(target)
    target = target / _NAME if out is not None and target.is_dir() else target
    with gguf_header(source, revision, token, report) as (located, gguf), one_budget():
        name = ollama_name(located)
        if name is None:
            bring_gguf(located, report)
        # What is open already leads somewhere that we do not know.
        folder = target.parent if descriptor is None else Path()
        resolved = resolve(gguf.metadata, requested=profile)
        if effort is not None:
            resolved = replace(resolved, profile=resolved.profile.with_effort(effort))
            if note := thoughts_of(gguf.metadata, resolved.profile).note:
                report(Note(note))
        report(Said(f"profile {resolved.profile.name}: {resolved.reason}"))
        for sentence in resolved.notes:
            report(Note(sentence))
        origins = origins_of(located.parts, folder) if name is None else (name,)
        made = modelfile_of(gguf, resolved.profile, origins)
        refuse_sources([target], located.parts)
    text = sign(_NAME, made.text, signature(resolved.profile, resolved.reason))
    if out is None:
        pass
    elif descriptor is None:
        write_file(target, text, force=force)
    else:
        write_descriptor(descriptor, text, target)
    create = create_command(located.path, target)
    return Made(text, create, made.unsaid, None if out is None else target)


def write_beside(
    files: Sequence[Path],
    target: Path,
    report: Report,
    *,
    force: bool,
    profile: Profile | None = None,
) -> None:
    """Write the Modelfile of a GGUF just made, in one file or several; one that is there
    already stays.

    By `profile`, or the one that the file carries. Nothing here is an error: the GGUF is
    what was asked for.
    """
    from qwq_gguf.exporters.signature import sign, signature
    from qwq_gguf.files.writing import write_file
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.profiles import resolve

    if os.path.lexists(target) and not force:
        report(Kept(target))
        return
    try:
        gguf = read_gguf(files[0])
        resolved = resolve(gguf.metadata)
        chosen, why = resolved.profile, resolved.reason
        if profile is not None:
            chosen, why = profile, "asked for"
        made = modelfile_of(gguf, chosen, origins_of(files, target.parent))
        write_file(target, sign("Modelfile", made.text, signature(chosen, why)), force=force)
    except (ExportError, OutputError) as error:
        report(Note(f"no Modelfile was written: {error}"))
        return
    report(Wrote(target, f"to use it with Ollama,\n  {create_command(files[0], target)}"))


def modelfile_of(gguf: GgufFile, profile: Profile, origins: Sequence[str]) -> Modelfile:
    """The Modelfile of a GGUF; `origins` are what FROM names, a line each."""
    from qwq_gguf.exporters.facts import gguf_facts
    from qwq_gguf.exporters.ollama import modelfile as render

    return render(profile, gguf_facts(gguf.metadata, file=origins[0], parts=origins))


def origins_of(files: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """All files of a GGUF as seen from a folder."""
    return tuple(seen_from(file, folder) for file in files)


def seen_from(file: Path, folder: Path) -> str:
    """The GGUF as seen from the Modelfile's folder, so that both can move together.

    By its own name, also where that is a link: the Hub's cache has blobs behind it, and the
    parts of a split model are found by their names.
    """
    path = user_path(file)
    path = path.parent.resolve() / path.name
    try:
        relative = os.path.relpath(path, folder.resolve())
    except ValueError:  # another drive
        return str(path)
    shown = Path(relative).as_posix()
    return shown if shown.startswith("../") else f"./{shown}"


def create_command(file: Path, target: Path) -> str:
    """What a person types to have Ollama take it."""
    from qwq_gguf.exporters.facts import model_of
    from qwq_gguf.exporters.ollama import model_name

    name = model_name(model_of(file.name))
    return f"ollama create {name} -f {shlex.quote(str(target))}"
