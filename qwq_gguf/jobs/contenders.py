"""The models of an evaluation, each with the profiles and governors that it is asked under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.events import Note, Report, Said

if TYPE_CHECKING:
    from qwq_gguf.evaluation.asking.governors import GovernorWish
    from qwq_gguf.evaluation.asking.sample import Cell
    from qwq_gguf.jobs.evaluation_wanted import Evaluating
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile

__all__ = ["Contender", "contenders_of", "named"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A model, by the name that its figures have, and the profile of each of its cells."""

    name: str
    path: Path
    parts: tuple[Path, ...]
    profiles: Mapping[Cell, Profile]

    @classmethod
    def of(
        cls,
        name: str,
        path: Path,
        parts: Sequence[Path],
        profiles: Sequence[Profile],
        wishes: Sequence[GovernorWish],
    ) -> Contender:
        """The one with every profile under every governor. ProfileError."""
        from qwq_gguf.evaluation.asking.plan import cells_of

        by_name = {profile.name: profile for profile in profiles}
        governors = {wish.name: wish for wish in wishes}
        cells = cells_of([name], list(by_name), list(governors))
        return cls(
            name,
            path,
            tuple(parts),
            {cell: governors[cell.governor].applied(by_name[cell.profile]) for cell in cells},
        )


def named(models: Sequence[tuple[str, Path]]) -> list[str]:
    """A name for each of these sources with their files: the file's, where no other has that."""
    taken = Counter(path.name for _, path in models)
    return [path.name if taken[path.name] == 1 else source for source, path in models]


def contenders_of(
    asked: Evaluating, wishes: Sequence[GovernorWish], report: Report
) -> list[Contender]:
    """Each model with its cells; their files are here afterwards, and none is loaded."""
    from qwq_gguf.jobs.demo import gguf_named
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header

    found = []
    for source in asked.sources:
        place = gguf_named(source, report)
        with gguf_header(place, asked.revision, asked.token, report) as (located, gguf):
            profiles = _profiles(asked, gguf.metadata, report)
        bring_gguf(located, report)
        found.append((source, located, profiles))
    names = named([(source, located.path) for source, located, _ in found])
    contenders = [
        Contender.of(name, located.path, located.parts, profiles, wishes)
        for name, (_, located, profiles) in zip(names, found, strict=True)
    ]
    _tell_governors(contenders[0], wishes, report)
    return contenders


def _profiles(
    asked: Evaluating, metadata: Mapping[str, KeyValue], report: Report
) -> tuple[Profile, ...]:
    from qwq_gguf.jobs.settings import with_thoughts
    from qwq_gguf.profiles import resolve, thoughts_of

    effort = asked.effort
    names = [name.strip() for name in asked.profiles]
    settings = {name: resolve(metadata, requested=name) for name in names}
    profiles = {
        each.profile.name: with_thoughts(each.profile, None, None, effort=effort)
        for each in settings.values()
    }
    if effort is not None:
        told = thoughts_of(metadata, next(iter(profiles.values()))).note
        report(Note(told) if told else Said(f"effort {effort}"))
    if len(profiles) < len(names):
        raise UsageError(f"--profile names one twice: {','.join(names)}")
    for name, resolved in settings.items():
        if name == "auto":
            report(Said(f"profile {resolved.profile.name}: {resolved.reason}"))
    for sentence in dict.fromkeys(s for each in settings.values() for s in each.notes):
        report(Note(sentence))
    return tuple(profiles.values())


def _tell_governors(contender: Contender, wishes: Sequence[GovernorWish], report: Report) -> None:
    """What each governor does, of the first profile, where somebody asked for one by name."""
    from qwq_gguf.evaluation.asking.governors import governor_words

    if [wish.name for wish in wishes] == ["default"]:
        return
    for cell, profile in list(contender.profiles.items())[: len(wishes)]:
        report(Said(f"governor {cell.governor}: {governor_words(profile.governor)}"))
