# ruff: noqa: RUF001
"""What models write, as elements: never as markup, and in time in proportion to it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

pytest.importorskip("playwright", reason="no Playwright to drive a browser with")

from playwright.sync_api import Page

RENDER = """async text => {
  const { MarkdownView } = await import("/page/render.js");
  const place = document.createElement("div");
  new MarkdownView(place).show(text);
  return place.innerHTML;
}"""
TEX = """async tex => {
  const { formula } = await import("/page/latex.js");
  const { mathElement } = await import("/page/mathml.js");
  const tree = formula(tex);
  return tree && mathElement(tree, tex, true).innerHTML;
}"""


def rendered(page: Page, text: str) -> str:
    html: str = page.evaluate(RENDER, text)
    return html


@pytest.mark.parametrize(
    "text, html",
    [
        ("a **b** *c* ~~d~~ `e`", "<p>a <strong>b</strong> <em>c</em> <s>d</s> <code>e</code></p>"),
        ("***both***", "<p><em><strong>both</strong></em></p>"),
        ("snake_case_name and __init__", "<p>snake_case_name and <strong>init</strong></p>"),
        ("7*43 = 301 and 2*3*4", "<p>7*43 = 301 and 2*3*4</p>"),
        ("costs $5 and $6", "<p>costs $5 and $6</p>"),
        ("# One\n### Two #", "<h3>One</h3><h5>Two</h5>"),
        ("a\nb", "<p>a<br>b</p>"),
        ("---", "<hr>"),
        ("> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("1. a\n  - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
        ("1. a\n\n   b\n\n2. c", "<ol><li><p>a</p><p>b</p></li><li><p>c</p></li></ol>"),
        ("In\n2024. That year", "<p>In<br>2024. That year</p>"),
        ("\\*not\\* `a\\b`", "<p>*not* <code>a\\b</code></p>"),
        ("``a`b``", "<p><code>a`b</code></p>"),
        ("&lt;b&gt; &amp;", "<p>&lt;b&gt; &amp;</p>"),
        ("*open", "<p>*open</p>"),
    ],
)
def test_blocks_and_lines(modules: Page, text: str, html: str) -> None:
    assert rendered(modules, text) == html


def test_a_table(modules: Page) -> None:
    html = rendered(modules, "| a | b |\n|:-:|--:|\n| 1 | `x|y` |\n| 2 |")
    assert '<th class="center" scope="col">a</th><th class="right" scope="col">b</th>' in html
    assert '<td class="center">1</td><td class="right"><code>x|y</code></td>' in html
    assert '<td class="center">2</td><td class="right"></td>' in html


@pytest.mark.parametrize(
    "text", ["```py\nx < 1\n```", "```py\nx < 1", "- a\n  ```py\n  x < 1\n  ```"]
)
def test_code(modules: Page, text: str) -> None:
    html = rendered(modules, text)
    assert "<code>x &lt; 1</code>" in html
    assert 'aria-label="Copy this py code"' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>top.bad = 1</script>",
        "<img src=x onerror='top.bad = 1'>",
        "[a](javascript:top.bad=1)",
        "[a](JaVaScRiPt:top.bad=1)",
        "[a](data:text/html,<script>top.bad=1</script>)",
        "![a](https://elsewhere.example/picture.png)",
        "```html\n<script>top.bad = 1</script>\n```",
        "\\(\\text{<script>top.bad = 1</script>}\\)",
        "| <b onclick=1> |\n|---|\n| <script> |",
        "<iframe src=https://elsewhere.example></iframe>",
        "[<svg onload=top.bad=1>](https://elsewhere.example)",
    ],
)
def test_nothing_a_model_writes_is_markup(modules: Page, text: str) -> None:
    paths: list[str] = []
    modules.on("request", lambda request: paths.append(request.url))
    found: dict[str, Any] = modules.evaluate(
        """async text => {
          const { MarkdownView } = await import("/page/render.js");
          const place = document.createElement("div");
          document.body.append(place);
          new MarkdownView(place).show(text);
          const all = [...place.querySelectorAll("*")];
          return {
            names: all.map(element => element.localName),
            handlers: all.flatMap(element => element.getAttributeNames())
              .filter(name => name.startsWith("on")),
            schemes: all.filter(element => element.href)
              .map(element => new URL(element.href).protocol),
            bad: top.bad ?? null,
          };
        }""",
        text,
    )
    assert not {"script", "img", "iframe", "svg", "object", "style", "link"} & set(found["names"])
    assert found["handlers"] == []
    assert set(found["schemes"]) <= {"https:", "http:", "mailto:"}
    assert found["bad"] is None
    assert not [path for path in paths if "elsewhere" in path]


def test_markup_is_refused_by_the_browser_too(modules: Page) -> None:
    done: str = modules.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return 'done' }"
        " catch (error) { return error.name } }"
    )
    assert done == "TypeError"


@pytest.mark.parametrize(
    "text, to",
    [
        ("[a](https://a.example/b_(c))", "https://a.example/b_(c)"),
        ("see https://a.example/b.", "https://a.example/b"),
        ("<https://a.example>", "https://a.example"),
        ("(https://a.example/b)", "https://a.example/b"),
    ],
)
def test_links(modules: Page, text: str, to: str) -> None:
    html = rendered(modules, text)
    assert f'href="{to}" target="_blank" rel="noopener noreferrer nofollow"' in html


@pytest.mark.parametrize(
    "tex, parts",
    [
        (r"\frac12", ["<mfrac", "<mn>1</mn><mn>2</mn>"]),
        (r"\boxed{\frac{a}{b}}", ['<mrow class="boxed"><mfrac']),
        (r"x^10", ["<msup><mi>x</mi><mn>1</mn></msup><mn>0</mn>"]),
        (r"x_1^2", ["<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>"]),
        (r"f'(x)", ["<msup><mi>f</mi><mo>′</mo></msup>"]),
        (r"\sum_{i=1}^n i \le \infty", ["<munderover><mo>∑</mo>", "<mo>≤</mo>", "∞"]),
        (r"\int_0^1", ["<msubsup><mo>∫</mo>"]),
        (r"\sqrt[3]{8} = 2", ["<mroot><mn>8</mn><mn>3</mn></mroot>"]),
        (r"\left( \frac{1}{2} \right]", ['fence="true">(</mo>', 'fence="true">]</mo>']),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", ["<mtable", "<mn>4</mn>", ">)</mo>"]),
        (r"\begin{cases} 1 & x \\[4pt] 2 & \text{if } y \end{cases}", [">{</mo>", "if\xa0"]),
        (r"a &= b \\ &= c".join((r"\begin{aligned}", r"\end{aligned}")), ['class="of-pairs"']),
        (r"x \in \mathbb{R}, \mathbf{v}, \vec{v}", ["ℝ", "𝐯", "→"]),
        (r"122,112,726 \times 3.5", ["<mn>122,112,726</mn>", "×", "<mn>3.5</mn>"]),
        (r"7 \equiv 1 \pmod{3}", ["≡", "mod"]),
        (r"50\% \text{ of } \$4", ["%", "\xa0of\xa0", "$"]),
        (r"a \neq b \implies \lim_{n\to\infty}", ["≠", "⟹", "<munder>"]),
    ],
)
def test_formulas(modules: Page, tex: str, parts: list[str]) -> None:
    html: str = modules.evaluate(TEX, tex)
    for part in parts:
        assert part in html.replace("&nbsp;", "\xa0")


@pytest.mark.parametrize(
    "tex", [r"\unknown{x}", "{a", "a}", r"\left( x", r"\begin{x}\end{x}", "a &"]
)
def test_a_formula_with_anything_unknown_stays_as_it_is(modules: Page, tex: str) -> None:
    assert modules.evaluate(TEX, tex) is None
    assert f'<code class="latex">{tex}</code>'.replace("&", "&amp;") in rendered(
        modules, f"\\({tex}\\)"
    )


@pytest.mark.parametrize(
    "text, maths",
    [
        (r"So \boxed{301}.", 1),
        (r"\(a\) and $b$ and \[c\]", 3),
        ("\\[\na\n\\]", 1),
        ("$$\na\n$$", 1),
        ("1. x:\n   \\[ a \\]\n2. y", 1),
        (r"`\(a\)` and \$5", 0),
    ],
)
def test_where_formulas_are_found(modules: Page, text: str, maths: int) -> None:
    assert rendered(modules, text).count("<math") == maths


def test_elements_stay_while_a_text_grows(modules: Page) -> None:
    kept: list[bool] = modules.evaluate(
        """async () => {
          const { MarkdownView } = await import("/page/render.js");
          const place = document.createElement("div");
          const view = new MarkdownView(place);
          view.show("one\\n\\n```\\ntwo\\n```\\n\\nthr");
          const before = [...place.childNodes];
          view.show("one\\n\\n```\\ntwo\\n```\\n\\nthree\\n\\nfour");
          return [...place.childNodes].map((node, at) => node === before[at]);
        }"""
    )
    assert kept == [True, True, False, False]


HARD = {
    "stars": "*a " * 20_000,
    "closing stars": "*a " * 10_000 + "b* " * 10_000,
    "mixed marks": "*_a~~" * 10_000,
    "brackets": "[" * 50_000,
    "half links": "[a](" * 20_000,
    "backticks": "".join("`" * (n % 300 + 1) + " " for n in range(600)),
    "dollars": "$a " * 20_000,
    "formulas": "\\(" * 30_000,
    "boxes": "\\boxed{" * 10_000,
    "braces": "$" + "{" * 7_000 + "$",
    "quotes": "> " * 5_000 + "a",
    "nested lists": "".join("  " * n + "- a\n" for n in range(400)),
    "blank lines in a list": "- a\n" + "\n" * 50_000 + "b",
    "pipes": "|" * 50_000 + "\n" + "|-" * 50_000,
    "tables": "a|b\n" * 10_000,
    "fences": "```\na\n" * 10_000,
    "displayed": "\\[\n" * 20_000,
    "rules": "- " * 30_000 + "x",
    "hashes": "#" * 50_000 + " a " + "#" * 50_000,
    "addresses": "https://a.a" * 10_000,
    "blanks": "a" + " " * 100_000 + "b",
}


@pytest.mark.parametrize("name", HARD)
def test_hard_texts_take_no_time(modules: Page, name: str) -> None:
    milliseconds: float = modules.evaluate(
        """async text => {
          const { blocks } = await import("/page/blocks.js");
          const before = performance.now();
          blocks(text);
          return performance.now() - before;
        }""",
        HARD[name],
    )
    # A tenth of that on an idle machine.
    assert milliseconds < 4000, name


def test_no_text_breaks_the_reader(modules: Page) -> None:
    """Pieces of Markdown and LaTeX in any order, seeded: always elements, and the words survive."""
    pieces = [
        "*", "**", "_", "~~", "`", "```\n", "\n", "\n\n", "- ", "1. ", "> ", "# ", "|", "---", "$",
        "$$", "\\(", "\\)", "\\[", "\\]", "\\frac", "{", "}", "^", "_", "\\boxed{", "word",
        " ", "[", "](", ")", "<", "https://a.b/c", "\\\\", "&", "\\begin{cases}",
        "\\end{cases}", "\\left(", "7",
    ]  # fmt: skip
    chance = random.Random(13)
    texts = ["".join(chance.choices(pieces, k=40)) for _ in range(400)]
    lost: list[str] = modules.evaluate(
        """async texts => {
          const { MarkdownView } = await import("/page/render.js");
          const words = text => (text.match(/word/g) ?? []).length;
          return texts.filter(text => {
            const place = document.createElement("div");
            new MarkdownView(place).show(text);
            const links = [...place.querySelectorAll("a")].map(link => link.href).join();
            // The language of code is shown, too, and an address can be looked at.
            return words(place.textContent + links) < words(text);
          });
        }""",
        texts,
    )
    assert json.dumps(lost) == "[]"
