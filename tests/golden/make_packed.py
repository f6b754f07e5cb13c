"""Record what the makers of packed forms themselves unpack, of the tensors of support/packed.py.

    pip install torch compressed-tensors        # in a throwaway venv
    python tests/golden/make_packed.py AutoAWQ/awq/utils/packing_utils.py

AutoAWQ can't be installed any more, so its `dequantize_gemm` is taken from a checkout (commit
88e4c76). Scales are handed over in float32, in which both then compute.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

OUT = Path(__file__).with_name("packed.json")


def main() -> None:
    """Write tests/golden/packed.json."""
    from support.packed import CASES, some_matrices

    torch: Any = importlib.import_module("torch")
    version = importlib.metadata.version("compressed-tensors")
    record: dict[str, Any] = {"made_with": {"compressed-tensors": version, "AutoAWQ": "88e4c76"}}
    for name, (encode, told) in CASES.items():
        made = encode(some_matrices())
        tensors = {key: as_float(torch, *value) for key, value in made.items()}
        unpack = awq if told["quant_method"] == "awq" else compressed
        record[name] = {
            module: hashlib.sha256(unpack(torch, tensors, module, told).tobytes()).hexdigest()
            for module in sorted({key.rpartition(".")[0] for key in tensors})
        }
        print(name)
    OUT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def as_float(torch: Any, kind: str, values: Any) -> Any:
    """As a tensor; what is a scale in float32."""
    if kind == "BF16":
        return torch.from_numpy(values).view(torch.bfloat16).float()
    found = torch.from_numpy(values)
    return found.float() if kind in ("F16", "F32") else found


def awq(torch: Any, tensors: Mapping[str, Any], module: str, told: Mapping[str, Any]) -> Any:
    """The weight as torch has it, [out, in]."""
    spec = importlib.util.spec_from_file_location("packing_utils", sys.argv[1])
    if spec is None or spec.loader is None:
        sys.exit(f"{sys.argv[1]} cannot be read")
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    words, zeros, scales = (tensors[f"{module}.{x}"] for x in ("qweight", "qzeros", "scales"))
    made = utils.dequantize_gemm(words, zeros, scales, 4, told["group_size"])
    return made.T.contiguous().numpy()


def compressed(torch: Any, tensors: Mapping[str, Any], module: str, told: Mapping[str, Any]) -> Any:
    """The same by the library's own compressor."""
    quantization: Any = importlib.import_module("compressed_tensors.quantization")
    compressors: Any = importlib.import_module("compressed_tensors.compressors.pack_quantized")
    weights = told["config_groups"]["group_0"]["weights"]
    scheme = quantization.QuantizationScheme(
        targets=["Linear"], weights=quantization.QuantizationArgs(**weights)
    )
    state = {key.rpartition(".")[2]: t for key, t in tensors.items() if key.startswith(module)}
    state["weight_shape"] = torch.Size(state["weight_shape"].tolist())
    made = compressors.PackedQuantizationCompressor.decompress(state, scheme)
    return made["weight"].contiguous().numpy()


if __name__ == "__main__":
    main()
