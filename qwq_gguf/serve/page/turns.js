// The conversation on the screen: a list of turns.

import { copy, el, number } from "./dom.js";
import { MarkdownView } from "./render.js";

const REMARKS = {
  length: "Ended at the limit of tokens.",
  content_filter: "The server ended this reply.",
  tool_calls: "The model asks for a tool that this page cannot run.",
};

// Why a thought was closed by another than the model.
const CLOSED = {
  budget: "ended by its budget",
  time: "ended by its time",
  reserve: "ended, to leave room for the answer",
  loop: "ended, as it went in circles",
  asked: "ended by you",
};

/** Draws turns into a list; `actions` are edit(at, text), regenerate(), retry(), thoughtOpened(open). */
export class TurnsView {
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
  }

  /** Draw a chat anew. */
  show(chat, context, thoughtsOpen) {
    const last = chat.turns.length - 1;
    this.list.replaceChildren(
      ...chat.turns.map((turn, at) =>
        turn.role === "user"
          ? this.#question(turn, at)
          : this.#finished(turn, at === last, context, thoughtsOpen),
      ),
    );
  }

  /** A place at the end for a reply that is still coming. */
  begin(thoughtsOpen) {
    const view = new ReplyView(this.actions, thoughtsOpen);
    this.list.append(view.item);
    return view;
  }

  #question(turn, at) {
    const body = el("div", { class: "said" }, turn.text);
    const edit = el("button", { type: "button", class: "small" }, "Edit");
    const copying = el("button", { type: "button", class: "small", onclick: () => copy(turn.text, copying) }, "Copy");
    const item = el(
      "li",
      { class: "turn user" },
      el("h2", { class: "hidden" }, "You"),
      body,
      el("div", { class: "tools" }, copying, edit),
    );
    edit.addEventListener("click", () => this.#edit(item, turn, at, edit));
    return item;
  }

  #edit(item, turn, at, button) {
    const area = el("textarea", { "aria-label": "Your question, to be changed", rows: "3" });
    area.value = turn.text;
    const form = el(
      "form",
      { class: "editing" },
      area,
      el(
        "div",
        { class: "tools" },
        el("button", { type: "button", class: "small", onclick: () => close() }, "Cancel"),
        el("button", { type: "submit", class: "small primary" }, "Ask again"),
      ),
    );
    const before = [...item.childNodes];
    const close = () => {
      item.replaceChildren(...before);
      button.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (area.value.trim()) this.actions.edit(at, area.value);
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    item.replaceChildren(before[0], form);
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  #finished(turn, isLast, context, thoughtsOpen) {
    const view = new ReplyView(this.actions, thoughtsOpen);
    view.finish(turn, isLast, context);
    return view.item;
  }
}

/** One reply: its thought, folded, and its answer. */
export class ReplyView {
  #shownThought = 0;

  constructor(actions, open) {
    this.actions = actions;
    this.title = el("span", { class: "thought-title" }, "Thinking");
    this.count = el("span", { class: "thought-count" });
    this.thought = el("div", { class: "thought-text", tabindex: "0", role: "group", "aria-label": "Thought" }, "");
    this.thoughtText = document.createTextNode("");
    this.thought.append(this.thoughtText);
    this.meter = el("progress", { hidden: true, "aria-label": "Budget of the thought" });
    this.details = el(
      "details",
      { class: "thought", hidden: true, open },
      el("summary", {}, this.title, this.count),
      this.thought,
    );
    // A click on the summary, and nothing else, says what its user likes.
    this.details.firstChild.addEventListener("click", () => actions.thoughtOpened(!this.details.open));
    this.calls = el("div", { class: "calls" });
    this.answer = el("div", { class: "answer" });
    this.markdown = new MarkdownView(this.answer);
    this.waiting = el("p", { class: "waiting" }, "Waiting for the model");
    this.remark = el("p", { class: "remark", hidden: true });
    this.foot = el("div", { class: "tools", hidden: true });
    const parts = [this.details, this.meter, this.calls, this.answer, this.waiting, this.remark, this.foot];
    this.item = el("li", { class: "turn assistant" }, el("h2", { class: "hidden" }, "Answer"), ...parts);
  }

