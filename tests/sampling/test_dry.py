from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.sampling import Dry
from qwq_gguf.sampling.dry import breaker_tokens, penalised_tokens

DRY = Dry(1.0, base=2.0, allowed_length=2, window="context")


def test_the_longest_repeat_counts() -> None:
    # 5 followed "1 2 3" (3 long), 6 followed "2 3" (2 long)
    assert penalised_tokens(DRY, [1, 2, 3, 5, 2, 3, 6, 1, 2, 3], {}) == {5: 2.0, 6: 1.0}


def test_short_repeats_are_allowed() -> None:
    assert penalised_tokens(DRY, [1, 5, 2, 1], {}) == {}
    assert penalised_tokens(DRY, [1, 2], {}) == {}


def test_a_breaker_ends_a_repeat() -> None:
    tokens = [1, 2, 3, 5, 1, 2, 3]
    assert penalised_tokens(DRY, tokens, {2: [()]}) == {}  # only 3 stands after the breaker 2
    assert penalised_tokens(DRY, tokens, {1: [()]}) == {5: 1.0}  # 2 3
    assert penalised_tokens(DRY, tokens, {9: [()]}) == {5: 2.0}
    assert penalised_tokens(DRY, tokens, {1: [(2,)]}) == {}  # "1 2" is the breaker


def test_a_token_that_is_a_breaker_may_be_repeated() -> None:
    assert penalised_tokens(DRY, [1, 2, 3, 5, 1, 2, 3], {5: [()]}) == {}


def test_the_penalty_is_finite() -> None:
    strong = Dry(1.0, base=1000.0, allowed_length=0, window="context")
    (lost,) = penalised_tokens(strong, [1] * 200, {}).values()
    assert lost == 1000.0**12  # float32 holds no more


def test_breakers_are_found_within_and_across_tokens() -> None:
    pieces = [b"a", b"\n", b"b\n\n", b"x#", b"##", b"y", b"#"]
    ids = {piece: token for token, piece in enumerate(pieces)}
    found = breaker_tokens(["\n", "##"], pieces, lambda text: [ids[text]])
    assert found == {1: ((),), 2: ((),), 3: ((6,),), 4: ((),), 6: ((6,),)}


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 4))
def test_only_tokens_that_would_repeat_are_lowered(tokens: list[int], allowed: int) -> None:
    stage = Dry(1.0, base=2.0, allowed_length=allowed, window="context")
    text = "".join(map(str, tokens))
    lost = penalised_tokens(stage, tokens, {})
    for token in range(4):
        # The longest tail that, followed by this token, stands earlier in the text.
        repeat = max(
            (
                n
                for n in range(len(text))
                if text[len(text) - n :] + str(token) in text[: len(text)]
            ),
            default=0,
        )
        if repeat >= max(allowed, 1) and len(text) > allowed:
            assert lost[token] == 2.0 ** (repeat - allowed)
        elif allowed > 0:
            assert token not in lost
