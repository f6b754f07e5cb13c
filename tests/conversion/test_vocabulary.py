"""Tokens, types, merges, special tokens and the recognition of the splitting."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, pre_tokenizers

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion.vocabulary import vocabulary_keys
from qwq_gguf.conversion.vocabulary.bpe import byte_letters, encode_pieces
from qwq_gguf.conversion.vocabulary.pretokenizer import (
    SAMPLE,
    SPLITTINGS,
    fingerprint,
    recognise,
    split_sample,
)
from qwq_gguf.conversion.vocabulary.tokens import read_vocabulary
from qwq_gguf.errors import ConfigError, TokenizerError, UnsupportedError
from support.checkpoints import (
    LLAMA3_REGEX,
    Shape,
    byte_tokenizer,
    qwen2_tokenizer,
    write_checkpoint,
)
from support.goldens import load_golden
from support.special_tokens import BOS, SPECIAL_KEYS, special_case, template

PATH = Path("x/tokenizer.json")
QWEN2 = SPLITTINGS[0].steps
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


def keys(folder: Path, size: int = 320) -> dict[str, Any]:
    entries = vocabulary_keys(open_checkpoint(folder), size)
    return {entry.key.removeprefix("tokenizer."): entry.value for entry in entries}


def of(tmp_path: Path, *, size: int = 320, tokenizer: Any = None, **config: Any) -> dict[str, Any]:
    shape = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=size)
    return keys(
        write_checkpoint(tmp_path / "model", "qwen2", shape, tokenizer=tokenizer, **config), size
    )


def test_tokens_and_their_types(tmp_path: Path) -> None:
    values = of(tmp_path)
    tokens, types = values["ggml.tokens"], values["ggml.token_type"]
    assert len(tokens) == len(types) == 320
    assert (tokens[0], types[0]) == ("!", NORMAL)
    assert (tokens[278], types[278]) == ("<|endoftext|>", CONTROL)
    assert (tokens[283], types[283]) == ("<think>", USER_DEFINED)
    assert (tokens[285], types[285]) == ("[PAD285]", UNUSED)
    assert (tokens[319], types[319]) == ("[PAD319]", UNUSED)


def test_holes_in_the_middle_are_padded(tmp_path: Path) -> None:
    tokenizer, config = byte_tokenizer()
    del tokenizer["added_tokens"][3]  # 281
    values = of(tmp_path, tokenizer=(tokenizer, config))
    assert values["ggml.tokens"][281] == "[PAD281]"
    assert values["ggml.token_type"][281] == UNUSED


def test_tokens_that_look_special_are(tmp_path: Path) -> None:
    looks = ("<|like_this|>", "<\uff5cor this\uff5c>", "<unused7>", "<pad>", "<plain>", "\u2581a")
    values = of(tmp_path, tokenizer=byte_tokenizer(user_defined=looks))
    assert values["ggml.token_type"][281:287] == (CONTROL,) * 4 + (USER_DEFINED,) * 2
    assert values["ggml.tokens"][286] == " a"


def test_both_forms_of_merges_are_one(tmp_path: Path) -> None:
    text = of(tmp_path / "text", tokenizer=byte_tokenizer(merge_pairs=False))
    pairs = of(tmp_path / "pairs", tokenizer=byte_tokenizer(merge_pairs=True))
    assert text["ggml.merges"] == pairs["ggml.merges"]
    assert text["ggml.merges"][:2] == ("t h", "th e")


def test_spaces_in_merges_are_encoded() -> None:
    tokenizer, _ = byte_tokenizer()
    tokenizer["model"]["merges"] = [["a b", "c"]]
    assert read_vocabulary(tokenizer, PATH, 320).merge_lines() == ["a\u0120b c"]


def test_the_real_vocabulary() -> None:
    tokenizer, _ = qwen2_tokenizer()
    vocabulary = read_vocabulary(tokenizer, PATH, 152064)
    texts, types = vocabulary.listing(152064)
    assert texts[151667:151670] == ["<think>", "</think>", "[PAD151669]"]
    assert types[151645] == CONTROL
    assert types[151667] == USER_DEFINED
    assert len(vocabulary.merges) == 151387
    assert recognise(tokenizer, vocabulary, PATH) == "qwen2"


_NO_VOCABULARIES: tuple[Any, ...] = (None, [], {})


class TestMalformed:
    def refuse(self, change: Any, size: int = 320) -> TokenizerError:
        tokenizer, _ = byte_tokenizer()
        change(tokenizer)
        with pytest.raises(TokenizerError) as raised:
            read_vocabulary(tokenizer, PATH, size)
        assert raised.value.path == str(PATH)
        return raised.value

    @pytest.mark.parametrize(
        "model",
        [
            *(None, [], {}, {"type": "Unigram"}, {"type": "BPE", "byte_fallback": True}),
            *({"vocab": vocab, "merges": []} for vocab in _NO_VOCABULARIES),
            *({"vocab": {"a": n}, "merges": []} for n in (-1, 1.5, "1", True, None)),
            {"vocab": {"a": 1, "b": 1}, "merges": []},
            {"vocab": {"a": 1}, "merges": [], "end_of_word_suffix": "</w>"},
            {"vocab": {"a": 1}, "merges": [], "continuing_subword_prefix": "##"},
            {"vocab": {"\ud800": 1}, "merges": []},
            *({"vocab": {"a": 1}, "merges": merges} for merges in (None, "a b", [5], [None])),
            *({"vocab": {"a": 1}, "merges": [merge]} for merge in ("a", "a b c", "a ", ["a"])),
            {"vocab": {"a": 1}, "merges": [[1, 2]]},
        ],
    )
    def test_model(self, model: Any) -> None:
        def change(tokenizer: dict[str, Any]) -> None:
            tokenizer["model"] = model
            tokenizer["added_tokens"] = []

        self.refuse(change)

    @pytest.mark.parametrize(
        "entry",
        [
            *(5, {}, {"id": 300}, {"content": "a"}, {"id": "300", "content": "a"}),
            *({"id": -1, "content": "a"}, {"id": 300, "content": ""}),
            {"id": 300, "content": "\udfff"},
        ],
    )
    def test_added_tokens(self, entry: Any) -> None:
        self.refuse(lambda tokenizer: tokenizer["added_tokens"].append(entry))

    def test_none(self) -> None:
        with pytest.raises(TokenizerError, match=r"no tokenizer\.json"):
            read_vocabulary({}, PATH, 320)

    def test_a_token_beyond_the_embeddings(self) -> None:
        tokenizer, _ = byte_tokenizer()
        tokenizer["added_tokens"].append({"id": 10**12, "content": "<far>"})
        with pytest.raises(ConfigError, match="vocab_size is smaller") as raised:
            read_vocabulary(tokenizer, PATH, 320)
        assert "<far>" in str(raised.value.expected)

    @pytest.mark.parametrize("normalizer", [{"type": "Lowercase"}, {"type": "Prepend"}])
    def test_a_normalizer_that_changes_text(self, tmp_path: Path, normalizer: Any) -> None:
        tokenizer, config = byte_tokenizer()
        tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [normalizer]}
        with pytest.raises(TokenizerError, match="normalizer"):
            of(tmp_path, tokenizer=(tokenizer, config))


class TestSplitting:
    @pytest.mark.parametrize("splitting", SPLITTINGS, ids=lambda splitting: splitting.name)
    def test_the_sample_is_split_as_tokenizers_does(self, splitting: Any) -> None:
        steps = [pre_tokenizers.Split(Regex(step), "isolated") for step in splitting.steps]
        pieces = pre_tokenizers.Sequence(steps).pre_tokenize_str(SAMPLE)
        assert split_sample(splitting.steps) == [text for text, _ in pieces]

    def test_the_sample_is_encoded_as_tokenizers_does(self) -> None:
        tokenizer, _ = qwen2_tokenizer()
        vocabulary = read_vocabulary(tokenizer, PATH, 152064)
        ranks = {pair: rank for rank, pair in enumerate(vocabulary.merges)}
        ours = encode_pieces(split_sample(QWEN2), vocabulary.ids, ranks, ignore_merges=False)
        assert ours == Tokenizer.from_str(json.dumps(tokenizer)).encode(SAMPLE).ids

    def test_every_byte_has_a_letter_of_its_own(self) -> None:
        letters = byte_letters()
        assert set(letters) == set(range(256))
        assert len(set(letters.values())) == 256
        assert (letters[0x20], letters[0x41], letters[0x0A]) == ("\u0120", "A", "\u010a")

    def test_a_fine_tune_with_more_tokens_is_recognised(self) -> None:
        """Its fingerprint is in no list; the expression still says everything."""
        tokenizer, _ = qwen2_tokenizer()
        # A merge that the sample text uses, as continued training of a tokenizer gives.
        tokenizer["model"]["vocab"]["3.3"] = 152000
        tokenizer["model"]["merges"].insert(0, "3 .")
        tokenizer["model"]["vocab"]["3."] = 152001
        vocabulary = read_vocabulary(tokenizer, PATH, 152064)
        assert recognise(tokenizer, vocabulary, PATH) == "qwen2"

    def test_fingerprints_tell_names_of_one_splitting_apart(self) -> None:
        tokenizer, _ = qwen2_tokenizer()
        vocabulary = read_vocabulary(tokenizer, PATH, 152064)
        plain = fingerprint(vocabulary, QWEN2)
        assert plain == "e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea"
        assert plain != fingerprint(vocabulary, QWEN2, [151643], [])
        # Qwen3-Embedding puts <|endoftext|> after a text.
        after = fingerprint(vocabulary, QWEN2, [], [151643])
        assert after == "d4540891389ea895b53b399da6ac824becc30f2fba0e9ddbb98f92e55ca0e97c"

    @pytest.mark.parametrize(
        ("regex", "ignore_merges", "name"),
        [(LLAMA3_REGEX, True, "llama-bpe"), (LLAMA3_REGEX, False, "smaug-bpe")],
    )
    def test_by_expression(self, regex: str, ignore_merges: bool, name: str) -> None:
        tokenizer, _ = byte_tokenizer(regex=regex, ignore_merges=ignore_merges)
        assert recognise(tokenizer, read_vocabulary(tokenizer, PATH, 320), PATH) == name

    def test_gpt2_and_smollm(self) -> None:
        tokenizer, _ = byte_tokenizer()
        vocabulary = read_vocabulary(tokenizer, PATH, 320)
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
        tokenizer["pre_tokenizer"] = byte_level
        assert recognise(tokenizer, vocabulary, PATH) == "gpt-2"
        digits = {"type": "Digits", "individual_digits": True}
        sequence = {"type": "Sequence", "pretokenizers": [digits, byte_level]}
        tokenizer["pre_tokenizer"] = sequence
        assert recognise(tokenizer, vocabulary, PATH) == "smollm"

    @pytest.mark.parametrize(
        "pre_tokenizer",
        [
            *(None, {}, [], {"type": "Whitespace"}, {"type": "Sequence", "pretokenizers": 5}),
            {"type": "Sequence", "pretokenizers": []},
            {"type": "ByteLevel", "add_prefix_space": True},
            {"type": "Split", "pattern": {"Regex": r"(a+)+$"}, "behavior": "Isolated"},
            {"type": "Split", "pattern": {"Regex": LLAMA3_REGEX}, "behavior": "Removed"},
            {
                "type": "Split",
                "pattern": {"Regex": LLAMA3_REGEX},
                "behavior": "Isolated",
                "invert": True,
            },
        ],
    )
    def test_an_unknown_one_lists_the_known_ones(self, pre_tokenizer: Any) -> None:
        tokenizer, _ = byte_tokenizer()
        tokenizer["pre_tokenizer"] = pre_tokenizer
        with pytest.raises(UnsupportedError) as raised:
            recognise(tokenizer, read_vocabulary(tokenizer, PATH, 320), PATH)
        names = ", ".join(dict.fromkeys(known.name for known in SPLITTINGS))
        assert raised.value.expected == f"that of {names}"
        assert "qwen2, llama-bpe, smaug-bpe" in names

    def test_qwen2_without_merges_first_is_not_qwen2(self) -> None:
        """llama.cpp would merge what this tokenizer takes whole."""
        tokenizer, _ = byte_tokenizer(ignore_merges=True)
        with pytest.raises(UnsupportedError):
            recognise(tokenizer, read_vocabulary(tokenizer, PATH, 320), PATH)


class TestSpecialTokens:
    def test_all_places_where_they_are_said(self, tmp_path: Path) -> None:
        """As the reader in llama.cpp's own converter has it, case by case."""
        for name, expected in load_golden("special-tokens")["cases"].items():
            values = keys(special_case(tmp_path, name))
            ours = {key: value for key, value in values.items() if key in SPECIAL_KEYS}
            assert (name, ours) == (name, expected)

    def test_the_post_processor_knows_better(self, tmp_path: Path) -> None:
        """As in the llama.cpp that this project runs on; older ones heard the config last."""
        values = of(
            tmp_path,
            tokenizer=byte_tokenizer(
                post_processor=template(BOS, "A"), bos_token=BOS, add_bos_token=False
            ),
        )
        assert values["ggml.add_bos_token"] is True
        assert (
            of(tmp_path, tokenizer=byte_tokenizer(add_bos_token=True))["ggml.add_bos_token"]
            is False
        )

    def test_a_token_with_a_role_is_a_control_token(self, tmp_path: Path) -> None:
        values = of(tmp_path, tokenizer=byte_tokenizer(pad_token="<think>"))
        assert values["ggml.token_type"][283] == CONTROL

    @pytest.mark.parametrize("post_processor", [5, [], {"processors": 5}, {"processors": [5, {}]}])
    def test_malformed_post_processors_say_nothing(
        self, tmp_path: Path, post_processor: Any
    ) -> None:
        tokenizer, config = byte_tokenizer()
        tokenizer["post_processor"] = post_processor
        values = of(tmp_path, tokenizer=(tokenizer, config))
        assert values["ggml.add_bos_token"] is False

    @pytest.mark.parametrize("part", [5, {}, {"SpecialToken": 5}, {"SpecialToken": {"id": 5}}])
    def test_malformed_templates_say_nothing(self, tmp_path: Path, part: Any) -> None:
        processor = {"type": "TemplateProcessing", "single": [part, part], "pair": [part] * 4}
        of(tmp_path, tokenizer=byte_tokenizer(post_processor=processor))
        processor = copy.deepcopy(processor) | {"single": part, "pair": part}
        of(tmp_path, tokenizer=byte_tokenizer(post_processor=processor))


def test_chat_templates(tmp_path: Path) -> None:
    named = [
        {"name": "default", "template": "a"},
        {"name": "tool use", "template": "b"},
        {"name": "rag", "template": "c"},
    ]
    values = of(tmp_path, tokenizer=byte_tokenizer(chat_template=named))
    assert values["chat_template"] == "a"
    assert values["chat_template.tool_use"] == "b"
    assert values["chat_templates"] == ("tool_use", "rag")
