"""All checks of one model, in one report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import GgufError, ImatrixError, ManifestError
from qwq_gguf.files.reading import read_file
from qwq_gguf.gguf_file.header_slack import find_room
from qwq_gguf.gguf_file.reader import GgufFile
from qwq_gguf.gguf_file.splits import SplitGguf, read_splits
from qwq_gguf.metadata import KeyValue
from qwq_gguf.quantization.kernels.ggml import load_ggml
from qwq_gguf.verification.attestation.beside import check_attestations
from qwq_gguf.verification.compare import compare_keys, compare_manifest, compare_tensors
from qwq_gguf.verification.contents import Contents, Passed, file_record, read_contents, read_header
from qwq_gguf.verification.findings import Finding, Findings, difference, remark
from qwq_gguf.verification.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    TensorDigest,
    manifest_path,
    parse_manifest,
)
from qwq_gguf.verification.pending_change import explain
from qwq_gguf.verification.structure import check_structure

if TYPE_CHECKING:
    from qwq_gguf.conversion.values import Conversion
    from qwq_gguf.quantization.planning.importance import Imatrix

__all__ = ["bytes_to_read", "read_manifest", "verify"]


def bytes_to_read(paths: Iterable[Path]) -> int:
    """How much `verify` will read of these files, for a bar; 0 for what is not there."""
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:
            pass
    return total


def verify(
    path: Path,
    *,
    against: Path | None = None,
    source: Conversion | None = None,
    seed: int = 0,
    everything: bool = False,
    imatrix: Imatrix | None = None,
    listed: Mapping[str, str] | None = None,
    passed: Passed | None = None,
    trusted: Collection[bytes] | None = (),
) -> Findings:
    """Check the model at `path` (of a split one, its first file).

    Always its structure, its manifest where there is one, and attestations: given `trusted`
    keys, one of them must have signed; None looks at no attestation. Then, where asked, the SHA-256
    that a Hub has `listed` by file name, every key and tensor `against` another file, and
    its bytes with what `source` gives. A file that
    cannot be read as a GGUF is a finding; only `against` and the source raise. ImatrixError
    when the source is given, and the file was made with an importance matrix that is not.
    """
    checks: dict[str, dict[str, Any]] = {}
    try:
        model = read_splits(path)
    except GgufError as error:
        return Findings(path, (_unreadable(error, path),), {}, {"structure": {"tensors": 0}})
    other = None if against is None else read_splits(against)
    if source is not None and imatrix is None:
        _refuse_without_imatrix(model.head)
    found = check_structure(model.whole)
    contents: list[Contents] = []
    for part in model.parts:
        try:
            contents.append(read_contents(part, ggml=load_ggml(), passed=passed))
        except GgufError as error:
            return Findings(path, (*found, _unreadable(error, path)), {}, checks)
        found += contents[-1].findings
    checks["structure"] = {"files": len(model.parts), "tensors": len(model.tensors)}
    digests = {
        part.path.name: content.file.sha256
        for part, content in zip(model.parts, contents, strict=True)
    }
    found += _check_manifest(model, contents, checks)
    if trusted is not None:
        said, facts = check_attestations(model.head.path, digests, trusted)
        found += said
        if facts is not None:
            checks["attestation"] = facts
    if listed:
        found += _check_listed(digests, listed)
        checks["hub"] = {"files": len(digests.keys() & listed.keys())}
    if other is not None and against is not None:
        found += _check_against(model, contents, other, passed)
        checks["against"] = {"path": str(against), "tensors": len(other.tensors)}
    if source is not None:
        from qwq_gguf.verification.source import compare_with_source

        result = compare_with_source(
            model.tensors,
            source,
            load_ggml(),
            seed=seed,
            everything=everything,
            imatrix=imatrix,
            passed=passed,
        )
        found += compare_keys(
            "source", _vocabulary(_keys(model)), _vocabulary(_given(source)), "it"
        )
        found += result.findings
        checks["source"] = {"bytes": result.compared, "of": result.total, "seed": seed}
        if everything:
            del checks["source"]["seed"]
    return Findings(path, tuple(found), digests, checks)


def _refuse_without_imatrix(file: GgufFile) -> None:
    named = file.text("quantize.imatrix.file")
    if named is not None:
        raise ImatrixError(
            "was made with an importance matrix, and cannot be made again without it",
            path=file.path,
            expected=named,
            hint="name it with --imatrix",
        )


def _unreadable(error: GgufError, path: Path) -> Finding:
    """About the file at `path`, or another of its model's that the error names."""
    other = error.path is not None and Path(error.path) != path
    where = Path(error.path).name if other and error.path is not None else "header"
    seen = "" if error.found is None else f": found {error.found}"
    wanted = "" if error.expected is None else f", expected {error.expected}"
    cure = "" if error.hint is None else f"; try: {' '.join(error.hint.split())}"
    return difference("structure", where, f"{error.message}{seen}{wanted}{cure}")


