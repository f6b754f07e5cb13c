"""What a client wants, whichever protocol it speaks; and the profile that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.jobs.settings import with_thoughts
from qwq_gguf.sampling.settings import DEFINITIONS, SETTINGS, SettingValue
from qwq_gguf.serve.refusal import Refusal

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile

__all__ = ["Ask", "asked_profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request, read and within its limits. None is what the client left to the profile.

    `model` is the name it called. `prompt` is a text, or tokens, to go on with instead of
    `messages`. `settings` are numbers of the chain by our names. `think`
    turns thoughts on or off, `budget` bounds them in tokens (below 0: not at all), `effort` is
    the template's word, `message` what a thought is closed with, `variables` go to the
    template. `max_tokens` bounds thought and answer together. `stops` end the answer. `choices`
    replies are made; the n-th has the seed `seed + n`. `one_call`: a reply may call one tool.
    One of the `forced` tools has to be called, if there are any. `shape` is the grammar of an
    answer that is no call, where there are tools. `logprobs`: each token is told with its
    probability and so many of the likeliest.
    """

    model: str | None = None
    prompt: str | tuple[int, ...] | None = None
    messages: tuple[Message, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    forced: tuple[ToolSpec, ...] = ()
    shape: str | None = None
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    think: bool | None = None
    budget: int | None = None
    effort: str | None = None
    message: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    choices: int = 1
    seed: int | None = None
    one_call: bool = False
    logprobs: int | None = None
    stream: bool = False
    include_usage: bool = False


def asked_profile(profile: Profile, ask: Ask) -> Profile:
    """The profile that answers this request.

    ChainError and ProfileError for numbers out of range; Refusal for one that would have no
    effect, because the profile's chain has no stage for it.
    """
    wanted: dict[str, SettingValue | None] = {}
    for name, value in ask.settings.items():
        stage = SETTINGS[name][0]
        if stage in profile.chain.order or stage in ("grammar", "logit_bias"):
            wanted[name] = value
        elif value != DEFINITIONS[name].off:
            raise Refusal(
                f"{name} would have no effect: the profile {profile.name} has no stage {stage}",
                param=name,
                code="unsupported_value",
            )
    if wanted:
        profile = profile.with_overrides(source="the request", **wanted)
    governor = None if ask.message is None else {"message": ask.message}
    think = False if ask.budget == 0 else ask.think
    return with_thoughts(profile, think, ask.budget, governor, ask.effort)
