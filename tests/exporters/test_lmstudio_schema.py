"""`scripts/lmstudio_schema` reads a builder's calls without running them."""

from __future__ import annotations

import io
import json
import runpy
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Written for this test in the manner of the SDK.
CODE = """
library.valueType("numeric", { schemaMaker: 1, effectiveEquals: 2 })
    .valueType("string", { schemaMaker: 3, effectiveEquals: 4 });
const globalConfigSchematics = new KVConfigSchematicsBuilder(library)
    .extension("x")
    .field("plain", "string", {}, "a ) string ( with \\"quotes\\"")
    .scope("outer", builder => builder
    // a comment with .field("no", "string", {}) in it
    .field("number", "numeric", { min: -1, max: 500, int: true, slider: { min: 0, max: 9 } }, 40)
    .scope("inner", builder => builder.field("spread", "numeric", { ...shared, min: 0.5 }, 1))
    .field("after", "numeric", shared, [1, { a: ")" }]))
    .field("last", "string", { isParagraph: true }, "")
    .build();
const other = new KVConfigSchematicsBuilder(library).field("not", "string", {}, "").build();
"""


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "lmstudio_schema"))


def test_keys_types_and_limits(script: dict[str, Any]) -> None:
    assert script["read_keys"](CODE) == {
        "plain": {"type": "string"},
        "outer.number": {"type": "numeric", "min": -1, "max": 500, "int": True},
        "outer.inner.spread": {"type": "numeric", "min": 0.5},
        "outer.after": {"type": "numeric"},
        "last": {"type": "string"},
    }


def test_a_package_becomes_the_file(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "sdk.tgz"
    about = json.dumps({"name": "@lmstudio/sdk", "version": "9"})
    with tarfile.open(package, "w:gz") as archive:
        for name, text in (("package.json", about), ("dist/index.mjs", CODE)):
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    main = script["main"]
    monkeypatch.setitem(main.__globals__, "OUT", tmp_path / "keys.json")
    monkeypatch.setitem(main.__globals__, "ROOT", tmp_path)
    main(package)
    schema = json.loads((tmp_path / "keys.json").read_text())
    assert (schema["package"], schema["version"]) == ("@lmstudio/sdk", "9")
    assert set(schema["types"]) == {"numeric", "string"}
    assert schema["types"]["numeric"] != schema["types"]["string"]
    assert len(schema["keys"]) == 5
