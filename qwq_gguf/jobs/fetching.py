"""Having a GGUF, or its header alone, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from qwq_gguf.jobs.events import Activity, Progress, Report, activity, silent

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint import LocatedGguf
    from qwq_gguf.checkpoint.hub.fetch import DownloadProgress, Fetched
    from qwq_gguf.gguf_file import GgufFile

__all__ = ["asking", "bring_gguf", "downloaded", "gguf_header", "ollama_name"]


@contextmanager
def asking(report: Report, source: str) -> Iterator[None]:
    """Tells that the Hub is asked about a name; of what is on this machine, nothing."""
    from qwq_gguf.files.reading import user_path

    if source == "demo" or user_path(source).exists():
        yield
        return
    with activity(report, Activity.ASKING, source):
        yield


def downloaded(report: Report) -> Callable[[DownloadProgress], None]:
    """A download's own progress as events."""

    def tell(progress: DownloadProgress) -> None:
        report(Progress(Activity.DOWNLOADING, progress.done, progress.total, progress.file))

    return tell


def bring_gguf(located: LocatedGguf, report: Report) -> dict[Path, Fetched]:
    """Download what is missing of a GGUF; what of it came just now."""
    if located.is_here:
        return {}
    from qwq_gguf.checkpoint import fetch_gguf

    with activity(report, Activity.DOWNLOADING, located.path.name):
        return fetch_gguf(located, progress=downloaded(report))


@contextmanager
def gguf_header(
    source: str,
    revision: str | None = None,
    token: str | None = None,
    report: Report = silent,
) -> Iterator[tuple[LocatedGguf, GgufFile]]:
    """A GGUF's header; of one on the Hub, the header alone is fetched. GgufError for a part
    of a model that is called as if it were all of it.

    Its long arrays are read when they are asked for, so only as long as the context lasts.
    """
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.checkpoint.hub.peek import peek_gguf
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.gguf_file.splits import count_parts

    with ExitStack() as stack:
        with asking(report, source):
            located = locate_gguf(source, revision=revision, token=token, fetch=False)
            peek = peek_gguf(located, lambda path: read_gguf(path).data_offset)
            file = read_gguf(stack.enter_context(peek))
        count_parts(file, located.path)
        yield located, file


def ollama_name(located: LocatedGguf) -> str | None:
    """What Ollama itself would pull this file by, or None where it could not.

    It knows the public Hub's main branch, and no model in several files.
    """
    hub = located.hub
    if hub is None or len(located.parts) > 1 or hub.revision != "main":
        return None
    from qwq_gguf.checkpoint.hub.settings import DEFAULT_ENDPOINT

    on_hub = hub.hub.endpoint == DEFAULT_ENDPOINT
    return f"hf.co/{hub.repo}:{located.tag}" if on_hub else None
