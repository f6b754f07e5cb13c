// A chat as a value: what was said, and what was set for it. Pure.

const TITLE = 60; // characters

/** A chat in which nothing was said yet. */
export function newChat(id, now) {
  return { id, created: now, changed: now, title: "", wishes: {}, turns: [] };
}

/** The chat with a question at its end; whatever followed the turn `at` is gone. */
export function asked(chat, text, now, at = chat.turns.length) {
  const turns = [...chat.turns.slice(0, at), { role: "user", text }];
  return { ...chat, turns, changed: now, title: at === 0 || !chat.title ? titleOf(text) : chat.title };
}

/** The chat with a reply to its last question, in place of one that is there. */
export function replied(chat, reply, now) {
  const last = chat.turns.findLastIndex((turn) => turn.role === "user");
  return { ...chat, turns: [...chat.turns.slice(0, last + 1), { role: "assistant", ...reply }], changed: now };
}

function titleOf(text) {
  const line = text.trim().replace(/\s+/g, " ");
  if (line.length <= TITLE) return line;
  const cut = line.slice(0, TITLE).replace(/\s\S*$/, "");
  return `${cut}…`;
}

/** What is sent: the turns that said something, without their thoughts. */
export function messages(chat) {
  const system = (chat.wishes.system ?? "").trim();
  const spoken = chat.turns
    .filter((turn) => turn.text.trim() !== "")
    .map((turn) => ({ role: turn.role, content: turn.text }));
  return system ? [{ role: "system", content: system }, ...spoken] : spoken;
}

/** A chat for people: Markdown, the thoughts folded. */
export function asMarkdown(chat) {
  const parts = [`# ${chat.title || "Chat"}`];
  if (chat.wishes.system) parts.push(`**System:** ${chat.wishes.system}`);
  for (const turn of chat.turns) {
    parts.push(turn.role === "user" ? "## Question" : "## Answer");
    if (turn.thought) {
      parts.push(`<details><summary>Thought</summary>\n\n${fenced(turn.thought)}\n\n</details>`);
    }
    parts.push(turn.text);
  }
  return `${parts.join("\n\n")}\n`;
}

// A fence that nothing in the text can close.
function fenced(text) {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const marks = "`".repeat(longest + 1);
  return `${marks}\n${text}\n${marks}`;
}

/** A name for a file, of the letters that every system allows. */
export function fileName(chat) {
  const words = chat.title.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.slice(0, 6).join("-") || "chat";
}

/** A chat that was read from the store, or null if it is none. */
export function checked(value) {
  const isText = (text) => typeof text === "string";
  if (typeof value !== "object" || value === null || !Array.isArray(value.turns)) return null;
  if (!isText(value.id) || !isText(value.title) || typeof value.wishes !== "object") return null;
  const good = value.turns.every(
    (turn) => (turn?.role === "user" || turn?.role === "assistant") && isText(turn.text),
  );
  return good && Number.isFinite(value.changed) && value.wishes !== null ? value : null;
}
