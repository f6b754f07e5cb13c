"""Make the texts of tests/loops; see scripts/make_loops."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from loop_corpus.collect import collect
from loop_corpus.generate import Job, generate
from loop_corpus.plan import CHAINS, SUBJECTS, TOKENIZERS, Forbids, Subject, Task, tasks

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.prompt import RenderedPrompt, Segment
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.engine.model import Model

_CONTEXT = 1024  # of each sequence


def prompt_of(model: Model, task: Task) -> RenderedPrompt:
    """The prompt as the model gets it."""
    prompt = task.prompt
    if prompt.form == "raw":
        return RenderedPrompt((Segment(prompt.text, False),))
    rendered = ChatTemplate(model.chat_template or "").render(
        [Message("user", prompt.text)],
        special_tokens=model.special_tokens,
        control_tokens=model.control_tokens,
    )
    if prompt.form == "chat":
        return rendered
    opened = rendered.opened("<think>", model.control_tokens)
    return RenderedPrompt((*opened.segments, Segment(prompt.begin, False)))


def _never(model: Model, forbids: Forbids) -> tuple[int, ...]:
    if forbids == "nothing":
        return ()
    never = set(model.eog_tokens)
    if forbids != "the end":
        close = model.token_id("</think>")
        never |= {token for token in range(model.vocab_size) if b"\n" in model.piece(token)}
        never |= set() if close is None else {close}
    return tuple(sorted(never))


def texts_there(path: Path) -> set[tuple[Any, ...]]:
    """Which texts a run before this one has made; a line that it was killed in is taken away."""
    if not path.exists():
        return set()
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        path.write_bytes(b"".join(lines[:-1]))
        del lines[-1]
    return {_key(json.loads(line)) for line in lines}


def _key(about: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        about.get(name) for name in ("chain", "forbids", "seed", "form", "prompt", "begin")
    )


def generate_all(subject: Subject, models: Path, out: Path, threads: int) -> None:
    """Generate the texts of one subject that are not there yet, a line of JSON each."""
    began = time.monotonic()
    path = out / f"{subject.name}.jsonl"
    there = texts_there(path)
    with (
        Model.load(
            models / subject.file,
            context=_CONTEXT * subject.together,
            threads=threads,
            gpu_layers=0,
        ) as model,
        path.open("a", encoding="utf-8") as lines,
    ):
        jobs = []
        for task in tasks(subject):
            about: dict[str, Any] = {
                "model": subject.model,
                "quant": subject.quant,
                "chain": task.chain,
                "forbids": task.forbids,
                "seed": task.seed,
                "form": task.prompt.form,
                "prompt": task.prompt.text,
                "begin": task.prompt.begin,
            }
            if _key(about) not in there:
                jobs.append(_job(model, task, subject.most, about))
        computed = 0
        for made in generate(model, jobs, subject.together):
            computed += len(made.tokens)
            text = b"".join(map(model.piece, made.tokens)).decode("utf-8", "replace")
            line = {**made.job.about, "end": made.end, "tokens": made.tokens, "text": text}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()
    took = time.monotonic() - began
    print(f"{subject.name}: {computed} tokens in {took:.0f} s", file=sys.stderr, flush=True)


def _job(model: Model, task: Task, most: int, about: dict[str, Any]) -> Job:
    prompt = tuple(model.encode(prompt_of(model, task).segments))
    never = _never(model, task.forbids)
    return Job(prompt, CHAINS[task.chain], never, task.seed, most, about)


def main() -> None:
    """Generate, collect, or both."""
    parser = argparse.ArgumentParser(description="Make the texts of tests/loops.")
    parser.add_argument("models", type=Path, help="the folder with the GGUF files")
    parser.add_argument("made", type=Path, help="the folder for what is generated")
    parser.add_argument("--only", action="append", default=[], help="a subject's name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--collect", action="store_true", help="of what was generated before")
    given = parser.parse_args()
    given.made.mkdir(parents=True, exist_ok=True)
    for subject in SUBJECTS:
        if not given.collect and (not given.only or subject.name in given.only):
            generate_all(subject, given.models, given.made, given.threads)
    if not given.only:
        tokenizers = {
            name: Model.load(given.models / file, context=256, threads=1, gpu_layers=0)
            for name, file in TOKENIZERS.items()
        }
        models = {
            subject.model: Model.load(
                given.models / subject.file, context=256, threads=1, gpu_layers=0
            )
            for subject in SUBJECTS
            if (given.made / f"{subject.name}.jsonl").exists()
        }
        collect(given.made, tokenizers, models)


if __name__ == "__main__":
    main()
