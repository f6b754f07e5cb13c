"""Texts at which tokenizers fail, and characters to make more of."""

# ruff: noqa: RUF001
from __future__ import annotations

__all__ = ["ALPHABETS", "TEXTS"]

TEXTS = (
    "",
    " ",
    "Hello, world!",
    "What is 7*43? It's 301, isn't it? I'VE CHECKED; WE'LL see, they'd say.",
    "  leading, trailing  \n\n\n  and  inner   spaces\t\ttabs\r\nlines\n \n  \n",
    "0 1 12 123 1234 12345 3.14159 1,000,000 0x1F 1e-9 \u0663\u0664\u0665 \u00bd \u2167",
    "def f(x: int) -> int:\n    return x ** 2  # squared\n\n\nclass A(B):\n\tpass\n",
    'for (int i = 0; i < n; ++i) { a[i] += "\\n"; } // done',
    '{"a": [1, 2.5, null], "b": {"c": "d\\u00e9"}}',
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "我想在 apple 工作 1314151 天～，你呢？「すみません」、東京タワー。안녕하세요 세계",
    "مرحبا بالعالم. שלום עולם. नमस्ते दुनिया। สวัสดีชาวโลก កាន់តែពិសេស",
    "🚀 😶‍🌫️ 👩‍👩‍👧‍👦 🇩🇪 ✅ 🦙🦙 ❤️",
    "e\u0301 vs \u00e9, \ufb01 ligature, \u200bzero\u200d width, \u00a0nbsp\u3000wide",
    "$\\frac{1}{2} \\le \\sqrt{x}$ → ∑∫≠ ≤ §¶†‡ … — – “quoted” ‘it’s’",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\nWait,</think>\n\nok",
    "<think><think></think> <tool_call>{}</tool_call><|im_end|><|im_end| >",
    "''''''```````\"\"\"\"......!!!!!!?????? ------=======",
)
ALPHABETS = (
    "abcXYZ 'sStTrReEvVmMlLdD",
    "0123456789.,+-*/= ",
    " \t\n\r\u00a0\u3000\u2009",
    "áéíñçßøåœ ÄÖÜ\u0130\u017f",
    "абвгдеёжзий АБВ",
    "中文日本語한국어 。、",
    "🚀😶🌫❤✅\u200d\ufe0f",
    "_-#$%&@(){}[]<>|\\`~^\"'/",
)