  /** Show what there is of a running reply. */
  update(reply, budget) {
    this.item.classList.toggle("running", reply.phase !== "done");
    this.waiting.hidden = reply.phase !== "waiting";
    this.#showThought(reply.thought);
    const thinking = reply.phase === "thinking";
    this.details.classList.toggle("running", thinking);
    this.title.textContent = thinking ? (reply.hurried ? "Finishing" : "Thinking") : "Thought";
    const rate = thinking && reply.rate !== null ? ` · ${perSecond(reply.rate)}` : "";
    const of = thinking && budget !== null ? ` of ${number(budget)}` : "";
    const counted = of ? `${number(reply.thoughtTokens)}${of} tokens` : tokens(reply.thoughtTokens);
    this.count.textContent = counted + rate;
    this.meter.hidden = !thinking || budget === null;
    if (!this.meter.hidden) {
      this.meter.max = budget;
      this.meter.value = Math.min(reply.thoughtTokens, budget);
    }
    this.#showCalls(reply.calls);
    this.markdown.show(reply.text);
  }

  /** Show a reply that has ended. */
  finish(turn, isLast, context) {
    this.item.classList.remove("running");
    this.waiting.hidden = true;
    this.meter.hidden = true;
    this.details.classList.remove("running");
    this.#showThought(turn.thought ?? "");
    const lasted = turn.thoughtSeconds ? `Thought for ${duration(turn.thoughtSeconds)}` : "Thought";
    const closed = CLOSED[turn.thoughtEnded];
    this.title.textContent = closed ? `${lasted}, ${closed}` : lasted;
    this.count.textContent = turn.thoughtTokens ? tokens(turn.thoughtTokens) : "";
    this.#showCalls(turn.calls ?? []);
    this.markdown.show(turn.text);
    this.#remarks(turn);
    this.#tools(turn, isLast, context);
  }

  #showThought(text) {
    this.details.hidden = text === "";
    if (text.length <= this.#shownThought) return;
    const { thought } = this;
    const atEnd =
      this.details.open && thought.scrollHeight - thought.scrollTop - thought.clientHeight < 40;
    this.thoughtText.appendData(text.slice(this.#shownThought));
    this.#shownThought = text.length;
    if (atEnd) thought.scrollTop = thought.scrollHeight;
  }

  #showCalls(calls) {
    this.calls.replaceChildren(
      ...calls.map((call) => el("p", {}, "Calls ", el("code", {}, `${call.name}(${call.arguments})`))),
    );
  }

  #remarks(turn) {
    const said = turn.failure ?? (turn.stopped ? "Stopped." : (REMARKS[turn.finish] ?? ""));
    this.remark.hidden = said === "";
    this.remark.classList.toggle("failure", Boolean(turn.failure));
    this.remark.replaceChildren(said);
  }

  #tools(turn, isLast, context) {
    const copying = el("button", { type: "button", class: "small", onclick: () => copy(turn.text, copying) }, "Copy");
    const again = el(
      "button",
      { type: "button", class: "small", onclick: () => this.actions.regenerate() },
      turn.failure && !turn.text ? "Try again" : "Regenerate",
    );
    const stats = el("span", { class: "stats" }, statistics(turn, context));
    this.foot.replaceChildren(...(turn.text ? [copying] : []), ...(isLast ? [again] : []), stats);
    this.foot.hidden = false;
  }
}

function statistics(turn, context) {
  const parts = [];
  if (turn.answerTokens) parts.push(`${tokens(turn.answerTokens)} answered`);
  if (turn.rate) parts.push(perSecond(turn.rate));
  if (turn.used && context) parts.push(`context ${Math.round((100 * turn.used) / context)} % of ${number(context)}`);
  return parts.join(" · ");
}

const tokens = (count) => `${number(count)} ${count === 1 ? "token" : "tokens"}`;

const perSecond = (rate) => `${rate.toFixed(rate < 10 ? 1 : 0)} tok/s`;

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
