// Asking for the server's key, where it wants one.

import { ServerError, setKey } from "./api.js";
import { byId } from "./dom.js";

/** Ask for a key; false if its user would rather not. */
export function askForKey(wrong) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  byId("key-wrong").hidden = !wrong;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "given"), { once: true });
  });
}

/** Wire the form; its value never reaches an address or the history. */
export function prepareKey() {
  const dialog = byId("key-dialog");
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(byId("key").value.trim());
    byId("key").value = "";
    dialog.close("given");
  });
  byId("key-cancel").addEventListener("click", () => dialog.close(""));
}

/** `ask()`, and again with a key for as long as the server wants one and its user gives one. */
export async function withKey(ask) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      const refused = error instanceof ServerError && error.status === 401;
      if (!refused || !(await askForKey(tries > 0))) throw error;
    }
  }
}
