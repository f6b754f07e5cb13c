"""Two descriptions of a GGUF, compared part by part. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qwq_gguf.gguf_file.layout import encode_entries
from qwq_gguf.metadata import KeyValue
from qwq_gguf.verification.findings import Finding, difference
from qwq_gguf.verification.manifest import FileRecord, Manifest, PartDigest, TensorDigest

__all__ = ["compare_keys", "compare_manifest", "compare_tensors"]

_SHOWN = 60


def compare_keys(
    check: str, ours: Mapping[str, KeyValue], theirs: Mapping[str, KeyValue], other: str
) -> list[Finding]:
    """Each key that is in one of them only, or differs in type, value or place.

    Values are compared as their stored bytes, so NaN equals itself and -0.0 is not 0.0.
    `other` is what to call the other side.
    """
    found = [difference(check, key, f"not in {other}") for key in ours if key not in theirs]
    found += [difference(check, key, f"only in {other}") for key in theirs if key not in ours]
    for key, entry in ours.items():
        if key in theirs and (what := _entry_difference(entry, theirs[key], other)):
            found.append(difference(check, key, what))
    return found + _order(check, "key", list(ours), list(theirs), other)


def _entry_difference(ours: KeyValue, theirs: KeyValue, other: str) -> str | None:
    kinds = [(e.type if e.element is None else e.element) for e in (ours, theirs)]
    if (ours.type, kinds[0]) != (theirs.type, kinds[1]):
        return f"{_kind(ours)} here, {_kind(theirs)} in {other}"
    if encode_entries([ours]) == encode_entries([theirs]):
        return None
    if ours.element is None:
        return f"{_shown(ours.value)} here, {_shown(theirs.value)} in {other}"
    here, there = ours.items, theirs.items
    if len(here) != len(there):
        return f"{len(here)} elements here, {len(there)} in {other}"
    unequal = [at for at, (a, b) in enumerate(zip(here, there, strict=True)) if repr(a) != repr(b)]
    if not unequal:
        return f"not the same bytes as in {other}"
    at = unequal[0]
    more = f", and {len(unequal) - 1} more elements" if len(unequal) > 1 else ""
    return f"[{at}] is {_shown(here[at])} here, {_shown(there[at])} in {other}{more}"


def _kind(entry: KeyValue) -> str:
    if entry.element is None:
        return entry.type.name.lower()
    return f"array of {entry.element.name.lower()}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def compare_tensors(
    check: str, ours: Sequence[TensorDigest], theirs: Sequence[TensorDigest], other: str
) -> list[Finding]:
    """Each tensor that is in one of them only, or differs in shape, type, data or place."""
    mine = {tensor.name: tensor for tensor in ours}
    its = {tensor.name: tensor for tensor in theirs}
    found = [difference(check, name, f"not in {other}") for name in mine if name not in its]
    found += [difference(check, name, f"only in {other}") for name in its if name not in mine]
    for name, tensor in mine.items():
        if name in its:
            found += [
                difference(check, name, what)
                for what in _tensor_differences(tensor, its[name], other)
            ]
    return found + _order(check, "tensor", list(mine), list(its), other)


def _tensor_differences(ours: TensorDigest, theirs: TensorDigest, other: str) -> Iterator[str]:
    if ours.shape != theirs.shape:
        yield f"shape {list(ours.shape)} here, {list(theirs.shape)} in {other}"
    if ours.type != theirs.type:
        yield f"{ours.type} here, {theirs.type} in {other}"
    if (ours.shape, ours.type) == (theirs.shape, theirs.type) and ours.sha256 != theirs.sha256:
        yield f"its data differs from that in {other}"


def _order(check: str, what: str, ours: list[str], theirs: list[str], other: str) -> list[Finding]:
    common = set(ours) & set(theirs)
    here = [name for name in ours if name in common]
    there = [name for name in theirs if name in common]
    for a, b in zip(here, there, strict=True):
        if a != b:
            return [difference(check, a, f"this {what} stands where {other} has {b}")]
    return []


def compare_manifest(files: Sequence[FileRecord], manifest: Manifest) -> list[Finding]:
    """Where a model's files are not what their manifest says, whatever their names are now.

    Every changed byte ends up in one of the findings.
    """
    if len(files) != len(manifest.files):
        what = f"{len(files)} files here, {len(manifest.files)} in the manifest"
        tensors = [tensor for file in files for tensor in file.tensors]
        return [
            difference("manifest", "files", what),
            *compare_tensors("manifest", tensors, manifest.tensors, "the manifest"),
        ]
    return [
        finding
        for file, said in zip(files, manifest.files, strict=True)
        for finding in _compare_file(file, said, f" of {file.name}" if len(files) > 1 else "")
    ]


def _compare_file(file: FileRecord, said: FileRecord, which: str) -> list[Finding]:
    found: list[Finding] = []
    if file.file.nbytes != said.file.nbytes:
        found.append(_sizes(file.name if which else "file", file.file, said.file))
    if file.header.nbytes != said.header.nbytes:
        found.append(_sizes(f"header{which}", file.header, said.header))
    elif file.header.sha256 != said.header.sha256:
        what = "keys or the tensor table were changed, as `qwq-gguf set` does"
        found.append(difference("manifest", f"header{which}", what))
    found += compare_tensors("manifest", file.tensors, said.tensors, "the manifest")
    if not found and file.file.sha256 != said.file.sha256:
        what = "bytes between the tensors were changed"
        found.append(difference("manifest", f"padding{which}", what))
    return found


def _sizes(where: str, ours: PartDigest, theirs: PartDigest) -> Finding:
    return difference(
        "manifest", where, f"{ours.nbytes:,} bytes here, {theirs.nbytes:,} in the manifest"
    )
