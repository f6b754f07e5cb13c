# ruff: noqa: RUF001
"""What LaTeX's commands look like as text: data for `latex.py`."""

from __future__ import annotations

__all__ = ["BLANKS", "DROPPED", "FUNCTIONS", "STYLES", "SUBSCRIPT", "SUPERSCRIPT", "SYMBOLS"]

_PAIRS = """
times=× cdot=· div=÷ pm=± mp=∓ le=≤ leq=≤ ge=≥ geq=≥ ne=≠ neq=≠ approx=≈ equiv=≡ sim=∼ cong=≅
propto=∝ infty=∞ sum=∑ prod=∏ int=∫ partial=∂ nabla=∇ to=→ rightarrow=→ leftarrow=← mapsto=↦
Rightarrow=⇒ implies=⇒ Leftrightarrow=⇔ iff=⇔ in=∈ notin=∉ subset=⊂ subseteq=⊆ supset=⊃ cup=∪
cap=∩ emptyset=∅ varnothing=∅ setminus=∖ forall=∀ exists=∃ neg=¬ land=∧ wedge=∧ lor=∨ vee=∨
oplus=⊕ otimes=⊗ ldots=… dots=… cdots=⋯ vdots=⋮ angle=∠ triangle=△ perp=⊥ parallel=∥ circ=°
degree=° prime=′ mid=| vert=| Vert=‖ lfloor=⌊ rfloor=⌋ lceil=⌈ rceil=⌉ langle=⟨ rangle=⟩
therefore=∴ because=∵ star=⋆ ast=* bullet=• ell=ℓ hbar=ℏ Re=ℜ Im=ℑ aleph=ℵ checkmark=✓ gg=≫ ll=≪
alpha=α beta=β gamma=γ delta=δ epsilon=ε varepsilon=ε zeta=ζ eta=η theta=θ iota=ι kappa=κ
lambda=λ mu=μ nu=ν xi=ξ pi=π rho=ρ sigma=σ tau=τ upsilon=υ phi=φ varphi=φ chi=χ psi=ψ omega=ω
Gamma=Γ Delta=Δ Theta=Θ Lambda=Λ Xi=Ξ Pi=Π Sigma=Σ Phi=Φ Psi=Ψ Omega=Ω
"""
SYMBOLS = {name: sign for name, _, sign in (pair.partition("=") for pair in _PAIRS.split())}

FUNCTIONS = frozenset(
    """
    arccos arcsin arctan cos cosh cot det dim exp gcd inf lcm lim ln log max min mod sec sin sinh
    sup tan tanh
    """.split()  # noqa: SIM905
)
STYLES = frozenset(
    """
    text textbf textit textrm mathrm mathbf mathit mathbb mathcal operatorname overline underline
    vec hat bar mbox
    """.split()  # noqa: SIM905
)
DROPPED = frozenset(
    "left right big Big bigg Bigg displaystyle limits nolimits".split()  # noqa: SIM905
)
BLANKS = {",": " ", ";": " ", ":": " ", " ": " ", "!": "", "quad": "  ", "qquad": "    "}

SUPERSCRIPT = dict(
    zip(
        "0123456789+-=()niabcdefghjklmoprstuvwxyz",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵃᵇᶜᵈᵉᶠᵍʰʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        strict=True,
    )
) | {"°": "°", "′": "′"}
SUBSCRIPT = dict(
    zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
