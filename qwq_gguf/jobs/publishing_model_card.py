"""What a model card says of a model: from its GGUFs' keys and their manifests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import UsageError

if TYPE_CHECKING:
    from qwq_gguf.jobs.publishing_facts import Given
    from qwq_gguf.profiles import Resolved
    from qwq_gguf.publication.values import Published, Quant, Site

__all__ = ["published"]

_MAX_WORDS = 100


def published(
    site: Site,
    repo: str,
    models: Sequence[Given],
    quants: tuple[Quant, ...],
    resolved: Resolved,
    base: str | None,
    matrices: Sequence[Path],
    texts: tuple[str, ...],
    unsaid: tuple[str, ...],
) -> Published:
    """What the card is made of. `base` is what the user says of the base model; `texts` are the
    files for Ollama, `unsaid` what they cannot say. UsageError for a base that is no repository.
    """
    from qwq_gguf.gguf_file.summary import summarize
    from qwq_gguf.gguf_file.summary import texts as list_of
    from qwq_gguf.publication.values import Published

    gguf = models[0].gguf
    summary = summarize(gguf)
    source, commit = _base(quants, base)
    return Published(
        repo=repo,
        site=site,
        name=summary.name or repo.partition("/")[2],
        quants=quants,
        profile=resolved.profile,
        base=source,
        commit=commit,
        license=gguf.text("general.license"),
        license_name=gguf.text("general.license.name"),
        license_link=gguf.text("general.license.link"),
        languages=list(list_of(gguf, "general.languages"))[:_MAX_WORDS],
        tags=list(list_of(gguf, "general.tags"))[:_MAX_WORDS],
        thinks=summary.thought.can_think,
        context=summary.context,
        imatrix=tuple(path.name for path in matrices),
        ollama=texts,
        unsaid=unsaid,
    )


def _base(quants: Sequence[Quant], named: str | None) -> tuple[str | None, str | None]:
    """The repository that the quants were made from, and its commit if all agree on one."""
    from qwq_gguf.checkpoint.hub.name import parse_hub_name

    origins = [quant.origin for quant in quants if quant.origin is not None]
    told = {(origin.source, origin.commit) for origin in origins if origin.commit is not None}
    if named is not None:
        name = parse_hub_name(named)
        if name is None or name.tag is not None:
            raise UsageError(f"--base is a repository, ORG/NAME, not {named[:80]!r}")
        commits = {commit for source, commit in told if source == name.repo}
        return name.repo, commits.pop() if len(commits) == 1 else None
    sources = {source for source, _ in told}
    if len(sources) != 1:
        return None, None
    name = parse_hub_name(sources.pop())
    commits = {commit for _, commit in told}
    return None if name is None else name.repo, commits.pop() if len(commits) == 1 else None
