"""A model's settings in another runtime's form, written or put where the runtime looks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import ExportError, NoRoomError, UsageError
from qwq_gguf.jobs.events import Note, Report, Said, Wrote
from qwq_gguf.jobs.fetching import bring_gguf, gguf_header, ollama_name
from qwq_gguf.jobs.modelfiles import origins_of

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import LocatedGguf
    from qwq_gguf.exporters.cluster import Cluster
    from qwq_gguf.exporters.exported import Export
    from qwq_gguf.exporters.facts import GgufFacts
    from qwq_gguf.exporters.placement import Fitted
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Profile, Resolved

__all__ = ["Exported", "Exporting", "export_settings"]

# Their files name the GGUF, so it has to be on this machine.
_COUNTS = re.compile(r"((?:\d{1,3}x){0,2})(.*)", re.DOTALL)
_NAMES_THE_FILE = ("ollama", "llama-server", "vllm")


@dataclass(frozen=True, slots=True)
class Exporting:
    """What is to be exported, and how. `hub` is for ollama, the others for lmstudio.

    `fit` takes context, cache and layers on the card from what fits this machine. `cards` are those
    of a cluster (vllm): `8x80GB`, or `2x8x80GB` for two machines of eight.
    """

    runtime: str
    source: str | Path
    out: Path | None = None
    profile: str = "auto"
    effort: str | None = None
    system: str | None = None
    hub: bool = False
    install: bool = False
    user_repo: str | None = None
    copy: bool = False
    fit: bool = False
    cards: str | None = None
    force: bool = False
    revision: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `unsaid` has a sentence for what the runtime has no words for, `use`
    lines for a person: what to do with the files.
    """

    files: tuple[Path, ...]
    profile: Profile
    unsaid: tuple[str, ...]
    use: tuple[str, ...] = ()


def export_settings(wanted: Exporting, report: Report) -> Exported:
    """Write a model's settings for a runtime. ExportError for what its format cannot hold;
    UsageError for options of another one.
    """
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.exporters.signature import sign_all, signature

    _check(wanted)
    folder = Path(wanted.runtime) if wanted.out is None else wanted.out
    source = str(wanted.source)
    header = gguf_header(source, wanted.revision, wanted.token, report)
    with header as (located, gguf), one_budget():
        origins = _origins(located, folder, wanted, report)
        resolved, facts = _facts(gguf, origins, wanted, report)
        made = _render(wanted, resolved.profile, facts)
        lines = signature(resolved.profile, resolved.reason)
        made = replace(made, files=sign_all(made.files, lines))
        if wanted.install:
            paths = _install(located, made, wanted, report)
            return Exported(paths, resolved.profile, made.unsaid)
    paths = _write(folder, located, made, report, force=wanted.force)
    use = tuple(
        line if isinstance(line, str) else line.line(folder.as_posix(), made.files)
        for line in made.use
    )
    return Exported(paths, resolved.profile, made.unsaid, use)


def _check(wanted: Exporting) -> None:
    from qwq_gguf.exporters.lmstudio import split_user_repo
    from qwq_gguf.exporters.runtimes import EXPORTERS
    from qwq_gguf.words import did_you_mean

    runtime, user_repo = wanted.runtime, wanted.user_repo
    if runtime not in EXPORTERS:
        raise ExportError(
            "there is no exporter of this name",
            found=runtime,
            expected=", ".join(EXPORTERS),
            hint=did_you_mean(runtime, EXPORTERS),
        )
    for flag, given, of in (
        ("--hub", wanted.hub, ("ollama",)),
        ("--install", wanted.install, ("lmstudio",)),
        ("--user-repo", user_repo is not None, ("lmstudio",)),
        ("--cards", wanted.cards is not None, ("vllm",)),
        ("--system", wanted.system is not None, ("ollama", "lmstudio")),
    ):
        if given and runtime not in of:
            raise UsageError(f"{flag} belongs to {' and '.join(of)}")
    if wanted.install and user_repo is None:
        raise UsageError("--install needs --user-repo PUBLISHER/MODEL")
    if wanted.copy and not wanted.install:
        raise UsageError("--copy belongs to --install")
    if user_repo is not None:
        split_user_repo(user_repo)


def _origins(
    located: LocatedGguf, folder: Path, wanted: Exporting, report: Report
) -> tuple[str, ...]:
    """How the exported files name those of the GGUF; it is downloaded where they need it here."""
    runtime, hub = wanted.runtime, wanted.hub
    if runtime == "ollama" and not hub and (name := ollama_name(located)) is not None:
        return (name,)
    if wanted.install or (runtime in _NAMES_THE_FILE and not hub):
        bring_gguf(located, report)
    return origins_of(located.parts, folder)


