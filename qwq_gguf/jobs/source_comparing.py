"""A GGUF's template, special tokens and sampling keys beside those of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import QwqGgufError
from qwq_gguf.jobs.events import Report, silent
from qwq_gguf.jobs.fetching import asking, gguf_header

if TYPE_CHECKING:
    from qwq_gguf.conversion import Conversion
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.verification.source_keys import KeyDifference

__all__ = ["Beside", "differing_keys", "inspect_beside"]

BESIDE_SCHEMA = "qwq-gguf/inspect-against/1"


@dataclass(frozen=True, slots=True)
class Beside:
    """What `file` says otherwise than `source`, which is at `commit` if it is on the Hub."""

    file: str
    source: str
    commit: str | None
    differences: tuple[KeyDifference, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "schema": BESIDE_SCHEMA,
            "file": self.file,
            "source": self.source,
            "commit": self.commit,
            "differences": [each.to_json() for each in self.differences],
        }


def inspect_beside(
    file: str | Path,
    source: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    report: Report = silent,
) -> Beside:
    """Compare them by headers and JSON; no weights are read or fetched. `source` is a checkpoint or
    another GGUF.
    """
    from qwq_gguf.jobs.source import open_source

    with gguf_header(str(file), revision, token, report) as (located, gguf):
        with asking(report, source):
            opened = open_source(source, token=token)
        hub = opened.hub
        found = differing_keys(gguf.metadata, opened.convert())
        return Beside(located.source, source, None if hub is None else hub.commit, tuple(found))


def differing_keys(file: Mapping[str, KeyValue], conversion: Conversion) -> list[KeyDifference]:
    """What a GGUF's keys say otherwise than those that a source gives by itself."""
    from qwq_gguf.preparation import prepare
    from qwq_gguf.profiles import load_profile, profile_names
    from qwq_gguf.profiles.gguf_keys import PROFILE_KEY
    from qwq_gguf.verification.source_keys import compare_source_keys

    named = file.get(PROFILE_KEY)
    name = str(named.value).lower() if named is not None and named.element is None else ""
    profiles = [None, load_profile(name)] if name in profile_names() else [None]
    prepared = []
    for profile in profiles:
        try:
            entries = prepare(conversion, profile=profile).conversion.metadata
        except QwqGgufError:  # then nothing of it is a repair that we would make
            continue
        prepared.append({entry.key: entry for entry in entries})
    return compare_source_keys(file, {entry.key: entry for entry in conversion.metadata}, prepared)
