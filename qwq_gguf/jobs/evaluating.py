"""Asking models the questions of suites, under profiles and governors: replies, then figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from qwq_gguf.errors import EvaluationError, UsageError
from qwq_gguf.jobs.contenders import Contender, contenders_of
from qwq_gguf.jobs.evaluated import evaluation_record
from qwq_gguf.jobs.evaluation_wanted import Evaluating
from qwq_gguf.jobs.events import Activity, Meter, Note, Report, Said, activity
from qwq_gguf.jobs.measured_thoughts import remember_lengths

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.evaluation.asking.plan import Wanted
    from qwq_gguf.evaluation.asking.sample import Cell, Sample
    from qwq_gguf.evaluation.questions import Question

__all__ = ["EVAL_SCHEMA", "PARALLEL", "Evaluating", "Evaluation"]

EVAL_SCHEMA = "qwq-gguf/eval-thinking/2"
PARALLEL = 4
"""Replies that are made at once unless somebody says otherwise."""

Keep: TypeAlias = "Callable[[Sample], None]"
"""Writes a reply down."""


class Evaluation:
    """A run of that; `done` has what was answered so far, whatever ended it."""

    def __init__(self, asked: Evaluating) -> None:
        self.asked = asked
        self.cells: tuple[Cell, ...] = ()
        self.done: list[Sample] = []
        self.record: Mapping[str, Any] = {}

    @property
    def parallel(self) -> int:
        """Replies that are made at once."""
        if self.asked.parallel is not None:
            return self.asked.parallel
        return PARALLEL if self.asked.guessing is None else 1

    def run(
        self,
        report: Report,
        *,
        whole: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Ask everything. Within `whole()` a reply is recorded, which nothing should interrupt.

        UsageError for what does not go together; EvaluationError for a suite that there isn't,
        or is none; ProfileError; OutputError; what loading raises.
        """
        from qwq_gguf.evaluation.asking.governors import read_governors
        from qwq_gguf.evaluation.asking.plan import plan_replies

        asked = self.asked
        self._check()
        wishes = read_governors(asked.governors)
        suites = self._suites(report)
        questions = tuple(question for suite in suites.values() for question in suite)
        contenders = contenders_of(asked, wishes, report)
        self.cells = tuple(cell for each in contenders for cell in each.profiles)
        self.record = evaluation_record(asked, contenders, suites, parallel=self.parallel)
        with self._kept(contenders, report) as keep:
            everything = plan_replies(self.cells, questions, samples=asked.samples, seed=asked.seed)
            there = {sample.reply_key: sample for sample in self.done}
            self.done = [there[one.reply_key] for one in everything if one.reply_key in there]
            wanted = [one for one in everything if one.reply_key not in there]
            if self.done:
                report(Said(f"{len(self.done)} of {len(everything)} replies are there already"))
            for each in contenders:
                mine = [one for one in wanted if one.cell.model == each.name]
                if mine:
                    self._ask(each, mine, report, keep, whole)

    def groups(self) -> dict[Cell, list[Sample]]:
        """What is done, by cell."""
        from qwq_gguf.evaluation.asking.figures import by_cell

        return by_cell(self.done, self.cells)

    def to_json(self) -> dict[str, Any]:
        """The figures as one object, with its schema."""
        from qwq_gguf.evaluation.asking.figures import by_skill, figures_of
        from qwq_gguf.evaluation.asking.pairing import difference

        groups = self.groups()
        first = next(iter(groups.values()), [])
        cells = []
        for number, (cell, samples) in enumerate(groups.items()):
            apart = difference(first, samples) if number else None
            cells.append(
                {
                    "model": cell.model,
                    "profile": cell.profile,
                    "governor": cell.governor,
                    **figures_of(samples).to_json(),
                    "skills": {
                        skill: figures_of(group).to_json()
                        for skill, group in by_skill(samples).items()
                    },
                    "against_first": None if apart is None else apart.to_json(),
                }
            )
        return {"schema": EVAL_SCHEMA, "run": dict(self.record), "cells": cells}

    def _check(self) -> None:
        asked = self.asked
        for flag, wished in (("--force", asked.force), ("--traces", asked.traces)):
            if wished and asked.out is None:
                raise UsageError(f"{flag} goes with --out")
        if asked.guessing is not None and self.parallel > 1:
            raise UsageError(
                "--speculate goes with --parallel 1", hint="several at once fill a step anyway"
            )
        if len(asked.sources) > 1 and asked.revision is not None:
            raise UsageError("--revision goes with one model")
        for option, given in (("models", asked.sources), ("--suite", asked.suites)):
            if len(set(given)) < len(given):
                raise UsageError(f"{option}: one is named twice", found=", ".join(given)[:200])

    def _suites(self, report: Report) -> dict[str, tuple[Question, ...]]:
        """The questions by suite, less those that cannot be graded here, which are said.
        EvaluationError where none is left.
        """
        from qwq_gguf.evaluation.asking.plan import joined_suites
        from qwq_gguf.evaluation.suites import load_suite

        asked = self.asked
        suites = {
            name: _gradable(name, load_suite(name, limit=asked.limit, seed=asked.seed), report)
            for name in asked.suites
        }
        joined_suites(list(suites.values()))
        if asked.append is None:
            return suites
        return {
            name: tuple(replace(each, text=f"{each.text}{asked.append}") for each in suite)
            for name, suite in suites.items()
        }

    @contextmanager
    def _kept(self, contenders: Sequence[Contender], report: Report) -> Iterator[Keep | None]:
        """Where replies are written down; those that are there already are `done`."""
        from qwq_gguf.evaluation.asking.samples_file import SamplesFile
        from qwq_gguf.files.naming import open_descriptor, refuse_sources
        from qwq_gguf.files.writing import write_descriptor
        from qwq_gguf.json_text import to_json

        path = self.asked.out
        if path is None:
            report(Said("no reply is kept: --out FILE writes each as it is made, and goes on"))
            yield None
            return
        descriptor = open_descriptor(path)
        if descriptor is not None:
            write_descriptor(descriptor, f"{to_json(self.record)}\n", path)
            yield lambda s: write_descriptor(descriptor, f"{to_json(s.to_json())}\n", path)
            return
        refuse_sources([path], [part for each in contenders for part in each.parts])
        with SamplesFile(path, self.record, force=self.asked.force) as file:
            self.done += file.done
            yield file.write

    def _ask(
        self,
        contender: Contender,
        wanted: Sequence[Wanted],
        report: Report,
        keep: Keep | None,
        whole: Callable[[], AbstractContextManager[object]],
    ) -> None:
        from qwq_gguf.evaluation.asking.running import ask

        asked = self.asked
        with (
            self._loaded(contender, report) as model,
            activity(report, Activity.EVALUATING, f"asking {contender.name}", len(wanted)),
            closing(
                ask(
                    model,
                    wanted,
                    contender.profiles,
                    parallel=self.parallel,
                    max_tokens=asked.max_tokens,
                    traces=asked.traces,
                )
            ) as samples,
        ):
            meter = Meter(report, Activity.EVALUATING, len(wanted))
            right = 0
            try:
                for number, sample in enumerate(samples, start=1):
                    with whole():  # figures and lines are of the same replies
                        self.done.append(replace(sample, tokens=None))
                        if keep is not None:
                            keep(sample)
                    right += sample.right
                    meter.passed(1, f"{sample.profile} {sample.skill}, {right} of {number} right")
            finally:
                mine = [each for each in self.done if each.model == contender.name]
                today = datetime.now(UTC).date()
                remember_lengths(model.metadata, mine, asked.suites, today)

    def _loaded(self, contender: Contender, report: Report) -> Model:
        from qwq_gguf.jobs.loading import load_model

        asked = self.asked
        return load_model(
            contender.path,
            report,
            usual_context=max(profile.context for profile in contender.profiles.values()),
            context=asked.context,
            gpu_layers=asked.gpu_layers,
            threads=asked.threads,
            wish=asked.wish,
            guessing=asked.guessing,
        )


def _gradable(name: str, suite: tuple[Question, ...], report: Report) -> tuple[Question, ...]:
    from qwq_gguf.evaluation.grading import ungradable

    reasons = {question.key: ungradable(question) for question in suite}
    left = tuple(question for question in suite if reasons[question.key] is None)
    why = Counter(reason for reason in reasons.values() if reason is not None)
    if not left and why:
        raise EvaluationError("nothing of this can be graded here", found=name, hint=max(why))
    for reason, count in why.items():
        report(Note(f"{count} of {len(suite)} questions of {name} are not asked: {reason}"))
    return left
