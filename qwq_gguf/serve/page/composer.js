// Where the question is written, and the buttons that change with what the model does.

import { byId } from "./dom.js";

/** `actions` are send(text), stop(), answerNow(), editLast(). */
export class Composer {
  constructor(actions) {
    this.actions = actions;
    this.form = byId("composer");
    this.area = byId("question");
    this.send = byId("send");
    this.stop = byId("stop");
    this.hurry = byId("answer-now");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.area.addEventListener("keydown", (event) => this.#key(event));
    this.area.addEventListener("input", () => this.fit());
    this.stop.addEventListener("click", () => actions.stop());
    this.hurry.addEventListener("click", () => actions.answerNow());
  }

  #submit() {
    const text = this.area.value;
    if (!text.trim() || this.running) return;
    this.area.value = "";
    this.fit();
    this.actions.send(text);
  }

  // Enter sends, unless it ends a word of an input method.
  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && this.area.value === "") {
      if (this.actions.editLast()) event.preventDefault();
    }
  }

  /** As high as its text, within bounds that the style sheet has. */
  fit() {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
  }

  /** Show which buttons do something now. A button that goes away hands the focus on. */
  show(phase, hurried) {
    const focused = document.activeElement;
    this.running = phase !== "done";
    this.send.hidden = this.running;
    this.stop.hidden = !this.running;
    this.hurry.hidden = phase !== "thinking" || hurried;
    if ([this.stop, this.hurry].includes(focused) && focused.hidden) {
      if (this.running) this.stop.focus();
      else this.area.focus();
    }
  }
}
