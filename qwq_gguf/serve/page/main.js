// The page: what is shown, and what happens when something is done.

import { models, serverSettings } from "./api.js";
import { asked, messages, newChat, replied } from "./chats.js";
import { Composer } from "./composer.js";
import { byId, el, number, say } from "./dom.js";
import { HistoryView, confirmClearing, exportChat } from "./history.js";
import { prepareKey, withKey } from "./key.js";
import { Reply } from "./reply.js";
import { SettingsView } from "./settings.js";
import { Store, browserStorage } from "./store.js";
import { TurnsView } from "./turns.js";
import { budgetOf, count, request } from "./wishes.js";

const EVERY = 60; // milliseconds between two drawings of a running reply
const SPOKEN = 300; // characters of an answer that are read aloud at its end

const store = new Store(browserStorage());
const replies = new Map(); // chat id -> the reply that is coming
let server = { model: "", settings: {} };
let chat = newChat(newId(), Date.now());
let view = null; // of the reply that is coming in this chat
let drawing = 0;

// Not every page has randomUUID: only those of secure addresses.
function newId() {
  return crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
}

const turns = new TurnsView(byId("turns"), {
  edit: (at, text) => ask(asked(chat, text, Date.now(), at)),
  regenerate: () => ask(chat),
  thoughtOpened: (open) => store.prefer("thoughts", open ? "open" : null),
});
const composer = new Composer({
  send: (text) => ask(asked(chat, text, Date.now())),
  stop: () => replies.get(chat.id)?.stop(),
  answerNow,
  editLast,
});
const settings = new SettingsView({
  wish: (wishes) => {
    chat = { ...chat, wishes };
    if (chat.turns.length) keep(chat);
    showWishes();
  },
  theme: showTheme,
});
const history = new HistoryView({
  open: (id) => show(store.get(id) ?? chat),
  remove,
  clear,
  chats: () => store.chats(),
});

// ------------------------------------------------------------------ asking

/** Have the last question of a chat answered. */
async function ask(asking) {
  if (replies.has(asking.id)) {
    say("A reply is still coming. Stop it first.");
    return;
  }
  const last = asking.turns.findLastIndex((turn) => turn.role === "user");
  if (last < 0) return;
  chat = { ...asking, turns: asking.turns.slice(0, last + 1) };
  keep(chat);
  const reply = new Reply();
  replies.set(chat.id, reply);
  show(chat);
  byId("question").focus();
  scrollToEnd();
  say("Asked");
  const { id } = chat;
  const body = request(server, chat.wishes, messages(chat));
  await reply.run(body);
  if (reply.failure?.status === 401) {
    replies.delete(id);
    if (await withKey(connect).catch(() => null)) {
      ask(chat.id === id ? chat : store.get(id));
      return;
    }
  }
  ended(id, reply);
}

function ended(id, reply) {
  replies.delete(id);
  const before = chat.id === id ? chat : store.get(id);
  if (!before) return; // it was deleted meanwhile
  const after = replied(before, reply.turn(), Date.now());
  keep(after);
  if (chat.id !== id) return;
  chat = after;
  clearTimeout(drawing);
  drawing = 0;
  const stay = atEnd();
  view?.finish(chat.turns.at(-1), true, server.context);
  view = null;
  showPhase("done");
  if (stay) scrollToEnd();
  if (reply.failure) say(reply.failure.message);
  else if (reply.stopped) say("Stopped");
  else if (byId("turns").lastChild) sayAnswer();
}

// One sentence at the end: who listens goes to the answer for the rest.
function sayAnswer() {
  const text = byId("turns").lastChild.querySelector(".answer").textContent.trim();
  say(text.length <= SPOKEN ? `Answer: ${text}` : `Answered. ${text.slice(0, SPOKEN)} and more`);
}

function answerNow() {
  const reply = replies.get(chat.id);
  if (!reply) return;
  reply.answerNow().then((done) => {
    if (done) say("The thought is being closed");
  });
}

function editLast() {
  if (replies.has(chat.id)) return false;
  const buttons = byId("turns").querySelectorAll(".user .tools button:last-child");
  buttons[buttons.length - 1]?.click();
  return buttons.length > 0;
}

// ----------------------------------------------------------------- showing

/** Show a chat, with the reply that is coming in it. */
function show(shown) {
  if (view) replies.forEach((reply) => (reply.onchange = () => {}));
  view = null;
  chat = shown;
  const open = store.preference("thoughts") === "open";
  const reply = replies.get(chat.id);
  turns.show(chat, server.context, open);
  if (reply) {
    view = turns.begin(open);
    let phase = reply.phase;
    reply.onchange = () => {
      if (reply.phase !== phase) sayPhase((phase = reply.phase));
      drawing ||= setTimeout(() => draw(reply), EVERY);
    };
    draw(reply);
  } else {
    showPhase("done");
  }
  byId("empty").hidden = chat.turns.length > 0;
  byId("export").hidden = chat.turns.length === 0;
  document.title = chat.title ? `${chat.title} · qwq-gguf` : "qwq-gguf";
  showWishes();
  history.draw(chat.id);
}

