// What is set for one chat, and what of it a request says. Pure.

/** The settings that a request may have; a profile has others, which are its own business. */
export const IN_REQUESTS = [
  "temperature",
  "top_k",
  "top_p",
  "min_p",
  "typical_p",
  "top_n_sigma",
  "presence_penalty",
  "frequency_penalty",
  "repeat_penalty",
  "dry_multiplier",
  "dry_base",
  "xtc_probability",
  "xtc_threshold",
];

/** What can be changed here of the server's profile: its names and numbers. */
export function changeable(server) {
  const settings = server.settings ?? {};
  return IN_REQUESTS.filter((name) => isNumber(settings[name])).map((name) => [name, settings[name]]);
}

/** The body of a request for the next reply; what isn't wished for is left to the profile. */
export function request(server, wishes, messages) {
  const body = {
    ...(server.model ? { model: server.model } : {}),
    messages,
    stream: true,
    stream_options: { include_usage: true },
    reasoning_control: true, // llama-server's word for: may be told to answer now
  };
  const known = new Set(changeable(server).map(([name]) => name));
  for (const [name, value] of Object.entries(wishes.settings ?? {})) {
    if (known.has(name)) body[name] = value;
  }
  if (wishes.thoughts) body.reasoning_effort = wishes.thoughts;
  if (isNumber(wishes.budget)) body.thinking_budget = wishes.budget;
  if (isNumber(wishes.tokens)) body.max_tokens = wishes.tokens;
  if (isNumber(wishes.seed)) body.seed = wishes.seed;
  return body;
}

/** The tokens a thought may have in this chat; null without a bound. */
export function budgetOf(server, wishes) {
  const budget = isNumber(wishes.budget) ? wishes.budget : server.thought_budget;
  return isNumber(budget) && budget > 0 ? budget : null;
}

/** How many things are set for a chat. */
export function count(wishes) {
  const single = [wishes.system, wishes.thoughts, wishes.budget, wishes.tokens, wishes.seed];
  const set = single.filter((wish) => wish !== undefined && wish !== null && wish !== "");
  return set.length + Object.keys(wishes.settings ?? {}).length;
}

/** A number from a field, or null for an empty one and for nonsense. */
export function numberOf(text) {
  const value = Number(text.trim().replace(",", "."));
  return text.trim() !== "" && Number.isFinite(value) ? value : null;
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
