"""Results to a document: which sections there are, and in which order."""

from __future__ import annotations

from qwq_gguf.evaluation.report.document import Document, Section, Text
from qwq_gguf.evaluation.report.files_section import errors_section, fitted_section, made_section
from qwq_gguf.evaluation.report.groups import groups_of
from qwq_gguf.evaluation.report.quality_section import quality_section
from qwq_gguf.evaluation.report.record_section import lacking_section, record_section
from qwq_gguf.evaluation.report.thinking_section import thinking_section
from qwq_gguf.evaluation.report.values import Results

__all__ = ["compose"]


def compose(results: Results) -> Document:
    """The document on these results."""
    groups = groups_of(results.thinking)
    types = {made.name: made.types for made in results.made}
    types |= {each.fitted.name: each.types for each in results.fitted}
    sections: list[Section | None] = []
    for at, group in enumerate(groups):
        sections.append(thinking_section(group, at + 1, len(groups)))
    for at, run in enumerate(results.quality):
        sections.append(quality_section(run, at + 1, len(results.quality)))
    for at, errors in enumerate(results.errors):
        sections.append(errors_section(errors, types, at + 1, len(results.errors)))
    for at, fitted in enumerate(results.fitted):
        sections.append(fitted_section(fitted, at + 1, len(results.fitted)))
    if results.made:
        sections.append(made_section(results.made))
    sections += [record_section(results), lacking_section(results)]
    found = tuple(section for section in sections if section is not None)
    introduction = Text.of(
        "Made by `qwq-gguf report` from the results that are named below. Each picture has a table."
    )
    return Document("What was measured", (introduction,), found)
