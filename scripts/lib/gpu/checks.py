"""The checks of gpu_check, one after the other, each into the same JSON file.

Made to run on a card; without one (`dry`) the same code runs on the processor, which proves
that it runs, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import qwq_gguf
from gpu.predicted import expected_memory, expected_speeds
from gpu.some_tests import some_of_the_tests
from gpu.speeds import our_speeds, server_speeds
from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.library import library_facts, load
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.engine.speculation.speculation import Speculation
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.suites.problems import Problem
from qwq_gguf.evaluation.suites.skills import suite
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.sampling import Greedy, SamplerChain

_GREEDY = SamplerChain((Greedy(),))
_ALL = -1


@dataclass
class Setting:
    """What the checks are run with."""

    work: Path
    server: Path | None
    weights: str  # "large" or "small": the random model whose speed is measured
    until: float = float("inf")  # the time, as time.time() has it

    @cached_property
    def demo(self) -> Path:
        """The demo model in F16, of which greedy texts are compared."""
        return self._demo("F16")

    @cached_property
    def quantized_demo(self) -> Path:
        """The demo model as people make it."""
        return self._demo("Q4_K_M")

    @cached_property
    def large(self) -> Path:
        """A random model with a real vocabulary and real row lengths, Q4_K_M."""
        from bench_models import Shape, write_model

        shape = (
            Shape(hidden=1536, layers=28, heads=12, kv_heads=2, feed_forward=8960, vocab=151936)
            if self.weights == "large"
            else Shape(hidden=256, layers=2, heads=4, kv_heads=2, feed_forward=512, vocab=151936)
        )
        source = write_model(self.work / "random", shape, shards=2)
        target = self.work / "random-Q4_K_M.gguf"
        qwq_gguf.quantize(source, target, recipe="Q4_K_M", force=True)
        return target

    def _demo(self, recipe: str) -> Path:
        target = self.work / f"demo-{recipe}.gguf"
        qwq_gguf.quantize("demo", target, recipe=recipe, force=True)
        return target


def devices(_: Setting) -> dict[str, Any]:
    """What the build can use."""
    api = load().api
    facts = library_facts()
    return {
        "llama.cpp": facts.llama_version,
        "gpu_offload": facts.gpu_offload,
        "most_devices": api.llama_max_devices(),
        "system": facts.system_info,
    }


def demo(setting: Setting) -> dict[str, Any]:
    """Questions asked as anybody asks them, thoughts and all."""
    problems = suite("skills", limit=5)
    with qwq_gguf.load(setting.quantized_demo) as model:
        began = time.perf_counter()
        replies = [model.ask(problem.question, seed=1) for problem in problems]
        seconds = time.perf_counter() - began
        return {
            "gpu_layers": model.loaded.gpu_layers,
            "right": sum(map(_right, problems, replies)),
            "of": len(problems),
            "without_answer": sum(not reply.answer for reply in replies),
            "seconds": round(seconds, 2),
            "first": replies[0].answer,
        }


def _right(problem: Problem, reply: Any) -> bool:
    return grade(problem.to_question(), reply.answer).right


def layers(setting: Setting) -> dict[str, Any]:
    """Greedy texts of the processor, of a few layers on the card, and of all."""
    with Model.load(setting.demo, gpu_layers=0, threads=4) as model:
        blocks = model.gguf.integer(f"{model.gguf.architecture}.block_count") or 0
        wanted = _texts(model)
    found: dict[str, Any] = {"texts": len(wanted), "tokens": sum(map(len, wanted))}
    for count in sorted({1, blocks // 2, blocks, _ALL} - {0}):
        with Model.load(setting.demo, gpu_layers=count, threads=4) as model:
            found["all" if count == _ALL else str(count)] = _agreement(wanted, _texts(model))
    return found


def sequences(setting: Setting) -> dict[str, Any]:
    """Sixteen texts at once, and each alone."""
    prompts = [problem.question + "\n<think>\n" for problem in suite("skills", limit=4)][:16]
    with Model.load(setting.demo, threads=4, context=8192) as model:
        wanted = _texts(model)[: len(prompts)]
        with Engine(model, sequences=16) as engine, ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda prompt: _text(engine, prompt), prompts))
    return _agreement(wanted, found)


def _text(engine: Engine, prompt: str) -> list[int]:
    tokens = engine.model.vocabulary.encode_text(prompt)
    with closing(engine.sequence().generate(tokens, _GREEDY, seed=0, max_tokens=200)) as made:
        return [token for token, _ in made]


def cache_types(setting: Setting) -> dict[str, Any]:
    """KV caches of each type, with flash attention and without."""
    found: dict[str, Any] = {}
    with Model.load(setting.demo, threads=4) as model:
        wanted = _texts(model)
        for keys, values, flash in (
            ("F16", "F16", False),
            ("F16", "F16", True),
            ("Q8_0", "Q8_0", True),
            ("Q4_0", "Q4_0", True),
            ("Q8_0", "F16", None),
        ):
            settings = ContextSettings(
                keys=GgmlType[keys], values=GgmlType[values], flash_attention=flash
            )
            name = f"{keys}/{values} flash {'auto' if flash is None else flash}"
            found[name] = _agreement(wanted, _texts(model, settings))
    return found


def _texts(model: Model, settings: ContextSettings | None = None) -> list[list[int]]:
    """The greedy tokens after some prompts, at most 200 each."""
    texts = []
    with closing(Session(model, settings or ContextSettings())) as session:
        for problem in suite("skills", limit=4):
            prompt = model.vocabulary.encode_text(problem.question + "\n<think>\n")
            with closing(session.generate(prompt, _GREEDY, seed=0, max_tokens=200)) as generation:
                texts.append([token for token, _ in generation])
    return texts


def _agreement(wanted: list[list[int]], found: list[list[int]]) -> dict[str, Any]:
    equal = sum(one == other for one, other in zip(wanted, found, strict=True))
    first = [
        next(
            (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
            None,
        )
        for one, other in zip(wanted, found, strict=True)
        if one != other
    ]
    return {"equal": equal, "of": len(wanted), "differ_at": first}


def speed(setting: Setting) -> dict[str, Any]:
    """Tokens a second, ours and llama-server's, of the same file, in turns."""
    tokens = 256 if setting.weights == "large" else 16
    found: dict[str, Any] = {"file_bytes": setting.large.stat().st_size}
    found["ours"] = our_speeds(setting.large, tokens=tokens, prompt=1024)
    if setting.server is not None:
        found["llama-server"] = server_speeds(
            setting.server, setting.large, tokens=tokens, prompt=1024
        )
    return found


