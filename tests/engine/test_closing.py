"""After `close` nothing crashes: every public thing answers, or raises a ModelError.

Each case runs in a process of its own, so that a crash is a failure like any other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

COMMON = """
import signal, sys, threading
from pathlib import Path
from types import SimpleNamespace
from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import Segment
from qwq_gguf.errors import ModelError
from qwq_gguf.profiles import Profile
from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.responder import Responder
from qwq_gguf.engine.session import Generation, Session
from qwq_gguf.engine.llama.vocabulary import Vocabulary
from qwq_gguf.sampling import Dist, Dry, Grammar, Greedy, LogitBias, SamplerChain

GREEDY = SamplerChain((Greedy(),))
GRAMMAR = SamplerChain((Grammar("root ::= [a-z ]+"), Dry(0.8), LogitBias(((65, 1.0),)), Dist()))
PROFILE = Profile("test", "", GREEDY)
PROMPT = [5, 6, 7]
SAID = [Message("user", "hi")]
model = Model.load(sys.argv[1], threads=1)

def refused(call):
    try:
        call()
    except ModelError as error:
        assert "closed" in str(error), error
        return True
    return False
"""


def run(script: str, path: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + script, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# By class, which public names raise after the close, and which answer, as nothing native is
# asked for them. A name that is missing here fails the test: say which it is.
_FACTS = "name metadata trained_context sampling chat_template vocab_size bos eos eog_tokens"
RAISES: Mapping[str, str] = {
    "Model": "encode piece adopt",
    "Vocabulary": "handle encode encode_text encode_bytes piece text only_token",
    "Session": "generate logits state restore forget",
    "EngineSequence": "generate",
    "Generation": "__next__ takes begin_answer expect_thought",
    "NativeChain": "sample accept apply names takes begin_answer expect_thought",
    "Responder": "respond go_on",
    "Responding": "__next__",
    "Conversation": "ask stream prompt_tokens save_state load_state",
}
ANSWERS: Mapping[str, str] = {
    "Model": f"{_FACTS} control_tokens special_tokens token_id speculate close",
    "Vocabulary": "token_id pieces blank_tokens beginning_tokens",
    "Session": "context_size cached_tokens interrupt take_note close",
    "Generation": (
        "__iter__ tokens_per_second room force forbid bias before_pick before_stop "
        "tell_odds drive interrupt supersede close"
    ),
    "EngineSequence": "context_size cached_tokens interrupt forget close",
    "NativeChain": "forbid bias close",
    "Responder": "check_tools render tool_use under on close",
    "Responding": "cancel answer_now close",
    "Conversation": (
        "messages context_size used_tokens interrupt answer_now clear undo resume set_system "
        "set_profile set_tools set_seed close"
    ),
}
ARGUMENTS: Mapping[str, str] = {
    "encode": "[Segment('a', False), Segment('<think>', True)]",
    "piece": "1",
    "text": "1",
    "adopt": "session",
    "token_id": "'<think>'",
    "encode_text": "'abc'",
    "encode_bytes": "b'abc'",
    "only_token": "'a'",
    "beginning_tokens": "('<tool_call>',)",
    "generate": "PROMPT, GREEDY, seed=1",
    "expect_thought": "1, begun=False",
    "takes": "[1]",
    "force": "[1]",
    "forbid": "[1]",
    "bias": "{1: 1.0}",
    "before_pick": "print",
    "tell_odds": "3",
    "before_stop": "print",
    "drive": "None",
    "sample": "context",
    "accept": "1",
    "apply": "[0.0] * size",
    "ask": "'hi'",
    "stream": "'hi'",
    "respond": "SAID",
    "render": "SAID",
    "check_tools": "()",
    "prompt_tokens": "'hi'",
    "restore": "state",
    "save_state": "saved, force=True",
    "load_state": "saved",
    "resume": "SAID",
    "set_system": "'be brief'",
    "set_profile": "PROFILE",
    "set_tools": "()",
    "set_seed": "1",
    "under": "PROFILE, None",
    "on": "session",
    "go_on": "'hi'",
    "speculate": "SimpleNamespace(draft=None)",
}


@pytest.mark.parametrize("closes", ["model.close()", "everything"])
def test_every_public_name_after_the_close(random_gguf: Path, closes: str) -> None:
    """Each in turn, and each a second time: a first error must not leave the next a crash."""
    script = f"""
