"""What a process holds before the first row is read, step by step: bench_memory.py's.

python bench_base.py CHECKPOINT RECIPE
"""

from __future__ import annotations

import json
import sys

from qwq_gguf.machine import used_memory


def main(source: str, recipe: str) -> None:
    steps: dict[str, int] = {}

    def passed(name: str) -> None:
        steps[name] = used_memory() or 0

    passed("Python and this package")
    import numpy  # noqa: F401

    passed("numpy")
    from qwq_gguf.checkpoint import open_checkpoint

    checkpoint = open_checkpoint(source)
    passed("config and tokenizer.json")
    from qwq_gguf.conversion.conversion import convert
    from qwq_gguf.preparation import prepare

    conversion = prepare(convert(checkpoint)).conversion
    passed("the GGUF's metadata")
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.recipes.shipped import load_recipe

    plan = make_plan(conversion, load_recipe(recipe))
    passed("the plan")
    from qwq_gguf.quantization.kernels.dispatch import Job, NumbaKernels, choose_kernels

    kernels = choose_kernels("auto")
    passed("numba, imported")
    kernels.prepare({Job(t.type, t.source.stored, t.importance is not None) for t in plan.tensors})
    if isinstance(kernels, NumbaKernels):
        kernels.wait()
    passed("kernels, from the cache")
    print(json.dumps(steps))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
