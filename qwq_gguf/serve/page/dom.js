// Elements without markup: text is only ever text.

/** An element with attributes and children; `on…` are listeners, false and null leave out. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== false));
  return made;
}

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

/** Tell those who listen, once and short; nothing on the screen changes. */
export function say(text) {
  const region = byId("said");
  // The same words twice are a change only if something stood between them.
  region.textContent = "";
  setTimeout(() => {
    region.textContent = text;
  }, 50);
}

/** Copy, and show on the button that it was done. */
export async function copy(text, button) {
  const before = button.textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = copyTheOldWay(text);
  }
  button.textContent = done ? "Copied" : "Not copied";
  say(button.textContent);
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
}

// Where the page isn't from a secure address (another machine, plain HTTP), there is no clipboard.
function copyTheOldWay(text) {
  const before = document.activeElement;
  const area = el("textarea", { class: "hidden", "aria-hidden": "true", tabindex: "-1" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}

/** Offer a text as a file. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A number as people read it. */
export const number = (value) => value.toLocaleString("en-US");
