"""IFEval: instructions that a program can check (J. Zhou et al., arXiv 2311.07911). Pure.

Rows have `prompt`, `instruction_id_list` and `kwargs`, one object an instruction; the Hub's copy
has every argument of every instruction there, null where it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public.rows import Row

__all__ = ["ifeval_question"]


def ifeval_question(row: Row, number: int) -> Question:
    """One prompt with its instructions; it is put as it stands."""
    names, arguments = row.items("instruction_id_list"), row.items("kwargs")
    if len(names) != len(arguments) or not all(isinstance(name, str) for name in names):
        row.refuse("has not one kwargs for each instruction", f"{len(names)} and {len(arguments)}")
    instructions = []
    for name, given in zip(names, arguments, strict=True):
        if not isinstance(given, Mapping):
            row.refuse("has kwargs that are no object")
        kept = {key: value for key, value in given.items() if value is not None}
        instructions.append({"id": name, "kwargs": kept})
    return Question(
        key=f"ifeval:{row.optional('key') or number}",
        skill="ifeval",
        text=row.text("prompt"),
        grader="ifeval",
        expected={"instructions": instructions},
    )
