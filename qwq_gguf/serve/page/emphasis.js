// Pairs of marks become emphasis, by the rules of CommonMark. Pure.
// https://spec.commonmark.org/0.31.2/#phase-2-inline-structure

const DEEPEST = 16; // deeper emphasis is left as it was written

/** Nodes without `marks`: pairs of them hold what stood between, others are text. */
export function emphasized(nodes) {
  const out = [];
  const openers = []; // places in `out` of marks that may open
  const bottom = new Map(); // below which place no opener of a kind is left
  for (const node of nodes) {
    if (node.t !== "marks") {
      out.push(node);
      continue;
    }
    const marks = { ...node };
    if (marks.closes) close(out, openers, bottom, marks);
    if (marks.length === 0) continue;
    if (marks.opens) openers.push(out.length);
    out.push(marks);
  }
  return merged(out);
}

function close(out, openers, bottom, marks) {
  while (marks.length > 0) {
    const kind = `${marks.mark}${marks.opens}${marks.length % 3}`;
    const found = openerOf(out, openers, bottom.get(kind) ?? 0, marks);
    if (found < 0) {
      bottom.set(kind, openers.length);
      return;
    }
    const place = openers[found];
    const opener = out[place];
    let depth = 1;
    for (let at = place + 1; at < out.length; at += 1) depth = Math.max(depth, 1 + (out[at].depth ?? 0));
    if (depth > DEEPEST) {
      openers.length = 0; // whatever they might hold would be deeper still
      bottom.clear();
      return;
    }
    const inside = merged(out.splice(place + 1));
    const taken = marks.mark === "~" || (opener.length > 1 && marks.length > 1) ? 2 : 1;
    const t = marks.mark === "~" ? "strike" : taken === 2 ? "strong" : "em";
    opener.length -= taken;
    marks.length -= taken;
    openers.length = found + (opener.length > 0 ? 1 : 0);
    for (const [key, place_] of bottom) bottom.set(key, Math.min(place_, openers.length));
    if (opener.length === 0) out.pop();
    out.push({ t, c: inside, depth });
  }
}

function openerOf(out, openers, lowest, marks) {
  for (let at = openers.length - 1; at >= lowest; at -= 1) {
    const opener = out[openers[at]];
    if (opener.mark !== marks.mark) continue;
    // "The rule of three": *foo**bar* is one emphasis.
    const odd = (opener.closes || marks.opens) && (opener.length + marks.length) % 3 === 0;
    if (odd && (opener.length % 3 || marks.length % 3)) continue;
    return at;
  }
  return -1;
}

// Marks that found no partner are text; pieces of text side by side are one.
function merged(nodes) {
  const out = [];
  for (const node of nodes) {
    const plain = node.t === "marks" ? { t: "text", v: node.mark.repeat(node.length) } : node;
    const last = out.at(-1);
    if (plain.t === "text" && last?.t === "text") {
      out[out.length - 1] = { t: "text", v: last.v + plain.v };
    } else {
      out.push(plain);
    }
  }
  return out;
}
