// One reply while it comes.

import { answerNow, chunks } from "./api.js";

/** A running reply: thought, then answer. `onchange` is called after each piece. */
export class Reply {
  phase = "waiting"; // then "thinking", "answering", "done"
  thought = "";
  text = "";
  calls = [];
  thoughtTokens = 0; // pieces until the server has counted
  answerTokens = 0;
  thoughtSeconds = 0;
  usage = null;
  finish = null;
  thoughtEnded = null; // how, in the words of our server
  failure = null;
  stopped = false;
  hurried = false;
  onchange = () => {};

  #id = null;
  #abort = new AbortController();
  #first = null;
  #last = null;
  #served = null;
  #answerBegan = null;

  constructor(clock = () => performance.now()) {
    this.clock = clock;
  }

  /** Ask, and read until the end; nothing is thrown. */
  async run(body) {
    try {
      for await (const chunk of chunks(body, this.#abort.signal)) {
        this.#take(chunk);
        this.onchange(this);
      }
    } catch (error) {
      if (!this.stopped) this.failure = error;
    }
    this.#end();
    this.onchange(this);
  }

  stop() {
    this.stopped = true;
    this.#abort.abort();
  }

  /** Have the thought closed; false where there is none to close. */
  async answerNow() {
    if (this.phase !== "thinking" || this.#id === null || this.hurried) return false;
    this.hurried = true;
    this.onchange(this);
    try {
      await answerNow(this.#id);
    } catch {
      this.hurried = false; // it may have answered meanwhile
      this.onchange(this);
    }
    return this.hurried;
  }

  get seconds() {
    return this.#first === null ? 0 : ((this.#last ?? this.clock()) - this.#first) / 1000;
  }

  /** Tokens a second of what is being written, or null while that says nothing. */
  get rate() {
    const answering = this.phase === "answering";
    const tokens = answering ? this.answerTokens : this.thoughtTokens;
    const since = answering ? this.#answerBegan : this.#first;
    const seconds = since === null ? 0 : (this.clock() - since) / 1000;
    return tokens > 3 && seconds > 0.3 ? tokens / seconds : null;
  }

  /** What is kept of it, while it runs, too. */
  turn() {
    const { text, thought, calls, thoughtTokens, answerTokens, finish, thoughtEnded, stopped } = this;
    const turn = { text, thought, thoughtTokens, answerTokens, finish, thoughtEnded, stopped };
    const thinking = this.phase === "thinking";
    turn.thoughtSeconds = tenths(thinking ? this.seconds : this.thoughtSeconds);
    turn.rate = this.#whole();
    if (calls.length) turn.calls = calls;
    if (this.usage) turn.used = this.usage.prompt_tokens + this.usage.completion_tokens;
    if (this.failure) turn.failure = this.failure.message;
    return turn;
  }

  // Tokens a second of all of it: as the server has counted, or as they came.
  #whole() {
    if (this.#served !== null) return this.#served;
    const tokens = this.thoughtTokens + this.answerTokens;
    return tokens > 3 && this.seconds > 0.3 ? tenths(tokens / this.seconds) : null;
  }

  #take(chunk) {
    this.#id ??= typeof chunk.id === "string" ? chunk.id : null;
    if (chunk.usage) this.#count(chunk.usage);
    this.thoughtEnded = chunk.qwq_gguf?.thought_ended ?? this.thoughtEnded;
    this.#served = chunk.qwq_gguf?.tokens_per_second ?? this.#served;
    const choice = chunk.choices?.[0];
    if (!choice) return;
    const delta = choice.delta ?? {};
    const thought = delta.reasoning_content ?? delta.reasoning;
    if (typeof thought === "string" && thought !== "") {
      this.#began("thinking");
      this.thought += thought;
      this.thoughtTokens += 1;
    }
    if (typeof delta.content === "string" && delta.content !== "") {
      this.#began("answering");
      this.text += delta.content;
      this.answerTokens += 1;
    }
    for (const call of delta.tool_calls ?? []) this.#call(call);
    if (choice.finish_reason) this.finish = choice.finish_reason;
  }

  #began(phase) {
    const now = this.clock();
    this.#first ??= now;
    if (phase === this.phase) return;
    if (this.phase === "thinking") this.thoughtSeconds = (now - this.#first) / 1000;
    if (phase === "answering") this.#answerBegan ??= now;
    this.phase = phase;
  }

  #call(call) {
    const at = Number.isInteger(call.index) ? call.index : this.calls.length;
    if (at < 0 || at > 63) return;
    this.calls[at] ??= { name: "", arguments: "" };
    this.calls[at].name += call.function?.name ?? "";
    this.calls[at].arguments += call.function?.arguments ?? "";
  }

  #count(usage) {
    this.usage = usage;
    const thought = usage.completion_tokens_details?.reasoning_tokens;
    if (!Number.isInteger(thought) || !Number.isInteger(usage.completion_tokens)) return;
    this.thoughtTokens = thought;
    this.answerTokens = usage.completion_tokens - thought;
  }

  #end() {
    this.#last = this.clock();
    if (this.phase === "thinking") this.thoughtSeconds = this.seconds;
    this.calls = this.calls.filter(Boolean);
    this.phase = "done";
  }
}

const tenths = (value) => Math.round(value * 10) / 10;
