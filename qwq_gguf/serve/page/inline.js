// What stands in a line: code, formulas, links, emphasis. Pure; time in proportion to the text.

import { emphasized } from "./emphasis.js";
import { BARE } from "./latex_table.js";

const FORMULA = 2000; // characters of one in a line
const PUNCTUATION = new Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", "#39": "'" };
const ADDRESS = /(?:https?:\/\/|mailto:)[^\s<>"`]+/y;
const BARE_NAME = /\\([A-Za-z]+)/y;
const ENTITY = /&(#39|[a-z]{2,4});/y;
const LINE_BREAK = /<br ?\/?>/iy;

/**
 * The nodes of a line or a paragraph: `{t: "text" | "code" | "math" | "break" | "link" | "em" |
 * "strong" | "strike", …}`.
 */
export function inlines(text) {
  return emphasized(new Scanner(text).all());
}

/** An address that may be followed, or null: nothing runs, nothing is opened on this computer. */
export function safeAddress(address) {
  return /^(?:https?:\/\/|mailto:)/i.test(address) ? address : null;
}

class Scanner {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.nodes = [];
    this.plain = "";
    this.unclosed = new Set(); // lengths of runs of backticks that nothing closes any more
    this.closers = null;
  }

  all() {
    while (this.at < this.text.length) {
      const node = this.#special();
      if (node === null) this.plain += this.text[this.at++];
      else if (typeof node === "string") this.plain += node;
      else this.#push(node);
    }
    this.#flush();
    return this.nodes;
  }

  #flush() {
    if (this.plain) this.nodes.push({ t: "text", v: this.plain });
    this.plain = "";
  }

  #push(node) {
    this.#flush();
    this.nodes.push(node);
  }

  // A node, or text; null where the character means nothing but itself.
  #special() {
    switch (this.text[this.at]) {
      case "\\":
        return this.#escaped();
      case "`":
        return this.#code();
      case "$":
        return this.#dollars();
      case "*":
      case "_":
      case "~":
        return this.#marks();
      case "!":
        return this.text[this.at + 1] === "[" ? this.#link(1) : null;
      case "[":
        return this.#link(0);
      case "<":
        return this.#angle();
      case "&":
        return this.#entity();
      case "h":
      case "m":
        return this.#address();
      case "\n":
        this.at += 1;
        this.plain = this.plain.trimEnd();
        return { t: "break" };
      default:
        return null;
    }
  }

  #matched(pattern) {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text);
  }

  #escaped() {
    const next = this.text[this.at + 1];
    if (next === "(" || next === "[") {
      const formula = this.#formula(2, next === "(" ? "\\)" : "\\]", next === "[");
      if (formula) return formula;
    }
    if (next === "\n") {
      this.at += 2;
      return { t: "break" };
    }
    if (PUNCTUATION.has(next)) {
      this.at += 2;
      return next;
    }
    return this.#bareCommand();
  }

  // \boxed{42} and a few others are read outside of formulas, too.
  #bareCommand() {
    const name = this.#matched(BARE_NAME)?.[1];
    if (name === undefined || !Object.hasOwn(BARE, name)) return null;
    let end = this.at + 1 + name.length;
    for (let group = 0; group < BARE[name]; group += 1) {
      end = this.#groupEnd(end);
      if (end < 0) return null;
    }
    const tex = this.text.slice(this.at, end);
    this.at = end;
    return { t: "math", tex, display: false };
  }

  #groupEnd(start) {
    if (this.text[start] !== "{") return -1;
    let depth = 0;
    const last = Math.min(this.text.length, start + FORMULA);
    for (let at = start; at < last; at += 1) {
      const letter = this.text[at];
      if (letter === "\\") at += 1;
      else if (letter === "{") depth += 1;
      else if (letter === "}" && --depth === 0) return at + 1;
    }
    return -1;
  }

  #formula(skip, closing, display) {
    const from = this.at + skip;
    const end = this.text.slice(from, from + FORMULA).indexOf(closing);
    if (end < 1) return null;
    this.at = from + end + closing.length;
    return { t: "math", tex: this.text.slice(from, from + end).trim(), display };
  }

  // A dollar begins a formula as pandoc has it: no blank behind it, none before the second one,
  // and no digit after that. So prices stay prices.
  #dollars() {
    if (this.text[this.at + 1] === "$") return this.#formula(2, "$$", true);
    const from = this.at + 1;
    const near = this.text.slice(from, from + FORMULA);
    const end = near.indexOf("$");
    if (end < 1 || /\s/.test(near[0]) || /\s/.test(near[end - 1])) return null;
    if (/\d/.test(near[end + 1] ?? "") || near.slice(0, end).includes("\n")) return null;
    this.at = from + end + 1;
    return { t: "math", tex: near.slice(0, end), display: false };
  }

  #code() {
    const length = runLength(this.text, this.at);
    const from = this.at + length;
    for (let at = from; !this.unclosed.has(length); ) {
      at = this.text.indexOf("`", at);
      if (at < 0) {
        this.unclosed.add(length);
        break;
      }
      const here = runLength(this.text, at);
      if (here === length) {
        this.at = at + length;
        const code = this.text.slice(from, at).replaceAll("\n", " ");
        const padded = code.length > 2 && code[0] === " " && code.at(-1) === " ";
        return { t: "code", v: padded ? code.slice(1, -1) : code };
      }
      at += here;
    }
    this.at = from;
    return "`".repeat(length);
  }

  #marks() {
    const mark = this.text[this.at];
    const length = runLength(this.text, this.at);
    const before = this.text[this.at - 1] ?? " ";
    const after = this.text[this.at + length] ?? " ";
    this.at += length;
    // 7*43 and 2*3 are products.
    const product = mark === "*" && length === 1 && isWord(before) && isWord(after);
    if ((product && /\d/.test(before + after)) || (mark === "~" && length !== 2)) {
      return mark.repeat(length);
    }
    return { t: "marks", mark, length, ...flanking(mark, before, after) };
  }

  #link(bang) {
    const opening = this.at + bang;
    this.closers ??= brackets(this.text);
    const closing = this.closers.get(opening);
    if (closing === undefined || this.text[closing + 1] !== "(") return null;
    const inside = insideParentheses(this.text.slice(closing + 2, closing + 2 + FORMULA));
    if (inside === null) return null;
    const address = safeAddress(inside.trim().split(/\s/)[0].replace(/^<(.*)>$/, "$1"));
    if (address === null) return null;
    const label = this.text.slice(opening + 1, closing);
    this.at = closing + 2 + inside.length + 1;
    // A picture would ask another host; its address can be followed instead.
    return { t: "link", to: address, c: linkText(bang ? label || address : label) };
  }

  #angle() {
    const line = this.#matched(LINE_BREAK);
    if (line) {
      this.at += line[0].length;
      return { t: "break" };
    }
    this.at += 1;
    const address = this.#matched(ADDRESS)?.[0];
    if (address === undefined || this.text[this.at + address.length] !== ">") return "<";
    this.at += address.length + 1;
    return { t: "link", to: address, c: [{ t: "text", v: address }] };
  }

  #entity() {
    const found = this.#matched(ENTITY);
    if (!found || !Object.hasOwn(ENTITIES, found[1])) return null;
    this.at += found[0].length;
    return ENTITIES[found[1]];
  }

  #address() {
    if (isWord(this.text[this.at - 1] ?? " ")) return null;
    let address = this.#matched(ADDRESS)?.[0];
    if (address === undefined) return null;
    // What ends a sentence, or emphasis, is no part of the address.
    let end = address.length;
    while (end > 0 && ".,;:!?*_~'".includes(address[end - 1])) end -= 1;
    if (address[end - 1] === ")" && !address.includes("(")) end -= 1;
    address = address.slice(0, end);
    if (address.length < 9) return null;
    this.at += address.length;
    return { t: "link", to: address, c: [{ t: "text", v: address }] };
  }
}

