"""`qwq-gguf eval quality`: how far a quant's predictions are from its reference's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.groups import takes_groups
from qwq_gguf.cli.flags.reading import Computed, Texts
from qwq_gguf.cli.flags.sources import Revision, Token, named_model
from qwq_gguf.cli.flags.typed import typed_command
from qwq_gguf.cli.terminal.output import emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.words import human_bytes

if TYPE_CHECKING:
    from qwq_gguf.evaluation.quality.closing import Ratio
    from qwq_gguf.evaluation.quality.figures import Estimate, Figures
    from qwq_gguf.jobs.quality_asked import Quality, QuantQuality, ShownPlace

__all__ = ["quality"]

_SHOWN = 100  # characters of a text before a place


@takes_groups
def quality(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="REFERENCE QUANT...",
            help="GGUF files, here or on the Hub: the model that the others were made from (or a "
            "file of its base logits), then the others. With --logits all are quants.",
            show_default=False,
        ),
    ],
    *,
    texts: Texts,
    window: Annotated[
        int | None,
        typer.Option(
            "-c",
            "--ctx",
            metavar="N",
            min=8,
            help="Tokens of a window, of which the second half is foretold; of traces, what of "
            "each is read.  [default: 512; all of a trace]",
            show_default=False,
        ),
    ] = None,
    logits: Annotated[
        Path | None,
        typer.Option(
            "--logits",
            metavar="FILE",
            help="Base logits of the reference, from --save-logits or llama-perplexity.",
        ),
    ] = None,
    save_logits: Annotated[
        Path | None,
        typer.Option(
            "--save-logits", metavar="FILE", help="Keep the reference's base logits here."
        ),
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", metavar="N", min=0, max=1000, help="Worst places to show.")
    ] = 5,
    computed: Computed,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures as one JSON object.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace --save-logits if it exists.")
    ] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Compare quants with the model that they were made from, token by token.

    Perplexity, the KL divergence of what is foretold (mean, median, the worst hundredth, the
    worst), how often both would pick the same token, and by how much the probability of the
    token that came has changed (root mean square). As llama-perplexity --kl-divergence computes
    them, whose files of base logits are read and written.

    With --traces also by thought, answer and hesitation, and p(closing tag): what the quant gives
    the tag where the reference would close its thought, divided by what the reference gives it.

    \b
    Examples:
      qwq-gguf eval quality BF16.gguf Q4_K_M.gguf Q2_K.gguf --text wiki.test.raw
      qwq-gguf eval quality BF16.gguf --text wiki.test.raw --save-logits base.kld
      qwq-gguf eval quality base.kld Q4_K_M.gguf --json
      qwq-gguf eval quality BF16.gguf Q4_K_M.gguf --traces replies.jsonl
    """
    from qwq_gguf.jobs.measuring import measure
    from qwq_gguf.jobs.quality_asked import QualityAsked

    names = [named_model(name) for name in models]
    reference = None if logits is not None else names[0]
    asked = QualityAsked(
        reference=reference,
        quants=names if reference is None else names[1:],
        text=texts.text,
        traces=texts.traces,
        window=window,
        windows=texts.windows,
        logits=logits,
        save_logits=save_logits,
        worst=worst,
        gpu_layers=computed.gpu_layers,
        threads=computed.threads,
        force=force,
        revision=revision,
        token=token,
        command=typed_command(sys.argv[1:]),
    )
    found = measure(asked, Terminal())
    if as_json:
        emit_json(found.to_json())
    else:
        _show(found)


_COLUMNS = ("file", "size", "perplexity", "KLD", "median", "p99", "max", "same top", "RMS Δp")
_KINDS = ("file", "of", "tokens", "perplexity", "KLD", "median", "p99", "same top")
_CLOSING = ("file", "places", "reference", "quant", "ratio", "95 %", "closes too", "elsewhere")


def _show(found: Quality) -> None:
    rows: list[tuple[object, ...]] = []
    if found.perplexity is not None:
        rows.append(_file(found) + (_estimate(found.perplexity.value),) + ("",) * 6)
    rows += [_row(quant) for quant in found.quants]
    show_table(_COLUMNS, rows, right=",".join(_COLUMNS[1:]))
    if any(quant.kinds for quant in found.quants):
        kinds = [
            (quant.file.name, kind, *_kind(figures))
            for quant in found.quants
            for kind, figures in quant.kinds.items()
        ]
        note("", always=False)
        show_table(_KINDS, kinds, right=",".join(_KINDS[2:]))
        show_table(
            _CLOSING,
            [_closing(quant) for quant in found.quants if quant.closing is not None],
            right=",".join(_CLOSING[1:]),
        )
        note(
            "\nplaces where the reference would close its thought; what the closing tag gets there"
        )
    for quant in found.quants:
        _show_worst(quant)


def _file(found: Quality) -> tuple[object, ...]:
    return (found.reference.name, human_bytes(found.reference.nbytes))


def _row(quant: QuantQuality) -> tuple[object, ...]:
    figures = quant.figures
    return (
        quant.file.name,
        human_bytes(quant.file.nbytes),
        _estimate(figures.perplexity),
        _estimate(figures.kld, 5),
        f"{figures.median:.5f}",
        f"{figures.percentiles[99]:.4f}",
        f"{figures.highest:.3f}",
        _share(figures.same_top),
        _share(figures.p_diff_rms),
    )


def _kind(figures: Figures) -> tuple[object, ...]:
    return (
        figures.places,
        _estimate(figures.perplexity),
        _estimate(figures.kld, 5),
        f"{figures.median:.5f}",
        f"{figures.percentiles[99]:.4f}",
        _share(figures.same_top),
    )


def _closing(quant: QuantQuality) -> tuple[object, ...]:
    closing = quant.closing
    assert closing is not None
    tag = closing.tag
    return (
        quant.file.name,
        closing.places,
        f"{tag.reference:.4f}",
        f"{tag.quant:.4f}",
        *_ratio(tag),
        f"{100 * closing.agreed:.1f} %",
        _ratio(closing.early)[0],
    )


def _ratio(ratio: Ratio) -> tuple[str, str]:
    if ratio.ratio is None:
        return "", ""
    return f"{ratio.ratio:.4f}", f"{ratio.low:.4f} to {ratio.high:.4f}"


def _estimate(estimate: Estimate, digits: int = 4) -> str:
    return f"{estimate.value:.{digits}f} ± {estimate.error:.{digits}f}"


def _share(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.2f} ± {100 * estimate.error:.2f} %"


def _show_worst(quant: QuantQuality) -> None:
    if not quant.worst:
        return
    note(f"\nworst places of {quant.file.name}:")
    for place in quant.worst:
        note(_place(place))


def _place(shown: ShownPlace) -> str:
    place = shown.place
    return (
        f"  KLD {place.kld:.3f} after {shown.before[-_SHOWN:]!r}\n"
        f"    came {shown.came!r}; the reference wanted {shown.wanted!r} "
        f"({place.wanted.reference:.3f}, here {place.wanted.quant:.3f}), the quant "
        f"{shown.picked!r} ({place.picked.quant:.3f}, there {place.picked.reference:.3f})"
    )
