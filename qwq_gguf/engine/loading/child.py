"""What the child process does: the other side of `guard.run_child`.

Tasks: `probe` computes with the matrix kernels, `trial` does with a file what a chat does,
`pace` and `card pace` say how long the kernels take. Each either prints an answer or dies.
"""

from __future__ import annotations

import _thread
import ctypes
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.engine.loading.guard import MARK
from qwq_gguf.engine.loading.raw_model import Refusal, load_model, new_context

__all__ = ["end_with_parent", "main"]

# Scripts, spaces, digits, marks, tags, code, a lone surrogate's bytes, a zero byte:
# whatever a hostile vocabulary may trip over.
_TEXT = (
    "Hello, wörld! 12345 + 6.7e8 = 你好 мир 👩‍👩‍👧 \t\r\n\n  def f(x):\n\treturn x**2  "
    "<think> </think> <|im_start|> it's 'quoted' \u00a0\u200b\ufffd "
).encode() + b"\xed\xa0\x80 \xff\xfe \x00 end"


# A vocabulary is read in a second or two; a broken one may send the tokenizer into a
# loop that also eats memory.
_VOCABULARY_SECONDS = 60
_MOST_MEMORY = 3 << 29  # a real vocabulary and its graphs take a tenth of this


def main(request: str) -> None:
    """Do the task of a JSON request and print the answer as one marked line."""
    end_with_parent()
    arguments = json.loads(request)
    _limit_damage(arguments)
    task: Callable[[Mapping[str, Any]], Mapping[str, object] | None] = {
        "probe": _probe,
        "trial": _trial,
        "pace": _pace,
        "card pace": _card_pace,
    }[arguments["task"]]
    try:
        answer: dict[str, object] = {**(task(arguments) or {}), "ok": True}
    except Refusal as refusal:
        answer = {"ok": False, "reason": str(refusal)}
    sys.stdout.write(f"{MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()
    # Whatever the library would do while it is torn down no longer matters.
    os._exit(0)


def end_with_parent() -> None:
    """Stop when standard input ends: the parent holds its other end for as long as it lives.

    A thread, because native code hears nothing; it runs beside that, as ctypes lets go of
    the interpreter.
    """

    def wait() -> None:
        try:
            while os.read(0, 1):
                pass
        except OSError:
            pass
        os._exit(1)

    _thread.start_new_thread(wait, ())


def _limit_damage(arguments: Mapping[str, Any]) -> None:
    """No core dump or dialog box, and for a stranger's file bounded memory and time."""
    if sys.platform == "win32":
        # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX
        ctypes.windll.kernel32.SetErrorMode(0x3)
        return
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if arguments["task"] == "trial":
        # Mapped weights do not count, copied ones do.
        copied = 0 if arguments["mmap"] else Path(arguments["path"]).stat().st_size
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY + copied, most))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # native code hears no Python handler
        signal.alarm(_VOCABULARY_SECONDS)


def _no_more_alarm() -> None:
    if sys.platform != "win32":
        import signal

        signal.alarm(0)


def _probe(arguments: Mapping[str, Any]) -> None:
    """Load the probe model and compute a batch and single tokens."""
    from qwq_gguf.engine.llama.library import load
    from qwq_gguf.engine.loading.zero_model import TOKENS

    library = load()
    api = library.api
    model = load_model(library, arguments, weights=True)
    context = new_context(library, model, n_ctx=256, threads=arguments["threads"])
    # More than 32 tokens at once take the matrix kernels, single ones the vector kernels.
    for count in (48, 1, 1):
        tokens = (ctypes.c_int32 * count)(*(index % TOKENS for index in range(count)))
        if api.llama_decode(context, api.llama_batch_get_one(tokens, count)) != 0:
            raise Refusal(library.log.reason() or "llama_decode failed")
        if api.llama_get_logits_ith(context, -1)[0] != 0.0:
            raise Refusal("a model of zeros computes something else than zero")
    api.llama_free(context)
    api.llama_model_free(model)


def _trial(arguments: Mapping[str, Any]) -> None:
    """Build the graphs as they will be used, then compute a few tokens.

    The first part simulates all memory, the second maps the weights and copies none, so
    that together they cost little more than reading the file once.
    """
    from qwq_gguf.engine.llama.library import load

    library = load()
    api = library.api
    model = load_model(library, arguments, weights=False)
    context = new_context(library, model, n_ctx=arguments["n_ctx"], threads=arguments["threads"])
    _use_vocabulary(api, model)
    api.llama_free(context)
    api.llama_model_free(model)
    _no_more_alarm()

    plain = {**arguments, "gpu_layers": 0, "use_extra_bufts": False}
    model = load_model(library, plain, weights=True)
    context = new_context(library, model, n_ctx=256, threads=arguments["threads"])
    most = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
    for count in (4, 1):
        tokens = (ctypes.c_int32 * count)(*(index % most for index in range(count)))
        if api.llama_decode(context, api.llama_batch_get_one(tokens, count)) != 0:
            raise Refusal(library.log.reason() or "llama_decode failed")
        logits = api.llama_get_logits_ith(context, -1)
        if not logits:
            raise Refusal("it computes no next token")
        if any(logits[index] != logits[index] for index in range(most)):
            raise Refusal("it computes something that is not a number: its weights are damaged")
    api.llama_free(context)
    api.llama_model_free(model)


def _pace(arguments: Mapping[str, Any]) -> Mapping[str, object]:
    """Time the kernels with models of zeros."""
    from qwq_gguf.engine.loading.pace_timing import paces

    return paces(arguments)


def _card_pace(arguments: Mapping[str, Any]) -> Mapping[str, object]:
    """The same with models that are on cards."""
    from qwq_gguf.engine.loading.card_timing import card_paces

    return card_paces(arguments)


def _use_vocabulary(api: Any, model: Any) -> None:
    vocabulary = api.llama_model_get_vocab(model)
    tokens = (ctypes.c_int32 * 4096)()
    text = ctypes.create_string_buffer(1 << 16)
    for special in (False, True):
        count = api.llama_tokenize(
            vocabulary, _TEXT, len(_TEXT), tokens, len(tokens), special, special
        )
        if count < 0:
            raise Refusal("its vocabulary cannot write a plain sentence")
        api.llama_detokenize(vocabulary, tokens, count, text, len(text), False, True)
