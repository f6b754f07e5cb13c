"""The model card: front matter that the Hub and its local apps read, then what people want to know.

What stands between the lines of `---` is read by the Hub
(https://huggingface.co/docs/hub/model-cards): `base_model` with the relation `quantized` puts the
repository on the page of its base, `library_name: gguf` and the files' names make the buttons of
the local apps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from qwq_gguf.exporters.yaml_text import to_yaml
from qwq_gguf.publication.values import Origin, Published, Quant
from qwq_gguf.words import human_bytes, one_line

__all__ = ["model_card"]

# What Markdown or HTML would take for more than a letter.
_MARKS = re.compile(r"([\\`*{}\[\]#!|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_OWN_TAGS = ("gguf", "qwq-gguf", "quantized")
_MOST_TAGS = 20
_ATTESTED = ".attestation."
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]+)?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+/:-]{0,60}")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9._+-]{0,60}")
_LINK = re.compile(r"(https?://[A-Za-z0-9._~/%?#=&:+-]{1,300}|[A-Za-z0-9._/-]{1,200})")


def model_card(model: Published) -> str:
    """README.md of the repository."""
    parts = [
        f"---\n{to_yaml(_front_matter(model))}---",
        f"# {_text(model.name)} as GGUF",
        "\n".join(_about(model)),
        "## Which file\n\n" + "\n".join(_quants(model)),
        "## How to run it\n\n" + "\n".join(_commands(model)),
        "## How it is meant to be run\n\n" + "\n".join(_chain(model)),
        "## How it was made\n\n" + "\n".join(_made(model)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(model: Published) -> dict[str, object]:
    front: dict[str, object] = {}
    if model.base is not None:
        front |= {"base_model": model.base, "base_model_relation": "quantized"}
    if model.license and _LICENSE.fullmatch(model.license.lower()):
        front["license"] = model.license.lower()
        if model.license_name:
            front["license_name"] = one_line(model.license_name, 100)
        if model.license_link and _LINK.fullmatch(model.license_link):
            front["license_link"] = model.license_link
    languages = [each for each in model.languages if _LANGUAGE.fullmatch(each)]
    if languages:
        front["language"] = languages[:_MOST_TAGS]
    front |= {
        "pipeline_tag": "text-generation",
        "library_name": "gguf",
        "quantized_by": model.owner,
    }
    known = [tag for tag in model.tags if _WORD.fullmatch(tag) and tag != "text-generation"]
    thinks = ("reasoning",) if model.thinks else ()
    imatrix = ("imatrix",) if _with_imatrix(model) else ()
    tags = dict.fromkeys((*_OWN_TAGS, *thinks, *imatrix, *known[:_MOST_TAGS]))
    return {**front, "tags": list(tags)}


def _with_imatrix(model: Published) -> bool:
    origins = (quant.origin for quant in model.quants)
    return any(origin is not None and origin.imatrix is not None for origin in origins)


def _about(model: Published) -> Iterator[str]:
    if model.base is None:
        yield f"Quants of {_text(model.name)}."
    else:
        at = "" if model.commit is None else f" at commit `{model.commit}`"
        yield f"Quants of [{_text(model.base)}](https://huggingface.co/{model.base}){at}."
    if model.context is not None:
        yield f"The model knows {model.context:,} tokens of context."
    if model.thinks:
        yield "It thinks before it answers: leave room for the thought in the context."


def _quants(model: Published) -> Iterator[str]:
    measured = any(quant.quality is not None for quant in model.quants)
    head = ["quant", "size", "bits a weight"]
    if measured:
        head += ["KL divergence", "same first choice"]
    head.append("goes whole on")
    rows = []
    for quant in sorted(model.quants, key=lambda each: each.nbytes):
        name = f"[{_text(quant.label)}]({quant.files[0]})"
        if len(quant.files) > 1:
            name += f" ({len(quant.files)} files)"
        row = [name, human_bytes(quant.nbytes), f"{quant.bits:.2f}"]
        if measured:
            row += _quality(quant)
        rows.append([*row, _room(quant)])
    yield from _table(head, rows, left=(0, len(head) - 1))
    yield ""
    yield (
        "The last column is the smallest graphics card that holds all of it with "
        f"{'a typical thought' if model.thinks else 'its context'}, and the context that it has "
        "there, as `qwq-gguf fit` computes it. Smaller cards take it in part."
    )
    if measured:
        yield (
            "KL divergence is the mean over all places, in nats, from the reference that was "
            "measured beside it (`qwq-gguf eval quality`): 0 is the same model."
        )


def _quality(quant: Quant) -> list[str]:
    quality = quant.quality
    if quality is None:
        return ["", ""]
    same = "" if quality.same_top is None else f"{100 * quality.same_top:.2f} %"
    return [f"{quality.kld:.5f}", same]


def _room(quant: Quant) -> str:
    room = quant.room
    if room is None:
        return "no single machine that we know"
    kept = "" if room.kind == "f16" else f", kept in {room.kind}"
    return f"{room.device} ({room.context:,} tokens{kept})"


def _commands(model: Published) -> Iterator[str]:
    usual, there = model.usual, model.site == "modelscope"
    name = f"{model.repo}:{usual.tag}"
    ollama = f"{'modelscope.cn' if there else 'hf.co'}/{name}"
    own = f"modelscope:{name}" if there else name
    yield f"With {_text(usual.label)}; any other quant goes by its name behind the colon."
    if len(usual.files) == 1:
        yield ""
        yield "Ollama" + (f" (reads {_list(model.ollama)} here):" if model.ollama else ":")
        yield from _code(f"ollama run {ollama}")
        if model.unsaid:
            yield ""
        for sentence in model.unsaid:
            yield f"- It cannot be told: {_text(sentence, 300)}"
        if model.unsaid:
            yield f"- `qwq-gguf fix {own}` shows what comes of that, and what cures it."
    if not there:
        yield ""
        yield "LM Studio:"
        yield from _code(f"lms get {model.repo}@{usual.tag.lower()}")
    yield ""
    yield "llama.cpp, which takes the sampler settings from the file:"
    endpoint = "MODEL_ENDPOINT=https://www.modelscope.cn/ " if there else ""
    yield from _code(f"{endpoint}llama-server -hf {name}")
    yield ""
    yield "qwq-gguf:"
    yield from _code(f"qwq-gguf chat {own}")


def _chain(model: Published) -> Iterator[str]:
    profile = model.profile
    rows = [
        [_text(row.stage), _text(row.setting), _text(str(row.value))]
        for row in profile.chain.describe()
        if row.setting and not row.off
    ]
    yield f"The profile {_text(profile.name)}, in the order in which it acts:"
    yield ""
    yield from _table(["stage", "setting", "value"], rows, left=(0, 1, 2))
    yield ""
    stops = ", ".join(_text(stop) for stop in profile.stops)
    context = min(profile.context, model.context or profile.context)
    yield f"Context {context:,} tokens" + (f"; a reply ends at {stops}." if stops else ".")
    yield (
        "The files carry this in their keys (`general.sampling.*`). A runtime that sends its own "
        "numbers with each request goes over it; `qwq-gguf conformance` compares."
    )


def _made(model: Published) -> Iterator[str]:
    known = [(quant, quant.origin) for quant in model.quants if quant.origin is not None]
    if not known:
        yield "Nothing beside the files says how they were made."
        return
    rows = [_origin_row(quant, origin) for quant, origin in known]
    yield from _table(["quant", "recipe", "source", "by", "importance matrix"], rows, left=range(5))
    yield ""
    for quant, origin in known:
        for file, digest in zip(quant.files, origin.sha256, strict=False):
            yield f"- `{file}`: sha256 `{digest}`"
    if len(known) < len(model.quants):
        yield "- The other files have no manifest: nothing says how they were made."
    yield ""
    yield (
        "A manifest beside each has the recipe's text, all options and the digest of every tensor. "
        "To make them again from the source and compare:"
    )
    quant, origin = next(((q, o) for q, o in known if q is model.usual), known[0])
    source = model.base if origin.commit is None else f"{origin.source}@{origin.commit}"
    more = "" if origin.imatrix is None else " --imatrix IMATRIX"
    if model.base is not None:
        yield from _code(f"qwq-gguf verify {quant.files[0]} --source {source} --all{more}")
    attested = [name for each in model.quants for name in each.proofs if _ATTESTED in name]
    if attested:
        yield ""
        yield (
            f"Somebody has done so, and signed what was found: {_list(attested)}. With a public "
            "key that you have from its owner, this asks for such a signature:"
        )
        there = "modelscope:" if model.site == "modelscope" else ""
        yield from _code(f"qwq-gguf verify {there}{model.repo}:{quant.tag} --trust KEY.pub")
    if model.imatrix:
        yield ""
        yield f"The importance matrix lies here too: {_list(model.imatrix)}."


def _origin_row(quant: Quant, origin: Origin) -> list[str]:
    at = "" if origin.commit is None else f"@{origin.commit[:12]}"
    return [
        _text(quant.label),
        _text(origin.recipe),
        _text(origin.source) + at,
        _text(origin.program),
        "none" if origin.imatrix is None else _text(origin.imatrix),
    ]


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]
) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' if at in left else '--:' for at in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(line: str) -> Iterator[str]:
    yield ""
    yield f"    {line}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _text(text: str, limit: int = 200) -> str:
    """A stranger's text as text: nothing in it is Markdown, HTML or invisible."""
    marked = _MARKS.sub(r"\\\1", one_line(text, limit))
    for letters, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("://", "&#58;//")):
        marked = marked.replace(letters, entity)
    return marked