def read_manifest(gguf: Path) -> Manifest | None:
    """The manifest beside a GGUF, None when there is none.

    ManifestError for a damaged one, another GgufError for one that cannot be read.
    """
    path = manifest_path(gguf)
    try:
        raw = read_file(path, MAX_MANIFEST_BYTES)
        text = raw.decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GgufError(f"cannot be read: {error.strerror or error}", path=path) from error
    except UnicodeDecodeError as error:
        raise ManifestError("the manifest is no text", path=path) from error
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ManifestError("too large for a manifest", path=path)
    return parse_manifest(text, path)


def _check_manifest(
    model: SplitGguf, contents: list[Contents], checks: dict[str, dict[str, Any]]
) -> list[Finding]:
    path = model.head.path
    try:
        manifest = read_manifest(path)
    except GgufError as error:
        return [difference("manifest", manifest_path(path).name, error.message)]
    if manifest is None:
        return []
    checks["manifest"] = {
        "files": len(manifest.files),
        "source": manifest.source.name,
        "commit": manifest.source.commit,
        "recipe": manifest.recipe,
    }
    files = [
        file_record(part.path.name, content)
        for part, content in zip(model.parts, contents, strict=True)
    ]
    told = _unhashed(manifest)
    if manifest.pending is not None:
        header = read_header(model.head)
        room = find_room(model.head.metadata)
        manifest, files[0], pending = explain(manifest, files[0], header, room)
        told += pending
    return [*told, *compare_manifest(files, manifest)]


def _unhashed(manifest: Manifest) -> list[Finding]:
    """What manifests of older versions say of shards that they did not hash."""
    names = [shard.name for shard in manifest.source.shards if shard.known_from == "hub"]
    if not names:
        return []
    what = f"the Hub listed the digests of {len(names)} shards, and nobody looked at their bytes"
    return [remark("manifest", "source", what)]


def _check_listed(digests: Mapping[str, str], listed: Mapping[str, str]) -> list[Finding]:
    return [
        difference("hub", name, f"not the file that the Hub lists, whose sha256 is {listed[name]}")
        for name, digest in digests.items()
        if name in listed and listed[name] != digest
    ]


def _check_against(
    model: SplitGguf, contents: list[Contents], other: SplitGguf, passed: Passed | None
) -> list[Finding]:
    theirs = [read_contents(part, passed=passed) for part in other.parts]
    name = other.head.path.name
    found = compare_keys("against", _keys(model), _keys(other), name)
    found += compare_tensors("against", _tensors(contents), _tensors(theirs), name)
    if len(model.parts) == len(other.parts) == 1:
        found += _rest("against", model.head, other.head, contents[0], theirs[0], found)
    return found


def _rest(
    check: str, ours: GgufFile, theirs: GgufFile, a: Contents, b: Contents, found: list[Finding]
) -> list[Finding]:
    """Bytes that differ although every key and tensor is the same."""
    name = theirs.path.name
    if ours.alignment != theirs.alignment or ours.version != theirs.version:
        return [difference(check, "header", f"another version or alignment than {name}")]
    if found or a.file.sha256 == b.file.sha256:
        return []
    where = "padding" if a.header.sha256 == b.header.sha256 else "header"
    return [difference(check, where, f"not the same bytes as in {name}, with the same meaning")]


def _keys(model: SplitGguf) -> dict[str, KeyValue]:
    """What a model says, without how it was cut into files."""
    return {
        key: entry for key, entry in model.head.metadata.items() if not key.startswith("split.")
    }


def _given(source: Conversion) -> dict[str, KeyValue]:
    return {entry.key: entry for entry in source.metadata}


def _vocabulary(keys: Mapping[str, KeyValue]) -> dict[str, KeyValue]:
    """The keys that follow from the checkpoint alone, whatever the options were."""
    names = (f"tokenizer.ggml.{name}" for name in ("model", "pre", "tokens", "merges"))
    return {name: keys[name] for name in names if name in keys}


def _tensors(contents: list[Contents]) -> list[TensorDigest]:
    return [tensor for content in contents for tensor in content.tensors]
