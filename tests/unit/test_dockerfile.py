"""The Jetson's image: what it copies exists, it runs without root and torch, and its wheels exist for aarch64."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import app

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile.jetson"
SECRET = re.compile(r"password|token|secret|BEGIN [A-Z ]*KEY", re.IGNORECASE)
GLIBC = {"3.10": 35, "3.12": 39}
"""Ubuntu 22.04 of JetPack 6, 24.04 of JetPack 7."""

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Each instruction with its words, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parted = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in parted]


def words_of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = [[]]
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found[1:]


def requirements() -> list[str]:
    tomllib = pytest.importorskip("tomllib", reason="reading pyproject.toml needs Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["edge"]]


def test_every_instruction_is_one_that_docker_knows() -> None:
    known = {
        *("ARG", "FROM", "RUN", "WORKDIR", "COPY", "LABEL", "ENV", "USER", "VOLUME", "STOPSIGNAL"),
        *("HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    assert {name for name, _ in instructions()} <= known
    assert all(shlex.split(rest) for _, rest in instructions())


def test_there_is_a_stage_to_build_in_and_one_to_run_on_the_same_base() -> None:
    assert words_of("FROM") == ["${BASE} AS build", "${BASE} AS runtime"]
    assert instructions()[0] == ("ARG", "BASE=nvcr.io/nvidia/l4t-tensorrt:r10.3.0-runtime")
    last = dict(stages()[-1])
    assert "pip" not in last["RUN"]
    assert "apt-get" not in last["RUN"]


def test_what_is_copied_exists_and_docker_is_given_it_and_nothing_else() -> None:
    copied = [word for rest in words_of("COPY") if not rest.startswith("--from=") for word in shlex.split(rest)[:-1]]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    lines = (ROOT / "Dockerfile.jetson.dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied)


def test_it_runs_as_an_ordinary_user_and_ends_as_the_daemon_wants_it() -> None:
    runtime = dict(stages()[-1])
    assert runtime["USER"] == "canopy"
    assert (runtime["STOPSIGNAL"], runtime["ENTRYPOINT"], runtime["CMD"]) == ("SIGTERM", '["canopy"]', '["run"]')


def test_the_health_check_runs_commands_that_exist() -> None:
    (check,) = words_of("HEALTHCHECK")
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    asked = re.findall(r"canopy (\w+)", check)
    assert asked == ["status", "doctor"]
    assert set(asked) <= commands


def test_neither_torch_nor_a_secret_is_in_it() -> None:
    text = DOCKERFILE.read_text()
    assert not SECRET.search("\n".join(rest for _, rest in instructions()))
    assert "torch" not in " ".join([*(rest for _, rest in instructions()), *requirements()])
    assert "EXPOSE" not in text


@pytest.mark.slow
@pytest.mark.parametrize("python", GLIBC)
def test_the_wheel_set_resolves_for_aarch64(tmp_path: Path, python: str) -> None:
    """Every package in a built wheel: a Jetson compiles nothing. Markers are those of the Python that runs this."""
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC[python] + 1)]
    options = ["--platform=manylinux2014_aarch64", f"--python-version={python}", "--implementation=cp"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, *platforms, *options, f"--dest={tmp_path}", *requirements()],
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    if done.returncode and re.search(r"connection|resolve host|timed out|retr", done.stderr, re.IGNORECASE):
        pytest.skip(f"no package registry is reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    names = {path.name.partition("-")[0].lower() for path in tmp_path.iterdir()}
    assert {"onnxruntime", "numpy", "opencv_python_headless", "pydantic_core"} <= names
    assert not names & {"torch", "lightning", "onnx", "sqlalchemy", "fastapi"}
    assert all(path.name.endswith(("-any.whl", "aarch64.whl")) for path in tmp_path.iterdir())
