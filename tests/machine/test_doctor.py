"""What the doctor says of recorded computers, as goldens. The recordings were written from what
these tools print (nvidia-smi, nvcc, sysctl, sysfs ...), not all taken on such a machine.

To make the goldens anew after a change, and look at the difference:
    python -m pytest tests/machine/test_doctor.py; git diff
with QWQ_GGUF_WRITE_GOLDENS=1 in the environment.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.cli.commands.doctor import report_lines
from qwq_gguf.machine.driver_reports import gpus_of
from qwq_gguf.machine.findings import BROKEN, Diagnosis, diagnose
from qwq_gguf.machine.installed import Installed
from qwq_gguf.machine.recording import Recording, look

CASES = sorted(Path(__file__).with_name("doctor").glob("*.json"))


def case(name: str) -> tuple[Recording, Installed]:
    value = json.loads(
        Path(__file__).with_name("doctor").joinpath(f"{name}.json").read_text("utf-8")
    )
    return Recording.from_json(value["recording"]), Installed.from_json(value["installed"])


def diagnosis(name: str) -> Diagnosis:
    return diagnose(*case(name))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_report_and_command(path: Path) -> None:
    said = "\n".join(report_lines(diagnosis(path.stem))) + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("QWQ_GGUF_WRITE_GOLDENS"):
        golden.write_text(said, "utf-8")
    assert said == golden.read_text("utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_recording_can_be_kept(path: Path) -> None:
    seen, installed = case(path.stem)
    assert Recording.from_json(json.loads(json.dumps(seen.to_json()))) == seen
    assert Installed.from_json(json.loads(json.dumps(installed.to_json()))) == installed
    json.dumps(diagnose(seen, installed).to_json())


@pytest.mark.parametrize(
    ("name", "build", "where"),
    [
        ("rtx3090-toolkit", "CUDA", "-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=86"),
        ("rtx4090-no-toolkit", "CUDA", "cu125"),
        ("rtx5090-cuda13", "CUDA", "cu130"),
        # A wheel for CUDA 13 leaves the P40 (6.1) out.
        ("p40-and-3060", "CUDA", "cu125"),
        ("rtx5090-python313", "CUDA", "-DGGML_CUDA=on"),
        ("rx7900xtx-rocm", "HIP", "-DGGML_HIP=on -DAMDGPU_TARGETS=gfx1100"),
        ("rx6800-vulkan", "Vulkan", "vulkan"),
        ("m3-pro-new", "Metal", "-DGGML_METAL=on"),
        ("m1-no-xcode", "Metal", "metal"),
        ("no-card-new", "CPU", "cpu"),
        ("wrong-version", "CPU", ""),
        ("plain-build", "CPU", "-DGGML_NATIVE=on"),
        ("windows-rtx4060ti", "CUDA", "cu125"),
        ("jetson-shared-memory", "CUDA", "-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=87"),
    ],
)
def test_what_is_to_be_installed(name: str, build: str, where: str) -> None:
    remedy = diagnosis(name).remedy
    assert remedy is not None
    assert remedy.build == build
    assert (remedy.cmake or remedy.index.rpartition("/")[2]) == where
    pip, uv = remedy.commands("linux")
    for command in (pip, uv):
        assert "llama-cpp-python==0.3.36" in command
        assert ("--only-binary llama-cpp-python" in command) == bool(remedy.index)


def test_pip_and_uv_know_all_these_arguments() -> None:
    remedy = diagnosis("rtx4090-no-toolkit").remedy
    assert remedy is not None
    assert remedy.pip_arguments[:3] == ("--force-reinstall", "--no-deps", "--no-cache-dir")
    assert remedy.commands("win32")[0].startswith("pip install")
    source = diagnosis("rtx3090-toolkit").remedy
    assert source is not None
    assert source.commands("win32")[0].startswith('$env:CMAKE_ARGS="-DGGML_CUDA=on ')


@pytest.mark.parametrize("name", ["cuda-works", "mi300x-works", "m2-max-works"])
def test_what_works_is_left_alone(name: str) -> None:
    found = diagnosis(name)
    assert found.well
    assert found.remedy is None


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("driver-mismatch", "restart the computer"),
        ("driver-not-loaded", "reinstall the driver"),
        ("container-without-tools", "docker run --gpus all"),
        ("wsl-no-path", "export PATH=$PATH:/usr/lib/wsl/lib"),
    ],
)
def test_a_driver_that_does_not_work_is_told_from_no_card(name: str, cure: str) -> None:
    found = diagnosis(name)
    assert not found.well
    broken = [each for each in found.findings if each.state == BROKEN]
    assert any(cure in (each.cure or "") for each in broken)
    assert not any("no card that a driver tells of" in each.text for each in found.findings)


def test_cards_are_read_from_their_drivers() -> None:
    (card,) = gpus_of(case("rtx4090-no-toolkit")[0])
    assert (card.memory, card.free) == (24564 << 20, 23028 << 20)
    (card,) = gpus_of(case("rx7900xtx-rocm")[0])
    assert (card.name, card.compute) == ("Radeon RX 7900 XTX", "gfx1100")
    assert gpus_of(case("mi300x-works")[0])[0].compute == "gfx942"
    assert gpus_of(case("rx6800-vulkan")[0])[0].compute == "gfx1030"
    (card,) = gpus_of(case("m2-max-works")[0])
    assert card.free == 81920 << 20
    (card,) = gpus_of(case("jetson-shared-memory")[0])
    assert card.memory is None
    assert card.compute == "8.7"


def test_hostile_names_stay_on_their_line() -> None:
    seen, installed = case("rtx4090-no-toolkit")
    said = seen.outputs["nvidia-smi"].out.replace("RTX", "\x1b[31mRTX\r")
    outputs = {**seen.outputs, "nvidia-smi": type(seen.outputs["nvidia-smi"])(0, said)}
    found = diagnose(Recording("linux", "x86_64", outputs, seen.files), installed)
    assert not any("\x1b" in line or "\r" in line for line in report_lines(found))


def test_looking_at_this_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("flags : avx2\n\nflags : other\n", "utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    tool = tools / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, Card, 100, 50, 8.6, 1.2'\n", "utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/bin:/usr/bin")
    seen = look(root=tmp_path, cards_only=True)
    assert seen.output("nvidia-smi").good
    assert seen.system == __import__("sys").platform
    assert "proc/cpuinfo" not in seen.files
    assert look(root=tmp_path).files["proc/cpuinfo"] == "flags : avx2"


def test_code_without_what_the_processor_has_is_found() -> None:
    seen, installed = case("plain-build")
    assert not diagnose(seen, installed).well
    # Older recordings don't say what it was compiled for, and nothing is said of them.
    for features in ((), ("SSE3", "AVX", "AVX2")):
        assert diagnose(seen, replace(installed, features=features)).well
    # Without a compiler there is no command, only what to do first.
    bare = diagnose(replace(seen, outputs={}), installed)
    assert bare.remedy is None
    assert not bare.well
    (found,) = (each for each in bare.findings if each.state == BROKEN)
    assert found.cure is not None
    assert "C++ compiler" in found.cure
    # Beside a card that is used, the rest is only slow.
    assert diagnosis("cuda-plain-wheel").well
