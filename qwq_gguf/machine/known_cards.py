"""Cards by name with their published memory and bandwidth, and what `--device` means."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from qwq_gguf.errors import UsageError
from qwq_gguf.machine.devices import GIB, Device, Machine, modelled_memory
from qwq_gguf.resources import machine_data
from qwq_gguf.toml_table import Table, read_toml, toml_table
from qwq_gguf.words import did_you_mean

__all__ = ["KnownCard", "KnownChip", "known_cards", "known_chips", "model_device", "published"]

_MOST_BYTES = 1 << 18
_MOST_CARDS = 16
_COUNTED = re.compile(r"(?:(\d{1,2})\s*x\s*)?(.+)")
_SIZE = re.compile(r"(\d{1,4})\s*gi?b(?:@(\d{1,5}))?")
_APPLE = re.compile(r"(?:apple\s*)?(m\d)[\s-]*(pro|max|ultra)?[\s-]*(\d{1,4})\s*gb")
# What Metal lets a program have of the memory: two thirds, three quarters of larger ones.
# https://github.com/ggml-org/llama.cpp/discussions/2182
_SMALL_APPLE, _SHARES = 36, (2 / 3, 3 / 4)


@dataclass(frozen=True, slots=True)
class KnownCard:
    """A card: memory in bytes, bandwidth in bytes a second, and the page that says so."""

    name: str
    aka: tuple[str, ...]
    maker: str
    memory: int
    bandwidth: float
    source: str
    server: bool = False


@dataclass(frozen=True, slots=True)
class KnownChip:
    """A chip of Apple's, with the memories that it is sold with, in GB."""

    name: str
    sizes: tuple[int, ...]
    bandwidth: float
    source: str


@cache
def known_cards() -> tuple[KnownCard, ...]:
    """All of the table."""
    return tuple(
        KnownCard(
            card.text("name"),
            card.texts("aka") if "aka" in card else (),
            family.text("maker"),
            card.whole("memory", 1, 4096) * GIB,
            card.number("bandwidth") * 1e9,
            family.text("source"),
            bool(family.flag("server")),
        )
        for family in _data().tables("family")
        for card in family.tables("cards")
    )


@cache
def known_chips() -> tuple[KnownChip, ...]:
    """All of Apple's in the table."""
    return tuple(
        KnownChip(
            chip.text("name"),
            tuple(int(size) for size in chip.values["sizes"]),
            chip.number("bandwidth") * 1e9,
            family.text("source"),
        )
        for family in _data().tables("chip")
        for chip in family.tables("chips")
    )


def published(name: str) -> KnownCard | None:
    """The card that a driver calls so: the longest name of the table that is in it."""
    text = f" {_spelt(name)} "
    found = [
        (len(_spelt(each)), card)
        for card in known_cards()
        for each in (card.name, *card.aka)
        if f" {_spelt(each)} " in text
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def model_device(text: str, here: Machine, ram: int | None = None) -> Machine:
    """The machine that `--device` names: `24GB`, `24GB@936`, `rtx3090`, `2x16GB`, `m3-36gb`,
    `cpu`; its main memory is `ram` bytes, else as much as `here`.

    UsageError for what is none of these.
    """
    word = text.strip().lower()
    memory = here.ram if ram is None else modelled_memory(ram)
    if word == "cpu":
        return replace(here, name="this machine without a card", ram=memory, cards=())
    if apple := _APPLE.fullmatch(word):
        return _apple(apple[1].upper(), (apple[2] or "").title(), int(apple[3]), text)
    found = _COUNTED.fullmatch(word)
    number = int(found[1] or 1) if found else 0
    if found is None or not 1 <= number <= _MOST_CARDS:
        raise UsageError(f"--device: {text[:40]} is no device", expected=_EXAMPLES)
    card = _card(found[2].strip(), text)
    cards = tuple(replace(card, number=place) for place in range(number))
    name = card.name if number == 1 else f"{number} x {card.name}"
    return Machine(name, memory, cards, cores=here.cores)


_EXAMPLES = "24GB, rtx3090, rx7900xtx, m3-36gb, 2x16GB or cpu"


def _card(word: str, text: str) -> Device:
    if size := _SIZE.fullmatch(word):
        memory = int(size[1]) * GIB
        if size[2]:
            return Device(f"card of {size[1]} GB", memory, memory, float(size[2]) * 1e9, "as given")
        # The slowest with as much memory: nobody is disappointed.
        alike = [card for card in known_cards() if card.memory == memory]
        alike = [card for card in alike if not card.server] or alike
        least = min(alike or known_cards(), key=lambda card: card.bandwidth)
        told = f"as of the slowest known one, {least.name}" if alike else "a guess"
        return Device(f"card of {size[1]} GB", memory, memory, least.bandwidth, told)
    for card in known_cards():
        if word.replace(" ", "").replace("-", "") in {
            _spelt(each).replace(" ", "") for each in (card.name, *card.aka)
        }:
            return Device(card.name, card.memory, card.memory, card.bandwidth, card.source)
    names = [_spelt(card.name).replace(" ", "") for card in known_cards()]
    raise UsageError(
        f"--device: no card called {text[:40]} is known",
        expected=_EXAMPLES,
        hint=did_you_mean(word, names) or "give its memory and bandwidth: 24GB@936",
    )


def _apple(family: str, kind: str, size: int, text: str) -> Machine:
    names = (
        (f"{family} {kind}",)
        if kind
        else tuple(f"{family}{more}" for more in ("", " Pro", " Max", " Ultra"))
    )
    fitting = [chip for chip in known_chips() if chip.name in names and size in chip.sizes]
    if not fitting:
        known = [f"{chip.name}: {', '.join(map(str, chip.sizes))} GB" for chip in known_chips()]
        alike = [line for line in known if line.startswith(family)]
        raise UsageError(
            f"--device: there is no {text[:40]}", expected="; ".join(alike) or _EXAMPLES
        )
    chip = min(fitting, key=lambda each: each.bandwidth)
    memory = size * GIB
    share = _SHARES[size > _SMALL_APPLE]
    name = f"Apple {chip.name} with {size} GB"
    card = Device(name, int(memory * share), int(memory * share), chip.bandwidth, chip.source)
    # Its processor cores alone do not fill it; half is a guess.
    ram = replace(modelled_memory(memory), bandwidth=chip.bandwidth / 2, source=chip.source)
    return Machine(name, ram, (card,), unified=True)


def _spelt(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()


@cache
def _data() -> Table:
    path = machine_data("cards.toml")
    return toml_table(
        read_toml(path, _MOST_BYTES, "table of cards", UsageError), "table", UsageError
    )
