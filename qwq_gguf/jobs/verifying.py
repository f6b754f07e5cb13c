"""Whether a GGUF is what it should be, wherever it and its source are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import GgufError, SourceError, UsageError
from qwq_gguf.jobs.events import Activity, Meter, Note, Report, activity
from qwq_gguf.jobs.fetching import asking, bring_gguf
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import LocatedGguf
    from qwq_gguf.conversion.values import Conversion
    from qwq_gguf.verification import Finding, Findings

__all__ = ["Verified", "verify_file"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found; `notes` are sentences about the source."""

    findings: Findings
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.findings.ok

    @property
    def differences(self) -> tuple[Finding, ...]:
        """What makes the file fail."""
        return self.findings.differences

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """What is odd, and no damage."""
        return self.findings.remarks

    @property
    def sha256(self) -> Mapping[str, str]:
        """The digest of each file by its name."""
        return self.findings.sha256

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return self.findings.to_json() | {"notes": list(self.notes)}


def verify_file(
    file: str | Path,
    report: Report,
    *,
    against: str | Path | None = None,
    source: str | None = None,
    everything: bool = False,
    seed: int = 0,
    imatrix: str | None = None,
    adapters: Sequence[str] = (),
    revision: str | None = None,
    token: str | None = None,
) -> Verified:
    """Check a GGUF, its manifest and, where one is named, its source; see `verification`.

    UsageError for what only goes with a `source`; what is wrong with the file is no error.
    """
    if source is None and (everything or imatrix is not None or adapters):
        raise UsageError("--all, --imatrix and --lora go with --source")
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.jobs.planning import read_importance
    from qwq_gguf.verification.check import bytes_to_read, verify

    with asking(report, str(file)):
        located = locate_gguf(file, revision=revision, token=token, fetch=False)
    bring_gguf(located, report)
    other = None if against is None else locate_gguf(against)
    importance = read_importance(imatrix)
    if source is not None:
        _refuse_other_adapters(located.path, adapters)
    conversion = (
        None if source is None else _conversion(source, token, adapters, everything, report)
    )
    files = [*located.parts, *(() if other is None else other.parts)]
    total = bytes_to_read(files) + (bytes_to_read(located.parts) if everything else 0)
    with activity(report, Activity.VERIFYING, located.path.name, total):
        found = verify(
            located.path,
            against=None if other is None else other.path,
            source=conversion,
            imatrix=importance,
            seed=seed,
            everything=everything,
            listed=_listed(located),
            passed=Meter(report, Activity.VERIFYING, total).passed,
        )
    return Verified(found, () if conversion is None else conversion.notes)


def _listed(located: LocatedGguf) -> dict[str, str]:
    """What the Hub says of a file that came from there."""
    hub = located.hub
    if hub is None:
        return {}
    files = [hub.files.get(part.relative_to(hub.folder).as_posix()) for part in located.parts]
    return {
        part.name: file.sha256
        for part, file in zip(located.parts, files, strict=True)
        if file is not None and file.sha256 is not None
    }


def _refuse_other_adapters(path: Path, adapters: Sequence[str]) -> None:
    """SourceError where the manifest names other adapters than these: all would differ."""
    from qwq_gguf.jobs.manifest_writing import named_adapters
    from qwq_gguf.verification.check import read_manifest

    try:
        manifest = read_manifest(path)
    except GgufError:  # what is wrong with it is a finding
        return
    if manifest is None:
        return
    told = manifest.options.get("lora")
    if _digests(named_adapters(adapters)) == _digests(told):
        return
    names = [one_line(str(each.get("name"))) for each in _objects(told)]
    raise SourceError(
        "it was made with other adapters than these, or with other bytes of them"
        if names
        else "it was made without an adapter",
        path=path,
        found=" ".join(f"--lora {folder}" for folder in adapters) or "no --lora",
        expected=" ".join(f"--lora {name}" for name in names) or "no --lora",
        hint="name the folders that it was made with, in the same order",
    )


def _digests(adapters: object) -> list[list[object]]:
    """What adapters are made of, wherever their folders are and whatever they are called."""
    return [
        [file.get("sha256") for file in _objects(each.get("files"))] for each in _objects(adapters)
    ]


def _objects(value: object) -> list[dict[str, Any]]:
    """Those of a list out of a manifest, which anybody may have written."""
    several = value if isinstance(value, list) else []
    return [each for each in several if isinstance(each, dict)]


def _conversion(
    named: str, token: str | None, adapters: Sequence[str], everything: bool, report: Report
) -> Conversion:
    from qwq_gguf.jobs.source import open_source

    source = open_source(named, token=token, adapters=adapters)
    fetched = source.bring(report)
    if source.hub is not None and not everything and len(fetched) < len(source.shards):
        report(Note(f"the weights of {named} are taken as the cache has them; --all hashes them"))
    if everything and source.hub is not None:
        from qwq_gguf.verification.record import ShardDigests

        def passed(shard: Path) -> tuple[str, int] | None:
            came = fetched.get(shard)
            return None if came is None else (came.sha256, came.nbytes)

        # What lay in the cache already may be other bytes than the Hub lists.
        with ShardDigests(source, passed=passed) as digests:
            digests.record()
    return source.convert()