def memory(setting: Setting) -> dict[str, Any]:
    """MiB of the card in use: with the weights alone, and with a context, that has read a text."""
    found: dict[str, Any] = {"idle": _card_used()}
    text = list(range(1000, 1600))
    for count in (_ALL, 14):
        for size, kind in ((2048, "F16"), (32768, "F16"), (32768, "Q8_0"), (32768, "Q4_0")):
            keep = ContextSettings(keys=GgmlType[kind], values=GgmlType[kind], flash_attention=True)
            with Model.load(setting.large, context=size, threads=4, gpu_layers=count) as model:
                weights = _card_used()
                with (
                    closing(Session(model, keep)) as session,
                    closing(session.generate(text, _GREEDY, seed=0, max_tokens=3)) as made,
                ):
                    for _ in made:
                        pass
                    name = f"{'all' if count == _ALL else count} layers, {size}, {kind}"
                    found[name] = {"weights": weights, "in all": _card_used()}
    return found


def _card_used() -> int | None:
    command = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
    try:
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(printed.split()[0])


def runtime_tests(setting: Setting) -> dict[str, Any]:
    """The tests of engine, Python API and server, which put all layers on the card where there is
    one: as many as there is time for.
    """
    root = Path(__file__).resolve().parents[3]
    # Plugins that happen to be there may change what tests do.
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(root), str(root / "tests"))),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return some_of_the_tests(
        _TESTS, root, environment, seconds=min(170, setting.until - time.time() - _TIDYING)
    )


