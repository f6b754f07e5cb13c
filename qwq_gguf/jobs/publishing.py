"""GGUFs, and all that belongs to them, into a repository that others have them from.

plan_publication    files, card and sizes: nothing is sent, nobody is asked
look_at_target      what is there already
publish             checks the files against their manifests, then sends
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import HubError, HubNotFoundError, PublishError, UsageError
from qwq_gguf.jobs.events import Activity, Meter, Note, Report, Said, activity
from qwq_gguf.words import count, human_bytes, some

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.settings import HubSettings
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.jobs.publishing_facts import Given
    from qwq_gguf.profiles import Resolved
    from qwq_gguf.publication.plan import PublishPlan
    from qwq_gguf.publication.values import Quality, Site

__all__ = [
    "Publication",
    "Publishing",
    "Sent",
    "Target",
    "look_at_target",
    "plan_publication",
    "publish",
]

_MAX_FIGURES = 16 << 20


@dataclass(frozen=True, slots=True)
class Publishing:
    """What is to be published where. `base` is the repository that the files were made from,
    where their manifests don't say; `quality` a report of `eval quality --json`.
    """

    files: Sequence[Path]
    to: str
    private: bool = False
    base: str | None = None
    quality: Path | None = None
    imatrix: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The repository as it is now: whether it `exists`, and which files would be `replaced`."""

    page: str
    exists: bool
    replaced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """Where it is now."""

    page: str
    commit: str

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"page": self.page, "commit": self.commit}


@dataclass(frozen=True, slots=True)
class Publication:
    """What was to go where, and where it is now; `sent` is None where nothing was sent."""

    plan: PublishPlan
    sent: Sent | None = None

    @property
    def card(self) -> str:
        """The model card."""
        return self.plan.card

    def to_json(self) -> dict[str, Any]:
        """All of it as one object, with its schema."""
        return self.plan.to_json() | {"sent": None if self.sent is None else self.sent.to_json()}


def plan_publication(wanted: Publishing, report: Report) -> PublishPlan:
    """The files of a repository and its card, from headers and manifests alone. PublishError for
    what does not belong together, GgufError and ManifestError for what cannot be read.
    """
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.jobs.publishing_facts import (
        find_imatrix,
        given_models,
        proofs_of,
        quants_of,
        refuse_different,
    )
    from qwq_gguf.jobs.publishing_model_card import published
    from qwq_gguf.profiles import resolve
    from qwq_gguf.publication.plan import make_publish_plan

    site, repo = _repository(wanted.to)
    if not wanted.files:
        raise UsageError("name the GGUF files to publish")
    with one_budget():
        models = given_models(wanted.files)
        resolved = [resolve(model.gguf.metadata) for model in models]
        refuse_different(models, resolved)
        quants = quants_of(models, _figures(wanted.quality, models, report))
        matrices, missing = find_imatrix(models, wanted.imatrix)
        texts, unsaid = _for_ollama(models[0].gguf, models[0].first, resolved[0])
        model = published(
            site, repo, models, quants, resolved[0], wanted.base, matrices, tuple(texts), unsaid
        )
    for name in missing:
        report(Note(f"the importance matrix {name} is not here, and will not be there"))
    if model.base is None:
        report(
            Note(
                "nothing says which repository these were made from, so the card has no base "
                "model (--base ORG/NAME)"
            )
        )
    files = [(part, f"{quant.label}") for given, quant in zip(models, quants, strict=True)
             for part in given.parts]  # fmt: skip
    files += [proof for given in models for proof in proofs_of(given)]
    files += [(path, "importance matrix") for path in matrices]
    return make_publish_plan(model, private=wanted.private, texts=texts, files=files)


def look_at_target(plan: PublishPlan, token: str | None = None) -> Target:
    """Ask the Hub what is there. HubError in one of its kinds."""
    from qwq_gguf.checkpoint.hub.snapshot import open_snapshot

    hub = _hub_of(plan, token)
    page = hub.page(plan.repo)
    try:
        snapshot = open_snapshot(hub, plan.repo)
    except HubNotFoundError:
        return Target(page, False, ())
    if snapshot.problem is not None:  # what the cache holds says nothing of what is there
        raise snapshot.problem
    there = [file.name for file in plan.files if file.name in snapshot.files]
    return Target(page, True, tuple(there))


def publish(
    plan: PublishPlan, report: Report, *, token: str | None = None, bars: bool = False
) -> Sent:
    """Send all of it, in one commit. PublishError for a file that is not what its manifest says;
    HubError in one of its kinds. Asked for again, it goes on where it was.

    `bars`: the Hub's client may show how far it is, on stderr.
    """
    _check_digests(plan, report)
    hub = _hub_of(plan, token)
    sizes = {file.name: file.nbytes for file in plan.files}
    contents = {
        file.name: file.content if isinstance(file.content, Path) else file.content.encode()
        for file in plan.files
    }

    def tell(name: str) -> None:
        report(Said(f"sending {name} ({human_bytes(sizes[name])})"))

    try:
        commit = _send(plan, hub, contents, tell, bars=bars)
    except (HubError, KeyboardInterrupt) as problem:
        problem.add_note("nothing of it is to be seen there yet; the same command goes on")
        raise
    return Sent(hub.page(plan.repo), commit)