RAISES, ANSWERS, ARGUMENTS = {dict(RAISES)!r}, {dict(ANSWERS)!r}, {dict(ARGUMENTS)!r}
size = model.vocab_size
session = Session(model)
conversation = Conversation(model, PROFILE)
responder = Responder(model, PROFILE)
responding = responder.respond(SAID)
next(responding)
generation = session.generate(PROMPT, GRAMMAR, seed=1)
generation.expect_thought(None, begun=True)
next(generation)
state = session.state()
saved = Path(sys.argv[1]).with_suffix(".session")
conversation.ask("hi")
conversation.save_state(saved, force=True)
context = session._context.owned._state.pointer
chain = NativeChain.of(model, GRAMMAR, seed=1)
things = {{"Model": model, "Vocabulary": model.vocabulary, "Session": session,
          "Generation": generation, "NativeChain": chain, "Conversation": conversation,
          "Responder": responder, "Responding": responding,
          "EngineSequence": Engine(model).sequence()}}
if {closes!r} == "everything":
    generation.close(); chain.close(); conversation.close(); session.close()
    responding.close(); responder.close()
    things.pop("Generation"); things.pop("Responding")
model.close()
wrong = []
for kind, thing in things.items():
    raises, answers = set(RAISES[kind].split()), set(ANSWERS[kind].split())
    own = [c for c in type(thing).__mro__ if c.__module__.startswith("qwq_gguf")]
    public = {{name for c in own for name in vars(c) if name[0] != "_"}} - {{"load", "of"}}
    assert public <= raises | answers, public - raises - answers
    ending = {{"close", "supersede"}}
    for name in sorted((raises | answers) - ending) * 2 + sorted(ending & answers) * 2:
        def call():
            value = getattr(thing, name)
            if callable(value):
                value = eval(f"value({{ARGUMENTS.get(name, '')}})")
            if name == "stream":
                list(value)
        if refused(call) != (name in raises):
            wrong.append((kind, name))
print(wrong)
"""
    assert run(script, random_gguf).strip() == "[]"


@pytest.mark.parametrize(
    "script",
    [
        # In the middle of a generation, from whoever reads it.
        """
stream = Session(model).generate(PROMPT, GRAMMAR, seed=1)
next(stream)
model.close()
assert refused(lambda: next(stream))
""",
        # From within the report of a long prompt.
        """
stream = Session(model).generate(PROMPT * 150, GREEDY, seed=1, on_prompt=lambda *_: model.close())
assert refused(lambda: next(stream))
""",
        # From another thread, at any moment of prompt and generation.
        """
for delay in range(0, 60, 3):
    m = Model.load(sys.argv[1], threads=1)
    session = Session(m)
    closing = threading.Timer(delay / 1000, m.close)
    closing.start()
    assert refused(lambda: [list(session.generate([i % 250 for i in range(400)], GRAMMAR, seed=s))
                            for s in range(10**6)])
    closing.join()
""",
        # From a signal handler, which interrupts the very frames that use it.
        """
for delay in range(1, 60, 3):
    m = Model.load(sys.argv[1], threads=1)
    session = Session(m)
    signal.signal(signal.SIGALRM, lambda *_: m.close())
    signal.setitimer(signal.ITIMER_REAL, delay / 1000)
    assert refused(lambda: [list(session.generate([i % 250 for i in range(400)], GRAMMAR, seed=s))
                            for s in range(10**6)])
""",
        # What is left of it is collected in any order, and the process ends well.
        """
session = Session(model)
vocabulary, chain = model.vocabulary, NativeChain.of(model, GRAMMAR, seed=1)
stream = session.generate(PROMPT, GRAMMAR, seed=1)
next(stream)
del model, session
assert vocabulary.encode_text("abc")
next(stream)
assert chain.names()
""",
        """
session = Session(model)
stream = session.generate(PROMPT, GRAMMAR, seed=1)
next(stream)
model.keep = stream
""",
        # A conversation whose model is closed between two questions, and one in the middle.
        """
conversation = Conversation(model, PROFILE, max_tokens=5)
list(conversation.stream("one"))
events = conversation.stream("two")
next(events)
model.close()
assert refused(lambda: list(events))
assert refused(lambda: list(conversation.stream("three")))
assert len(conversation.messages) % 2 == 0
""",
        # A generation begun from within the report of another.
        """
session = Session(model)
def again(*_):
    session.generate(PROMPT, GREEDY, seed=1)
try:
    list(session.generate(PROMPT, GREEDY, seed=1, on_prompt=again))
except ModelError as error:
    assert "at this moment" in str(error)
else:
    raise AssertionError
assert list(session.generate(PROMPT, GREEDY, seed=1, max_tokens=1))
""",
    ],
    ids=["reader", "prompt", "thread", "signal", "collected", "cycle", "conversation", "nested"],
)
def test_closing_at_any_moment(random_gguf: Path, script: str) -> None:
    run(script, random_gguf)
