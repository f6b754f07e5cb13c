// Letters of the alphabets that Unicode has for mathematics. Pure.

const BLACKBOARD = new Map([..."CHNPQRZ"].map((letter, at) => [letter, "ℂℍℕℙℚℝℤ"[at]]));

/** A letter of one of the alphabets that Unicode has for mathematics. */
function styled(letter, style) {
  const code = letter.codePointAt(0);
  const upper = code >= 65 && code <= 90;
  const lower = code >= 97 && code <= 122;
  const digit = code >= 48 && code <= 57;
  if (style === "double") {
    if (BLACKBOARD.has(letter)) return BLACKBOARD.get(letter);
    if (upper) return String.fromCodePoint(0x1d538 + code - 65);
    if (digit) return String.fromCodePoint(0x1d7d8 + code - 48);
  }
  if (style === "bold") {
    if (upper) return String.fromCodePoint(0x1d400 + code - 65);
    if (lower) return String.fromCodePoint(0x1d41a + code - 97);
    if (digit) return String.fromCodePoint(0x1d7ce + code - 48);
  }
  if (style === "script" && upper) return String.fromCodePoint(0x1d4d0 + code - 65);
  if (style === "fraktur" && upper) return String.fromCodePoint(0x1d56c + code - 65);
  return letter;
}

/** A node of a formula in another alphabet. */
export function restyled(node, style) {
  if (node.t === "letter" || node.t === "number") {
    return { ...node, v: [...node.v].map((letter) => styled(letter, style)).join(""), upright: true };
  }
  if (node.t === "row") {
    const letters = node.c.every((part) => part.t === "letter");
    if (letters && style === "upright") return { t: "text", v: node.c.map((part) => part.v).join("") };
    return { ...node, c: node.c.map((part) => restyled(part, style)) };
  }
  return node;
}
