"""A profile's grammar and logit biases in the words of runtimes built on llama.cpp.

There a grammar begins at the rule `root` and binds everything a reply has in it, the thought
too (`grammar_should_apply`, common/sampling.cpp). One for the answer alone is therefore
written as a grammar that lets any thought pass first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile, ThinkingTags
from qwq_gguf.sampling import Grammar, LogitBias

__all__ = ["SpokenBiases", "grammar_spellings", "spoken_biases", "spoken_grammar", "words_of"]

# What in a grammar's text may look like a name and is none, or is one.
_PARTS = re.compile(
    r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\r\n]*|\{[^}]*\}|[A-Za-z0-9-]+', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class SpokenBiases:
    """Biases by token id, and the texts whose tokens the file does not tell."""

    by_id: tuple[tuple[int, float], ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def unsaid(self) -> tuple[str, ...]:
        """A sentence for the texts without an id."""
        if not self.unknown:
            return ()
        texts = ", ".join(map(repr, self.unknown))
        return (f"the logit bias of {texts}: not one token that this file's vocabulary lists",)


def words_of(profile: Profile) -> tuple[str, ...]:
    """The texts whose token ids an exporter may need."""
    stage = profile.chain.stage(LogitBias)
    biased = () if stage is None else stage.biases
    return (*profile.stops, *(token for token, _ in biased if isinstance(token, str)))


def spoken_biases(profile: Profile, facts: GgufFacts) -> SpokenBiases:
    """The profile's logit biases by id; empty when it has none."""
    stage = profile.chain.stage(LogitBias)
    if stage is None or stage.off:
        return SpokenBiases()
    by_id: dict[int, float] = {}
    unknown = []
    for token, bias in stage.biases:
        number = facts.ids.get(token) if isinstance(token, str) else token
        if number is None:
            unknown.append(str(token))
        else:
            by_id[number] = bias
    return SpokenBiases(tuple(by_id.items()), tuple(unknown))


def spoken_grammar(profile: Profile, facts: GgufFacts, *, thoughts: bool = True) -> str | None:
    """The profile's grammar with `root` as its first rule; None when it has none.

    With `thoughts` it binds a whole reply: a grammar of the scope `answer` lets a thought
    pass that the prompt or the model has opened, where the model is known to think.
    """
    stage = profile.chain.stage(Grammar)
    if stage is None or stage.off:
        return None
    run = spoken_thoughts(profile, facts)
    if stage.scope == "reply" or run.tags is None or not thoughts:
        return _at_root(stage)
    return _after_thought(stage, run.tags, opened=run.opened)


def grammar_spellings(profile: Profile) -> tuple[str, ...]:
    """Every text by which an exporter may have given a runtime the profile's grammar."""
    stage = profile.chain.stage(Grammar)
    if stage is None or stage.off:
        return ()
    bare = _at_root(stage)
    if stage.scope == "reply":
        return (bare,)
    tags = profile.thinking
    return (bare, *(_after_thought(stage, tags, opened=opened) for opened in (True, False)))


def _at_root(stage: Grammar) -> str:
    if stage.root == "root":
        return stage.text
    text, _ = _renamed(stage, "root")
    return f"root ::= {stage.root}\n{text}"


def _after_thought(stage: Grammar, tags: ThinkingTags, *, opened: bool) -> str:
    text, taken = _renamed(stage, "root")
    answer = taken if stage.root == "root" else stage.root
    prefix = "thought-"
    while any(name.startswith(prefix) for name in stage.rules.names):
        prefix += "-"
    rules = _until(tags.close, prefix)
    lead = f"{prefix}0 [\\n]{{0,4}}"
    if tags.channels is not None:  # behind the end of a thought the next message begins
        begins = f"{tags.channels.start}{tags.channels.role}"
        thought = f"{prefix}0 {_literal(begins)}"
        thought = thought if opened else f"({_literal(tags.open)} {thought})?"
        lead = f"{thought} {_literal(tags.no_thought)}"
    elif not opened:
        lead = f"({_literal(tags.open)} {lead})?"
    return "\n".join([f"root ::= {lead} {answer}", *rules, text])


def _renamed(stage: Grammar, name: str) -> tuple[str, str]:
    """The text with another name for the rule of this name, and that other name."""
    other = f"{name}-of-the-answer"
    while other in stage.rules.names:
        other += "-"
    swap = lambda part: other if part[0] == name else part[0]  # noqa: E731
    return _PARTS.sub(swap, stage.text), other


def _until(tag: str, prefix: str) -> list[str]:
    """Rules for any text up to `tag` and with it, where it stands for the first time.

    The rule with number n has read the first n characters of the tag and no more of it
    (Knuth, Morris, Pratt).
    """
    rules = []
    for have in range(len(tag)):
        onward = {}
        for letter in sorted(set(tag)):
            read = tag[:have] + letter
            after = next(n for n in range(len(read), -1, -1) if read.endswith(tag[:n]))
            if after:
                onward[letter] = after
        ways = [f"{_set(list(onward), negated=True)} {prefix}0"]
        for letter, after in onward.items():
            ways.append(_set([letter]) + ("" if after == len(tag) else f" {prefix}{after}"))
        rules.append(f"{prefix}{have} ::= " + " | ".join(ways))
    return rules


def _set(letters: list[str], *, negated: bool = False) -> str:
    return f"[{'^' if negated else ''}{''.join(map(_escaped, letters))}]"


def _literal(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    plain = letter.isascii() and letter.isprintable() and letter not in '"[]\\^-'
    return letter if plain else f"\\U{ord(letter):08X}"
