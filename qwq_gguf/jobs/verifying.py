"""Whether a GGUF is what it should be, wherever it and its source are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    from qwq_gguf.verification.manifest import SourceRecord

__all__ = ["Verified", "verify_file"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found; `notes` are sentences about the source. `attested` is the signed
    statement that was written, None where none was.
    """

    findings: Findings
    notes: tuple[str, ...]
    attested: Path | None = None

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
        attested = None if self.attested is None else str(self.attested)
        return self.findings.to_json() | {"notes": list(self.notes), "attested": attested}


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
    attest: bool = False,
    key: Path | None = None,
    new_key: bool = False,
    trust: Sequence[Path] = (),
) -> Verified:
    """Check a GGUF, its manifest and, where one is named, its source; see `verification`.

    `attest`: where all of it is what the manifest's recipe makes of the source, say so in a
    statement beside it, signed with `key`. `trust`: public keys, of which one must have signed.

    UsageError for what only goes with a `source`; what is wrong with the file is no error.
    """
    if source is None and (everything or imatrix is not None or adapters):
        raise UsageError("--all, --imatrix and --lora go with --source")
    if attest and source is None:
        raise UsageError("--attest goes with --source: it says what was made again")
    if not attest and (key is not None or new_key):
        raise UsageError("--key and --new-key go with --attest")
    signing = None
    if attest:
        from qwq_gguf.jobs.attesting import ready_key

        signing, everything = ready_key(key, new=new_key, report=report), True
    trusted = _trusted(trust)
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.jobs.planning import read_importance
    from qwq_gguf.verification.check import bytes_to_read, verify

    with asking(report, str(file)):
        located = locate_gguf(file, revision=revision, token=token, fetch=False)
    bring_gguf(located, report)
    _bring_proofs(located)
    other = None if against is None else locate_gguf(against)
    importance = read_importance(imatrix)
    if source is not None:
        _refuse_other_adapters(located.path, adapters)
    conversion, record = None, None
    if source is not None:
        conversion, record = _conversion(source, token, adapters, everything, report, record=attest)
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
            trusted=None if attest else trusted,
        )
    if conversion is not None:
        found = replace(found, findings=(*found.findings, *_unlike_source(located, conversion)))
    attested = None
    if signing is not None and source is not None and record is not None and found.ok:
        from qwq_gguf.jobs.attesting import differences_from_recipe, write_attestation
        from qwq_gguf.verification.check import read_manifest

        manifest = read_manifest(located.path)
        differs = differences_from_recipe(
            located.path, manifest, record, source, imatrix=imatrix, adapters=adapters, token=token
        )
        if differs or manifest is None:
            found = replace(found, findings=(*found.findings, *differs))
        else:
            attested = write_attestation(located.path, manifest, found.sha256, signing, report)
    return Verified(found, () if conversion is None else conversion.notes, attested)


def _unlike_source(located: LocatedGguf, conversion: Conversion) -> list[Finding]:
    """Where template, special tokens and sampling keys are neither the source's nor what
    `quantize` makes of them: no damage, but somebody should know why.
    """
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.jobs.source_comparing import differing_keys
    from qwq_gguf.verification.findings import remark

    try:
        keys = read_gguf(located.path).metadata
    except GgufError:  # which was found already
        return []
    what = "is not the source's (qwq-gguf inspect FILE --against SOURCE shows both)"
    return [
        remark("source", each.key, what)
        for each in differing_keys(keys, conversion)
        if not each.known and not each.key.startswith("token ")  # those are compared as they are
    ]


def _trusted(files: Sequence[Path]) -> tuple[bytes, ...]:
    if not files:
        return ()
    from qwq_gguf.verification.attestation.keys import read_public

    return tuple(read_public(path) for path in files)


def _bring_proofs(located: LocatedGguf) -> None:
    """Have the manifest and the attestations of a file of the Hub beside it."""
    hub = located.hub
    if hub is None:
        return
    from qwq_gguf.checkpoint.hub.fetch import fetch
    from qwq_gguf.verification import manifest_path
    from qwq_gguf.verification.attestation.beside import ENDING
    from qwq_gguf.verification.attestation.envelope import MAX_ENVELOPE_BYTES
    from qwq_gguf.verification.manifest import MAX_MANIFEST_BYTES

    manifest = hub.name_of(manifest_path(located.path))
    stem = manifest.removesuffix("manifest.json")
    limits = {
        name: MAX_MANIFEST_BYTES if name == manifest else MAX_ENVELOPE_BYTES
        for name in hub.files
        if name == manifest or (name.startswith(stem) and name.endswith(ENDING))
    }
    fetch(hub, limits, limits=limits)


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
    named: str,
    token: str | None,
    adapters: Sequence[str],
    everything: bool,
    report: Report,
    *,
    record: bool,
) -> tuple[Conversion, SourceRecord | None]:
    """What a GGUF of the source says; and, where its shards were hashed, their digests."""
    from qwq_gguf.jobs.source import open_source

    source = open_source(named, token=token, adapters=adapters)
    fetched = source.bring(report)
    if source.hub is not None and not everything and len(fetched) < len(source.shards):
        report(Note(f"the weights of {named} are taken as the cache has them; --all hashes them"))
    if not record and not (everything and source.hub is not None):
        return source.convert(), None
    from qwq_gguf.verification.record import ShardDigests

    def passed(shard: Path) -> tuple[str, int] | None:
        came = fetched.get(shard)
        return None if came is None else (came.sha256, came.nbytes)

    # What lay in the cache already may be other bytes than the Hub lists.
    with ShardDigests(source, passed=passed) as digests:
        digested = digests.record()
    return source.convert(), digested
