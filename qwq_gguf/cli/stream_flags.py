"""`quantize --stream`: from the Hub with a small disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwq_gguf.cli.output import note
from qwq_gguf.cli.quantize_source import Opened, bring_source
from qwq_gguf.words import count, human_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwq_gguf.checkpoint import Checkpoint, DownloadProgress, Fetched
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.quantization.writing.outputs import Outputs

__all__ = [
    "Stream",
    "announce",
    "bring_whole",
    "check_stream_room",
    "shard_supply",
    "stream_json",
    "stream_source",
    "sweep_stream",
]

Stream = Annotated[
    bool,
    typer.Option(
        "--stream",
        help="From the Hub: delete each shard when it is used. Takes the room of the result and "
        "of two shards, and leaves nothing in the cache.",
    ),
]


def stream_source(opened: Opened, target: Path) -> Checkpoint:
    """The checkpoint whose shards pass by in a folder beside `target`. A usage error for others."""
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.checkpoint.hub.stream import stream_folder, streamed

    if not isinstance(opened, Checkpoint):
        raise typer.BadParameter("--stream takes safetensors from the Hub, and this is a GGUF")
    if opened.hub is None:
        raise typer.BadParameter("--stream goes with a model on the Hub, and this one is here")
    return streamed(opened, stream_folder(target))


def shard_supply(opened: Opened, progress: Callable[[DownloadProgress], None]) -> HubSupply | None:
    """What brings the shards of a streamed source; None for one that is to be here as a whole."""
    from qwq_gguf.checkpoint import Checkpoint

    if not isinstance(opened, Checkpoint) or opened.hub is None or opened.hub.stream is None:
        return None
    from qwq_gguf.checkpoint.hub.supply import HubSupply

    return HubSupply(opened, progress=progress)


def check_stream_room(opened: Opened, outputs: Outputs) -> None:
    """DiskSpaceError where these files and two of the streamed shards will not fit."""
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.checkpoint.hub.stream import check_room

    if isinstance(opened, Checkpoint):
        sizes = [part.file_bytes for target in outputs.targets for part in target.plan.parts]
        check_room(opened, sum(sizes), present=outputs.present_bytes)


def bring_whole(opened: Opened) -> dict[Path, Fetched]:
    """Have all weights on the disk; what of them came just now. DiskSpaceError tells of
    --stream where that would do.
    """
    from qwq_gguf.errors import DiskSpaceError

    try:
        return bring_source(opened)
    except DiskSpaceError as problem:
        from qwq_gguf.checkpoint import Checkpoint
        from qwq_gguf.checkpoint.hub.stream import peak_bytes, stream_folder, streamed

        if isinstance(opened, Checkpoint) and opened.hub is not None:
            peak = peak_bytes(streamed(opened, stream_folder(Path("x"))))
            problem.hint = (
                f"qwq-gguf quantize {opened.source} --stream, which takes {human_bytes(peak)} "
                f"beside the result; or {problem.hint}"
            )
        raise


def sweep_stream(target: Path) -> None:
    """Remove what a stream that was ended has left for `target`, which is here now without it."""
    from qwq_gguf.checkpoint.hub.stream import clear, remove_empty, stream_folder

    folder = stream_folder(target)
    if folder.is_dir() and not folder.is_symlink():
        clear(folder)
        remove_empty(folder)


def stream_json(opened: Opened) -> dict[str, Any]:
    """What `announce` says, as JSON; empty for a source that is not streamed."""
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.checkpoint.hub.stream import is_streamed, peak_bytes, shard_bytes

    if not isinstance(opened, Checkpoint) or opened.hub is None or opened.hub.stream is None:
        return {}
    shards = [path for path in opened.shards if is_streamed(opened, path)]
    return {
        "stream": {
            "commit": opened.hub.commit,
            "shards": len(shards),
            "bytes": sum(shard_bytes(opened, path) for path in shards),
            "peak_bytes": peak_bytes(opened),
        }
    }


def announce(opened: Opened, *, would: bool = False) -> None:
    """Say of a streamed source what comes and goes, and what room it takes."""
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.checkpoint.hub.stream import is_streamed, peak_bytes, shard_bytes, unlisted

    if not isinstance(opened, Checkpoint) or opened.hub is None:
        return
    shards = [path for path in opened.shards if is_streamed(opened, path)]
    hub = opened.hub
    if not shards:
        note("nothing to stream: all shards are in the cache")
        return
    total = sum(shard_bytes(opened, path) for path in shards)
    rest = len(opened.shards) - len(shards)
    note(
        f"{'would stream' if would else 'streaming'} {count(len(shards), 'shard')} of {hub.repo} "
        f"at {hub.commit}: {human_bytes(total)}, at most "
        f"{human_bytes(peak_bytes(opened))} of it on the disk at a time"
        + (f"; the other {rest} are in the cache" if rest else "")
    )
    unknown = unlisted(opened)
    if unknown:
        note(
            f"note: this Hub lists no digest of {count(len(unknown), 'shard')}: only size and "
            "header can be checked"
        )
