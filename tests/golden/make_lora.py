"""Record what PEFT makes of the adapters of support/adapters.py, and llama.cpp's converter of that.

    pip install torch transformers sentencepiece peft      # in a throwaway venv
    python tests/golden/make_lora.py .../llama_cpp_python-0.3.36/vendor/llama.cpp

Each case is loaded in float32, its adapters are merged by PEFT's own `merge_and_unload`, one
after the other, and what comes of it is saved and converted to an F32 file. The record has
that file's digest, and of each changed tensor some numbers (the lengths that DoRA divides by
are summed otherwise here, so that its last bit may differ).
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

OUT = Path(__file__).with_name("lora.json")


def main() -> None:
    """Merge and convert every case, and write tests/golden/lora.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path, help="a llama.cpp source tree")
    arguments = parser.parse_args()
    sys.path[:0] = [str(arguments.sources), str(arguments.sources / "gguf-py")]

    from support.adapters import CASES

    versions = {name: importlib.metadata.version(name) for name in ("peft", "torch")}
    record: dict[str, Any] = {"made_with": versions}
    for name, write in CASES.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            base, adapters = write(folder)
            merged = folder / "merged" / base.name
            changed = merge(base, adapters, merged)
            record[name] = {"file_sha256": convert(merged, folder), "changed": changed}
        print(name)
    OUT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def merge(base: Path, adapters: tuple[Path, ...], merged: Path) -> dict[str, Any]:
    """Save the merged checkpoint, with all else that the base has; what changed in it."""
    import shutil

    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    peft: Any = importlib.import_module("peft")
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for adapter in adapters:
        wrapped = peft.PeftModel.from_pretrained(model, adapter)
        check_names(wrapped, adapter)
        model = wrapped.merge_and_unload()
    after = model.state_dict()
    changed = {}
    for name, value in after.items():
        if not torch.equal(value, before[name]):
            values = value.flatten()
            step = max(1, len(values) // 7)
            changed[name] = [float(number).hex() for number in values[::step]]
    shutil.copytree(base, merged)
    (merged / "model.safetensors").unlink()
    save: Any = importlib.import_module("safetensors.torch").save_file
    save({name: value.contiguous() for name, value in after.items()}, merged / "model.safetensors")
    return changed


def check_names(wrapped: Any, adapter: Path) -> None:
    """Whether PEFT, when it saves what it has loaded, writes what we wrote for it."""
    safetensors: Any = importlib.import_module("safetensors.torch")
    ours = safetensors.load_file(adapter / "adapter_model.safetensors")
    with tempfile.TemporaryDirectory() as again:
        wrapped.save_pretrained(again)
        theirs = safetensors.load_file(Path(again) / "adapter_model.safetensors")
    if ours.keys() != theirs.keys():
        sys.exit(f"{adapter}: {sorted(ours.keys() ^ theirs.keys())}")
    for name, value in ours.items():
        if not bool((value.float() == theirs[name].float()).all()):
            sys.exit(f"{name} was not loaded")


def convert(checkpoint: Path, folder: Path) -> str:
    """The digest of the F32 file that llama.cpp's converter makes."""
    import gguf

    converter = importlib.import_module("conversion")
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    text_model = importlib.import_module("conversion.base").TextModel
    text_model.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
    output = folder / "out.gguf"
    model_class = converter.get_model_class(config["architectures"][0])
    model_class(checkpoint, gguf.LlamaFileType.ALL_F32, output, eager=True).write()
    return hashlib.sha256(output.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
