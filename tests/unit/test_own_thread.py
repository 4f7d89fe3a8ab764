import threading

import pytest

from edge.backends.thread import OwnThread


def test_all_work_is_done_in_one_thread_in_order_and_gives_its_result():
    thread = OwnThread("worker")
    assert {thread.do(threading.get_ident) for _ in range(5)} - {threading.get_ident()}
    assert len({thread.do(threading.get_ident) for _ in range(5)}) == 1
    assert [thread.do(lambda n=n: n * n) for n in range(5)] == [0, 1, 4, 9, 16]
    thread.end()
    assert not any(each.name == "worker" for each in threading.enumerate())


def test_an_error_is_the_callers_and_the_thread_lives_on():
    thread = OwnThread("worker")
    with pytest.raises(ZeroDivisionError):
        thread.do(lambda: 1 // 0)
    assert thread.do(lambda: "fine") == "fine"
    thread.end()


def test_work_for_a_thread_that_has_ended_is_refused_and_not_waited_for():
    thread = OwnThread("worker")
    thread.end()
    with pytest.raises(RuntimeError, match="worker has ended"):
        thread.do(lambda: None)
