"""A running server beside what a profile wants of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ServerError, UsageError
from qwq_gguf.jobs.events import Note, Report, Said, Warned

if TYPE_CHECKING:
    from qwq_gguf.conformance import Row
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile

__all__ = ["Conformed", "check_server"]

_PATIENCE = 300.0  # seconds for a reply: a large model on a slow machine takes its time


@dataclass(frozen=True, slots=True)
class Conformed:
    """What a server applies, setting by setting.

    `notes` are about what was found, `advice` says what to type so that it conforms.
    """

    server: str
    profile: Profile
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def differing(self) -> int:
        """How many settings are not what is wanted."""
        return self._counted("DIFFERS")

    def verdict(self) -> str:
        """All of it in a line."""
        untold = self._counted("UNTOLD")
        return (
            f"{self.server}: {self.differing} of {len(self.rows)} settings differ from "
            f"profile {self.profile.name}" + (f", {untold} not told" if untold else "")
        )

    def to_json(self) -> dict[str, Any]:
        """The same as one object."""
        return {
            "server": self.server,
            "profile": self.profile.name,
            "conforms": not self.differing,
            "settings": [
                {
                    "setting": row.setting,
                    "wanted": row.wanted,
                    "applied": row.applied or None,
                    "verdict": row.verdict.value,
                    "from": row.origin or None,
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }

    def _counted(self, verdict: str) -> int:
        return sum(row.verdict.name == verdict for row in self.rows)


def check_server(
    url: str,
    report: Report,
    *,
    profile: str | None = None,
    model: str | None = None,
    file: Path | None = None,
    api_key: str | None = None,
    replies: bool = True,
) -> Conformed:
    """Ask the server at `url` what it applies, and with `replies` for two short ones.

    `profile` is what is wanted by its name; else what `file` asks for, the GGUF that runs
    there. ServerError when the server says nothing that could be compared; UsageError for a
    profile `auto` without a file.
    """
    from qwq_gguf.chat.template_of_file import template_of
    from qwq_gguf.conformance import Verdict, advice, ask_for_replies, ask_server, compare
    from qwq_gguf.conformance.http import Client
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.preparation.llama_cpp import MISREAD, is_misread, remedy
    from qwq_gguf.profiles import AUTO
    from qwq_gguf.profiles.gguf_keys import read_sampling

    metadata = None if file is None else read_gguf(file).metadata
    wanted = _wanted(profile, metadata, report)
    said = None if metadata is None else read_sampling(metadata)
    client = Client(url, api_key=api_key)
    if client.exposes_key:
        report(Warned("the API key goes over the network unencrypted (https:// would hide it)"))
    applied = ask_server(client, model=model, file=said)
    rows, notes = compare(wanted, applied), list(applied.notes)
    if replies:
        template = applied.template
        if template is None and metadata is not None:
            template = template_of(metadata)
        patient = Client(url, api_key=api_key, timeout=_PATIENCE, patience=_PATIENCE)
        try:
            rows += ask_for_replies(patient, template, server=applied.server, model=model)
        except ServerError as error:
            notes.append(f"no reply could be looked at: {error}")
        lost = any(row.setting == "thought" and row.verdict is Verdict.DIFFERS for row in rows)
        if lost and template is not None and is_misread(template):
            notes.append(f"{MISREAD}: {remedy(template)}")
    # A profile by its path has a name that `set` would not find; what the file names is there.
    taken = wanted.name if profile in (None, AUTO) else profile
    known = wanted.name == "file" or (said is not None and said.profile == wanted.name)
    told = advice(rows, applied.server, None if known else taken)
    return Conformed(applied.server, wanted, tuple(rows), tuple(notes), tuple(told))


def _wanted(name: str | None, metadata: Mapping[str, KeyValue] | None, report: Report) -> Profile:
    """The profile of this name, else what the file asks for, as everywhere."""
    from qwq_gguf.profiles import AUTO, DEFAULT_PROFILE, load_profile, resolve

    if metadata is None:
        if name == AUTO:
            raise UsageError("--profile auto goes by a file: name it with --file")
        return load_profile(name or DEFAULT_PROFILE)
    resolved = resolve(metadata, requested=name)
    report(Said(f"profile {resolved.profile.name}: {resolved.reason}"))
    for sentence in resolved.notes:
        report(Note(sentence))
    return resolved.profile
