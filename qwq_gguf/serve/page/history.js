// The list of chats, and what can be done with them.

import { asMarkdown, fileName } from "./chats.js";
import { byId, download, el, say } from "./dom.js";

const WIDE = window.matchMedia("(min-width: 60rem)");

/** The drawer with the chats; `actions` are open(id), remove(id), clear(), chats(). */
export class HistoryView {
  constructor(actions) {
    this.actions = actions;
    this.drawer = byId("chats");
    this.list = byId("chat-list");
    this.opener = byId("open-chats");
    this.opener.addEventListener("click", () => this.toggle());
    byId("close-chats").addEventListener("click", () => this.close());
    byId("export-all").addEventListener("click", () => this.#exportAll());
    byId("clear-chats").addEventListener("click", () => this.#askToClear());
    this.drawer.addEventListener("close", () => this.#opened(false));
    this.drawer.addEventListener("click", (event) => {
      if (event.target === this.drawer) this.close(); // beside it
    });
    WIDE.addEventListener("change", () => this.close());
  }

  /** On a wide screen it stands beside the chat, on a narrow one over it. */
  toggle() {
    if (this.drawer.open) {
      this.close();
      return;
    }
    this.draw();
    if (WIDE.matches) this.drawer.open = true;
    else this.drawer.showModal();
    this.#opened(true);
  }

  close() {
    if (this.drawer.open) this.drawer.close();
    this.#opened(false);
  }

  #opened(open) {
    this.opener.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("with-chats", open && WIDE.matches);
  }

  draw(current = this.current) {
    this.current = current;
    const chats = this.actions.chats();
    this.list.replaceChildren(...chats.map((chat) => this.#item(chat)));
    byId("no-chats").hidden = chats.length > 0;
    byId("export-all").disabled = chats.length === 0;
    byId("clear-chats").disabled = chats.length === 0;
  }

  #item(chat) {
    const title = chat.title || "Chat";
    const open = el(
      "button",
      {
        type: "button",
        class: "chat",
        "aria-current": chat.id === this.current ? "true" : null,
        onclick: () => this.#open(chat.id),
      },
      el("span", { class: "title" }, title),
      el("time", { datetime: new Date(chat.changed).toISOString() }, day(chat.changed)),
    );
    const remove = el(
      "button",
      { type: "button", class: "small", "aria-label": `Delete ${title}`, onclick: () => this.#remove(chat) },
      "✕",
    );
    return el("li", {}, open, remove);
  }

  #open(id) {
    if (!WIDE.matches) this.close();
    this.actions.open(id);
  }

  #remove(chat) {
    const items = [...this.list.children];
    const at = items.findIndex((item) => item.contains(document.activeElement));
    this.actions.remove(chat.id);
    say("Deleted");
    this.draw();
    // Whoever deletes by keys stays where they were.
    const next = this.list.children[Math.min(Math.max(at, 0), this.list.children.length - 1)];
    (next?.firstChild ?? byId("close-chats")).focus();
  }

  #exportAll() {
    const text = JSON.stringify({ chats: this.actions.chats() }, null, 1);
    download("qwq-gguf-chats.json", "application/json", text);
  }

  #askToClear() {
    const dialog = byId("clearing");
    dialog.showModal();
  }
}

/** Wire the question whether all chats are to be deleted. */
export function confirmClearing(clear) {
  const dialog = byId("clearing");
  byId("clear-no").addEventListener("click", () => dialog.close());
  byId("clear-yes").addEventListener("click", () => {
    dialog.close();
    clear();
    say("All chats deleted");
  });
}

/** Offer one chat as a file. */
export function exportChat(chat, form) {
  if (form === "json") download(`${fileName(chat)}.json`, "application/json", JSON.stringify(chat, null, 1));
  else download(`${fileName(chat)}.md`, "text/markdown", asMarkdown(chat));
}

function day(time) {
  return new Date(time).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}
