// What the page asks of the server. The only file that fetches.

import { EventReader } from "./sse.js";

const KEY = "qwq-gguf.key";
let key = null;

/** An answer that is no success: its status, and what the server says of it. */
export class ServerError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The key for this tab; it is gone when the tab is. */
export function setKey(value) {
  key = value || null;
  try {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  } catch {
    // It still holds until the page is loaded again.
  }
}

function theKey() {
  if (key === null) {
    try {
      key = sessionStorage.getItem(KEY);
    } catch {
      key = null;
    }
  }
  return key;
}

async function ask(path, body = null, signal = null) {
  const headers = { Accept: "application/json" };
  if (body !== null) headers["Content-Type"] = "application/json";
  if (theKey()) headers.Authorization = `Bearer ${theKey()}`;
  const answer = await fetch(path, {
    method: body === null ? "GET" : "POST",
    headers,
    body: body === null ? null : JSON.stringify(body),
    signal,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  });
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  let message = `The server answered ${answer.status}.`;
  try {
    const said = (await answer.json()).error;
    if (typeof said?.message === "string") message = said.message;
    else if (typeof said === "string") message = said;
  } catch {
    // No JSON: the status has to do.
  }
  const seconds = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  return new ServerError(answer.status, message, Number.isFinite(seconds) ? seconds : null);
}

/** The names of the models that can be asked. */
export async function models() {
  const listed = (await (await ask("/v1/models")).json()).data ?? [];
  return listed.map((model) => model.id).filter((id) => typeof id === "string");
}

/** What the server runs and how; see `GET /settings`. */
export async function serverSettings(model = null) {
  return (await ask(model ? `/settings?model=${encodeURIComponent(model)}` : "/settings")).json();
}

/** The chunks of a streamed chat completion, as objects. */
export async function* chunks(body, signal) {
  const answer = await ask("/v1/chat/completions", body, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const events = new EventReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new ServerError(0, "The connection was lost before the reply ended.");
    for (const data of events.feed(value)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ServerError(200, chunk.error.message ?? "The reply failed.");
      yield chunk;
    }
  }
}

/** End the thought of the reply with that id; it answers with what it has. */
export async function answerNow(id) {
  await ask("/v1/chat/completions/control", { id, action: "reasoning_end" });
}