function draw(reply) {
  drawing = 0;
  if (!view || replies.get(chat.id) !== reply) return;
  const stay = atEnd();
  view.update(reply, budgetOf(server, chat.wishes));
  showPhase(reply.phase, reply.hurried);
  if (stay) scrollToEnd();
}

function showPhase(phase, hurried = false) {
  composer.show(phase, hurried);
  document.body.classList.toggle("busy", phase !== "done");
}

function sayPhase(phase) {
  if (phase === "thinking") say("Thinking");
  else if (phase === "answering") say("Answering");
}

function showWishes() {
  const set = count(chat.wishes);
  const button = byId("open-settings");
  button.textContent = set ? `Settings (${set})` : "Settings";
  button.setAttribute("aria-label", set ? `Settings (${set} changed)` : "Settings");
}

function showTheme(name) {
  store.prefer("theme", name === "system" ? null : name);
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

const page = () => byId("scroll");

function atEnd() {
  const place = page();
  return place.scrollHeight - place.scrollTop - place.clientHeight < 60;
}

function scrollToEnd() {
  page().scrollTop = page().scrollHeight;
  byId("to-end").hidden = true;
}

// ------------------------------------------------------------- the history

function keep(kept) {
  const gone = store.put(kept);
  const remark = byId("not-kept");
  remark.hidden = gone === 0;
  if (gone === null) remark.textContent = "This browser keeps no history: this chat is gone with the page.";
  else if (gone > 0) remark.textContent = `The history is full: ${gone} of the oldest chats made room.`;
  history.draw(chat.id);
}

function remove(id) {
  replies.get(id)?.stop();
  store.remove(id);
  if (id === chat.id) begin();
}

function clear() {
  for (const reply of replies.values()) reply.stop();
  store.clear();
  begin();
}

function begin() {
  show(newChat(newId(), Date.now()));
  byId("question").focus();
}

// ------------------------------------------------------------------- start

async function connect() {
  const names = await models();
  const wanted = store.preference("model");
  server = await serverSettings(names.includes(wanted) ? wanted : null);
  const choice = byId("models");
  choice.hidden = names.length < 2;
  choice.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
  choice.value = server.model;
  const facts = [server.profile ? `profile ${server.profile}` : null];
  if (server.context) facts.push(`context ${number(server.context)}`);
  if (server.tools?.length) facts.push(`tools ${server.tools.join(", ")}`);
  byId("model").textContent = server.model;
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
  return true;
}

function wire() {
  byId("new-chat").addEventListener("click", begin);
  byId("open-settings").addEventListener("click", () => settings.open(server, chat.wishes));
  byId("export-md").addEventListener("click", () => exportChat(chat, "markdown"));
  byId("export-json").addEventListener("click", () => exportChat(chat, "json"));
  byId("to-end").addEventListener("click", scrollToEnd);
  byId("models").addEventListener("change", (event) => {
    store.prefer("model", event.target.value);
    start();
  });
  byId("theme").value = store.preference("theme") ?? "system";
  const showToEnd = () => {
    byId("to-end").hidden = atEnd();
  };
  page().addEventListener("scroll", showToEnd);
  new ResizeObserver(showToEnd).observe(page());
  // As Ctrl-C in the terminal: a thought is closed, and the second time the reply is stopped.
  document.addEventListener("keydown", (event) => {
    const reply = replies.get(chat.id);
    if (event.key !== "Escape" || !reply || document.querySelector("dialog:modal")) return;
    if (reply.phase === "thinking" && !reply.hurried) answerNow();
    else reply.stop();
  });
  // What was said so far is kept when the page goes.
  window.addEventListener("pagehide", () => {
    for (const [id, reply] of replies) {
      const before = chat.id === id ? chat : store.get(id);
      if (before) store.put(replied(before, { ...reply.turn(), stopped: true }, Date.now()));
    }
  });
  window.addEventListener("storage", () => history.draw(chat.id));
  prepareKey();
  confirmClearing(clear);
}

function start() {
  withKey(connect).catch((error) => {
    byId("model").textContent = "no model";
    byId("facts").replaceChildren(el("span", { class: "failure" }, error.message));
    say(error.message);
  });
}

wire();
show(chat);
byId("question").focus();
start();
