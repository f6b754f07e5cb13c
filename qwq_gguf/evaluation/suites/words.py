"""Words to count letters in: common English ones, and invented ones without end."""

from __future__ import annotations

import random

__all__ = ["WORDS", "invented_word"]

WORDS = tuple(
    """
    apple banana cherry orange lemon melon grape peach plum mango papaya coconut strawberry
    blueberry raspberry blackberry cranberry gooseberry pineapple apricot avocado tomato potato
    carrot onion pepper cabbage lettuce spinach broccoli cauliflower zucchini pumpkin cucumber
    mushroom garlic ginger cinnamon vanilla chocolate coffee butter cheese yogurt noodle dumpling
    pancake waffle cookie biscuit pretzel sandwich omelette sausage pudding honey sugar flour
    dog cat horse cow sheep goat rabbit squirrel raccoon kangaroo giraffe elephant hippopotamus
    rhinoceros crocodile alligator chameleon salamander butterfly grasshopper mosquito bumblebee
    woodpecker nightingale flamingo pelican penguin sparrow swallow raven eagle falcon parrot
    dolphin whale shark octopus lobster barracuda salmon herring mackerel mussel otter beaver
    river mountain valley meadow forest desert island ocean glacier volcano canyon waterfall
    summer winter autumn spring january february monday tuesday wednesday thursday saturday
    house kitchen bedroom bathroom balcony chimney window door roof cellar garage garden fence
    table chair sofa cupboard bookcase mirror carpet curtain pillow blanket mattress candle
    bottle kettle spoon fork knife plate bowl saucer teapot scissors hammer screwdriver ladder
    bicycle motorcycle aeroplane helicopter submarine locomotive railway carriage lorry tractor
    computer keyboard monitor printer telephone camera television radio satellite telescope
    mathematics geometry algebra physics chemistry biology history geography philosophy grammar
    language alphabet sentence paragraph dictionary encyclopedia library bookkeeper committee
    mississippi tennessee massachusetts philadelphia cincinnati barcelona copenhagen amsterdam
    success possess address assess access accommodate occurrence embarrass millennium balloon
    necessary tomorrow beginning coordination cooperation parallel symmetry assassin possession
    happiness kindness darkness business wilderness weakness fullness illness stillness address
    letter better bitter butter otter matter pattern cotton button mitten kitten rotten flutter
    yellow purple crimson scarlet turquoise violet indigo emerald silver golden maroon lavender
    teacher doctor lawyer farmer sailor soldier painter plumber carpenter engineer librarian
    hello world question answer number letter word count sugar level rotor radar civic kayak
    queue rhythm jazz pizza fuzzy buzz quiz xylophone zebra oxygen galaxy axis extra index yacht
    """.split()  # noqa: SIM905  a list of 300 quoted words is harder to read
)

_ONSETS = "b c d f g h j k l m n p qu r s t v w x y z bl br ch cr dr fl gr pl pr sh st str th tr"
_VOWELS = "a e i o u ai ea ee ie oo ou"
_CODAS = "b d g k l ll m mm n nn p pp r rr s ss t tt x ck nd ng nt rd rn st"


def invented_word(rng: random.Random) -> str:
    """A word of 3 to 14 letters that no list holds: syllables, or letters at random."""
    length = rng.randint(3, 14)
    if rng.random() < 0.35:
        # A small alphabet repeats letters, which is what makes counting hard.
        alphabet = rng.sample("abcdefghijklmnopqrstuvwxyz", rng.randint(2, 12))
        return "".join(rng.choices(alphabet, k=length))
    onsets, vowels, codas = _ONSETS.split(), _VOWELS.split(), _CODAS.split()
    word = ""
    while len(word) < length:
        word += rng.choice(onsets) + rng.choice(vowels)
        if rng.random() < 0.5:
            word += rng.choice(codas)
    return word[:14]