_TIDYING = 5  # seconds, to end what has not ended by itself
_TESTS = (
    *("tests/engine", "tests/api", "tests/test_native.py"),
    *(f"tests/serve/test_{name}.py" for name in ("chat", "completions", "logprobs", "access")),
    *("--deselect", "tests/engine/test_guard.py"),
)


def speculation(setting: Setting) -> dict[str, Any]:
    """Greedy texts with guesses out of the text, beside those without."""
    with Model.load(setting.demo, threads=4) as model:
        wanted = _texts(model)
        model.speculate(Speculation(model, most=8))
        return _agreement(wanted, _texts(model))


def memory_expected(setting: Setting) -> dict[str, Any]:
    """What `fit` expects of the card's memory, beside what llama.cpp says that it takes."""
    return {
        "demo": expected_memory(setting.quantized_demo),
        "large": expected_memory(setting.large),
    }


def speed_expected(setting: Setting) -> dict[str, Any]:
    """Tokens a second that `fit` expects, and what comes out."""
    files = {"demo": setting.quantized_demo, "large": setting.large}
    return expected_speeds(files, setting.work, zeros=setting.weights == "large")


def doctor(_: Setting) -> dict[str, Any]:
    """What the doctor sees, kept so that it can be asked again."""
    from qwq_gguf.jobs.diagnosing import record

    seen, installed = record()
    return {"seen": seen.to_json(), "installed": installed.to_json()}


CHECKS: tuple[Callable[[Setting], dict[str, Any]], ...] = (
    devices,
    doctor,
    demo,
    layers,
    sequences,
    cache_types,
    speculation,
    memory_expected,
    speed_expected,
    memory,
    speed,
    runtime_tests,
)


def missing(report: dict[str, Any]) -> list[str]:
    """The checks that no run has brought to their end yet."""
    names = [check.__name__ for check in CHECKS]
    return [
        name
        for name in names
        if not (part := report.get(name))
        or part.keys() & {"left_out", "cut_off"}
        or part.get("ended") is False
    ]


def write(path: Path, report: dict[str, Any]) -> None:
    """Whole at any time, also for somebody who ends this process."""
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--server", type=Path)
    parser.add_argument("--until", type=float, default=float("inf"))
    parser.add_argument("--only", help="these, also once more; else all that are missing")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    work = given.report.resolve().parent / "files"
    work.mkdir(parents=True, exist_ok=True)
    weights = "small" if given.small else "large"
    setting = Setting(work, given.server, weights, given.until)
    report = json.loads(given.report.read_text()) if given.report.is_file() else {}
    names = given.only.split(",") if given.only else missing(report)
    if unknown := set(names) - {check.__name__ for check in CHECKS}:
        sys.exit(f"no check is called {', '.join(sorted(unknown))}")
    checks = [check for check in CHECKS if check.__name__ in names]
    # Whoever is stopped in the middle leaves a report that is true.
    report |= {check.__name__: {"left_out": "the time was up"} for check in checks}
    failed = False
    for check in checks:
        name = check.__name__
        if time.time() > given.until:
            break
        report[name] = {"cut_off": "the time was up in it"}
        write(given.report, report)
        began = time.perf_counter()
        try:
            report[name] = check(setting)
        except Exception:
            failed = True
            report[name] = {"failed": traceback.format_exc()[-3000:]}
        report[name]["seconds_in_all"] = round(time.perf_counter() - began, 1)
        print(f"{name}: {json.dumps(report[name])[:3000]}", flush=True)
    write(given.report, report)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
