"""Average two checkpoints of one training, which keeps what each does better.

    python scripts/train_demo/average.py EARLIER LATER --share 0.7 --out FOLDER

Runs that start from each other's weights stay close enough for their mean to be a model
(arXiv 2203.05482). `--share` is the later one's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from network import Qwen2, Shape
from save import load_weights, save_checkpoint
from tokenizers import Tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("earlier", type=Path)
    parser.add_argument("later", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    earlier, later = load_weights(arguments.earlier), load_weights(arguments.later)
    model = Qwen2(Shape())
    model.load_state_dict(
        {
            name: (1 - arguments.share) * earlier[name] + arguments.share * later[name]
            for name in earlier
        }
    )
    tokenizer = Tokenizer.from_file(str(arguments.later / "tokenizer.json"))
    save_checkpoint(model, Shape(), tokenizer, arguments.out)


if __name__ == "__main__":
    main()
