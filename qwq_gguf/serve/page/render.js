// Blocks of Markdown (blocks.js) as elements. What a model wrote is never read as markup.

import { blocks } from "./blocks.js";
import { copy, el } from "./dom.js";
import { formula } from "./latex.js";
import { mathElement } from "./mathml.js";

/**
 * Shows a text that grows: what has not changed since the last time keeps its elements, so that
 * a selection in it, or the focus on a button of it, stays.
 */
export class MarkdownView {
  #sources = [];

  constructor(place) {
    this.place = place;
  }

  show(text) {
    const found = blocks(text);
    const sources = found.map((block) => block.source);
    let same = 0;
    while (same < sources.length && sources[same] === this.#sources[same]) same += 1;
    while (this.place.childNodes.length > same) this.place.lastChild.remove();
    this.place.append(...found.slice(same).map(drawn));
    this.#sources = sources;
  }
}

function drawn(block) {
  switch (block.t) {
    case "paragraph":
      return el("p", {}, ...inline(block.c));
    case "heading":
      // The page has a title of its own; below it stand the turns.
      return el(`h${Math.min(6, block.level + 2)}`, {}, ...inline(block.c));
    case "rule":
      return el("hr");
    case "quote":
      return el("blockquote", {}, ...block.c.map(drawn));
    case "code":
      return code(block);
    case "math":
      return el("div", { class: "math" }, math(block.tex, true), block.after);
    case "list":
      return list(block);
    case "table":
      return table(block);
    default:
      throw new TypeError(`no such block: ${block.t}`);
  }
}

function code(block) {
  const button = el(
    "button",
    { type: "button", class: "small", onclick: () => copy(block.text, button) },
    "Copy",
  );
  button.setAttribute("aria-label", block.lang ? `Copy this ${block.lang} code` : "Copy this code");
  return el(
    "figure",
    { class: "code" },
    el("figcaption", {}, el("span", {}, block.lang || "text"), button),
    // What is wider than the page can be scrolled by keys, too.
    el("pre", { tabindex: "0" }, el("code", {}, block.text)),
  );
}

function list(block) {
  const items = block.items.map((item) => {
    const task =
      item.task === null
        ? []
        : [el("span", { role: "img", "aria-label": item.task ? "done" : "to do" }, item.task ? "☑ " : "☐ ")];
    const [first, ...rest] = item.c;
    // An item of a tight list is no paragraph.
    const head =
      !block.loose && first?.t === "paragraph" ? inline(first.c) : first ? [drawn(first)] : [];
    return el("li", { class: item.task === null ? null : "task" }, ...task, ...head, ...rest.map(drawn));
  });
  if (!block.ordered) return el("ul", {}, ...items);
  return el("ol", { start: block.start === 1 ? null : block.start }, ...items);
}

function table(block) {
  const cells = (name, row) =>
    row.map((cell, at) => {
      const scope = name === "th" ? "col" : null;
      return el(name, { class: block.align[at], scope }, ...inline(cell));
    });
  return el(
    "div",
    { class: "table", tabindex: "0", role: "group", "aria-label": "Table" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...cells("th", block.head))),
      el("tbody", {}, ...block.rows.map((row) => el("tr", {}, ...cells("td", row)))),
    ),
  );
}

const inline = (nodes) => nodes.map(drawnInline);

function drawnInline(node) {
  switch (node.t) {
    case "text":
      return document.createTextNode(node.v);
    case "break":
      return el("br");
    case "code":
      return el("code", {}, node.v);
    case "math":
      return math(node.tex, node.display);
    case "em":
      return el("em", {}, ...inline(node.c));
    case "strong":
      return el("strong", {}, ...inline(node.c));
    case "strike":
      return el("s", {}, ...inline(node.c));
    case "link":
      return el(
        "a",
        { href: node.to, target: "_blank", rel: "noopener noreferrer nofollow" },
        ...inline(node.c),
      );
    default:
      throw new TypeError(`no such node: ${node.t}`);
  }
}

function math(tex, display) {
  const tree = formula(tex);
  return tree ? mathElement(tree, tex, display) : el("code", { class: "latex" }, tex);
}
