"""A profile for vLLM: a command line, and what requests have to add.

Server-wide defaults come from the generation config, of which vLLM takes repetition_penalty,
temperature, top_k, top_p, min_p, presence_penalty and frequency_penalty (vllm/config/model.py,
get_diff_sampling_param); the rest is the request's. The order is fixed: penalties,
temperature, min_p, top_k, top_p; presence and frequency count the reply alone.

Since 0.24 GGUF files are read by a package of their own, vllm-gguf-plugin, which wants the
tokenizer and the configuration of the model that the file was made from.

A reasoning parser raises where the tokenizer lacks its tags, and deepseek_r1's and qwen3's take
all of a reply for the thought that has not closed one (vllm/reasoning); so one is named only for
a model that thinks, with tags in its vocabulary.

A request's logit_bias is clamped to -100 and 100 (vllm/sampling_params.py). Its grammar goes to
structured_outputs since 0.12 and binds what follows the thought that the reasoning parser sees
(enable_in_reasoning is off, vllm/config/structured_outputs.py).
"""

from __future__ import annotations

import json
import shlex

from qwq_gguf.chat.tool_formats import read_tool_use
from qwq_gguf.chat.tool_place import has_tool_place
from qwq_gguf.exporters.exported import Command, Export
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import SpokenBiases, spoken_biases, spoken_grammar
from qwq_gguf.exporters.runtime_words import RuntimeWords, flatten
from qwq_gguf.exporters.thoughts import SpokenThoughts, spoken_thoughts
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Grammar
from qwq_gguf.thinking import ThinkingTags

__all__ = ["WORDS", "export"]

