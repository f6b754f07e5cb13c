"""How the thoughts of one model begin, and are kept from beginning, under one profile.

The template has the last word wherever it says something: what it closes stays closed, and
a switch it has is what turns thoughts on and off. What it leaves open is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from qwq_gguf.chat.earlier_thoughts import with_thoughts, with_thoughts_in_text, without_thoughts
from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.prompt import RenderedPrompt
from qwq_gguf.thinking.channels import ChannelSplitter
from qwq_gguf.thinking.form import BUDGET, EFFORT, ThoughtForm, ThoughtStart, thought_start
from qwq_gguf.thinking.splits import Splitter
from qwq_gguf.thinking.splitter import ThoughtSplitter
from qwq_gguf.thinking.tags import ThinkingTags

__all__ = ["History", "Thoughts"]

# What becomes of thoughts of earlier messages: what the template makes of them, none, or all.
History: TypeAlias = Literal["template", "answers", "all"]

_DEFAULT = ThinkingTags()


@dataclass(frozen=True, slots=True)
class Thoughts:
    """What becomes of the thoughts of one model.

    `wanted` is None for what the template does when nobody says anything. `opens`: the
    profile wants every reply to begin with a thought. `reasoner`: the model's family is
    known to think, whatever its template says. `given` are the user's own variables for
    the template, which win. `asked_tags` are the profile's; the usual ones give way to
    those that the template writes. `history` says what becomes of thoughts of earlier
    messages, `effort` how hard the model is to think, in a word of its template's, and
    `budget` for how many tokens: a template that speaks of them is told.
    """

    form: ThoughtForm
    wanted: bool | None = None
    opens: bool = False
    reasoner: bool = False
    asked_tags: ThinkingTags = field(default_factory=ThinkingTags)
    given: Mapping[str, Any] = field(default_factory=dict)
    history: History = "template"
    effort: str | None = None
    budget: int | None = None

    @property
    def tags(self) -> ThinkingTags:
        """What opens and closes a thought of this model."""
        return (self.form.tags or _DEFAULT) if self.asked_tags == _DEFAULT else self.asked_tags

    @property
    def has_thoughts(self) -> bool:
        """Whether there is reason to believe that the model thinks in these tags at all."""
        return self.reasoner or self.form.tags is not None

    @property
    def variables(self) -> dict[str, Any]:
        """What to give the template."""
        form, said = self.form, dict[str, Any](self.form.variables(self.mode))
        if self.history == "all" and form.keeps is not None:
            said |= dict((form.keeps,))
        if self.mode is not False:
            if self.effort in form.efforts:
                said[EFFORT] = self.effort
            if self.budget and form.budgets:
                said[BUDGET] = self.budget
        return {**said, **self.given}

    @property
    def mode(self) -> bool | None:
        """Thinking on or off, None for what the template does by itself.

        Whoever sets a variable for it says what is wanted, also of a template without it.
        """
        if self.wanted is not None:
            return self.wanted
        said = (self.given.get(name) for name in ("enable_thinking", "thinking"))
        return next((value for value in said if isinstance(value, bool)), None)

    def begin(self, prompt: RenderedPrompt, control_tokens: Collection[str]) -> RenderedPrompt:
        """The prompt with the thought opened or closed, where the template does not say."""
        start = thought_start(prompt, self.tags)
        if self.mode is False:
            if start is ThoughtStart.OPENED or (start is ThoughtStart.FREE and self._closes_free):
                if self.tags.channels is None:
                    return prompt.closed(self.tags.open, self.tags.close, control_tokens)
                opened = start is ThoughtStart.OPENED
                words = self.tags.closing_text if opened else self.tags.no_thought
                return prompt.followed_by(words, control_tokens)
        elif start is ThoughtStart.FREE and self._opens_free:
            return prompt.opened(self.tags.open, control_tokens)
        return prompt

    def told(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The messages with the word that turns thoughts off, where the template looks for one."""
        word = self.form.word
        if word is None or self.mode is not False:
            return tuple(messages)
        if messages and messages[0].role == "system":
            system = messages[0]
            return replace(system, content=f"{system.content}\n{word}".strip()), *messages[1:]
        return Message("system", word), *messages

    def earlier(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The messages with their thoughts where the template is to find them, or without."""
        tags, field, close = self.tags, self.form.field, self.tags.closing_text
        if self.history != "answers" and field is not None:
            given = with_thoughts(messages, field, close=close)
            return given if tags.channels is None else tuple(map(_one_of_both, given))
        if self.history == "all" and tags.channels is None:
            return with_thoughts_in_text(messages, open=tags.open, close=tags.close)
        return without_thoughts(messages, close=close)

    def splitter(
        self,
        prompt: RenderedPrompt,
        token_id: Callable[[str], int | None],
        *,
        spelled: bool = False,
    ) -> Splitter:
        """What tells thought from answer in the reply to a prompt that `begin` has made.

        `token_id` finds the token that is a text, if there is one. `spelled`: the marks of channels
        are written by a grammar.
        """
        tags = self.tags
        start = thought_start(prompt, tags)
        if tags.channels is not None:
            return ChannelSplitter(tags.channels, start=start, token_id=token_id, spelled=spelled)
        leads = (token_id(tags.open[:size]) for size in range(len(tags.open) - 1, 0, -1))
        return ThoughtSplitter(
            tags.open,
            tags.close,
            starts_inside=start is ThoughtStart.OPENED,
            may_be_open=self.has_thoughts and start is ThoughtStart.FREE,
            open_id=token_id(tags.open),
            close_id=token_id(tags.close),
            lead_id=next((lead for lead in leads if lead is not None), None),
            also={text: token_id(text) for text in tags.also},
        )

    @property
    def _closes_free(self) -> bool:
        """A template that can be told to leave thoughts out knows how that looks."""
        switch = self.form.switch
        return self.has_thoughts and (switch is None or switch.off is None)

    @property
    def _opens_free(self) -> bool:
        """One that asks for thoughts in words, or opens them when it is told to, does it so."""
        form = self.form
        if not self.has_thoughts or form.asks or self.tags.channels is not None:
            return False
        known = self.reasoner or form.thinks
        if self.mode is None:
            return self.opens and known
        return (self.opens or form.switch is None) and (known or form.can_think)

    @property
    def note(self) -> str | None:
        """What to tell who turned thoughts on or off, where the template has no switch for it."""
        form, mode = self.form, self.mode
        if self.effort is not None and self.effort not in form.efforts:
            words = ", ".join(form.efforts) or "none"
            return f"the chat template knows no effort {self.effort} (it knows: {words})"
        if mode is None or form.variables(mode):
            return None
        start = form.start(mode)
        if start is (ThoughtStart.OPENED if mode else ThoughtStart.CLOSED):
            return None
        if mode:
            if start is ThoughtStart.CLOSED:
                return "the chat template closes every thought and has no switch: it stays closed"
            if self._opens_free:
                return "the chat template has no switch for thoughts: the prompt opens one"
            known = "nothing says that this model can think, so its prompt is left as it is"
            return None if form.thinks else known
        if self._closes_free and self.tags.channels is not None:
            return (
                "the chat template has no switch for thoughts: "
                "the prompt begins the answer, so that none comes before it"
            )
        if start is ThoughtStart.OPENED or self._closes_free:
            return (
                "the chat template has no switch for thoughts: "
                "the prompt ends in an empty one, so that none follows"
            )
        if form.thinks:
            return "the chat template has no way to turn thoughts off, so the model may think"
        return "nothing says that this model thinks, so there is nothing to turn off"


def _one_of_both(message: Message) -> Message:
    """Before a call gpt-oss's template has room for a thought or for words, and refuses both."""
    if message.tool_calls and message.thinking and message.content:
        return replace(message, content="")
    return message
