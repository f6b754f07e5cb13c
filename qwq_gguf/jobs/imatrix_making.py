"""Making an importance matrix: what a model reads is summed, others are added, a file appears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwq_gguf.jobs.events import Note, Report, Wrote
from qwq_gguf.jobs.imatrix_asked import ImatrixAsked, MadeImatrix
from qwq_gguf.jobs.imatrix_collecting import Collecting
from qwq_gguf.words import count

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.imatrix_sums import ImatrixSums

__all__ = ["make_imatrix"]

_WINDOW = 512
_TRACE_WINDOW = 4096


def make_imatrix(asked: ImatrixAsked, report: Report) -> MadeImatrix:
    """Make it. The file appears whole, or what is done waits beside it for the same call.

    EvaluationError for a text of no use, ImatrixError for files that cannot be merged; what
    loading and writing raise.
    """
    from qwq_gguf.files.naming import check_path, refuse_sources
    from qwq_gguf.quantization.planning.imatrix_sums import ImatrixSums, add, read_sums

    check_path(asked.out, force=asked.force)
    sources = [path for path in (*asked.merge, asked.text, asked.traces) if path is not None]
    refuse_sources([asked.out], sources)
    window = asked.window or (_WINDOW if asked.traces is None else _TRACE_WINDOW)
    made = ImatrixSums()
    for path in asked.merge:
        add(made, read_sums(path, window), path)
    collecting = None
    if asked.source is not None:
        collecting = Collecting(asked, report, window)
        add(made, collecting.run(), asked.merge[0] if asked.merge else asked.out)
    elif asked.window is None:
        window = made.window or window
    size = _write(asked, made, window)
    if collecting is not None:
        collecting.state.unlink(missing_ok=True)
    unseen, matrices = made.unseen
    if unseen:
        report(
            Note(
                f"{unseen} of {count(matrices, 'expert')} and matrices were given nothing to "
                "multiply: a longer text reaches more of them"
            )
        )
    chunks = made.chunks(window)
    report(Wrote(asked.out, f"{len(made.entries)} entries, {chunks} windows of {window} tokens"))
    return MadeImatrix(
        path=asked.out,
        nbytes=size,
        entries=len(made.entries),
        windows=0 if collecting is None else collecting.windows,
        tokens=0 if collecting is None else collecting.tokens,
        chunks=chunks,
        unseen=unseen,
        matrices=matrices,
    )


def _write(asked: ImatrixAsked, made: ImatrixSums, window: int) -> int:
    from qwq_gguf.files.sized import NewFile
    from qwq_gguf.quantization.planning.imatrix_sums import encode_imatrix

    parts = encode_imatrix(made, window=window)
    size = sum(map(len, parts))
    with NewFile(asked.out, size, force=asked.force) as file:
        at = 0
        for part in parts:
            file.write(at, part)
            at += len(part)
        file.commit()
    return size
