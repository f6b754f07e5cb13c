"""A checkpoint on the Hub: its small files in the cache, its tensors known by ranged reads.

The weights themselves are not touched: a plan, and a refusal, cost a few hundred kilobytes.
`fetch_weights` brings them when the plan is to be run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NoReturn

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.fetch import DownloadProgress, Fetched, fetch
from qwq_gguf.checkpoint.hub.gguf import exact_tag
from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
from qwq_gguf.checkpoint.kinds import refuse_repository
from qwq_gguf.checkpoint.safetensors import header_length, parse_header, read_header
from qwq_gguf.checkpoint.shards import INDEX_NAME
from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo
from qwq_gguf.errors import (
    HubNotFoundError,
    NotACheckpointError,
    ShardError,
    SourceError,
    UnsupportedError,
)
from qwq_gguf.foreign import HEAD_BYTES
from qwq_gguf.words import some

__all__ = ["check_planned", "fetch_small_files", "fetch_weights", "remote_headers"]

# The most that their readers take.
_SMALL_FILES = {
    "config.json": 4 * MIB,
    "generation_config.json": 4 * MIB,
    "tokenizer.json": 64 * MIB,
    "tekken.json": 64 * MIB,
    "tokenizer_config.json": 16 * MIB,
    "chat_template.jinja": 4 * MIB,
    "chat_template.json": 4 * MIB,
    "README.md": 4 * MIB,
    INDEX_NAME: 32 * MIB,
}
_MAX_TEMPLATE = 4 * MIB
_MORE_TEMPLATES = "additional_chat_templates/"
_MAX_TEMPLATES = 100
# Nearly every header is shorter: QwQ-32B's are 5 to 6 KB, those of 500 tensors about 60.
_FIRST_READ = 64 * 1024
_AT_ONCE = 8
_MAX_SHARDS = 10_000


def fetch_small_files(snapshot: HubSnapshot) -> None:
    """Have what describes the model in `snapshot.folder`: all but the weights.

    SourceError, before anything is downloaded, where the repository is no checkpoint.
    """
    _check_kind(snapshot)
    limits = {name: most for name, most in _SMALL_FILES.items() if name in snapshot.files}
    if "tokenizer.json" in limits:
        limits.pop("tekken.json", None)  # the same in Mistral's own form
    card = snapshot.files.get("README.md")
    if card is not None and (card.size or 0) > limits["README.md"]:  # decoration
        del limits["README.md"]
    limits |= dict.fromkeys(_more_templates(snapshot), _MAX_TEMPLATE)
    for name, most in limits.items():
        size = snapshot.files[name].size
        if size is not None and size > most:
            raise SourceError(
                "is too large to be what its name says",
                path=f"{snapshot.repo}/{name}",
                found=f"{size:,} bytes",
                expected=f"at most {most:,} bytes",
            )
    fetch(snapshot, limits, limits=limits)


def _more_templates(snapshot: HubSnapshot) -> list[str]:
    names = [
        name
        for name in snapshot.files
        if name.startswith(_MORE_TEMPLATES) and name.endswith(".jinja") and name.count("/") == 1
    ]
    return names[:_MAX_TEMPLATES]


def remote_headers(
    snapshot: HubSnapshot,
) -> Callable[[Iterable[Path]], Iterator[Mapping[str, TensorInfo]]]:
    """Reads the headers of shards of `snapshot.folder`, from the Hub where they are not here."""

    def read(paths: Iterable[Path]) -> Iterator[Mapping[str, TensorInfo]]:
        paths = list(paths)
        if len(paths) > _MAX_SHARDS:
            raise ShardError("an absurd number of shards", path=snapshot.repo, found=len(paths))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(lambda path: _header(snapshot, path), paths)

    return read


def fetch_weights(
    checkpoint: Checkpoint, *, progress: Callable[[DownloadProgress], None] | None = None
) -> dict[Path, Fetched]:
    """Have the shards where `checkpoint.tensors` says they are; what of them came just now. A
    local folder needs nothing.

    ShardError when a downloaded shard is not what the Hub lists, or not the one whose header
    was read.
    """
    snapshot = checkpoint.hub
    if snapshot is None:
        return {}
    names = {snapshot.name_of(path): path for path in checkpoint.shards}
    absent = [name for name in names if not snapshot.is_here(name)]
    fetched = fetch(snapshot, absent, progress=progress)
    for name in absent:
        check_planned(checkpoint, names[name])
    return {names[name]: found for name, found in fetched.items()}


def check_planned(checkpoint: Checkpoint, path: Path) -> None:
    """ShardError when the shard that is now at `path` has another header than was read."""
    planned = {info.name: info for info in checkpoint.tensors.values() if info.shard == path}
    if read_header(path) != planned:
        raise ShardError(
            "the shard that was downloaded is not the one that was planned with",
            path=path,
            hint="delete this file and try again",
        )


def _header(snapshot: HubSnapshot, path: Path) -> dict[str, TensorInfo]:
    name = snapshot.name_of(path)
    if snapshot.problem is not None or snapshot.is_here(name):
        return read_header(path)
    from qwq_gguf.checkpoint.hub.http import get_start

    listed = snapshot.files[name].size
    hub, repo, commit = snapshot.hub, snapshot.repo, snapshot.commit
    start = get_start(hub, repo, commit, name, _FIRST_READ)
    size = listed if start.size is None else start.size
    if size is None or (listed is not None and size != listed):
        raise ShardError(
            "the shard is not of the size that the Hub lists",
            path=path,
            found="unknown" if size is None else f"{size} bytes",
            expected=None if listed is None else f"{listed} bytes",
        )
    end = 8 + header_length(start.content[:HEAD_BYTES], path, size)
    content = start.content
    if len(content) < end:
        # From byte 0 again: a server without ranges then does as well.
        content = get_start(hub, repo, commit, name, end).content
    if len(content) < end:
        raise ShardError(
            "the Hub sends less of the shard than it should",
            path=path,
            found=f"{len(content)} bytes",
            expected=f"{end} bytes",
            hint="try again later",
        )
    return parse_header(content[8:end], path=path, data_start=end, file_size=size)


def _check_kind(snapshot: HubSnapshot) -> None:
    """Refuse by its listing what is no checkpoint of safetensors."""
    names = snapshot.files
    if any(name.endswith(".safetensors") and "/" not in name for name in names):
        if "config.json" in names:
            return
        refuse_repository(snapshot.repo, names)
        _refuse(snapshot, "there is no config.json in this repository")
    if snapshot.problem is not None:
        # A plan leaves the small files alone in the cache.
        if "config.json" in names and INDEX_NAME in names:
            return
        raise snapshot.problem
    ggufs = [name for name in names if name.lower().endswith(".gguf")]
    if ggufs:
        exact = exact_tag(names)
        another = f"{snapshot.called}:{exact}" if exact else "the model it was made from"
        raise NotACheckpointError(
            "this repository holds GGUF files, which are already converted",
            path=snapshot.repo,
            found=f"{len(ggufs)} GGUF file(s), no safetensors",
            hint=f"qwq-gguf chat {snapshot.called} (or quantize {another})",
        )
    if any(PurePosixPath(name).suffix in (".bin", ".pth", ".pt") for name in names):
        raise UnsupportedError(
            "the weights are PyTorch pickles, which can run code when they are opened",
            path=snapshot.repo,
            expected="*.safetensors",
            hint=f"see {snapshot.page}/discussions for a revision with safetensors",
        )
    refuse_repository(snapshot.repo, names)
    _refuse(snapshot, "there are no weights in this repository")


def _refuse(snapshot: HubSnapshot, message: str) -> NoReturn:
    if not snapshot.files:
        raise HubNotFoundError(
            "this revision is empty", path=snapshot.repo, found=snapshot.revision
        )
    raise NotACheckpointError(
        message,
        path=snapshot.repo,
        found=some(snapshot.files, 6),
        expected="config.json, tokenizer.json and model*.safetensors",
    )
