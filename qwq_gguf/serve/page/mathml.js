// The tree of a formula (latex.js) as MathML, which browsers draw and screen readers speak.

const SPACE = "http://www.w3.org/1998/Math/MathML";
const ALIGN = { center: () => "center", left: () => "left", pairs: (at) => (at % 2 ? "left" : "right") };

/** A <math> element; what was written stays with it for who copies or cannot see it. */
export function mathElement(tree, tex, display) {
  const math = made("math", draw(tree, display));
  math.setAttribute("display", display ? "block" : "inline");
  math.setAttribute("alttext", tex);
  return math;
}

function made(name, ...children) {
  const element = document.createElementNS(SPACE, name);
  element.append(...children);
  return element;
}

function draw(node, display) {
  switch (node.t) {
    case "row":
      return made("mrow", ...node.c.map((part) => draw(part, display)));
    case "letter":
      return letter(node);
    case "number":
      return made("mn", node.v);
    case "sign":
      return sign(node.v);
    case "text":
      return words(node);
    case "space":
      return blank(node.em);
    case "frac":
      return fraction(node, display);
    case "root":
      return node.index
        ? made("mroot", draw(node.c, false), draw(node.index, false))
        : made("msqrt", draw(node.c, display));
    case "script":
      return scripts(node, display);
    case "accent":
      return accent(node, display);
    case "fenced":
      return made("mrow", fence(node.open), draw(node.c, display), fence(node.close));
    case "table":
      return table(node, display);
    case "box": {
      const box = made("mrow", draw(node.c, display));
      box.setAttribute("class", "boxed");
      return box;
    }
    default:
      throw new TypeError(`no such node: ${node.t}`);
  }
}

function letter(node) {
  const element = made("mi", node.v);
  // A single letter leans by itself.
  if (node.upright) element.setAttribute("mathvariant", "normal");
  return element;
}

function sign(text) {
  const element = made("mo", text);
  // Brackets that nobody asked to grow stay as they are.
  if ("()[]{}|‖⌊⌋⌈⌉⟨⟩/".includes(text)) element.setAttribute("stretchy", "false");
  if ("|‖".includes(text)) {
    // Around |x| is no more room than around x.
    element.setAttribute("lspace", "0");
    element.setAttribute("rspace", "0");
  }
  return element;
}

function fence(text) {
  const element = made("mo", text);
  element.setAttribute("stretchy", "true");
  element.setAttribute("fence", "true");
  return element;
}

function words(node) {
  if (node.operator) {
    const element = made("mo", node.v);
    element.setAttribute("class", "function");
    return element;
  }
  // MathML drops blanks at the ends of a text.
  const element = made("mtext", node.v.replace(/^ | $/g, "\u00a0"));
  if (node.style) element.setAttribute("class", node.style);
  return element;
}

function blank(em) {
  const element = made("mspace");
  element.setAttribute("width", `${em}em`);
  return element;
}

function fraction(node, display) {
  const element = made("mfrac", draw(node.a, false), draw(node.b, false));
  if (node.bare) element.setAttribute("linethickness", "0");
  if (display) element.setAttribute("displaystyle", "true");
  return element;
}

function scripts(node, display) {
  const over = node.stacked || (display && node.base.limits);
  const [both, low, high] = over ? ["munderover", "munder", "mover"] : ["msubsup", "msub", "msup"];
  const base = draw(node.base, display);
  const [sub, sup] = [node.sub && draw(node.sub, false), node.sup && draw(node.sup, false)];
  if (sub && sup) return made(both, base, sub, sup);
  return sub ? made(low, base, sub) : made(high, base, sup);
}

function accent(node, display) {
  const mark = made("mo", node.v);
  const wide = node.c.t === "row" || "⏞⏟_".includes(node.v);
  mark.setAttribute("stretchy", String(wide));
  const element = made(node.under ? "munder" : "mover", draw(node.c, display), mark);
  element.setAttribute(node.under ? "accentunder" : "accent", "true");
  return element;
}

function table(node, display) {
  const drawn = made("mtable");
  drawn.setAttribute("class", `of-${node.align}`);
  for (const row of node.rows) {
    const cells = row.map((cell, at) => {
      const element = made("mtd", draw(cell, display || node.align === "pairs"));
      element.setAttribute("class", ALIGN[node.align](at));
      return element;
    });
    drawn.append(made("mtr", ...cells));
  }
  if (!node.open && !node.close) return drawn;
  const inside = [fence(node.open), drawn];
  return made("mrow", ...inside, ...(node.close ? [fence(node.close)] : []));
}
