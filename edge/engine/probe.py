"""``python -m edge.engine.probe LIBRARY gpu|any``: one line of JSON that says what an engine would be built for.

It ends with 0 whatever it finds; a library that crashes takes this process down and nothing else.
"""

import json
import sys
from importlib import import_module
from typing import Any

from edge.backends.cuda import open_gpu
from edge.engine.machine import NO_GPU, board, l4t_release
from edge.errors import BackendMissing, DeviceFailed


def look(library: str, *, gpu_required: bool) -> dict[str, Any]:
    """The fields of ``Machine``, or why there are none. CUDA is asked first: a device count comes before all else."""
    try:
        gpu = _gpu()
    except (BackendMissing, DeviceFailed) as error:
        if gpu_required:
            return {"missing": str(error)}
        gpu = {"sku": NO_GPU, "sm": NO_GPU, "cuda": NO_GPU}
    try:
        version = import_module(library).__version__
    except (ImportError, OSError) as error:
        return {"missing": f"{library} cannot be imported: {error}"}
    return {**gpu, "l4t": l4t_release(), "tensorrt": f"{library} {version}"}


def _gpu() -> dict[str, str]:
    with open_gpu() as gpu:
        sku = f"{board() or gpu.name}, {gpu.multiprocessors} multiprocessors"
        return {"sku": sku, "sm": gpu.compute_capability, "cuda": gpu.cuda_version}


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1], gpu_required=sys.argv[2] == "gpu")))  # noqa: T201  the answer
