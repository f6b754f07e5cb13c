"""What a GGUF holds, from its header alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.jobs.events import Report, silent
from qwq_gguf.jobs.fetching import gguf_header

if TYPE_CHECKING:
    from qwq_gguf.gguf_file.summary import FileSummary
    from qwq_gguf.profiles import EditedKey

__all__ = ["Inspected", "inspect_file"]


@dataclass(frozen=True, slots=True)
class Inspected:
    """A GGUF's `summary`, the `profile` that it names, and the keys that were `edited` since."""

    summary: FileSummary
    profile: str | None
    edited: tuple[EditedKey, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return {**self.summary.to_json(), "profile": self._profile()}

    def _profile(self) -> dict[str, Any] | None:
        if self.profile is None:
            return None
        keys = [{"key": one.key, "value": one.value, "profile": one.wrote} for one in self.edited]
        return {"name": self.profile, "edited": keys}


@contextmanager
def inspect_file(
    source: str | Path,
    revision: str | None = None,
    token: str | None = None,
    report: Report = silent,
) -> Iterator[Inspected]:
    """Look at a GGUF; of one on the Hub, the header alone is fetched. Its long arrays are read
    when they are asked for, so only as long as the context lasts.
    """
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.chat.template_of_file import special_texts
    from qwq_gguf.gguf_file import Oddity, read_splits
    from qwq_gguf.gguf_file.summary import summarize
    from qwq_gguf.preparation.llama_cpp import MISREAD, is_misread, remedy
    from qwq_gguf.preparation.template import check_template
    from qwq_gguf.profiles import edited_of

    header = gguf_header(str(source), revision, token, report)
    with header as (located, file), one_budget():
        if len(located.parts) > 1 and all(part.is_file() for part in located.parts):
            model = read_splits(located.path)
            summary = summarize(model.whole, len(model.parts))
        else:
            summary = summarize(file)
        if file.path != located.path:  # only the header is here, in a folder that goes away
            summary = replace(summary, path=Path(located.source))
        template = summary.chat_template or ""
        names = special_texts(file.metadata)
        if is_misread(template, names):
            odd = Oddity(MISREAD, remedy(template))
            summary = replace(summary, oddities=(*summary.oddities, odd))
        elif template and (broken := check_template(template, names).broken) is not None:
            odd = Oddity(
                f"the chat template cannot be used: {broken}",
                "another goes in with `qwq-gguf set FILE --chat-template JINJA`",
            )
            summary = replace(summary, oddities=(*summary.oddities, odd))
        named, edited = edited_of(file.metadata)
        yield Inspected(summary, named, tuple(edited))
