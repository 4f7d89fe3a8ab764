"""How many scenes one core renders in a second: processor time, so that other work on the machine does not count.

python -m benchmarks.scenes
"""

import json
import time

import cv2

from training.synthetic import RENDERERS

COUNT, SIZE_PX = 60, 512


def main() -> None:
    cv2.setNumThreads(1)
    for name, renderer in RENDERERS.items():
        renderer.render(0, SIZE_PX, SIZE_PX)
        start_s = time.process_time()
        for seed in range(COUNT):
            renderer.render(seed, SIZE_PX, SIZE_PX)
        per_core_s = COUNT / (time.process_time() - start_s)
        print(json.dumps({"scenes": name, "size_px": SIZE_PX, "scenes_per_core_s": round(per_core_s, 1)}))


if __name__ == "__main__":
    main()
