"""One file of the Hub, brought into the cache that all tools share, and hashed on the way.

The layout is huggingface_hub's; its client is not asked to fill it. The client takes a
header of the answer for the name of a file, and never looks at the bytes: a mirror that lies
could put them anywhere, any number of them. Here every name comes from the checked listing
or from the digest of what came.

    blobs/<digest>                        the content
    snapshots/<commit>/<file>             a link to it
    ../.locks/<repository>/<digest>.lock  held while it is downloaded
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.cache import is_blob, repository_folder
from qwq_gguf.checkpoint.hub.connection import Line
from qwq_gguf.checkpoint.hub.download import Download, other_content
from qwq_gguf.checkpoint.hub.http import get_whole
from qwq_gguf.checkpoint.hub.retry import PATIENT
from qwq_gguf.checkpoint.hub.snapshot import HubFile, HubSnapshot
from qwq_gguf.errors import HubConnectionError, HubError, OutputError, SourceError
from qwq_gguf.files.naming import create_or_open
from qwq_gguf.locks import lock

__all__ = ["SMALL", "bring_file"]

SMALL = 2 * MIB
"""What is so small comes in one answer, without a part that could be continued."""
POLICY = PATIENT
_LOOK_AGAIN = 0.5  # seconds, while another process downloads the same


def bring_file(
    snapshot: HubSnapshot,
    file: HubFile,
    *,
    line: Line,
    report: Callable[[int], None],
    limit: int | None = None,
) -> str | None:
    """Have the file in the snapshot's folder; its SHA-256 in hex, if its bytes came just now
    and were hashed, and None if the cache had them under another name.

    `report` is told how many bytes are here; `limit` is the largest file to be taken.
    HubError in one of its kinds, ShardError for bytes that are not those that are listed,
    DiskSpaceError; Stopped.
    """
    blobs = repository_folder(snapshot.hub, snapshot.repo) / "blobs"
    try:
        return _bring(snapshot, file, blobs, line, report, limit)
    except OutputError as problem:
        raise _unwritable(problem.message, problem.path or blobs) from problem
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _unwritable(reason, problem.filename or blobs) from problem


def _bring(
    snapshot: HubSnapshot,
    file: HubFile,
    blobs: Path,
    line: Line,
    report: Callable[[int], None],
    limit: int | None,
) -> str | None:
    start = None if file.size is not None else _first(snapshot, file, line)
    size = file.size if start is None else start[1]
    if size is None or (limit is not None and size > limit):
        raise SourceError(
            "is too large to be what its name says",
            path=f"{snapshot.repo}/{file.name}",
            found="no size" if size is None else f"{size:,} bytes",
            expected=None if limit is None else f"at most {limit:,} bytes",
        )
    # Without a digest it is downloaded under the name of its place, then named by its content.
    place = hashlib.sha1(f"{snapshot.commit}/{file.name}".encode(), usedforsecurity=False)
    blob = blobs / (file.sha256 or file.blob or f"{place.hexdigest()}.unlisted")
    pointer = snapshot.folder / file.name
    for folder in (blobs, pointer.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(snapshot, blob.name, line):
        if is_blob(blob, size):
            _link(blob, pointer)
            return None
        if size <= SMALL:
            content = b"" if start is None else start[0]
            digest = _small(snapshot, file, blob, size, content, line)
            report(size)
        else:
            download = Download(snapshot, file, blob, size, policy=POLICY, line=line, report=report)
            digest = download.run()
        if blob.suffix:
            blob = blob.replace(blobs / digest)
        _link(blob, pointer)
    return digest


def _first(snapshot: HubSnapshot, file: HubFile, line: Line) -> tuple[bytes, int | None]:
    """The start of a file of no listed size, and its size: all of it, if it is small."""
    answer = get_whole(snapshot.hub, snapshot.repo, snapshot.commit, file.name, SMALL + 1, line)
    size = answer.size
    if size is None and len(answer.content) <= SMALL:
        size = len(answer.content)
    return answer.content, size


def _small(
    snapshot: HubSnapshot, file: HubFile, blob: Path, size: int, content: bytes, line: Line
) -> str:
    """Have a small file at `blob`; its SHA-256. `content` is the file, if it is here already."""
    hub, repo, commit = snapshot.hub, snapshot.repo, snapshot.commit
    for last in (False, True):
        said = len(content)
        if said != size:
            answer = get_whole(hub, repo, commit, file.name, size, line)
            content = answer.content
            said = len(content) if answer.size is None else answer.size
        if said != size:
            raise HubConnectionError(
                "the file is not of the size that the Hub lists",
                path=f"{repo}/{file.name}",
                found=f"{said:,} bytes",
                expected=f"{size:,} bytes",
                hint="check HF_ENDPOINT and the proxy",
            )
        sha256 = hashlib.sha256(content).hexdigest()
        git = hashlib.sha1(b"blob %d\0" % size + content, usedforsecurity=False).hexdigest()
        if (sha256 if file.sha256 else git) == (file.sha256 or file.blob or git):
            break
        if last:
            raise other_content(snapshot, file, sha256=sha256, git=git)
        content = b""  # a byte may have been damaged on the way
    fresh = blob.with_name(f"{blob.name}.{secrets.token_hex(8)}.incomplete")
    try:
        with fresh.open("xb") as out:
            out.write(content)
        fresh.replace(blob)
    finally:
        fresh.unlink(missing_ok=True)
    return sha256


def _link(blob: Path, pointer: Path) -> None:
    """Have the file's own name lead to its content, whatever it led to before."""
    fresh = pointer.with_name(f".{secrets.token_hex(8)}.link")
    try:
        try:
            fresh.symlink_to(os.path.relpath(blob, pointer.parent))
        except OSError:  # a disk without links: then the name is all there is
            blob.replace(pointer)
        else:
            fresh.replace(pointer)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _locked(snapshot: HubSnapshot, name: str, line: Line) -> Iterator[None]:
    """Keep other processes, and other tools, from downloading the same meanwhile."""
    repository = repository_folder(snapshot.hub, snapshot.repo)
    path = repository.parent / ".locks" / repository.name / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = create_or_open(path)
    try:
        while not lock(descriptor):
            line.pause(_LOOK_AGAIN)
        yield
    finally:
        os.close(descriptor)


def _unwritable(reason: str, path: str | Path) -> HubError:
    return HubError(
        f"the cache cannot be written: {reason.removeprefix('cannot be written: ')}",
        path=path,
        hint="point HF_HOME to a folder of your own",
    )