def _facts(
    gguf: GgufFile, origins: tuple[str, ...], wanted: Exporting, report: Report
) -> tuple[Resolved, GgufFacts]:
    from qwq_gguf.exporters.facts import gguf_facts
    from qwq_gguf.exporters.forbidding import words_of
    from qwq_gguf.profiles import resolve, thoughts_of

    resolved = resolve(gguf.metadata, requested=wanted.profile)
    if wanted.effort is not None:
        resolved = replace(resolved, profile=resolved.profile.with_effort(wanted.effort))
        if note := thoughts_of(gguf.metadata, resolved.profile).note:
            report(Note(note))
    report(Said(f"profile {resolved.profile.name}: {resolved.reason}"))
    for sentence in resolved.notes:
        report(Note(sentence))
    words = words_of(resolved.profile)
    facts = gguf_facts(gguf.metadata, file=origins[0], parts=origins, words=words)
    if wanted.fit:
        fitted = _fitted(gguf, resolved.profile)
        report(Said(_told(fitted)))
        facts = replace(facts, fitted=fitted)
    if wanted.cards is not None:
        cluster = _cluster(gguf, wanted.cards, resolved.profile)
        for sentence in cluster.told():
            report(Said(sentence))
        facts = replace(facts, cluster=cluster)
    return resolved, facts


def _fitted(gguf: GgufFile, profile: Profile) -> Fitted:
    """The best place for the model on this machine. NoRoomError where it has none."""
    from qwq_gguf.exporters.placement import Fitted
    from qwq_gguf.jobs.fitting import fitting_plans

    placed = next(fitting_plans(gguf, usual=profile.context), None)
    if placed is None:
        raise NoRoomError(
            "this model does not fit into this machine's memory",
            path=gguf.path,
            hint=f"qwq-gguf fit {gguf.path} shows what would; without --fit the settings are "
            "those of any machine",
        )
    return Fitted(
        placed.context,
        placed.kind.name.lower(),
        placed.layers,
        placed.gpu_layers if placed.cards else None,
        placed.cpu_experts,
    )


def _cluster(gguf: GgufFile, text: str, profile: Profile) -> Cluster:
    """The model over these cards. UsageError for what are none, ExportError for too small ones."""
    from qwq_gguf.exporters.cluster import Cards, Needs, plan_cluster
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.machine.devices import Machine, modelled_memory
    from qwq_gguf.machine.known_cards import model_device
    from qwq_gguf.machine.model_size import ModelShape

    counts, card = _COUNTS.fullmatch(text.strip().lower()).groups()  # type: ignore[union-attr]
    machines, each = (1, 1, *(int(count) for count in counts.split("x") if count))[-2:]
    device = model_device(card, Machine("", modelled_memory(0))).cards
    shape = ModelShape.of(gguf)
    if len(device) != 1 or not machines or not each:
        raise UsageError(f"--cards is 8x80GB, or 2x8x80GB for two machines, not {text[:40]!r}")
    if shape is None:
        raise ExportError("this model's header does not say how large its layers are")
    arch = gguf.architecture
    kv_heads = gguf.integer(f"{arch}.attention.head_count_kv")
    latent = gguf.integer(f"{arch}.attention.kv_lora_rank") is not None
    context = min(profile.context, gguf.integer(f"{arch}.context_length") or profile.context)
    return plan_cluster(
        Needs(
            heads=shape.heads,
            kv_heads=None if latent or not kv_heads else kv_heads,
            layers=shape.layers,
            weights=sum(tensor.nbytes for tensor in gguf.tensors),
            token=sum(shape.cache.by_layer(1, GgmlType.F16, GgmlType.F16)),
        ),
        Cards(machines, each, device[0].memory, device[0].name),
        context,
    )


def _told(fitted: Fitted) -> str:
    told = f"what fits this machine: {fitted.context:,} tokens of context in {fitted.cache_type}"
    if fitted.gpu_layers is not None:
        told += f", {fitted.gpu_layers} of {fitted.layers} layers on the card"
    return told


def _render(wanted: Exporting, profile: Profile, facts: GgufFacts) -> Export:
    from qwq_gguf.exporters import lmstudio, ollama
    from qwq_gguf.exporters.runtimes import EXPORTERS

    if wanted.runtime == "ollama":
        return ollama.export(profile, facts, hub=wanted.hub, system=wanted.system)
    if wanted.runtime == "lmstudio":
        return lmstudio.export(profile, facts, user_repo=wanted.user_repo, system=wanted.system)
    return EXPORTERS[wanted.runtime](profile, facts)


def _write(
    folder: Path, located: LocatedGguf, made: Export, report: Report, *, force: bool
) -> tuple[Path, ...]:
    from qwq_gguf.files.naming import refuse_sources
    from qwq_gguf.files.writing import write_files

    targets = {folder / name: text for name, text in made.files.items()}
    refuse_sources(targets, located.parts)
    write_files(targets, force=force, make_folders=True)
    for target in targets:
        report(Wrote(target, ""))
    return tuple(targets)


def _install(
    located: LocatedGguf, made: Export, wanted: Exporting, report: Report
) -> tuple[Path, ...]:
    from qwq_gguf.exporters.lmstudio_hub import MANIFEST
    from qwq_gguf.jobs.lmstudio_installing import install, plan_install

    assert wanted.user_repo is not None
    plan = plan_install(located.parts, made.files, user_repo=wanted.user_repo)
    paths = tuple(install(plan, copy=wanted.copy, force=wanted.force))
    for path in paths:
        report(Wrote(path, ""))
    if not paths:
        report(Said("all of it is there already"))
    about = json.loads(made.files[MANIFEST])
    report(
        Said(
            f"restart LM Studio to have it look, and choose {about['owner']}/{about['name']}; "
            "`lms ls` lists what it found"
        )
    )
    return paths
