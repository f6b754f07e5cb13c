"""Make answers for the graders' test; see scripts/make_answers."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from answer_corpus.plan import PARTS

from qwq_gguf import load
from qwq_gguf.chat.events import Responded
from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.responder import Responder
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.files import as_line
from qwq_gguf.json_text import to_json
from qwq_gguf.profiles import Profile

_CONTEXT = 768  # of each sequence: the longest question and a reply
_MOST = {"code": 220, "wordproblems": 140}  # tokens of an answer, by skill
_USUAL_MOST = 110


def seed_of(model: str, key: str, again: int) -> int:
    """The dice of one answer; `again` is 0 the first time that a question is asked."""
    told = f"{model}|{key}" + f"|{again}" * bool(again)
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big") >> 1


def ask(
    engine: Engine, model: Model, profile: Profile, name: str, question: Question, again: int
) -> Any:
    """One answer as a JSON object."""
    place = engine.sequence()
    responder = Responder(model, profile, session=place)
    tools = [ToolSpec(f["name"], f["description"], f["parameters"]) for f in question.functions]
    seed = seed_of(name, question.key, again)
    most = _MOST.get(question.skill, _USUAL_MOST)
    with closing(place):
        events = responder.respond(
            [Message("user", question.text)], tools, seed=seed, max_tokens=most
        )
        reply = next(event.response for event in events if isinstance(event, Responded))
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in reply.calls]
    return {
        "question": json.loads(as_line(question)),
        "model": name,
        "seed": seed,
        "answer": reply.answer,
        **({"calls": calls} if calls else {}),
        "right": None,  # for a person to say
    }


def answers(
    path: Path, name: str, questions: Sequence[Question], together: int, again: int
) -> Iterator[Any]:
    """The answers of one model, as they are made."""
    with load(path, threads=1, gpu_layers=0, context=_CONTEXT * together) as loaded:
        model, profile = loaded.loaded, loaded.profile
        with Engine(model, sequences=together) as engine, ThreadPoolExecutor(together) as pool:
            yield from pool.map(lambda q: ask(engine, model, profile, name, q, again), questions)


def main() -> None:
    """Ask one model one part of the questions, a JSON line an answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the model's GGUF")
    parser.add_argument("--name", required=True, help="what the answers call it")
    parser.add_argument("--part", choices=list(PARTS), action="append", help="[default: all]")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th question")
    parser.add_argument("--together", type=int, default=8)
    parser.add_argument("--again", type=int, default=0, help="other dice for the same questions")
    given = parser.parse_args()
    questions = [q for part in given.part or PARTS for q in PARTS[part]()][:: given.every]
    for answer in answers(given.file, given.name, questions, given.together, given.again):
        print(to_json(answer), flush=True)
    print(f"{given.name}: {len(questions)} answers", file=sys.stderr)


if __name__ == "__main__":
    main()
