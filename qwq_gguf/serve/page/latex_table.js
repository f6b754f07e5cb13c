// What LaTeX's commands look like: data for latex.js.

const pairs = (text) => new Map(text.trim().split(/\s+/).map((pair) => pair.split("=")));

/** Commands that are read outside of formulas, too, and how many groups each takes. */
export const BARE = {
  boxed: 1,
  sqrt: 1,
  frac: 2,
  dfrac: 2,
  tfrac: 2,
  times: 0,
  cdot: 0,
  div: 0,
  pm: 0,
  leq: 0,
  geq: 0,
  neq: 0,
  approx: 0,
};

/** Letters: what stands for a value. */
export const LETTERS = pairs(`
alpha=α beta=β gamma=γ delta=δ epsilon=ϵ varepsilon=ε zeta=ζ eta=η theta=θ vartheta=ϑ iota=ι
kappa=κ lambda=λ mu=μ nu=ν xi=ξ pi=π varpi=ϖ rho=ρ varrho=ϱ sigma=σ varsigma=ς tau=τ upsilon=υ
phi=ϕ varphi=φ chi=χ psi=ψ omega=ω Gamma=Γ Delta=Δ Theta=Θ Lambda=Λ Xi=Ξ Pi=Π Sigma=Σ Upsilon=Υ
Phi=Φ Psi=Ψ Omega=Ω infty=∞ emptyset=∅ varnothing=∅ ell=ℓ hbar=ℏ Re=ℜ Im=ℑ aleph=ℵ imath=ı
jmath=ȷ partial=∂ nabla=∇ degree=° checkmark=✓ square=□ Box=□ blacksquare=■ angle=∠ triangle=△
ldots=… dots=… cdots=⋯ vdots=⋮ ddots=⋱ dotsc=… dotsb=⋯ top=⊤ bot=⊥ forall=∀ exists=∃ nexists=∄
`);

/** Signs: operators, relations, arrows, and delimiters that do not stretch. */
export const SIGNS = pairs(`
times=× cdot=⋅ div=÷ pm=± mp=∓ ast=∗ star=⋆ circ=∘ bullet=∙ le=≤ leq=≤ leqslant=⩽ ge=≥ geq=≥
geqslant=⩾ ne=≠ neq=≠ lt=< gt=> approx=≈ equiv=≡ sim=∼ simeq=≃ cong=≅ propto=∝ to=→ rightarrow=→
leftarrow=← leftrightarrow=↔ mapsto=↦ uparrow=↑ downarrow=↓ longrightarrow=⟶ Rightarrow=⇒
Leftarrow=⇐ implies=⟹ impliedby=⟸ Longrightarrow=⟹ Leftrightarrow=⇔ iff=⟺ in=∈ notin=∉ ni=∋
subset=⊂ subseteq=⊆ supset=⊃ supseteq=⊇ cup=∪ cap=∩ setminus=∖ neg=¬ lnot=¬ land=∧ wedge=∧ lor=∨
vee=∨ oplus=⊕ otimes=⊗ perp=⟂ parallel=∥ prime=′ mid=∣ nmid=∤ vert=| Vert=‖ lfloor=⌊ rfloor=⌋
lceil=⌈ rceil=⌉ langle=⟨ rangle=⟩ lvert=| rvert=| lVert=‖ rVert=‖ therefore=∴ because=∵ gg=≫ ll=≪
prec=≺ succ=≻ models=⊨ vdash=⊢ colon=: backslash=\\ lbrace={ rbrace=} surd=√
`);

/** Signs whose bounds stand above and below where there is room. */
export const LARGE = pairs(`
sum=∑ prod=∏ coprod=∐ bigcup=⋃ bigcap=⋂ bigvee=⋁ bigwedge=⋀ bigoplus=⨁ bigotimes=⨂
`);

/** Integrals: their bounds stand beside them. */
export const INTEGRALS = pairs("int=∫ iint=∬ iiint=∭ oint=∮");

/** Functions, upright; `true`: their bounds stand below, as a limit's do. */
export const FUNCTIONS = new Map(
  [
    ..."arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log mod sec sin sinh tan tanh"
      .split(" ")
      .map((name) => [name, false]),
    ..."det gcd lcm inf sup lim liminf limsup max min argmax argmin Pr"
      .split(" ")
      .map((name) => [name, true]),
  ],
);

/** Marks above what they take. */
export const ACCENTS = pairs(
  "hat=^ widehat=^ bar=¯ overline=¯ vec=→ overrightarrow=→ dot=˙ ddot=¨ tilde=~ widetilde=~ overbrace=⏞",
);

/** How letters look; the words of MathML and of the style sheet. */
export const STYLES = new Map(
  Object.entries({
    mathrm: "upright",
    operatorname: "upright",
    text: "text",
    textrm: "text",
    textit: "text",
    textbf: "text-bold",
    texttt: "text-code",
    textsf: "text",
    mbox: "text",
    mathbf: "bold",
    boldsymbol: "bold",
    bm: "bold",
    mathit: "italic",
    mathsf: "upright",
    mathtt: "upright",
    mathbb: "double",
    mathcal: "script",
    mathscr: "script",
    mathfrak: "fraktur",
  }),
);

/** Blanks, in em. */
export const BLANKS = new Map(
  Object.entries({
    ",": 0.17, ":": 0.22, ">": 0.22, ";": 0.28, " ": 0.33, "!": 0, quad: 1, qquad: 2,
    enspace: 0.5, thinspace: 0.17, medspace: 0.22, thickspace: 0.28, space: 0.33, nobreakspace: 0.33,
  }),
);

/** What changes nothing that matters here. */
export const DROPPED = new Set(
  "displaystyle textstyle scriptstyle limits nolimits big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle nonumber notag hline hfill allowbreak left. right."
    .split(" "),
);

/** Environments: the delimiters around them, and how their columns are set. */
export const ENVIRONMENTS = new Map(
  Object.entries({
    matrix: ["", "", "center"],
    smallmatrix: ["", "", "center"],
    pmatrix: ["(", ")", "center"],
    bmatrix: ["[", "]", "center"],
    Bmatrix: ["{", "}", "center"],
    vmatrix: ["|", "|", "center"],
    Vmatrix: ["‖", "‖", "center"],
    array: ["", "", "center"],
    cases: ["{", "", "left"],
    aligned: ["", "", "pairs"],
    align: ["", "", "pairs"],
    alignat: ["", "", "pairs"],
    split: ["", "", "pairs"],
    eqnarray: ["", "", "pairs"],
    gather: ["", "", "center"],
    gathered: ["", "", "center"],
    multline: ["", "", "center"],
    equation: ["", "", "center"],
  }),
);
