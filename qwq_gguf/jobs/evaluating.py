"""Asking a model the problems of a suite under some profiles: replies, then figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.contexts import USUAL, ContextWish
from qwq_gguf.jobs.events import Activity, Meter, Remark, Report, Said, activity
from qwq_gguf.jobs.speculating import SpeculationWish
from qwq_gguf.json_text import to_json

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.evaluation.summary import Sample
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile

__all__ = ["EVAL_SCHEMA", "Evaluating", "Evaluation"]

EVAL_SCHEMA = "qwq-gguf/eval-thinking/1"

Lines: TypeAlias = Callable[[str], None]
"""Takes one line after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluating:
    """What is to be asked, of whom, and how.

    `profiles` are names, auto among them; `samples` are the replies to each problem, `limit` the
    problems of each skill. `out` gets each reply as a JSON line, and is replaced with `force` only.
    """

    source: str
    suite: str
    profiles: Sequence[str] = ("auto",)
    samples: int = 1
    limit: int | None = None
    seed: int = 0
    max_tokens: int | None = None
    effort: str | None = None
    context: int | None = None
    gpu_layers: int | None = None
    threads: int | None = None
    wish: ContextWish = USUAL
    guessing: SpeculationWish | None = None
    out: Path | None = None
    force: bool = False
    revision: str | None = None
    token: str | None = None


class Evaluation:
    """A run of that; `done` has what was recorded so far, whatever ended it."""

    def __init__(self, asked: Evaluating) -> None:
        self.asked = asked
        self.done: list[Sample] = []
        self.file = Path(asked.source)

    def run(
        self,
        report: Report,
        *,
        whole: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Ask everything. Within `whole()` a reply is recorded, which nothing should interrupt.

        UsageError for one profile twice; EvaluationError for a suite that there isn't; what
        loading raises.
        """
        from qwq_gguf.evaluation.suites.skills import suite
        from qwq_gguf.jobs.fetching import bring_gguf, gguf_header
        from qwq_gguf.jobs.loading import load_model

        asked = self.asked
        problems = suite(asked.suite, limit=asked.limit, seed=asked.seed)
        with gguf_header(asked.source, asked.revision, asked.token, report) as (located, gguf):
            profiles = self._profiles(gguf.metadata, report)
        bring_gguf(located, report)
        self.file = located.path
        with (
            _lines(asked.out, located.parts, force=asked.force) as lines,
            load_model(
                located.path,
                report,
                usual_context=max(profile.context for profile in profiles),
                context=asked.context,
                gpu_layers=asked.gpu_layers,
                threads=asked.threads,
                wish=asked.wish,
                guessing=asked.guessing,
            ) as model,
        ):
            total = len(problems) * asked.samples * len(profiles)
            with activity(report, Activity.EVALUATING, "asking", total):
                meter = Meter(report, Activity.EVALUATING, total)
                for profile in profiles:
                    right = 0
                    for number, sample in enumerate(self._ask(model, profile, problems), start=1):
                        with whole():  # figures and lines are of the same replies
                            self.done.append(sample)
                            if lines is not None:
                                lines(to_json(sample.to_json()))
                        right += sample.right
                        meter.passed(1, f"{profile.name} {sample.skill}, {right} of {number} right")

    def by_profile(self) -> dict[str, list[Sample]]:
        """What is done, by the profile it was done under."""
        groups: dict[str, list[Sample]] = {}
        for sample in self.done:
            groups.setdefault(sample.profile, []).append(sample)
        return groups

    def to_json(self) -> dict[str, Any]:
        """The figures as one object, with its schema."""
        from qwq_gguf.evaluation.summary import score, score_by_skill

        return {
            "schema": EVAL_SCHEMA,
            "file": self.file.name,
            "suite": self.asked.suite,
            "seed": self.asked.seed,
            "samples_each": self.asked.samples,
            "profiles": [
                {
                    "profile": profile,
                    **score(group).to_json(),
                    "skills": {
                        skill: figures.to_json() for skill, figures in score_by_skill(group).items()
                    },
                }
                for profile, group in self.by_profile().items()
            ],
        }

    def _profiles(self, metadata: Mapping[str, KeyValue], report: Report) -> tuple[Profile, ...]:
        from qwq_gguf.jobs.settings import with_thoughts
        from qwq_gguf.profiles import resolve, thoughts_of

        effort = self.asked.effort
        names = [name.strip() for name in self.asked.profiles]
        settings = {name: resolve(metadata, requested=name) for name in names}
        profiles = {
            each.profile.name: with_thoughts(each.profile, None, None, effort=effort)
            for each in settings.values()
        }
        if effort is not None:
            notice = thoughts_of(metadata, next(iter(profiles.values()))).notice
            report(Remark(notice) if notice else Said(f"effort {effort}"))
        if len(profiles) < len(names):
            raise UsageError(f"--profile names one twice: {','.join(names)}")
        for name, resolved in settings.items():
            if name == "auto":
                report(Said(f"profile {resolved.profile.name}: {resolved.reason}"))
        for sentence in dict.fromkeys(s for each in settings.values() for s in each.notes):
            report(Remark(sentence))
        return tuple(profiles.values())

    def _ask(self, model: Model, profile: Profile, problems: Sequence[Any]) -> Iterator[Sample]:
        from qwq_gguf.evaluation.runner import ask_model, run_suite

        asked = self.asked
        ask = ask_model(model, profile, max_tokens=asked.max_tokens)
        return run_suite(
            ask, problems, profile=profile.name, samples=asked.samples, seed=asked.seed
        )


@contextmanager
def _lines(path: Path | None, source: Sequence[Path], *, force: bool) -> Iterator[Lines | None]:
    from qwq_gguf.files.naming import open_descriptor, refuse_sources
    from qwq_gguf.files.writing import LinesFile, write_descriptor

    if path is None:
        yield None
        return
    descriptor = open_descriptor(path)
    if descriptor is not None:
        yield lambda line: write_descriptor(descriptor, f"{line}\n", path)
        return
    refuse_sources([path], source)
    with LinesFile(path, force=force) as file:
        yield file.write
