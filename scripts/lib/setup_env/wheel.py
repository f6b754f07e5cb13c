"""Compiling llama-cpp-python into a wheel, and the cache where the wheel stays.

Its registry holds sources only, and compiling them takes minutes. So it is done once for
each kind of machine and compiler, and the wheel goes to a folder of the user's, where
every checkout finds it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .compiler import Compiler, extra_flags, install_hint
from .errors import SetupError
from .lockfile import Pin, read_lock
from .meter import Meter
from .process import run_logged, tail
from .venv import Venv, Words, pip_environment

# Everything in the environment that changes what the build makes.
_BUILD_VARIABLES = (
    "CC",
    "CFLAGS",
    "CMAKE_ARGS",
    "CPPFLAGS",
    "CUDACXX",
    "CUDAHOSTCXX",
    "CXX",
    "CXXFLAGS",
    "HIPCXX",
    "LDFLAGS",
    "MACOSX_DEPLOYMENT_TARGET",
)
# The vision library is a quarter of the build, and nothing here loads it. RPC lends other machines'
# devices; its transport for InfiniBand would tie the wheel to a library of this machine's.
# CMAKE_ARGS wins over all of it.
_CMAKE_DEFINE = "LLAVA_BUILD=OFF;GGML_RPC=ON;GGML_RPC_RDMA=OFF"


@dataclass(frozen=True, slots=True)
class Build:
    """One way to build one release: equal values make interchangeable wheels."""

    version: str
    source_hashes: tuple[str, ...]
    platform: str
    libc: str
    compiler: str
    target: str
    variables: tuple[tuple[str, str], ...]
    defines: str = _CMAKE_DEFINE

    @property
    def key(self) -> str:
        """A name for the cache. No Python version: the wheel's tag says any Python 3."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.version}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def plan_build(pin: Pin, compiler: Compiler, environment: Mapping[str, str]) -> Build:
    """The build that this machine and environment ask for."""
    variables = {name: environment[name] for name in _BUILD_VARIABLES if environment.get(name)}
    if flags := extra_flags(compiler):
        for name in ("CFLAGS", "CXXFLAGS"):
            variables[name] = " ".join([variables.get(name, ""), *flags]).strip()
    return Build(
        version=pin.version,
        source_hashes=pin.hashes,
        platform=sysconfig.get_platform(),
        libc=" ".join(platform.libc_ver()),
        compiler=compiler.version,
        target=compiler.target,
        variables=tuple(sorted(variables.items())),
    )


def cached_wheel(cache: Path, build: Build) -> Path | None:
    """The wheel that this very build made earlier, if it is still what it was."""
    folder = cache / "wheels" / build.key
    try:
        facts = json.loads((folder / "build.json").read_text(encoding="utf-8"))
        wheel = folder / Path(facts["wheel"]).name
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return wheel if digest == facts["sha256"] else None


def build_wheel(
    build: Build, pin: Pin, tools: Path, cache: Path, log: Path, environment: Mapping[str, str]
) -> Path:
    """Compile, with progress on stderr, and put the wheel into the cache."""
    wheels = cache / "wheels"
    log.write_bytes(b"")
    meter = Meter("compiling llama.cpp")
    with tempfile.TemporaryDirectory(prefix="build-", dir=wheels) as folder:
        meter.update(0, 0)
        work = Path(folder)
        try:
            made = _compile(build, pin, tools, work, log, environment, meter)
        finally:
            meter.close()
        target = wheels / build.key
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        facts = {"wheel": made.name, "sha256": digest, "build": asdict(build)}
        target.mkdir(exist_ok=True)
        made.replace(target / made.name)
        (target / "build.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
        return target / made.name


def build_environment(
    build: Build, environment: Mapping[str, str], tools: Path, scratch: Path
) -> dict[str, str]:
    """What the build sees. Where SOURCE_DATE_EPOCH is set, as packagers do (Homebrew, Nix), ggml
    compiles for any processor of this kind: without AVX2, a token takes seven times as long.
    """
    kept = {name: value for name, value in environment.items() if name != "SOURCE_DATE_EPOCH"}
    return {
        **kept,
        **dict(build.variables),
        "PATH": f"{tools}:{environment.get('PATH', '')}",
        "SKBUILD_CMAKE_DEFINE": build.defines,
        "TMPDIR": str(scratch),
    }


def _compile(
    build: Build,
    pin: Pin,
    tools: Path,
    work: Path,
    log: Path,
    environment: Mapping[str, str],
    meter: Meter,
) -> Path:
    # CMake and Ninja get an environment that lives as long as the build, so that the
    # compiling tools are locked like everything else and do not stay behind.
    packages = read_lock(tools).text()
    workshop = Venv(work / "tools")
    workshop.ensure()
    workshop.install_locked(packages, log=log)
    (work / "tmp").mkdir()
    variables = build_environment(build, environment, workshop.folder / "bin", work / "tmp")
    source = work / "source"
    requirement = work / "requirement.txt"
    requirement.write_text(pin.text, encoding="utf-8")
    flags = ["--no-deps", "--no-build-isolation"]
    # Downloading checks the hashes of the lock; building then uses that very file.
    download: Words = ["download", *flags, "--no-binary", ":all:", "--require-hashes", "-d", source]
    workshop.pip([*download, "-r", requirement], log=log, environment=variables)
    (archive,) = source.iterdir()
    out = work / "wheel"
    command: Words = ["wheel", *flags, "--no-index", "--no-cache-dir", "-v", "-w", out, archive]
    status = run_logged(
        [workshop.python, "-m", "pip", *command],
        log=log,
        environment=pip_environment(variables),
        step=meter.update,
        patience=1.0,  # nothing of it is kept
    )
    if status != 0:
        meter.close()
        raise SetupError(
            f"llama-cpp-python could not be built; the end of its log:\n{tail(log, 30)}",
            hint=f"the whole log is {log}; if a tool is missing: {install_hint()}",
        )
    (wheel,) = out.glob("*.whl")
    return wheel
