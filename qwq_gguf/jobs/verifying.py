"""Whether a GGUF is what it should be, wherever it and its source are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.events import Activity, Meter, Note, Report, activity
from qwq_gguf.jobs.fetching import asking, bring_gguf

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
    revision: str | None = None,
    token: str | None = None,
) -> Verified:
    """Check a GGUF, its manifest and, where one is named, its source; see `verification`.

    UsageError for what only goes with a `source`; what is wrong with the file is no error.
    """
    if source is None and (everything or imatrix is not None):
        raise UsageError("--all and --imatrix go with --source")
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.jobs.planning import read_importance
    from qwq_gguf.verification.check import bytes_to_read, verify

    with asking(report, str(file)):
        located = locate_gguf(file, revision=revision, token=token, fetch=False)
    bring_gguf(located, report)
    other = None if against is None else locate_gguf(against)
    importance = read_importance(imatrix)
    conversion = None if source is None else _conversion(source, token, everything, report)
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


def _conversion(named: str, token: str | None, everything: bool, report: Report) -> Conversion:
    from qwq_gguf.jobs.source import open_source

    source = open_source(named, token=token)
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
