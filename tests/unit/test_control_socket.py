"""The control socket: many clients, rude ones, and files that a killed daemon left."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.control import client as asking
from edge.control import server as serving
from edge.control.client import ask, ask_once
from edge.control.protocol import ASK, MAX_REQUEST_BYTES, SOCKET, Ask, AskLogs, AskStatus, AskWatch, Line, short_path
from edge.control.server import MAX_CLIENTS, ControlServer
from edge.errors import ConfigError, ControlError, NoDaemon
from edge.lock import only_daemon_in

WITHIN_S = 10.0


class Desk:
    """Answers: a status at once, logs without end, and a watch that waits until its client has gone."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self.waiting = threading.Semaphore(0)

    def answer(self, question: Ask, over: Callable[[], bool]) -> Iterator[dict[str, Any] | None]:
        if isinstance(question, AskStatus):
            yield {"how": "well"}
        elif isinstance(question, AskLogs):
            while True:
                yield {"text": "x" * 100_000}
        elif isinstance(question, AskWatch):
            self.waiting.release()
            try:
                while not over():
                    yield None
            finally:
                self.left.set()
        else:
            raise ConfigError("no such thing; ask for another")


@contextmanager
def running(state: Path, desk: Desk | None = None) -> Iterator[Desk]:
    desk = desk or Desk()
    with only_daemon_in(state):
        server = ControlServer(state, desk.answer)
        server.start()
        try:
            yield desk
        finally:
            server.stop()


@contextmanager
def connected(state: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client, short_path(state) as folder:
        client.settimeout(WITHIN_S)
        client.connect(f"{folder}/{SOCKET}")
        yield client


def watch_to_its_end(state: Path) -> None:
    with suppress(ControlError):
        list(ask(state, AskWatch(), within_s=None))


def said(state: Path, request: bytes) -> dict[str, Any]:
    with connected(state) as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request)
        return json.loads(client.makefile("rb").readline())


def test_a_question_is_answered_and_the_socket_is_for_user_and_group_alone(tmp_path):
    with running(tmp_path):
        assert ask_once(tmp_path, AskStatus()) == {"how": "well"}
        assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o660
    assert not (tmp_path / SOCKET).exists()


def test_a_state_directory_longer_than_a_sockets_address_will_do(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    with running(deep):
        assert ask_once(deep, AskStatus()) == {"how": "well"}


def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path):
    with running(tmp_path):
        (tmp_path / "kept").hardlink_to(tmp_path / SOCKET)
    (tmp_path / "kept").rename(tmp_path / SOCKET)
    with pytest.raises(NoDaemon, match="no daemon runs"):
        ask_once(tmp_path, AskStatus())
    with running(tmp_path):
        assert ask_once(tmp_path, AskStatus()) == {"how": "well"}


def test_no_daemon_and_no_folder_are_told_with_what_to_do(tmp_path):
    for state in (tmp_path, tmp_path / "none"):
        with pytest.raises(NoDaemon, match="systemctl start canopy"):
            ask_once(state, AskStatus())


def test_an_error_of_canopys_own_reaches_the_client_in_its_words(tmp_path):
    with running(tmp_path), pytest.raises(ControlError, match="ask for another"):
        ask_once(tmp_path, ASK.validate_python({"ask": "settings"}))


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "READ_WITHIN_S", 0.2)
    with running(tmp_path), connected(tmp_path) as deaf:
        deaf.sendall(AskLogs().model_dump_json().encode() + b"\n")
        assert ask_once(tmp_path, AskStatus()) == {"how": "well"}
        received = 0
        with suppress(ConnectionResetError):
            threading.Event().wait(1.0)
            while part := deaf.recv(1_000_000):
                received += len(part)
        assert received < 20_000_000, "the server went on for a client that did not read"


def test_an_answer_that_waits_ends_when_its_client_goes(tmp_path):
    with running(tmp_path) as desk:
        with connected(tmp_path) as client:
            client.sendall(AskWatch().model_dump_json().encode() + b"\n")
            assert desk.waiting.acquire(timeout=WITHIN_S)
            assert not desk.left.is_set()
        assert desk.left.wait(WITHIN_S)


def test_one_client_too_many_is_told_so_and_served_when_another_has_gone(tmp_path):
    with running(tmp_path) as desk:
        threads = [threading.Thread(target=watch_to_its_end, args=(tmp_path,)) for _ in range(MAX_CLIENTS)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert desk.waiting.acquire(timeout=WITHIN_S)
        with pytest.raises(ControlError, match="end one of them"):
            ask_once(tmp_path, AskStatus())
    for thread in threads:
        thread.join(WITHIN_S)
    assert not any(thread.is_alive() for thread in threads)


def test_a_no_that_came_before_the_question_was_sent_is_read(tmp_path, monkeypatch):
    near, far = socket.socketpair()
    far.sendall(Line(ok=False, last=True, reason="end one of them").model_dump_json().encode() + b"\n")
    far.close()
    monkeypatch.setattr(asking, "_connected", lambda state_dir: near)
    with pytest.raises(ControlError, match="end one of them"):
        ask_once(tmp_path, AskStatus())


def test_a_request_has_a_size_and_a_time_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "REQUEST_WITHIN_S", 0.2)
    with running(tmp_path):
        assert "at most" in said(tmp_path, b" " * (MAX_REQUEST_BYTES + 4096))["reason"]
        assert "within" in said(tmp_path, b'{"ask":')["reason"]


def test_another_version_and_unknown_fields_are_refused(tmp_path):
    with running(tmp_path):
        for request in ({"ask": "status", "version": 2}, {"ask": "status", "more": 1}, {"ask": "shell"}, [1]):
            line = said(tmp_path, json.dumps(request).encode() + b"\n")
            assert (line["ok"], line["last"]) == (False, True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=st.binary(max_size=200))
def test_whatever_is_sent_is_answered_with_one_line_and_the_server_goes_on(tmp_path_factory, request):
    state = tmp_path_factory.mktemp("state")
    with running(state):
        line = said(state, request.replace(b"\n", b"") + b"\n")
        assert line["last"] or line["ok"]
        assert ask_once(state, AskStatus()) == {"how": "well"}
