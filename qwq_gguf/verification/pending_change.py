"""A manifest that tells of a change of keys which was not seen through.

`qwq-gguf set` writes down what it is about to do, does it, and writes down that it is done.
Wherever it ends early, the header's bytes say how far it came: it is the old header or the
new one, but perhaps for remains in the slot that nobody reads (gguf_file/header_slack.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import Enum

from qwq_gguf.gguf_file.header_slack import Room
from qwq_gguf.verification.findings import Finding, difference, remark
from qwq_gguf.verification.manifest import FileRecord, Manifest, PartDigest, Pending

__all__ = ["Progress", "announced", "explain", "progress_of", "settled"]


class Progress(Enum):
    """How far a pending change came: (whether its keys count, whether remains are left)."""

    BEFORE = (False, False)
    BEGUN = (False, True)
    SWITCHED = (True, True)
    AFTER = (True, False)

    @property
    def counts(self) -> bool:
        """Whether the file says what the change makes it say."""
        return self.value[0]

    @property
    def remains(self) -> bool:
        """Whether there is something in the slot that is not read."""
        return self.value[1]


def announced(
    manifest: Manifest, file: PartDigest, header: PartDigest, asked: dict[str, object]
) -> Manifest:
    """The manifest with a change that is about to be made."""
    return replace(manifest, pending=Pending(file, header, asked))


def settled(manifest: Manifest, *, made: bool) -> Manifest:
    """The manifest without its pending change, which was made or not."""
    pending = manifest.pending
    if pending is None or not made:
        return replace(manifest, pending=None)
    first, *rest = manifest.files
    earlier = manifest.options.get("set")
    sets = [*(earlier if isinstance(earlier, list) else ()), dict(pending.asked)]
    return replace(
        manifest,
        files=(replace(first, file=pending.file, header=pending.header), *rest),
        options={**manifest.options, "set": sets},
        pending=None,
    )


def progress_of(manifest: Manifest, header: bytes, room: Room | None) -> Progress | None:
    """How far the pending change came, by all bytes before the first file's first tensor;
    None when they are neither the old ones nor the new ones.
    """
    if manifest.pending is None:
        return None
    ends = {manifest.pending.header: Progress.AFTER, manifest.files[0].header: Progress.BEFORE}
    found = ends.get(_digest(header))
    if found is not None or room is None:
        return found
    found = ends.get(_digest(room.blanked(header)))
    return found and (Progress.SWITCHED if found.counts else Progress.BEGUN)


def explain(
    manifest: Manifest, first: FileRecord, header: bytes, room: Room | None
) -> tuple[Manifest, FileRecord, list[Finding]]:
    """What to compare of a manifest with a pending change, and what to say about it.

    `first` is the first file as it is; where only remains of the change set it apart, they
    are the finding, and the record returned is that of a file without them.
    """
    progress = progress_of(manifest, header, room)
    if progress is None:
        what = "`qwq-gguf set` was to change the keys, and these are neither the old nor the new"
        return settled(manifest, made=False), first, [remark("manifest", "header", what)]
    known = settled(manifest, made=progress.counts)
    if progress.remains:
        when = "after" if progress.counts else "before"
        what = (
            f"`qwq-gguf set` was interrupted at its work: the keys are those from {when} it, "
            "and its remains go with the next one"
        )
        clean = replace(first, file=known.files[0].file, header=known.files[0].header)
        return known, clean, [difference("manifest", "header", what)]
    if progress.counts:
        what = "`qwq-gguf set` changed the keys, and was interrupted before the manifest said so"
    else:
        what = "`qwq-gguf set` was about to change the keys, and did not"
    return known, first, [remark("manifest", "header", f"{what}; the next one tidies up")]


def _digest(header: bytes) -> PartDigest:
    return PartDigest(len(header), hashlib.sha256(header).hexdigest())
