"""What is wrong with how a runtime here runs a model, and its cure. Nothing is changed unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qwq_gguf.errors import ExportError, NotAGgufError, OutputError, UsageError
from qwq_gguf.files.reading import read_file, user_path
from qwq_gguf.jobs.changing import change_keys
from qwq_gguf.jobs.cures import Cure, Examined, key_cure
from qwq_gguf.jobs.events import Report, Wrote
from qwq_gguf.words import some

if TYPE_CHECKING:
    from qwq_gguf.cures.ollama import OllamaSettings
    from qwq_gguf.cures.ollama_store import Stored
    from qwq_gguf.cures.troubles import Trouble
    from qwq_gguf.exporters.facts import GgufFacts
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.jobs.runtime_names import StudioFile
    from qwq_gguf.profiles import Profile

__all__ = ["RUNTIMES", "Fixing", "apply_cures", "examine"]

Runtime = Literal["ollama", "lmstudio"]
RUNTIMES: tuple[Runtime, ...] = ("ollama", "lmstudio")
_MOST_SETTINGS = 1 << 20
_SHOWN = ("FROM", "RENDERER", "PARSER", "PARAMETER")
_OURS = b"# Written by qwq-gguf "


@dataclass(frozen=True, slots=True)
class Fixing:
    """Which model is looked at, in which runtime (None: by where it lies), and how it is meant
    to be run. `out` is the Modelfile's name or folder.
    """

    source: str
    runtime: str | None = None
    profile: str = "auto"
    out: Path | None = None
    revision: str | None = None
    token: str | None = None


def examine(wanted: Fixing, report: Report) -> Examined:
    """Look at a model as a runtime here runs it; nothing is changed.

    NotAGgufError for what leads to no model, SourceError for a damaged store.
    """
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.jobs.fetching import gguf_header, ollama_name
    from qwq_gguf.jobs.runtime_names import find_stored, find_studio_file, nobodys

    if wanted.runtime is not None and wanted.runtime not in RUNTIMES:
        raise UsageError(f"--runtime is one of {', '.join(RUNTIMES)}, not {wanted.runtime[:60]}")
    path = _path_of(wanted)
    with one_budget():
        if path is None:
            stored = None if wanted.runtime == "lmstudio" else find_stored(wanted.source)
            if stored is not None:
                return _in_store(stored, read_gguf(stored.parts[0]), wanted)
            if "/" not in wanted.source or wanted.runtime == "lmstudio":
                raise nobodys(wanted.source)
        studio = None if path is None or wanted.runtime == "ollama" else find_studio_file(path)
        source = wanted.source if path is None else str(path)
        with gguf_header(source, wanted.revision, wanted.token, report) as (located, file):
            if studio is not None:
                return _in_studio(studio, file, wanted)
            if wanted.runtime == "lmstudio":
                raise NotAGgufError(
                    "is not in LM Studio's models folder",
                    path=located.path,
                    hint="qwq-gguf export lmstudio FILE --install --user-repo PUBLISHER/MODEL",
                )
            pulled = ollama_name(located)
            if path is None and pulled is None:
                raise ExportError(
                    "Ollama cannot take this file from the Hub by its name", path=wanted.source
                )
            return _imported(located.path, located.parts, pulled, file, wanted)


def apply_cures(examined: Examined, report: Report, *, force: bool = False) -> tuple[Path, ...]:
    """Do what was shown; the files that changed. OutputError where one that is not ours is in
    the way of a Modelfile, without `force`.
    """
    from qwq_gguf.files.writing import write_files

    texts: dict[Path, str] = {}
    for cure in examined.cures:
        if cure.text is None:
            continue
        if not (force or cure.replaces or not cure.path.exists() or _is_ours(cure.path)):
            raise OutputError(
                "is there already and was written by somebody else",
                path=cure.path,
                hint="--force replaces it, -o NAME writes another",
            )
        texts[cure.path] = cure.text
    write_files(dict(texts), force=True, make_folders=True)
    for path in texts:
        report(Wrote(path, "written"))
    for cure in examined.cures:
        if cure.keys is not None:
            done = change_keys(cure.keys, report)
            how = "in place" if done.written and done.written.in_place else "anew"
            report(Wrote(cure.path, f"its keys are changed, {how}"))
            if done.manifest is not None:
                report(done.manifest)
    return tuple(cure.path for cure in examined.cures)


def _path_of(wanted: Fixing) -> Path | None:
    """The GGUF on this machine that is named; None for a name of something else."""
    from qwq_gguf.jobs.lmstudio_installing import lmstudio_folders
    from qwq_gguf.jobs.runtime_names import find_ggufs

    path = user_path(wanted.source)
    if not path.exists() and wanted.runtime == "lmstudio":
        folders = lmstudio_folders()
        if folders is not None and ".." not in path.parts and not path.is_absolute():
            path = folders[1] / path
    if path.is_dir():
        found = find_ggufs(path)
        if len(found) == 1:
            return found[0]
        raise NotAGgufError(
            "has several models" if found else "has no GGUF file",
            path=path,
            found=some((each.relative_to(path) for each in found), 6) if found else None,
            expected="a folder with one model, or the file itself",
        )
    if path.exists() or wanted.source.lower().endswith(".gguf"):
        return path
    return None


def _settled(file: GgufFile, wanted: Fixing) -> tuple[Profile, str, tuple[str, ...]]:
    from qwq_gguf.profiles import resolve

    resolved = resolve(file.metadata, requested=wanted.profile)
    return resolved.profile, resolved.reason, resolved.notes


def _facts(file: GgufFile, origins: tuple[str, ...]) -> GgufFacts:
    from qwq_gguf.exporters.facts import gguf_facts

    return gguf_facts(file.metadata, file=origins[0], parts=origins)


def _in_store(stored: Stored, file: GgufFile, wanted: Fixing) -> Examined:
    from qwq_gguf.cures.ollama import OllamaSettings, cured_name

    profile, reason, notes = _settled(file, wanted)
    name = str(stored.name)
    settings = OllamaSettings(stored.parameters, stored.template, stored.parser, stored.renderer)
    troubles, cure, unsaid = _ollama(
        settings,
        profile,
        reason,
        file,
        (name,),
        _target(wanted, Path(), cured_name(name)),
        cured_name(name),
    )
    if any(trouble.kind == "order" for trouble in troubles):
        unsaid = (
            "the order: a Modelfile cannot say it, only a GGUF of your own can "
            "(`qwq-gguf quantize` writes it, `qwq-gguf fix FILE` puts it into another's)",
            *unsaid,
        )
    cures = (cure,) if troubles else ()
    return Examined(name, "ollama", profile.name, reason, troubles, cures, unsaid, notes)


def _imported(
    path: Path, parts: tuple[Path, ...], pulled: str | None, file: GgufFile, wanted: Fixing
) -> Examined:
    """A GGUF as it would run after a bare `ollama create` or `ollama run hf.co/...`."""
    from qwq_gguf.cures.ollama import OllamaSettings, cured_name
    from qwq_gguf.exporters.facts import model_of
    from qwq_gguf.jobs.modelfiles import origins_of
    from qwq_gguf.jobs.output_paths import modelfile_beside

    profile, reason, notes = _settled(file, wanted)
    if pulled is None:
        usual = modelfile_beside(path)
        target = _target(wanted, usual.parent, usual.stem)
        origins, called = origins_of(parts, target.parent), cured_name(model_of(path.name))
    else:
        called = cured_name(pulled)
        target, origins = _target(wanted, Path(), called), (pulled,)
    troubles, cure, unsaid = _ollama(
        OllamaSettings({}), profile, reason, file, origins, target, called
    )
    keys = None if pulled is not None else key_cure(path, file, profile, troubles)
    cures = tuple(each for each in (keys, cure if troubles else None) if each is not None)
    return Examined(str(path), "ollama", profile.name, reason, troubles, cures, unsaid, notes)


def _ollama(
    settings: OllamaSettings,
    profile: Profile,
    reason: str,
    file: GgufFile,
    origins: tuple[str, ...],
    target: Path,
    called: str,
) -> tuple[tuple[Trouble, ...], Cure, tuple[str, ...]]:
    import shlex

    from qwq_gguf.cures.file_troubles import troubles_of_file
    from qwq_gguf.cures.ollama import cured_modelfile, running_in_ollama
    from qwq_gguf.cures.troubles import troubles_of
    from qwq_gguf.exporters.signature import sign, signature

    facts = _facts(file, origins)
    running = running_in_ollama(settings, profile, facts)
    troubles = (*troubles_of(running, profile, facts), *troubles_of_file(file.metadata))
    made = cured_modelfile(profile, facts)
    text = sign("Modelfile", made.text, signature(profile, reason))
    lines = tuple(
        " ".join(words)
        for words in made.instructions
        if words[0] in ("FROM", "PARAMETER", "PARSER")
    )
    use = f"ollama create {called} -f {shlex.quote(str(target))}"
    return troubles, Cure(target, lines, text, use=use), made.unsaid


def _in_studio(studio: StudioFile, file: GgufFile, wanted: Fixing) -> Examined:
    from qwq_gguf.cures.file_troubles import troubles_of_file
    from qwq_gguf.cures.lmstudio import cured_settings, running_in_lmstudio
    from qwq_gguf.cures.troubles import troubles_of

    if wanted.out is not None:
        raise UsageError("--out is for Ollama's Modelfile: LM Studio's settings have their place")
    profile, reason, notes = _settled(file, wanted)
    facts = _facts(file, (studio.path.name,))
    settings = _studio_settings(studio.settings)
    running = running_in_lmstudio(settings, profile, facts)
    troubles = (*troubles_of(running, profile, facts), *troubles_of_file(file.metadata))
    cures: list[Cure] = []
    if any(trouble.kind not in ("order", "ending") for trouble in troubles):
        text = cured_settings(settings, profile, facts)
        lines = ("the settings of this file, of which other keys stay",)
        use = "load the model anew in LM Studio"
        cures.append(Cure(studio.settings, lines, text, use=use, replaces=True))
    keys = key_cure(studio.path, file, profile, troubles)
    if keys is not None:
        cures.append(keys)
    name = f"{studio.publisher}/{studio.model}/{studio.path.name}"
    return Examined(name, "lmstudio", profile.name, reason, troubles, tuple(cures), (), notes)


def _studio_settings(path: Path) -> Mapping[str, Any]:
    from qwq_gguf.json_text import parse_json

    try:
        data = read_file(path, _MOST_SETTINGS)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ExportError(f"cannot be read: {error.strerror or error}", path=path) from None
    try:
        found = parse_json(data) if len(data) <= _MOST_SETTINGS else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ExportError(
            "these settings of LM Studio's are no JSON object",
            path=path,
            hint="set the model's settings in LM Studio once, or remove the file",
        )
    return found


def _target(wanted: Fixing, folder: Path, name: str) -> Path:
    usual = folder / f"{name}.Modelfile"
    if wanted.out is None:
        return usual
    out = user_path(wanted.out)
    return out / usual.name if out.is_dir() else out


def _is_ours(path: Path) -> bool:
    try:
        return read_file(path, 1 << 20).startswith(_OURS)
    except OSError:
        return False
