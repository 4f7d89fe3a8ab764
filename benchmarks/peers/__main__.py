"""How fast Canopy is beside what people use today: ratios of medians, everything interleaved, one thread each.

    python -m benchmarks.peers [--peers build/peers] [--rounds 40] [--package DIR] [--picture docs/speed.svg]

Makes an environment for each peer (ultralytics brings its own torch: gigabytes), builds YOLO11n-seg from its yaml, and
prints JSON. Nothing of a peer is part of this repository. Every round asks each task once, there and back.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks.loop import pictures
from benchmarks.peers.environments import environment, python_of
from benchmarks.peers.picture import draw

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
FRAME: Final = 60
"""Of the demo's clip: fifteen pots, most of them grown."""

ASKED: Final = {
    # name: (slower task, faster task, at least, needs VNNI)
    "network INT8 against YOLO11n-seg FP32": ("yolo fp32", "canopy int8", 5.0, True),
    "network INT8 against YOLO11n-seg's best INT8": ("yolo int8", "canopy int8", 3.5, True),
    "network INT8 against its own FP32": ("canopy fp32", "canopy int8", 2.4, True),
    "step against ultralytics.predict() and contours": ("yolo predict", "canopy step", 6.0, False),
    "step against ultralytics.predict() that finds nothing": ("yolo predict nothing", "canopy step", None, False),
    "step against PlantCV with colour, 10 objects": ("plantcv", "canopy step", 60.0, False),
    "step against PlantCV without colour": ("plantcv without colour", "canopy step", None, False),
}


class Worker:
    """A peer in its process, asked over pipes."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=REPOSITORY
        )
        self.facts = self._answer()
        self.tasks: list[str] = self.facts.pop("tasks")

    def close(self) -> None:
        """End its input, and with it the process."""
        self._process.communicate(timeout=30)

    def ask(self, task: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(task + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries have things to say while they are loaded
                return dict(json.loads(line))
        self.close()
        raise SystemExit(f"{self._process.args} ended early")


def workers(package: Path, peers: Path) -> Iterator[Worker]:
    """Ours, ultralytics and PlantCV, on the same frame."""
    env, folder = environment(peers), peers / "work"
    folder.mkdir(parents=True, exist_ok=True)
    frame, yolo = folder / "frame.png", folder / "yolo11n-seg.onnx"
    cv2.imwrite(str(frame), list(pictures(1))[FRAME])
    ultralytics = str(python_of(peers, "yolo"))
    if not yolo.exists():
        subprocess.run(
            [ultralytics, HERE / "yolo_peer.py", "export", folder], check=True, env=env, cwd=folder, stdout=sys.stderr
        )
    (folder / "outbox.sqlite").unlink(missing_ok=True)
    ours = [sys.executable, "-m", "benchmarks.peers.ours", str(package), str(yolo), str(frame), str(folder)]
    yield Worker(ours, env | {"PYTHONPATH": str(REPOSITORY)})
    yield Worker([ultralytics, str(HERE / "yolo_peer.py"), "serve", str(yolo), str(frame)], env)
    yield Worker([str(python_of(peers, "plantcv")), str(HERE / "plantcv_peer.py"), str(frame)], env)


def measure(open_workers: list[Worker], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Every task once a round, in turn there and back."""
    turns = [(worker, task) for worker in open_workers for task in worker.tasks]
    taken: dict[str, list[dict[str, Any]]] = {task: [] for _, task in turns}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", end="\r", file=sys.stderr)
        for worker, task in turns if number % 2 else reversed(turns):
            taken[task].append(worker.ask(task))
    return taken


def summary(taken: dict[str, list[dict[str, Any]]], *, vnni: bool) -> dict[str, Any]:
    """Medians of each task, and the ratios that are asked for; those of INT8 only where the CPU has units for it."""
    medians = {
        task: {
            **{
                unit: round(statistics.median(each[unit] for each in entries), 3)
                for unit in ("wall_ms", "processor_ms")
            },
            "found": entries[0]["said"],
        }
        for task, entries in taken.items()
    }
    ratios: dict[str, Any] = {}
    for name, (slower, faster, asked, needs_vnni) in ASKED.items():
        if needs_vnni and not vnni:
            ratios[name] = {"skipped": "this CPU has no VNNI"}
            continue
        by_round = [a["wall_ms"] / b["wall_ms"] for a, b in zip(taken[slower], taken[faster], strict=True)]
        ratios[name] = {
            "asked": asked,
            "wall": round(medians[slower]["wall_ms"] / medians[faster]["wall_ms"], 2),
            "wall_median_of_rounds": round(statistics.median(by_round), 2),
            "processor": round(medians[slower]["processor_ms"] / medians[faster]["processor_ms"], 2),
        }
    return {"ms": medians, "ratios": ratios}


def has_vnni() -> bool:
    """Whether the CPU multiplies bytes four at a time."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return bool({"avx512_vnni", "avx_vnni"} & {*flags})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("build/peers"), help="where their environments are made")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--package", type=Path, default=REPOSITORY / "packages" / "rosette")
    parser.add_argument("--picture", type=Path, help="an SVG to draw")
    args = parser.parse_args()
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(worker)) for worker in workers(args.package.resolve(), args.peers.resolve())
        ]
        taken = measure(opened, args.rounds)
        facts = {name: value for worker in opened for name, value in worker.facts.items()}
    result = {"rounds": args.rounds, "load": os.getloadavg(), **facts, **summary(taken, vnni=has_vnni())}
    print(json.dumps(result, indent=2))
    if args.picture:
        args.picture.write_text(draw(result), encoding="utf-8")


if __name__ == "__main__":
    main()
