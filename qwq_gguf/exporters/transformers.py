"""A profile as a generation_config.json, which Transformers and vLLM read.

The order there is fixed (GenerationMixin._get_logits_processor): sequence bias, repetition
penalty, then temperature, top_k, top_p, min_p, typical_p. The penalty looks at the prompt, too.
Tokens that are forbidden stand in suppress_tokens, as JSON has no infinity.
"""

from __future__ import annotations

import json
import math

from qwq_gguf.exporters.exported import Export
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import SpokenBiases, spoken_biases
from qwq_gguf.exporters.runtime_words import RuntimeWords, flatten
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Greedy

__all__ = ["WORDS", "export"]

WORDS = RuntimeWords(
    "Transformers",
    {
        "logit_bias": "sequence_bias",
        "repeat_penalty": "repetition_penalty",
        "top_k": "top_k",
        "typical_p": "typical_p",
        "top_p": "top_p",
        "min_p": "min_p",
        "temperature": "temperature",
        "stops": "eos_token_id",
        "context": "max_length",
        "template": "chat_template.jinja",
    },
    order=("penalties", "temperature", "top_k", "top_p", "min_p", "typ_p"),
    counts="everything",
)


def export(profile: Profile, facts: GgufFacts) -> Export:
    """`generation_config.json` and the chat template, for the folder of the checkpoint.

    Of a model that no profile is made for, whose file has no numbers either, the checkpoint's
    own generation_config.json is all there is to say: then none is written.
    """
    biases = spoken_biases(profile, facts)
    files = {}
    unsaid = [*WORDS.unsaid(profile, facts.sampling), *biases.unsaid]
    if facts.fitted is not None:
        unsaid += facts.fitted.context_only("Transformers")
    use = "put the files into the folder of the checkpoint"
    if profile.named == frozenset():
        unsaid.append(
            "generation_config.json: no profile is made for this model, and its author's own "
            "numbers stay (--profile NAME writes another's)"
        )
    else:
        config = _config(profile, facts, biases)
        files["generation_config.json"] = json.dumps(config, indent=2) + "\n"
        if profile.named is not None:
            use = (
                "add generation_config.json to the checkpoint's own, which has the author's "
                "numbers besides"
            )
    if facts.template is not None:
        files["chat_template.jinja"] = facts.template
    if texts := [stop for stop in profile.stops if stop not in facts.ids]:
        unsaid.append(
            f"the stops {', '.join(texts)}: no single token, so generate(stop_strings=...) "
            "has to be told, with the tokenizer"
        )
    unsaid += spoken_thoughts(profile, facts).untold("apply_chat_template has to be told")
    return Export("transformers", files, WORDS.rows(), tuple(unsaid), (use,))


def _config(profile: Profile, facts: GgufFacts, biases: SpokenBiases) -> dict[str, object]:
    flat = flatten(profile, facts.room)
    samples = not isinstance(profile.chain.stages[-1], Greedy)
    config: dict[str, object] = {"do_sample": samples}
    if samples:
        names = ("temperature", "top_k", "top_p", "min_p", "typical_p")
        config |= {
            WORDS.names[name]: flat.number(name)
            for name in names
            if flat.says(name) and (name != "typical_p" or not flat.is_neutral(name))
        }
    if added := [[[token], float(b)] for token, b in biases.by_id if b not in (0, -math.inf)]:
        config["sequence_bias"] = added
    if banned := [token for token, bias in biases.by_id if bias == -math.inf]:
        config["suppress_tokens"] = banned
    if flat.says("repeat_penalty"):
        config["repetition_penalty"] = flat.number("repeat_penalty")
    config["max_length"] = flat.tokens
    if facts.bos is not None:
        config["bos_token_id"] = facts.bos
    ends = [facts.ids[stop] for stop in profile.stops if stop in facts.ids]
    if facts.eos is not None and facts.eos not in ends:
        ends.append(facts.eos)
    if ends:
        config["eos_token_id"] = ends
    if facts.pad is not None:
        config["pad_token_id"] = facts.pad
    return config
