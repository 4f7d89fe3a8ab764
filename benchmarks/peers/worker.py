"""The far end of a pipe: a process that does one named task each time it is asked, and says how long it took.

Peers have environments of their own, so this file needs the standard library alone, and Python 3.10.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Task = Callable[[], Any]


def serve(tasks: dict[str, Task], **facts: Any) -> None:
    """Answer on stdout until stdin ends: first ``facts`` and the tasks' names, then a line for each name asked.

    Each task is done twice and the second time counts: what ran before on the machine has emptied the caches, and does
    so alike for a task of ten milliseconds and for one of a thousand.
    """
    answer, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print goes elsewhere
    print(json.dumps({"tasks": list(tasks), **facts}), file=answer, flush=True)
    for line in sys.stdin:
        task = tasks[line.strip()]
        task()
        wall_s, processor_s = time.perf_counter(), time.process_time()
        said = task()
        taken = {
            "wall_ms": (time.perf_counter() - wall_s) * 1e3,
            "processor_ms": (time.process_time() - processor_s) * 1e3,
            "said": said if isinstance(said, (int, float)) else None,
        }
        print(json.dumps(taken), file=answer, flush=True)
