// The drawer with the settings of one chat.

import { byId, el, number, say } from "./dom.js";
import { changeable, numberOf } from "./wishes.js";

/** `actions` are wish(wishes), theme(name). */
export class SettingsView {
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("settings");
    this.fields = byId("chain");
    byId("close-settings").addEventListener("click", () => this.dialog.close());
    byId("reset-settings").addEventListener("click", () => this.#reset());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("change", (event) => {
      if (event.target.id === "theme") this.actions.theme(event.target.value);
      else this.#changed();
    });
  }

  open(server, wishes) {
    this.server = server;
    this.#fill(wishes);
    this.dialog.showModal();
  }

  #fill(wishes) {
    const { server } = this;
    byId("system").value = wishes.system ?? "";
    byId("thoughts").value = wishes.thoughts ?? "";
    byId("thinking-wishes").hidden = !server.thinks;
    field("budget", wishes.budget, server.thought_budget > 0 ? number(server.thought_budget) : "no bound");
    field("tokens", wishes.tokens, "profile");
    field("seed", wishes.seed, "random");
    byId("profile-name").textContent = server.profile ?? "";
    byId("chain-of").hidden = changeable(server).length === 0;
    this.fields.replaceChildren(
      ...changeable(server).map(([name, value]) => setting(name, value, wishes.settings?.[name])),
    );
  }

  #changed() {
    const settings = {};
    for (const input of this.fields.querySelectorAll("[data-name]")) {
      const value = numberOf(input.value);
      if (value !== null) settings[input.dataset.name] = value;
    }
    const wishes = {
      system: byId("system").value.slice(0, 100_000),
      thoughts: byId("thoughts").value,
      budget: numberOf(byId("budget").value),
      tokens: numberOf(byId("tokens").value),
      seed: numberOf(byId("seed").value),
      settings,
    };
    this.actions.wish(wishes);
  }

  #reset() {
    this.#fill({});
    this.#changed();
    say("This chat is as the profile has it");
  }
}

function field(id, value, otherwise) {
  byId(id).value = value ?? "";
  byId(id).placeholder = String(otherwise);
}

function setting(name, value, wish) {
  const id = `setting-${name}`;
  const input = el("input", { id, type: "number", step: "any", placeholder: String(value) });
  input.value = wish ?? "";
  input.dataset.name = name;
  return el("div", { class: "field" }, el("label", { for: id }, name), input);
}
