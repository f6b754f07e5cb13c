"""How one kind of model is meant to be run, as a value.

A profile holds the sampler chain, the stops, the context length, and what is done about
thoughts; every number remembers where it comes from. It knows nothing of any runtime:
our own engine and each exporter render it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from qwq_gguf.errors import ProfileError
from qwq_gguf.profiles.fits import Fits, Wrong
from qwq_gguf.sampling import SamplerChain
from qwq_gguf.sampling.settings import SETTINGS, SettingValue
from qwq_gguf.thinking import EFFORTS, Governor, History, ThinkingTags

__all__ = ["MIN_CONTEXT", "RUNTIME_NAMES", "Profile", "TemplatePolicy", "ThinkingTags"]

# The instructions of a Modelfile and the flags of vLLM that take a name of a model's family.
RUNTIME_NAMES = ("ollama_renderer", "ollama_parser", "vllm_reasoning", "vllm_tools")

MIN_CONTEXT = 256
_MAX_CONTEXT = 1 << 24
_MAX_STOPS = 16
_MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class TemplatePolicy:
    """What the prompt must look like, where the model's own chat template leaves it open.

    `opens_thought`: the generation prompt ends in the opening tag and a newline; they are
    added when the template of a model that thinks leaves them out, never behind a thought
    that it closes. `history`: `template` gives earlier thoughts to a template that looks for
    them, which keeps those that its model wants, `answers` gives none, `all` keeps all.
    `thinking` turns thoughts on or off, by the template's switch where it has one; None leaves
    it to the template. `effort` is how hard the model is to think, in a word of its template.
    """

    opens_thought: bool = True
    history: History = "template"
    thinking: bool | None = None
    effort: str | None = None

    def __post_init__(self) -> None:
        if self.effort is not None and self.effort not in EFFORTS:
            raise ProfileError(
                "template: there is no such effort",
                found=repr(self.effort)[:80],
                expected=", ".join(EFFORTS),
            )


@dataclass(frozen=True, slots=True)
class Profile:
    """A named way to run a model.

    `stops` are texts that end a reply; where the vocabulary has one as a control token,
    that token is meant. `context` is in tokens. `given` holds the sampler settings as
    the profile states them, also those that the chain's order leaves idle. `sources`
    says where each number comes from: by setting name, or `order`, `stops`, `context`,
    `governor`. `named` are the settings that somebody decided, `order` among them where it
    is; the rest are llama.cpp's defaults, which our own engine needs and nobody should
    write down. None for a profile that means every one of its numbers. `fits` says which
    models it is made for, nothing for one that is only ever asked for; `wrong` are numbers
    that their files are known to have by mistake, and `runtimes` what other runtimes call what
    reads and writes for them (see `RUNTIME_NAMES`).
    """

    name: str
    description: str
    chain: SamplerChain
    stops: tuple[str, ...] = ()
    context: int = 16384
    template: TemplatePolicy = TemplatePolicy()
    thinking: ThinkingTags = field(default_factory=ThinkingTags)
    governor: Governor = field(default_factory=Governor)
    given: Mapping[str, SettingValue] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    named: frozenset[str] | None = None
    fits: tuple[Fits, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    runtimes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not MIN_CONTEXT <= self.context <= _MAX_CONTEXT:
            raise ProfileError(
                "the context length is out of range",
                found=self.context,
                expected=f"{MIN_CONTEXT} to {_MAX_CONTEXT} tokens",
            )
        if len(self.stops) > _MAX_STOPS:
            raise ProfileError("too many stops", found=len(self.stops), expected=_MAX_STOPS)
        for stop in self.stops:
            if not stop or len(stop) > _MAX_TEXT:
                raise ProfileError("a stop must be a short text", found=repr(stop))
        object.__setattr__(self, "given", MappingProxyType(dict(self.given)))
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))

    def with_overrides(
        self, *, source: str = "command line", **values: SettingValue | None
    ) -> Profile:
        """The profile with single numbers of its chain replaced, their source noted.

        Raises ChainError as `SamplerChain.with_overrides` does.
        """
        changed = {name: value for name, value in values.items() if value is not None}
        return replace(
            self,
            chain=self.chain.with_overrides(**changed),
            given={**self.given, **changed},
            sources={**self.sources, **dict.fromkeys(changed, source)},
            named=None if self.named is None else self.named.union(changed),
        )

    def says(self, setting: str) -> bool:
        """Whether somebody decided this setting (or `order`), or it is llama.cpp's default."""
        return self.named is None or setting in self.named

    @property
    def wants_thoughts(self) -> bool | None:
        """Whether the model is told to think, told not to, or neither."""
        return False if self.governor.budget == 0 else self.template.thinking

    def with_thinking(self, thinking: bool) -> Profile:
        """The profile with thoughts turned on or off; a budget of 0 does not outlive an on."""
        governor = self.governor
        if thinking and governor.budget == 0:
            governor = replace(governor, budget=None)
        template = replace(self.template, thinking=thinking)
        return replace(self, template=template, governor=governor)

    def with_effort(self, effort: str) -> Profile:
        """The profile with a model that thinks so hard. ProfileError for a word of nobody's."""
        return replace(self, template=replace(self.template, effort=effort))

    def with_thought_budget(self, budget: int | None, source: str = "command line") -> Profile:
        """The profile with another budget for a thought, in tokens (0: no thought), or none."""
        return self.with_governor(replace(self.governor, budget=budget), source)

    def with_governor(self, governor: Governor, source: str = "command line") -> Profile:
        """The profile with another governor."""
        return replace(self, governor=governor, sources={**self.sources, "governor": source})

    def notes(self) -> tuple[str, ...]:
        """What in this profile silently does nothing; of defaults that nobody chose, nothing."""
        decided = {SETTINGS[name][0] for name in self.given if self.says(name)}
        needless = tuple(
            line
            for line in self.chain.notes()
            if self.named is None or line.partition(" ")[0] in decided
        )
        idle = tuple(
            f"{name} does nothing: it is set, but the order has no such stage"
            for name in self.chain.idle_settings(self.given)
        )
        return needless + idle
