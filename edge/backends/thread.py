"""One thread that does all the work of one kind: what CUDA asks of whoever uses its contexts."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class OwnThread:
    """Does work in a thread of its own, in order; callers wait for the result.

    It is a daemon thread, not one of a pool: a pool's threads are ended before the program's own last steps, and pycuda
    aborts the process when a thread ends that still has a context.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._giving = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], T]) -> T:
        """Have ``work`` done; its result, or its error.

        Raises:
            RuntimeError: the thread has ended.
        """
        future: Future[T] = Future()
        with self._giving:
            if self._ended:
                raise RuntimeError(f"the thread {self._thread.name} has ended")
            self._work.put((work, future))
        return future.result()

    def end(self) -> None:
        """End the thread when what it was given is done."""
        with self._giving:
            self._ended = True
            self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  it belongs to the caller
                future.set_exception(error)
            del item, work, future  # what a result refers to must not live on here
