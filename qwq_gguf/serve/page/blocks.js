// Markdown as a tree of blocks: what models write of CommonMark, and formulas. Pure.
// Text that is still being written is read as if it ended here; nothing is ever an error.
// Time is in proportion to the text (tests/serve/page/test_markdown.py tries the bad ones).

import { inlines } from "./inline.js";

const DEEPEST = 8; // lists in quotes in lists
const FENCE = /^( *)(`{3,}|~{3,})(.*)$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const MATH_LINES = 200;
const COLUMNS = 64;

/** The blocks of a text, each `{t, …}` with the lines it was read from as `source`. */
export function blocks(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n");
  return read(lines, 0);
}

function read(lines, depth) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const [block, next] = oneBlock(lines, at, depth);
    block.source = lines.slice(at, next).join("\n");
    found.push(block);
    at = next;
  }
  return found;
}

function oneBlock(lines, at, depth) {
  return (
    fenced(lines, at) ??
    displayed(lines, at) ??
    heading(lines, at) ??
    ruled(lines, at) ??
    (depth < DEEPEST ? (quoted(lines, at, depth) ?? listed(lines, at, depth)) : null) ??
    table(lines, at) ??
    paragraph(lines, at, depth)
  );
}

const isBlank = (line) => line.trim() === "";
const indentOf = (line) => line.length - line.trimStart().length;

function fenced(lines, at) {
  const opening = FENCE.exec(lines[at]);
  if (!opening || (opening[2][0] === "`" && opening[3].includes("`"))) return null;
  const [, indent, marks, info] = opening;
  const inside = [];
  let next = at + 1;
  let closed = false;
  for (; next < lines.length && !closed; next += 1) {
    const line = lines[next].trim();
    closed = line.length >= marks.length && line === marks[0].repeat(line.length);
    if (!closed) inside.push(dedented(lines[next], indent.length));
  }
  return [{ t: "code", lang: info.trim().split(" ")[0], text: inside.join("\n"), closed }, next];
}

const dedented = (line, by) => line.slice(Math.min(by, indentOf(line)));

function displayed(lines, at) {
  const first = lines[at].trim();
  const [opening, closing] = first.startsWith("\\[") ? ["\\[", "\\]"] : ["$$", "$$"];
  if (!first.startsWith(opening)) return null;
  const inside = [];
  for (let next = at; next < Math.min(lines.length, at + MATH_LINES); next += 1) {
    const line = next === at ? first.slice(2) : lines[next];
    const end = line.indexOf(closing);
    if (end >= 0) {
      // What goes on behind the formula makes it a part of a sentence.
      if (!/^[.,;:]?\s*$/.test(line.slice(end + 2))) return null;
      inside.push(line.slice(0, end));
      return [{ t: "math", tex: inside.join("\n").trim(), after: line.slice(end + 2).trim() }, next + 1];
    }
    if (isBlank(line) && next > at) return null;
    inside.push(line);
  }
  return null;
}

function heading(lines, at) {
  const line = lines[at].trim();
  const level = /^#{1,6}(?= |$)/.exec(line)?.[0].length;
  if (!level || indentOf(lines[at]) > 3) return null;
  let end = line.length;
  while (end > level && line[end - 1] === "#") end -= 1;
  const closed = end < line.length && line[end - 1] === " ";
  const text = line.slice(level, closed ? end : line.length).trim();
  return [{ t: "heading", level, c: inlines(text) }, at + 1];
}

function isRule(line) {
  const marks = line.replaceAll(" ", "");
  return marks.length >= 3 && "-*_".includes(marks[0]) && marks === marks[0].repeat(marks.length);
}

const ruled = (lines, at) => (isRule(lines[at]) ? [{ t: "rule" }, at + 1] : null);

function quoted(lines, at, depth) {
  let next = at;
  const inside = [];
  while (next < lines.length && lines[next].trimStart()[0] === ">") {
    const text = lines[next].trimStart().slice(1);
    inside.push(text[0] === " " ? text.slice(1) : text);
    next += 1;
  }
  return next > at ? [{ t: "quote", c: read(inside, depth + 1) }, next] : null;
}

function listed(lines, at, depth) {
  const first = itemOf(lines[at]);
  if (!first) return null;
  const items = [];
  let next = at;
  let loose = false;
  while (next < lines.length) {
    const item = itemOf(lines[next]);
    if (!item || item.kind !== first.kind || item.indent > first.indent + 1) break;
    const [inside, end] = itemLines(lines, next, item);
    const after = nextFilled(lines, end);
    const goesOn = after < lines.length && itemOf(lines[after])?.kind === first.kind;
    const task = /^\[([ xX])\] /.exec(inside[0]);
    if (task) inside[0] = inside[0].slice(4);
    const c = read(inside, depth + 1);
    loose ||= (goesOn && after > end) || c.filter((block) => block.t === "paragraph").length > 1;
    items.push({ task: task ? task[1] !== " " : null, c });
    next = goesOn ? after : end;
    if (!goesOn) break;
  }
  return [{ t: "list", ordered: first.number !== null, start: first.number ?? 1, loose, items }, next];
}

function itemOf(line) {
  const found = ITEM.exec(line);
  if (!found || isRule(line)) return null;
  const mark = found[2];
  return {
    indent: found[1].length,
    // Five blanks and more are code in an item; models mean nothing by them.
    content: Math.min(found[0].length, found[1].length + mark.length + 4),
    kind: mark.at(-1),
    number: mark.length > 1 ? Number.parseInt(mark, 10) : null,
  };
}

// Models indent what belongs to an item by two blanks, whatever the width of its mark.
function itemLines(lines, at, item) {
  const inside = [lines[at].slice(item.content)];
  let fence = openFence(null, inside[0]);
  let next = at + 1;
  while (next < lines.length) {
    const line = lines[next];
    if (isBlank(line)) {
      const after = nextFilled(lines, next);
      if (after === lines.length || indentOf(lines[after]) < item.indent + 2) break;
      while (next < after) {
        inside.push("");
        next += 1;
      }
      continue;
    }
    if (indentOf(line) < item.indent + 2) {
      const ends = itemOf(line) !== null || startsBlock(line, true) || isBlank(lines[next - 1]);
      if (fence === null && ends) break;
    }
    inside.push(dedented(line, item.content));
    fence = openFence(fence, line);
    next += 1;
  }
  return [inside, next];
}

function openFence(open, line) {
  const marks = FENCE.exec(line)?.[2];
  if (open === null) return marks ?? null;
  return marks?.startsWith(open) ? null : open;
}

function nextFilled(lines, at) {
  while (at < lines.length && isBlank(lines[at])) at += 1;
  return at;
}

function table(lines, at) {
  if (!lines[at].includes("|") || at + 1 >= lines.length) return null;
  const aligned = alignments(lines[at + 1]);
  const head = cells(lines[at]);
  if (!aligned || aligned.length !== head.length || head.length > COLUMNS) return null;
  const rows = [];
  let next = at + 2;
  for (; next < lines.length && lines[next].includes("|"); next += 1) {
    const row = cells(lines[next]).slice(0, head.length);
    while (row.length < head.length) row.push("");
    rows.push(row.map(inlines));
  }
  return [{ t: "table", align: aligned, head: head.map(inlines), rows }, next];
}

function alignments(line) {
  if (!line.includes("-")) return null;
  const found = [];
  for (const text of cells(line)) {
    if (!/^:?-+:?$/.test(text)) return null;
    const right = text.endsWith(":");
    found.push(text[0] === ":" ? (right ? "center" : "left") : right ? "right" : null);
  }
  return found;
}

function cells(line) {
  const text = line.trim().replace(/^\|/, "");
  const found = [""];
  let code = false;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\" && text[at + 1] === "|") {
      found[found.length - 1] += "|";
      at += 1;
    } else if (text[at] === "|" && !code) {
      found.push("");
    } else {
      if (text[at] === "`") code = !code && text.includes("`", at + 1);
      found[found.length - 1] += text[at];
    }
  }
  if (found.length > 1 && isBlank(found.at(-1))) found.pop();
  return found.map((cell) => cell.trim());
}

function paragraph(lines, at, depth) {
  let next = at + 1;
  while (next < lines.length && !isBlank(lines[next])) {
    if (startsBlock(lines[next], depth < DEEPEST) || startsTable(lines, next)) break;
    next += 1;
  }
  const text = lines.slice(at, next).map((line) => line.trimStart());
  return [{ t: "paragraph", c: inlines(text.join("\n").trimEnd()) }, next];
}

function startsTable(lines, at) {
  return lines[at].includes("|") && at + 1 < lines.length && alignments(lines[at + 1]) !== null;
}

function startsBlock(line, nesting) {
  const text = line.trimStart();
  if (FENCE.test(line) || text.startsWith("\\[") || text.startsWith("$$")) return true;
  if (/^#{1,6}(?: |$)/.test(text) || isRule(line)) return true;
  if (!nesting) return false;
  const item = itemOf(line);
  // As in CommonMark: a year at the beginning of a line is no list, and a bare dash is none.
  return text[0] === ">" || (item !== null && (item.number ?? 1) === 1 && line.length > item.content);
}
