"""Whether p(closing tag) foretells how long quants think: the table of docs/quality.md.

    qwq-gguf eval thinking BF16.gguf ... --traces --out BF16.jsonl      and so for each quant
    qwq-gguf eval quality BF16.gguf Q8_0.gguf ... --traces BF16.jsonl --json > quality.json
    ./scripts/measure_closing quality.json BF16.jsonl Q8_0.jsonl ...

The files of replies are in the order of the files in quality.json, the reference's first. Compared
are replies to the problems that all of them have. The interval of a mean is a bootstrap over
problems, and so is that of the correlation, with the ratios held as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

DRAWS = 2000


def thoughts(path: Path) -> dict[tuple[str, int], int]:
    """Tokens of the thoughts, by problem and sample."""
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return {(line["key"], line["sample"]): line["thought_tokens"] for line in lines}


def main() -> None:
    """Print the table, and the correlation."""
    quality = json.loads(Path(sys.argv[1]).read_text())
    reference, *others = (thoughts(Path(name)) for name in sys.argv[2:])
    shared = sorted(set(reference).intersection(*others))
    base = np.array([reference[key] for key in shared], float)
    table = np.array([[each[key] for key in shared] for each in others], float)
    draws = np.random.default_rng(0).multinomial(
        len(shared), np.full(len(shared), 1 / len(shared)), size=DRAWS
    )
    print(f"{len(shared)} problems; the reference thinks {base.mean():.1f} tokens")
    print(
        "| quant | mean KLD | p(closing tag) / reference's | thought tokens / reference's "
        "| thoughts of another length |"
    )
    print("|---|---|---|---|---|")
    ratios, lengths = [], []
    for quant, tokens in zip(quality["quants"], table, strict=True):
        tag = quant["closing"]["closing_tag"]
        drawn = (draws @ tokens) / (draws @ base)
        low, high = np.quantile(drawn, (0.025, 0.975))
        ratios.append(np.log(tag["ratio"]))
        lengths.append(np.log(drawn))
        print(
            f"| {quant['file']} | {quant['kl_divergence']['mean']['value']:.5f} "
            f"| {tag['ratio']:.4f} ({tag['low']:.4f} to {tag['high']:.4f}) "
            f"| {tokens.mean() / base.mean():.4f} ({low:.4f} to {high:.4f}) "
            f"| {int((tokens != base).sum())} |"
        )
    means = np.log(table.mean(axis=1) / base.mean())
    drawn = [np.corrcoef(ratios, column)[0, 1] for column in np.array(lengths).T if np.ptp(column)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    found = np.corrcoef(ratios, means)[0, 1]
    other = int(((table != base).sum(axis=1) > 0).sum())
    print(f"correlation of the logarithms: {found:.2f} ({low:.2f} to {high:.2f})")
    print(f"{other} of {len(table)} quants think otherwise than the reference at all")


if __name__ == "__main__":
    main()
