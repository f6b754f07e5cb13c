"""`publish`: GGUFs with all that belongs to them onto the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qwq_gguf.api.calls import (
    Listener,
    check_flags,
    check_texts,
    in_python,
    name_of,
    names_of,
    path_of,
    reporting,
)
from qwq_gguf.jobs import publishing
from qwq_gguf.jobs.publishing import Publication, Publishing, plan_publication

__all__ = ["publish"]


def publish(
    files: str | Path | Sequence[str | Path],
    to: str,
    *,
    yes: bool = False,
    private: bool = False,
    base: str | None = None,
    quality: str | Path | None = None,
    imatrix: str | Path | Sequence[str | Path] = (),
    token: str | None = None,
    progress: Listener = None,
) -> Publication:
    """Put GGUFs, quants of one model, onto the Hub: the same as `qwq-gguf publish`.

    `to` is "org/name-GGUF", or "modelscope:org/name". Nothing leaves this machine, and nobody is
    asked anything, unless `yes` is True: else this is `--dry-run`. The result has the `plan` with
    its `files` and the model `card`, and what was `sent`, None where nothing was. `base` is the
    model that these were made from, where manifests don't say it; `quality` a file with
    what `eval_quality` found, `imatrix` are the matrices that they were made with.

    PublishError for what does not belong together; HubError in its kinds. What was interrupted
    goes on when it is called again.
    """
    with in_python():
        check_flags(yes=yes, private=private)
        check_texts(base=base, token=token)
        report = reporting(progress)
        plan = plan_publication(
            Publishing(
                tuple(Path(name) for name in names_of(files, "files")),
                name_of(to, "to"),
                private,
                base=base,
                quality=None if quality is None else path_of(quality, "quality"),
                imatrix=tuple(Path(name) for name in names_of(imatrix, "imatrix")),
            ),
            report,
        )
        if not yes:
            return Publication(plan)
        return Publication(
            plan, publishing.publish(plan, report, token=token, bars=progress is True)
        )
