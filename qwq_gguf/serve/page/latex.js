// A formula as a tree; null where anything is not known, so that nothing a model says is lost. Pure.

import { restyled } from "./alphabets.js";
import {
  ACCENTS,
  BLANKS,
  DROPPED,
  ENVIRONMENTS,
  FUNCTIONS,
  INTEGRALS,
  LARGE,
  LETTERS,
  SIGNS,
  STYLES,
} from "./latex_table.js";

const LONGEST = 8000;
const DEEPEST = 24;
const ESCAPED = new Set("{}%$#_&");
const TOKEN = /\\[A-Za-z]+\*?|\\[\s\S]|\s+|\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|[\s\S]/gu;
const FRACTIONS = new Set(["frac", "dfrac", "tfrac", "cfrac"]);
const FENCES = new Set("()[]|./");

class Unreadable extends Error {}

/**
 * The tree of a formula, or null. A node is `{t, …}`: "row" (c), "letter", "number", "sign", "text" (v),
 * "space" (em), "frac" (a, b, bare), "root" (c, index), "script" (base, sub, sup), "accent" (c, v, under),
 * "fenced" (open, close, c), "table" (rows, align, open, close), "box" (c), "lines" (c).
 */
export function formula(tex) {
  if (tex.length > LONGEST) return null;
  try {
    return new Reader(tex.match(TOKEN) ?? []).lines();
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

class Reader {
  constructor(tokens) {
    this.tokens = tokens;
    this.at = 0;
    this.depth = 0;
  }

  lines() {
    const rows = [];
    do {
      if (rows.length) this.newLine();
      rows.push([this.row((token) => token === "\\\\")]);
    } while (this.at < this.tokens.length);
    return rows.length === 1 ? rows[0][0] : { t: "table", rows, align: "left", open: "", close: "" };
  }

  /** The end of a line, with how much further down the next one is: \\[4pt]. */
  newLine() {
    this.expect("\\\\");
    if (this.peek() !== "[") return;
    const end = this.tokens.indexOf("]", this.at);
    if (end > 0 && end - this.at < 8) this.at = end + 1;
  }

  peek() {
    return this.tokens[this.at];
  }

  skipBlanks() {
    while (/^\s/.test(this.peek() ?? "x")) this.at += 1;
  }

  deeper(read) {
    this.depth += 1;
    if (this.depth > DEEPEST) throw new Unreadable();
    const node = read();
    this.depth -= 1;
    return node;
  }

  /** Nodes up to a token that `ends` says ends them; it is left to be read. */
  row(ends) {
    const c = [];
    while (this.at < this.tokens.length && !ends(this.peek())) {
      const node = this.scripted(c);
      if (node) c.push(node);
    }
    return c.length === 1 ? c[0] : { t: "row", c };
  }

  /** A node with what is raised or lowered behind it. */
  scripted(before) {
    const token = this.peek();
    if (token === "^" || token === "_" || token === "'") {
      return this.scripts(before.pop() ?? { t: "row", c: [] });
    }
    return this.one();
  }

  scripts(base) {
    const node = base.t === "script" ? base : { t: "script", base, sub: null, sup: null };
    const mark = this.tokens[this.at++];
    if (mark === "'") {
      let primes = "′";
      for (; this.peek() === "'"; this.at += 1) primes += "′";
      const sign = { t: "sign", v: primes };
      node.sup = node.sup ? { t: "row", c: [node.sup, sign] } : sign;
      return node;
    }
    const raised = this.argument();
    const side = mark === "^" ? "sup" : "sub";
    node[side] = node[side] ? { t: "row", c: [node[side], raised] } : raised;
    return node;
  }

  /** The group, or the one thing, that a command takes. */
  argument() {
    this.skipBlanks();
    const token = this.peek();
    if (token === undefined || token === "}" || token === "&" || token === "\\\\") throw new Unreadable();
    // Of x^10 only the first digit is raised.
    if (/^\d./.test(token)) {
      this.tokens[this.at] = token.slice(1);
      return { t: "number", v: token[0] };
    }
    return this.deeper(() => this.one()) ?? { t: "row", c: [] };
  }

  one() {
    const token = this.tokens[this.at++];
    if (/^\s/.test(token)) return null;
    if (token === "{") {
      const inside = this.deeper(() => this.row((next) => next === "}"));
      this.expect("}");
      return inside;
    }
    if (token === "~") return { t: "space", em: 0.33 };
    if (token === "}" || token === "&" || token === "%" || token === "#") throw new Unreadable();
    if (token[0] === "\\") return this.command(token.slice(1));
    if (/^\d/.test(token)) return { t: "number", v: token };
    if (/^\p{L}/u.test(token)) return { t: "letter", v: token };
    return { t: "sign", v: token === "-" ? "−" : token === "*" ? "∗" : token };
  }

  expect(token) {
    if (this.tokens[this.at++] !== token) throw new Unreadable();
  }

  command(name) {
    if (LETTERS.has(name)) return { t: "letter", v: LETTERS.get(name), upright: true };
    if (SIGNS.has(name)) return { t: "sign", v: SIGNS.get(name) };
    if (LARGE.has(name)) return { t: "sign", v: LARGE.get(name), limits: true };
    if (INTEGRALS.has(name)) return { t: "sign", v: INTEGRALS.get(name) };
    if (FUNCTIONS.has(name)) return { t: "text", v: name, operator: true, limits: FUNCTIONS.get(name) };
    if (BLANKS.has(name)) return { t: "space", em: BLANKS.get(name) };
    if (ESCAPED.has(name)) return { t: "sign", v: name };
    if (name === "|") return { t: "sign", v: "‖" };
    if (DROPPED.has(name)) return null;
    if (ACCENTS.has(name)) return { t: "accent", v: ACCENTS.get(name), c: this.argument() };
    if (STYLES.has(name)) return this.styledText(name, STYLES.get(name));
    if (FRACTIONS.has(name)) return { t: "frac", a: this.argument(), b: this.argument() };
    switch (name) {
      case "binom":
      case "dbinom":
      case "tbinom":
        return this.fence("(", { t: "frac", a: this.argument(), b: this.argument(), bare: true }, ")");
      case "sqrt":
        return { t: "root", index: this.optional(), c: this.argument() };
      case "boxed":
        return { t: "box", c: this.argument() };
      case "underline":
        return { t: "accent", v: "_", c: this.argument(), under: true };
      case "underbrace":
        return { t: "accent", v: "⏟", c: this.argument(), under: true };
      case "overset":
      case "stackrel":
      case "underset":
        return this.stacked(name);
      case "pmod":
        return this.modulo();
      case "bmod":
        return { t: "text", v: "mod", operator: true };
      case "tag":
        return this.fence("(", this.rawText(), ")");
      case "not":
        return this.negated();
      case "left":
        return this.leftRight();
      case "begin":
        return this.environment();
      default:
        throw new Unreadable();
    }
  }

  fence(open, c, close) {
    return { t: "fenced", open, close, c };
  }

  optional() {
    this.skipBlanks();
    if (this.peek() !== "[") return null;
    this.at += 1;
    const inside = this.deeper(() => this.row((token) => token === "]"));
    this.expect("]");
    return inside;
  }

  /** The characters of a group: blanks count in it. */
  rawText() {
    this.skipBlanks();
    this.expect("{");
    let v = "";
    let depth = 1;
    while (this.at < this.tokens.length) {
      const token = this.tokens[this.at++];
      if (token === "{") depth += 1;
      else if (token === "}" && --depth === 0) return { t: "text", v };
      else if (token === "$") continue;
      else if (token[0] !== "\\") v += token.replace(/\s+/g, " ");
      else if (ESCAPED.has(token[1])) v += token[1];
      else if (BLANKS.has(token.slice(1))) v += " ";
      else if (LETTERS.has(token.slice(1))) v += LETTERS.get(token.slice(1));
      else if (SIGNS.has(token.slice(1))) v += SIGNS.get(token.slice(1));
      else throw new Unreadable();
    }
    throw new Unreadable();
  }

  styledText(name, style) {
    if (style.startsWith("text")) return { ...this.rawText(), style };
    if (name === "operatorname") return { ...this.rawText(), operator: true };
    return restyled(this.argument(), style);
  }

  stacked(name) {
    const small = this.argument();
    const base = this.argument();
    const under = name === "underset";
    return { t: "script", base, sub: under ? small : null, sup: under ? null : small, stacked: true };
  }

  modulo() {
    const sign = { t: "text", v: "mod ", operator: true };
    const c = { t: "row", c: [sign, { t: "space", em: 0.22 }, this.argument()] };
    return { t: "row", c: [{ t: "space", em: 0.5 }, this.fence("(", c, ")")] };
  }

  negated() {
    const node = this.argument();
    if (node.t !== "sign" && node.t !== "letter") throw new Unreadable();
    return { t: "sign", v: `${node.v}\u0338`.normalize("NFC") };
  }

  delimiter() {
    this.skipBlanks();
    const token = this.tokens[this.at++] ?? "";
    if (FENCES.has(token) || token === "<" || token === ">") {
      return { ".": "", "<": "⟨", ">": "⟩" }[token] ?? token;
    }
    const name = token.slice(1);
    if (name === "{" || name === "}") return name;
    if (name === "|") return "‖";
    if (SIGNS.has(name)) return SIGNS.get(name);
    throw new Unreadable();
  }

  leftRight() {
    const open = this.delimiter();
    const c = this.deeper(() => this.row((token) => token === "\\right"));
    this.expect("\\right");
    return this.fence(open, c, this.delimiter());
  }

  environment() {
    const name = this.rawText().v.replace(/\*$/, "");
    const known = ENVIRONMENTS.get(name);
    if (!known) throw new Unreadable();
    if (name === "array" || name === "alignat") this.rawText(); // how its columns are set
    const [open, close, align] = known;
    const ends = (token) => token === "&" || token === "\\\\" || token === "\\end";
    const rows = [[]];
    for (;;) {
      rows.at(-1).push(this.deeper(() => this.row(ends)));
      const token = this.peek();
      if (token === undefined) throw new Unreadable();
      if (token === "\\\\") {
        this.newLine();
        rows.push([]);
        continue;
      }
      this.at += 1;
      if (token === "\\end") break;
    }
    if (this.rawText().v.replace(/\*$/, "") !== name) throw new Unreadable();
    const last = rows.at(-1);
    if (rows.length > 1 && last.length === 1 && last[0].t === "row" && !last[0].c.length) rows.pop();
    return { t: "table", rows, align, open, close };
  }
}