def _send(
    plan: PublishPlan,
    hub: HubSettings,
    contents: Mapping[str, bytes | Path],
    tell: Callable[[str], None],
    *,
    bars: bool,
) -> str:
    from qwq_gguf.checkpoint.hub.upload import upload
    from qwq_gguf.checkpoint.modelscope.settings import ModelScopeSettings
    from qwq_gguf.checkpoint.modelscope.upload import upload as upload_there

    message = f"Publish {some([quant.label for quant in plan.model.quants], 6)}"
    if isinstance(hub, ModelScopeSettings):
        return upload_there(
            hub,
            plan.repo,
            contents,
            private=plan.private,
            license=plan.model.license,
            message=message,
            report=tell,
        )
    return upload(
        hub,
        plan.repo,
        contents,
        private=plan.private,
        message=message,
        report=tell,
        bars=bars,
    )


def _hub_of(plan: PublishPlan, token: str | None) -> HubSettings:
    from qwq_gguf.checkpoint.hub.settings import hub_settings
    from qwq_gguf.checkpoint.modelscope.settings import modelscope_settings

    there = plan.model.site == "modelscope"
    return modelscope_settings(token) if there else hub_settings(token)


def _repository(to: str) -> tuple[Site, str]:
    from qwq_gguf.checkpoint.hub.name import parse_hub_name
    from qwq_gguf.checkpoint.hub.settings import hub_settings
    from qwq_gguf.checkpoint.modelscope.name import parse_modelscope_name

    there = parse_modelscope_name(to)
    name = there or parse_hub_name(to, hub_settings().endpoint)
    if name is None or name.tag is not None or name.revision is not None:
        raise UsageError(f"--to is a repository, ORG/NAME-GGUF, not {to[:80]!r}")
    return "hub" if there is None else "modelscope", name.repo


def _figures(path: Path | None, models: Sequence[Given], report: Report) -> dict[str, Quality]:
    from qwq_gguf.files.reading import read_file
    from qwq_gguf.publication.quality import read_quality

    if path is None:
        return {}
    try:
        raw = read_file(path, _MAX_FIGURES)
        if len(raw) > _MAX_FIGURES:
            raise PublishError("too large for a report", path=path)
        found = read_quality(raw.decode("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "no text"
        raise PublishError(f"cannot be read: {reason}", path=path) from problem
    unmeasured = [model.first.name for model in models if model.first.name not in found]
    if unmeasured:
        report(Note(f"{path} has no figures of {some(unmeasured, 5)}"))
    return found


def _for_ollama(
    gguf: GgufFile, first: Path, resolved: Resolved
) -> tuple[dict[str, str], tuple[str, ...]]:
    from qwq_gguf.exporters.facts import gguf_facts
    from qwq_gguf.exporters.ollama import export

    made = export(resolved.profile, gguf_facts(gguf.metadata, file=first.name), hub=True)
    return dict(made.files), tuple(made.unsaid)


def _check_digests(plan: PublishPlan, report: Report) -> None:
    from qwq_gguf.jobs.publishing_facts import sha256_of
    from qwq_gguf.verification.attestation.beside import check_attestations

    paths = {file.name: file.content for file in plan.files if isinstance(file.content, Path)}
    vouched = [quant for quant in plan.model.quants if quant.proofs]
    total = sum(quant.nbytes for quant in vouched)
    if not vouched:
        return
    with activity(report, Activity.CHECKING, count(len(vouched), "model"), total):
        meter = Meter(report, Activity.CHECKING, total)
        for quant in vouched:
            told = (None,) * len(quant.files) if quant.origin is None else quant.origin.sha256
            digests = {}
            for name, wanted in zip(quant.files, told, strict=True):
                digests[name] = sha256_of(paths[name])
                meter.passed(paths[name].stat().st_size, name)
                if wanted not in (None, digests[name]):
                    raise _contradicted(paths[name], "manifest", digests[name], wanted)
            for found in check_attestations(paths[quant.files[0]], digests, ())[0]:
                if found.level == "difference":
                    raise _contradicted(paths[quant.files[0]], found.where, found.what)


def _contradicted(
    path: Path, by: str, found: str | None = None, wanted: str | None = None
) -> PublishError:
    return PublishError(
        f"this file is not what the {by} beside it says",
        path=path,
        found=found,
        expected=wanted,
        hint=f"qwq-gguf verify {path} shows what differs",
    )
