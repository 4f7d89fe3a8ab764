"""The comparison with peers: its ratios, its pipe and its picture. No peer is installed and nothing is timed here."""

import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.peers.__main__ import ASKED, Worker, summary
from benchmarks.peers.environments import environment
from benchmarks.peers.picture import GROUPS, WIDTH_PX, draw

REPOSITORY = Path(__file__).parents[2]
TASKS = sorted({task for slower, faster, *_ in ASKED.values() for task in (slower, faster)})


def taken(rounds: int = 5) -> dict[str, list[dict[str, float]]]:
    """Task n takes 10 n ms, and once a thousand times that: somebody else wanted the machine."""
    return {
        task: [
            {"wall_ms": 10.0 * number * (1000 if turn == 2 else 1), "processor_ms": 9.0 * number, "said": 1}
            for turn in range(rounds)
        ]
        for number, task in enumerate(TASKS, start=1)
    }


def test_ratios_are_those_of_medians() -> None:
    ratios = summary(taken(), vnni=True)["ratios"]
    for name, (slower, faster, asked, _) in ASKED.items():
        expected = round((TASKS.index(slower) + 1) / (TASKS.index(faster) + 1), 2)
        assert (ratios[name]["wall"], ratios[name]["processor"], ratios[name]["asked"]) == (expected, expected, asked)


def test_without_vnni_the_ratios_of_int8_are_left_out_and_say_so() -> None:
    ratios = summary(taken(), vnni=False)["ratios"]
    for name, (*_, needs_vnni) in ASKED.items():
        assert (ratios[name] == {"skipped": "this CPU has no VNNI"}) is needs_vnni


def test_the_picture_has_every_bar_within_its_width_and_the_command_under_it() -> None:
    result = {"rounds": 5, "onnxruntime": "1.32.0", **summary(taken(), vnni=True)}
    picture = ET.fromstring(draw(result))
    said = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    bars = list(picture.iter("{http://www.w3.org/2000/svg}rect"))
    assert len(bars) == sum(len(rows) for rows in GROUPS.values())
    assert all(float(bar.get("x", "")) + float(bar.get("width", "")) < WIDTH_PX for bar in bars)
    assert said[-1] == "python -m benchmarks.peers --picture docs/speed.svg"


def test_a_worker_answers_for_each_task_whatever_its_libraries_print(tmp_path: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text(
        "import sys; print('a banner', flush=True)\n"
        "from benchmarks.peers.worker import serve\n"
        "serve({'three': lambda: print('noise') or 3, 'nothing': lambda: None}, release='1.0')\n"
    )
    worker = Worker([sys.executable, str(script)], {**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        assert (worker.tasks, worker.facts) == (["three", "nothing"], {"release": "1.0"})
        assert worker.ask("three")["said"] == 3
        answer = worker.ask("nothing")
        assert answer["said"] is None
        assert answer["wall_ms"] > 0
    finally:
        worker.close()


def test_a_worker_that_ends_early_is_named(tmp_path: Path) -> None:
    (tmp_path / "peer.py").write_text("import nothing_of_that_name")
    with pytest.raises(SystemExit, match=r"peer\.py.* ended early"):
        Worker([sys.executable, str(tmp_path / "peer.py")], dict(os.environ))


def test_peers_are_not_handicapped_by_the_machines_settings(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    given = environment(tmp_path)
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & set(given)
    assert given["OMP_NUM_THREADS"] == "1"
