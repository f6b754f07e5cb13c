"""A profile for vLLM: a command line, and what requests have to add.

Server-wide defaults come from the generation config, of which vLLM takes
repetition_penalty, temperature, top_k, top_p, min_p and max_new_tokens (vllm/config/model.py,
get_diff_sampling_param); the rest is the request's. The order is fixed: penalties,
temperature, min_p, top_k, top_p; presence and frequency count the reply alone.

A request's logit_bias is clamped to -100 and 100 (vllm/sampling_params.py). Its grammar goes to
structured_outputs since 0.12 and binds what follows the thought that the reasoning parser sees
(enable_in_reasoning is off, vllm/config/structured_outputs.py).
"""

from __future__ import annotations

import json
import shlex

from qwq_gguf.export.facts import GgufFacts
from qwq_gguf.export.forbidding import SpokenBiases, spoken_biases, spoken_grammar
from qwq_gguf.export.value import Export
from qwq_gguf.export.vocabulary import Vocabulary, flatten
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Grammar

__all__ = ["VOCABULARY", "export"]

VOCABULARY = Vocabulary(
    "vLLM",
    {
        "logit_bias": "logit_bias (request)",
        "grammar": "structured_outputs.grammar (request)",
        "repeat_penalty": "repetition_penalty",
        "frequency_penalty": "frequency_penalty (request)",
        "presence_penalty": "presence_penalty (request)",
        "top_k": "top_k",
        "top_p": "top_p",
        "min_p": "min_p",
        "temperature": "temperature",
        "stops": "stop (request)",
        "context": "--max-model-len",
        "template": "--chat-template",
        "thinking": "--reasoning-parser",
    },
    order=("penalties", "temperature", "min_p", "top_k", "top_p"),
    counts="reply",
)

_MOST_BIAS = 100.0
_HEAD = '#!/bin/sh\ncd -- "$(dirname -- "$0")" || exit\n'


def export(profile: Profile, facts: GgufFacts) -> Export:
    """`vllm.sh`, the chat template it names, and `request.json` for the client."""
    flat = flatten(profile, facts.context)
    defaults = {
        "temperature": flat.number("temperature"),
        "top_k": flat.number("top_k") or -1,
        "top_p": flat.number("top_p"),
        "min_p": flat.number("min_p"),
        "repetition_penalty": flat.number("repeat_penalty"),
    }
    words = [f"exec vllm serve {shlex.quote(facts.file)}"]
    if facts.base:
        # The tokenizer that vLLM makes from a GGUF is slow to come and may differ.
        words.append(f"--tokenizer {shlex.quote(facts.base)}")
    words.append(f"--max-model-len {flat.tokens}")
    words.append("--generation-config vllm")
    words.append(f"--override-generation-config {shlex.quote(json.dumps(defaults))}")
    files: dict[str, str] = {}
    if facts.template is not None:
        files["chat_template.jinja"] = facts.template
        words.append("--chat-template chat_template.jinja")
    if profile.thinking.open == "<think>":
        words.append("--reasoning-parser deepseek_r1")
    if facts.chatml is not None and facts.chatml.tools_end is not None:
        words.append("--enable-auto-tool-choice --tool-call-parser hermes")
    request: dict[str, object] = {
        "presence_penalty": flat.number("presence_penalty"),
        "frequency_penalty": flat.number("frequency_penalty"),
        "stop": list(profile.stops),
    }
    biases = spoken_biases(profile, facts)
    if biases.by_id:
        request["logit_bias"] = {
            str(token): max(-_MOST_BIAS, min(_MOST_BIAS, bias)) for token, bias in biases.by_id
        }
    grammar = spoken_grammar(profile, facts, thoughts=False)
    if grammar is not None:
        request["structured_outputs"] = {"grammar": grammar}
    files["vllm.sh"] = _HEAD + " \\\n    ".join([*words, '"$@"']) + "\n"
    files["request.json"] = json.dumps(request, ensure_ascii=False, indent=2) + "\n"
    unsaid = [*VOCABULARY.unsaid(profile, facts.sampling)]
    if not facts.base:
        unsaid.append("the tokenizer: this GGUF names no base model; add --tokenizer ORG/NAME")
    unsaid += [*biases.unsaid, *_bound_otherwise(profile, biases)]
    unsaid += _only_in_requests(request)
    return Export(
        "vllm",
        files,
        VOCABULARY.rows(),
        tuple(unsaid),
        ("sh vllm.sh", "each request carries the fields of request.json"),
    )


def _bound_otherwise(profile: Profile, biases: SpokenBiases) -> list[str]:
    found = []
    if any(abs(bias) > _MOST_BIAS for _, bias in biases.by_id):
        found.append(f"a logit bias beyond {_MOST_BIAS:g}: vLLM goes no further, nor forbids")
    grammar = profile.chain.stage(Grammar)
    if grammar is not None and not grammar.off and grammar.scope == "reply":
        found.append("a grammar for the thought, too: vLLM leaves the thought alone")
    return found


def _only_in_requests(request: dict[str, object]) -> list[str]:
    told = [
        f"{name.replace('_', ' ')} {request[name]}"
        for name in ("presence_penalty", "frequency_penalty")
        if request[name]
    ]
    told += ["the logit bias"] * ("logit_bias" in request)
    told += ["the grammar"] * ("structured_outputs" in request)
    return [
        f"{what}: a vLLM server has no default for it, "
        "so every request has to carry it (request.json)"
        for what in told
    ]
