"""What a server has done so far, in Prometheus' text format. Counted from any thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from qwq_gguf.chat.events import Response

__all__ = ["Metrics"]

_HELP = {
    "requests_total": "Requests by path and HTTP status.",
    "prompt_tokens_total": "Tokens of prompts.",
    "completion_tokens_total": "Tokens of thoughts and answers.",
    "thinking_tokens_total": "Tokens of thoughts.",
    "replies_total": "Replies by why they ended.",
    "thoughts_total": "Thoughts by what ended them.",
    "disconnects_total": "Clients that went away before their answer was complete.",
    "slots": "Texts that can be in the making at once.",
    "slots_busy": "Texts in the making.",
    "queue": "Texts that wait for a turn.",
    "context_tokens": "Tokens of the context in use.",
    "model_loaded": "Whether a model is loaded.",
}


class Metrics:
    """Counters, and the last look at what changes both ways."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """So many more."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += by

    def response(self, response: Response) -> None:
        """One more reply."""
        self.count("prompt_tokens_total", response.prompt_tokens)
        self.count("thinking_tokens_total", response.thinking_tokens)
        self.count("completion_tokens_total", response.thinking_tokens + response.answer_tokens)
        self.count("replies_total", reason=str(response.finish_reason))
        self.count("thoughts_total", ended=str(response.thought_ended))

    def text(self, now: Mapping[str, int]) -> str:
        """All of it; `now` are the gauges."""
        with self._lock:
            counts = sorted(self._counts.items())
        lines: list[str] = []
        told = ""
        for (name, labels), value in counts:
            if name != told:
                lines += _head(name, "counter")
                told = name
            said = ",".join(f'{key}="{text}"' for key, text in labels)
            lines.append(f"qwq_gguf_{name}{f'{{{said}}}' if said else ''} {value}")
        for name, value in now.items():
            lines += [*_head(name, "gauge"), f"qwq_gguf_{name} {value}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str) -> list[str]:
    return [f"# HELP qwq_gguf_{name} {_HELP[name]}", f"# TYPE qwq_gguf_{name} {kind}"]