WORDS = RuntimeWords(
    "vLLM",
    {
        "logit_bias": "logit_bias (request)",
        "grammar": "structured_outputs.grammar (request)",
        "repeat_penalty": "repetition_penalty",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
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

_DEFAULTS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
)
_ASK_FOR_BASE = '"${BASE:?set it to the model that this GGUF was made from, ORG/NAME}"'
_MOST_BIAS = 100.0
_PARSERS = {
    ThinkingTags(): "deepseek_r1",
    ThinkingTags("<seed:think>", "</seed:think>"): "seed_oss",
}
# What reads calls, by our name for how they are written (vllm/tool_parsers/__init__.py).
_CALLERS = {
    "hermes": "hermes",
    "qwen-xml": "qwen3_coder",
    "seed": "seed_oss",
    "glm": "glm45",
    "mistral": "mistral",
    "gemma": "gemma4",
    "llama": "llama3_json",
}
_HEAD = '#!/bin/sh\ncd -- "$(dirname -- "$0")" || exit\n'


def export(profile: Profile, facts: GgufFacts) -> Export:
    """`vllm.sh`, the chat template it names, and `request.json` for the client."""
    flat = flatten(profile, facts.room)
    defaults = {
        WORDS.names[name]: (flat.number(name) or -1) if name == "top_k" else flat.number(name)
        for name in _DEFAULTS
        if flat.says(name)
    }
    words = [f"exec vllm serve {shlex.quote(facts.file)}"]
    base = shlex.quote(facts.base) if facts.base else _ASK_FOR_BASE
    words += [f"--tokenizer {base}", f"--hf-config-path {base}"]
    words.append(f"--max-model-len {flat.tokens}")
    if facts.cluster is not None:
        words += facts.cluster.words()
    if defaults:
        # Else the numbers are those of the model's author, which vLLM looks up by itself.
        words.append("--generation-config vllm")
        words.append(f"--override-generation-config {shlex.quote(json.dumps(defaults))}")
    files: dict[str, str] = {}
    if facts.template is not None:
        files["chat_template.jinja"] = facts.template
        words.append("--chat-template chat_template.jinja")
    thoughts = spoken_thoughts(profile, facts)
    parser, unparsed = _parser(thoughts, facts)
    if parser is not None:
        words.append(f"--reasoning-parser {parser}")
    if thoughts.switch:
        told = shlex.quote(json.dumps(dict(thoughts.switch)))
        words.append(f"--default-chat-template-kwargs {told}")
    caller, unread = _caller(facts)
    if caller is not None:
        words.append(f"--enable-auto-tool-choice --tool-call-parser {caller}")
    request: dict[str, object] = {"stop": list(profile.stops)}
    biases = spoken_biases(profile, facts)
    if biases.by_id:
        request["logit_bias"] = {
            str(token): max(-_MOST_BIAS, min(_MOST_BIAS, bias)) for token, bias in biases.by_id
        }
    grammar = spoken_grammar(profile, facts, thoughts=False)
    if grammar is not None:
        request["structured_outputs"] = {"grammar": grammar}
    files["vllm.sh"] = _HEAD + " \\\n    ".join([*words, '"$@"']) + "\n"
    if facts.cluster is not None:
        files |= facts.cluster.files()
    files["request.json"] = json.dumps(request, ensure_ascii=False, indent=2) + "\n"
    unsaid = [*WORDS.unsaid(profile, facts.sampling)]
    if facts.fitted is not None:
        unsaid += facts.fitted.context_only("vLLM")
    if not facts.base:
        unsaid.append(
            "the tokenizer and the configuration, which vLLM wants from the model that this GGUF "
            "was made from: the file names none, so write BASE=ORG/NAME before the command"
        )
    unsaid += [*unparsed, *unread]
    if profile.wants_thoughts is False and thoughts.possible and not thoughts.switch:
        by_template = "no thought: this template opens one, and vLLM has no word against it"
        unsaid += thoughts.unsaid or (by_template,)
    unsaid += [*biases.unsaid, *_bound_otherwise(profile, biases)]
    unsaid += _only_in_requests(request)
    return Export(
        "vllm",
        files,
        WORDS.rows(),
        tuple(unsaid),
        (
            "vLLM reads GGUF files by a plugin: pip install vllm-gguf-plugin",
            *_ray(facts),
            Command((*(() if facts.base else ("BASE=ORG/NAME",)), "sh", "vllm.sh")),
            "each request carries the fields of request.json",
        ),
    )


def _ray(facts: GgufFacts) -> tuple[str, ...]:
    if facts.cluster is None or facts.cluster.cards.machines == 1:
        return ()
    return (
        "first Ray: sh ray-head.sh on one machine, HEAD=ADDRESS sh ray-worker.sh on the others,",
        "and ray status there shows all cards; then on the first:",
    )


def _caller(facts: GgufFacts) -> tuple[str | None, tuple[str, ...]]:
    """What reads calls of tools, where the template has a place for tools at all."""
    if named := facts.names.get("vllm_tools"):
        return named, ()
    if facts.template is None:
        return None, ()
    use = read_tool_use(facts.template)
    if not use.known or not has_tool_place(facts.template):
        return None, ()
    if use.format.name == "deepseek":
        # R1 and V3 write `function` before the name, and a fence; V3.1 has neither.
        fenced = use.written is not None and "```" in use.written.middle
        return "deepseek_v3" if fenced else "deepseek_v31", ()
    if use.format.name == "nemotron":
        return None, (
            "calls in <TOOLCALL>: vLLM has nothing that reads them; the model's repository has a "
            "plugin for it (--tool-parser-plugin FILE --tool-call-parser nemotron_json)",
        )
    return _CALLERS.get(use.format.name), ()


def _parser(thoughts: SpokenThoughts, facts: GgufFacts) -> tuple[str | None, list[str]]:
    """The reasoning parser for these thoughts, and why there is none."""
    if not thoughts.possible:
        return None, []
    tags, named = thoughts.tags, facts.names.get("vllm_reasoning")
    if named is not None:
        return named, []
    if tags not in _PARSERS:
        what = "thoughts that are not in tags it knows" if tags is None else tags.open
        return None, [f"a reasoning parser: vLLM has none that is known to fit {what}"]
    if missing := [text for text in (tags.open, tags.close) if text not in facts.ids]:
        texts = " and ".join(missing)
        return None, [f"a reasoning parser: this vocabulary has no token {texts}"]
    # qwen3's knows a switch: where thinking is off, all of the reply is the answer.
    hybrid = facts.thought.switch is not None and tags == ThinkingTags()
    return "qwen3" if hybrid else _PARSERS[tags], []


def _bound_otherwise(profile: Profile, biases: SpokenBiases) -> list[str]:
    found = []
    if any(abs(bias) > _MOST_BIAS for _, bias in biases.by_id):
        found.append(f"a logit bias beyond {_MOST_BIAS:g}: vLLM goes no further, nor forbids")
    grammar = profile.chain.stage(Grammar)
    if grammar is not None and not grammar.off and grammar.scope == "reply":
        found.append("a grammar for the thought, too: vLLM leaves the thought alone")
    return found


def _only_in_requests(request: dict[str, object]) -> list[str]:
    told = ["the logit bias"] * ("logit_bias" in request)
    told += ["the grammar"] * ("structured_outputs" in request)
    return [
        f"{what}: a vLLM server has no default for it, "
        "so every request has to carry it (request.json)"
        for what in told
    ]