// What stands before the closing one; an address may have pairs of them in it.
function insideParentheses(text) {
  let depth = 1;
  for (let at = 0; at < text.length && text[at] !== "\n"; at += 1) {
    if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && --depth === 0) return text.slice(0, at);
  }
  return null;
}

// A link holds no other link.
function linkText(label) {
  const flat = (nodes) =>
    nodes.flatMap((node) =>
      node.t === "link" ? flat(node.c) : node.c ? [{ ...node, c: flat(node.c) }] : [node],
    );
  return flat(emphasized(new Scanner(label.slice(0, FORMULA).replace(/[[\]]/g, "")).all()));
}

function brackets(text) {
  const open = [];
  const closers = new Map();
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "[") open.push(at);
    else if (text[at] === "]" && open.length) closers.set(open.pop(), at);
  }
  return closers;
}

function runLength(text, at) {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return end - at;
}

const isWord = (letter) => /[\p{L}\p{N}]/u.test(letter);
const isSpace = (letter) => /\s/.test(letter);

// https://spec.commonmark.org/0.31.2/#delimiter-run
function flanking(mark, before, after) {
  const punctuated = (letter) => !isWord(letter) && !isSpace(letter);
  const left =
    !isSpace(after) && (!punctuated(after) || isSpace(before) || punctuated(before));
  const right =
    !isSpace(before) && (!punctuated(before) || isSpace(after) || punctuated(after));
  if (mark !== "_") return { opens: left, closes: right };
  return {
    opens: left && (!right || punctuated(before)),
    closes: right && (!left || punctuated(after)),
  };
}
