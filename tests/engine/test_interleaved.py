"""A session that several use at the same moment: each works, or hears of it by a ModelError.

Each case runs in a process of its own, so that a crash is a failure like any other.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMON = """
import signal, sys, threading, time
from qwq_gguf.chat.messages import Message
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.responder import Responder
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ModelError
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Dist, SamplerChain

CHAIN = SamplerChain((Dist(),))
PROFILE = Profile("test", "", CHAIN)
PROMPT = [5, 6, 7]
LONG = [5 + i % 100 for i in range(400)]
SAID = [Message("user", "hi")]
model = Model.load(sys.argv[1], threads=1)
session = Session(model)

def refused(call, *words):
    try:
        call()
    except ModelError as error:
        assert any(word in str(error) for word in words), error
        return True
    return False
"""


def run(script: str, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + script, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"


CASES = {
    "two generations": """
one = session.generate(PROMPT, CHAIN, seed=1)
next(one)
two = session.generate(PROMPT, CHAIN, seed=2, max_tokens=3)
next(two)
for _ in range(2):
    assert refused(lambda: next(one), "begun another one")
list(two)
""",
    "two conversations": """
one = Conversation(model, PROFILE, session=session, max_tokens=9, seed=1).stream("one")
two = Conversation(model, PROFILE, session=session, max_tokens=9, seed=1).stream("two")
next(one), next(two)
for _ in range(2):
    assert refused(lambda: list(one), "begun another one")
assert list(two)
""",
    "two responses": """
responder = Responder(model, PROFILE, session=session)
one, two = (responder.respond(SAID, seed=seed, max_tokens=9) for seed in (1, 2))
next(one), next(two)
one.cancel()  # is no business of the other's
assert refused(lambda: list(one), "begun another one")
assert list(two)[-1].response.finish_reason == "length"
""",
    "emptied meanwhile": """
one = session.generate(PROMPT, CHAIN, seed=1)
next(one)
session.forget()
assert refused(lambda: next(one), "emptied")
assert session.cached_tokens == 0
""",
    "used while a prompt is computed": """
# The callback stops llama.cpp in the middle of it. Then a handler in the thread that waits for
# the prompt wants to use the context, and so does another thread.
seen, done = [], threading.Event()
def use(*_):
    seen.append(refused(session.logits, "by another thread"))
    seen.append(refused(session.forget, "at this moment"))
    seen.append(refused(lambda: session.generate(PROMPT, CHAIN, seed=1), "at this moment"))
    done.set()
def look(tensor, asked):
    if not seen:
        other = threading.Thread(target=use)
        other.start()
        other.join()
        done.clear()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        assert done.wait(60)
    return False
signal.signal(signal.SIGUSR1, use)
session = Session(model, ContextSettings(on_tensor=look))
alone = [t for t, _ in Session(model).generate(LONG, CHAIN, seed=1, max_tokens=5)]
assert [t for t, _ in session.generate(LONG, CHAIN, seed=1, max_tokens=5)] == alone
assert seen == [True] * 6, seen
""",
    "the same stream in two threads": """
for make in (
    lambda: session.generate(LONG, CHAIN, seed=1),
    lambda: Responder(model, PROFILE, session=session).respond(SAID, seed=1),
    lambda: Conversation(model, PROFILE, session=session, seed=1).stream("hi"),
):
    for _ in range(10):
        stream, wrong = make(), []
        def read():
            try:
                for _ in range(50):
                    next(stream, None)
            except ModelError:
                pass
            except BaseException as error:
                wrong.append(error)
        threads = [threading.Thread(target=read) for _ in range(3)]
        [t.start() for t in threads]; [t.join() for t in threads]
        assert not wrong, wrong
""",
    "many threads on one session": """
wrong, good = [], []
alone = {seed: [t for t, _ in Session(model).generate(LONG, CHAIN, seed=seed, max_tokens=5)]
         for seed in range(4)}
def use(seed):
    for _ in range(25):
        try:
            made = [t for t, _ in session.generate(LONG, CHAIN, seed=seed, max_tokens=5)]
            session.logits()
            session.forget()
        except ModelError:
            continue
        except BaseException as error:
            wrong.append(error)
            continue
        good.append(seed)
        if made != alone[seed]:
            wrong.append((made, alone[seed]))
threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
assert not wrong, wrong[:3]
""",
    "sessions of one model in many threads": """
wrong = []
text = {t: model.piece(t) for t in range(model.vocab_size)}
model.vocabulary._pieces.clear()
def use():
    try:
        own = Session(model)
        for t in range(model.vocab_size):
            if model.piece(t) != text[t]:
                wrong.append(t)
        own.close()
    except BaseException as error:
        wrong.append(error)
threads = [threading.Thread(target=use) for _ in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
assert not wrong, wrong[:3]
""",
}


@pytest.mark.parametrize("script", CASES.values(), ids=CASES.keys())
def test_interleaved_use(random_gguf: Path, script: str) -> None:
    run(script, random_gguf)
