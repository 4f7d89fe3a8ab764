"""The far end of a pipe: a process that does one named task each time it is asked, and says how long it took.

Peers have environments of their own, so this file needs the standard library alone, and Python 3.10.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Task = Callable[[], Any]

LONG_MS = 1000.0


def serve(tasks: dict[str, Task], **facts: Any) -> None:
    """Answer on stdout until stdin ends: first ``facts`` and the tasks' names, then a line for each name asked.

    Each task is done twice and the second time counts, because what ran before on the machine has emptied the caches;
    but once if it takes longer than ``LONG_MS``, to which caches are nothing.
    """
    last_ms: dict[str, float] = {}
    answer, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print goes elsewhere
    print(json.dumps({"tasks": list(tasks), **facts}), file=answer, flush=True)
    for line in sys.stdin:
        name = line.strip()
        task = tasks[name]
        if last_ms.get(name, 0.0) < LONG_MS:
            task()
        wall_s, processor_s = time.perf_counter(), time.process_time()
        said = task()
        last_ms[name] = (time.perf_counter() - wall_s) * 1e3
        taken = {
            "wall_ms": last_ms[name],
            "processor_ms": (time.process_time() - processor_s) * 1e3,
            "said": said if isinstance(said, (int, float)) else None,
        }
        print(json.dumps(taken), file=answer, flush=True)
