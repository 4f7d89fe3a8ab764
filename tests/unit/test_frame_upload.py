"""Frames over a real HTTPS service: resumed, acknowledged, bounded, and refused where they are not what they say."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from edge.contract.commands import Command, CommandKind
from edge.contract.frames import PIECE_BYTES, KeptFrame, frame_path, signed_text
from edge.enroll import talk
from edge.enroll.identity import Identity, IdentityFolder
from edge.errands import Errands
from edge.errors import ControlError, EnrolmentRefused, FleetUnreachable, IdentityError
from edge.harvest.shelf import Shelf, all_frames
from edge.harvest.upload import Courier, FrameUpload, is_hour, send_all
from edge.settings.harvest import FrameUploadSettings
from fleet import schema
from fleet.ca import enrolment
from fleet.errors import StoreUnavailable
from fleet.frames.desk import FrameDesk
from fleet.service import listen, serve_web
from fleet.settings import FrameSettings, HttpSettings, TlsSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.authority import Authority, now
from tests.sim.waiting import wait_for
from tests.unit.test_harvest import described

WELL = SimpleNamespace(connected=True, writing=True, tally=dict)
FAST = FrameUploadSettings(bytes_per_s=0)
NEVER = threading.Event()

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")


class Home:
    """A fleet service that takes frames, and a device ``gh/cam`` that has enrolled there."""

    def __init__(self, folder: Path, authority: Authority, parts: ExitStack, device_day_bytes: int) -> None:
        self.folder, self.authority = folder, authority
        self.store = Store(f"sqlite:///{folder / 'fleet.sqlite'}")
        parts.callback(self.store.close)
        certificate, key = authority.server("localhost")
        http = HttpSettings(port=0, tls=TlsSettings(certificate=certificate, key=key))
        self.desk = FrameDesk(self.store, folder / "frames", FrameSettings(device_day_bytes=device_day_bytes))
        app = create_app(
            self.store, WELL, authority=(authority, enrolment.Terms()), frames=self.desk  # type: ignore[arg-type]
        )  # fmt: skip
        listening = parts.enter_context(listen(http))
        parts.enter_context(serve_web(app, listening, http))
        self.url = f"https://localhost:{listening.getsockname()[1]}"
        self.state = folder / "device"
        self.identity = self.enrol("gh/cam", self.state)
        self.shelf = Shelf(self.state, "top")

    def enrol(self, name: str, state: Path) -> Identity:
        state.mkdir()
        with self.store.writing() as connection:
            root = self.authority.issuer().digest
            token = enrolment.make_token(connection, name, timedelta(days=1), root, "ann", now())
        return talk.enrol(IdentityFolder(state), name, self.url, token)

    def keep(self, number: int, size_bytes: int = 0) -> tuple[KeptFrame, bytes]:
        frame, jpeg = large(number, size_bytes) if size_bytes else described(number)
        self.shelf.write(frame, jpeg)
        return frame, jpeg

    def rows(self) -> list[dict]:
        with self.store.reading() as connection:
            return [dict(row) for row in connection.execute(select(schema.frames)).mappings()]

    def whole(self, frame: KeptFrame) -> bytes:
        name = frame.image.removeprefix("sha256:")
        return (self.folder / "frames" / name[:2] / f"{name}.jpg").read_bytes()

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "frames").rglob("*") if path.is_file()]

    def ask(self, method: str, path: str, body: bytes, identity: Identity | None = None, **headers: str):
        signer = identity or self.identity
        at = now().isoformat()
        signature = signer.key.sign(signed_text(method, path, at, body).encode(), ec.ECDSA(hashes.SHA256()))
        proof = {
            "canopy-certificate": base64.b64encode(signer.certificate.public_bytes(Encoding.DER)).decode(),
            "canopy-signed-at": at,
            "canopy-signature": base64.b64encode(signature).decode(),
        }
        trust = talk.trusting(self.authority.ca.read_bytes())
        return httpx.request(method, self.url + path, content=body, headers=proof | headers, verify=trust)


def large(number: int, size_bytes: int) -> tuple[KeptFrame, bytes]:
    frame, _ = described(number)
    noise = np.random.default_rng(number).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    jpeg = jpeg[:-2] + b"\x00" * (size_bytes - len(jpeg)) + b"\xff\xd9"
    digest = f"sha256:{hashlib.sha256(jpeg).hexdigest()}"
    return frame.model_copy(update={"image": digest, "image_bytes": len(jpeg)}), jpeg


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def home(tmp_path: Path, authority: Authority) -> Iterator[Home]:
    with ExitStack() as parts:
        yield Home(tmp_path, authority, parts, device_day_bytes=1_000_000)


def test_frames_come_home_and_are_forgotten_only_then(home: Home) -> None:
    first, second = home.keep(1), home.keep(2, 300_000)
    assert send_all(home.state, FAST, NEVER) == 2
    assert all_frames(home.state) == []
    assert [home.whole(frame) for frame, _ in (first, second)] == [first[1], second[1]]
    rows = {row["digest"]: row for row in home.rows()}
    row = rows[first[0].image]
    assert (row["site"], row["device"], row["camera"], row["reason"], row["probability"], row["state"]) == (
        "gh", "cam", "top", "random", 0.5, "pre-labelled",
    )  # fmt: skip
    assert KeptFrame.model_validate(row["payload"]) == first[0]
    assert len(home.files()) == 2, "no part is left"


def test_a_frame_goes_on_where_it_stopped(home: Home) -> None:
    frame, jpeg = home.keep(1, 300_000)
    path = frame_path(frame.image)
    assert home.ask("POST", path, frame.encode()).json() == {"offset": 0, "stored": False}
    home.ask("PUT", f"{path}?offset=0", jpeg[:PIECE_BYTES])
    assert home.ask("POST", path, frame.encode()).json()["offset"] == PIECE_BYTES
    again = home.ask("PUT", f"{path}?offset=0", jpeg[:PIECE_BYTES])
    assert again.json()["offset"] == PIECE_BYTES, "what came twice is passed over"
    assert send_all(home.state, FAST, NEVER) == 1
    assert home.whole(frame) == jpeg
    assert home.ask("POST", path, frame.encode()).json() == {"offset": len(jpeg), "stored": True}


def test_a_fleet_that_is_busy_for_a_moment_is_asked_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, jpeg = home.keep(1)
    take, busy = FrameDesk.take, [True]

    def take_later(desk: FrameDesk, *what: Any) -> Any:
        if busy.pop() if busy else False:
            raise StoreUnavailable("the store cannot be used now: database is locked")
        return take(desk, *what)

    monkeypatch.setattr(FrameDesk, "take", take_later)
    assert send_all(home.state, FAST, NEVER) == 1
    assert home.whole(frame) == jpeg


def test_what_was_lost_of_an_answer_costs_nothing(home: Home) -> None:
    frame, jpeg = home.keep(1)
    assert send_all(home.state, FAST, NEVER) == 1
    home.shelf.write(frame, jpeg)
    assert send_all(home.state, FAST, NEVER) == 1
    assert len(home.rows()) == 1


def refuse_all(home: Home) -> Iterator[tuple[str, httpx.Response, int]]:
    frame, jpeg = large(1, 100_000)
    path = frame_path(frame.image)
    yield "not announced", home.ask("PUT", f"{path}?offset=0", b"x"), 422
    yield "no description", home.ask("POST", path, b"{}"), 422
    yield "another's digest", home.ask("POST", frame_path("sha256:" + "0" * 64), frame.encode()), 422
    yield "no digest", home.ask("POST", "/frames/..%2f..%2fetc", frame.encode()), 404
    yield "no digest but hex", home.ask("POST", "/frames/abc", frame.encode()), 422
    foreign = frame.model_copy(update={"device": "other"})
    yield "another device's", home.ask("POST", path, foreign.encode()), 422
    climbing = frame.encode().replace(b'"camera":"top"', b'"camera":"../../x"')
    yield "a camera that is a path", home.ask("POST", path, climbing), 422
    dark = frame.encode().replace(b'"model_name":""', b'"model_name":"\\u0000"')
    yield "a character that no database takes", home.ask("POST", path, dark), 422
    yield "too large a body", home.ask("POST", path, b" " * 100_001), 413
    assert home.ask("POST", path, frame.encode()).status_code == 200
    yield "too large a piece", home.ask("PUT", f"{path}?offset=0", jpeg[: PIECE_BYTES + 1]), 422
    assert home.ask("POST", path, frame.encode()).status_code == 200
    home.ask("PUT", f"{path}?offset=0", jpeg[:PIECE_BYTES])
    rest = jpeg[PIECE_BYTES:]
    yield "too long", home.ask("PUT", f"{path}?offset={PIECE_BYTES}", rest + b"x"), 422
    assert home.ask("POST", path, frame.encode()).json()["offset"] == 0
    home.ask("PUT", f"{path}?offset=0", jpeg[:PIECE_BYTES])
    yield "other content", home.ask("PUT", f"{path}?offset={PIECE_BYTES}", b"\x00" * len(rest)), 422
    for number, content in enumerate((b"GIF89a" + b"x" * 50, jpeg[:500] + jpeg[600:])):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        width = 96 if number == 0 else 97
        lying = frame.model_copy(update={"image": digest, "image_bytes": len(content), "width_px": width})
        assert home.ask("POST", frame_path(digest), lying.encode()).status_code == 200
        for start in range(0, len(content), PIECE_BYTES):
            piece = content[start : start + PIECE_BYTES]
            answer = home.ask("PUT", f"{frame_path(digest)}?offset={start}", piece)
        yield "no JPEG, or of another size", answer, 422


def test_hostile_frames_are_refused_and_nothing_of_them_stays(home: Home) -> None:
    for name, answer, status in refuse_all(home):
        assert answer.status_code == status, (name, answer.text)
    assert home.rows() == []
    assert not [path for path in home.files() if path.suffix == ".jpg"]
    assert len(home.files()) == 0, home.files()


def test_who_is_not_the_device_sends_nothing(home: Home, authority: Authority) -> None:
    frame, _ = described(1)
    path, body = frame_path(frame.image), frame.encode()
    other = home.enrol("gh/other", home.folder / "other")
    assert home.ask("POST", path, body, other).status_code == 422, "a device sends its own"
    own_made = Identity("gh/cam", ec.generate_private_key(ec.SECP256R1()), home.identity.certificate, "")
    assert home.ask("POST", path, body, own_made).status_code == 422, "the certificate is no secret, its key is"
    stranger = x509.load_pem_x509_certificates(authority.client("gh/cam").read_bytes())[0]
    assert home.ask("POST", path, body, Identity("gh/cam", own_made.key, stranger, "")).status_code == 403
    trust = talk.trusting(authority.ca.read_bytes())
    assert httpx.post(home.url + path, content=body, verify=trust).status_code == 422
    old = home.ask("POST", path, body, **{"canopy-signed-at": (now() - timedelta(hours=2)).isoformat()})
    assert old.status_code == 422
    with home.store.writing() as connection:
        enrolment.revoke(connection, "gh/cam", "stolen", "ann", now())
    assert home.ask("POST", path, body).status_code == 403
    assert home.files() == []


def test_a_signature_is_for_one_request_only(home: Home) -> None:
    frame, _ = described(1)
    path, body = frame_path(frame.image), frame.encode()
    good = home.ask("POST", path, body)
    proof = {name: value for name, value in good.request.headers.items() if name.startswith("canopy-")}
    trust = talk.trusting(home.authority.ca.read_bytes())
    for method, place, content in (("PUT", f"{path}?offset=0", b"x"), ("POST", path, body + b" ")):
        answer = httpx.request(method, home.url + place, content=content, headers=proof, verify=trust)
        assert answer.status_code == 422
        assert "signed" in answer.json()["detail"]


def test_a_device_sends_no_more_than_its_day_allows(home: Home) -> None:
    for number in range(1, 5):
        home.keep(number, 300_000)
    with pytest.raises(FleetUnreachable, match="device_day_bytes"):
        send_all(home.state, FAST, NEVER)
    assert sum(row["bytes"] for row in home.rows()) <= 1_000_000
    assert (len(home.rows()), len(all_frames(home.state))) == (3, 1), "what is too much stays for tomorrow"


def test_parts_that_nobody_ends_are_few(home: Home) -> None:
    for number in range(1, 12):
        frame, jpeg = large(number, 100_000)
        home.ask("POST", frame_path(frame.image), frame.encode())
        home.ask("PUT", f"{frame_path(frame.image)}?offset=0", jpeg[:PIECE_BYTES])
    assert len([path for path in home.files() if path.suffix == ".part"]) <= 4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_no_description_ends_in_anything_but_a_refusal(home: Home, body: bytes) -> None:
    assert home.ask("POST", "/frames/" + "0" * 64, body).status_code in {422, 429}


def test_a_refused_frame_stays_and_the_others_go(home: Home) -> None:
    frame, jpeg = described(1)
    home.shelf.write(frame.model_copy(update={"width_px": 95}), jpeg)
    home.keep(2)
    assert send_all(home.state, FAST, NEVER) == 1
    assert len(all_frames(home.state)) == 1


def test_a_device_that_is_refused_asks_three_times_and_not_once_for_each_frame(home: Home) -> None:
    for number in range(1, 9):
        home.keep(number)
    with home.store.writing() as connection:
        enrolment.revoke(connection, "gh/cam", "stolen", "ann", now())
    refused: set[str] = set()
    with pytest.raises(EnrolmentRefused, match="was revoked"):
        send_all(home.state, FAST, NEVER, refused)
    assert (len(refused), len(all_frames(home.state))) == (2, 8)


def test_a_device_that_never_enrolled_says_so(tmp_path: Path) -> None:
    Shelf(tmp_path, "top").write(*described(1))
    with pytest.raises(IdentityError, match="canopy enroll"):
        send_all(tmp_path, FAST, NEVER)


def test_the_fleet_can_ask_for_frames_outside_of_their_hours(home: Home) -> None:
    hour = datetime.now().astimezone().hour
    closed = FrameUploadSettings(from_hour=(hour + 5) % 24, to_hour=(hour + 6) % 24, bytes_per_s=0)
    upload = FrameUpload(home.state, closed)
    home.keep(1)
    upload.start()
    try:
        errands = Errands(SimpleNamespace(state_dir=home.state), None, None, None, upload.send_now)  # type: ignore[arg-type]
        asked = Command(id="0" * 32, kind=CommandKind.FRAMES, expires_at=now())
        assert home.rows() == []
        assert b"1 frames" in errands.carry_out(asked).content
        wait_for(lambda: all_frames(home.state) == [], 20, lambda: str(home.rows()))
    finally:
        upload.stop()
    assert len(home.rows()) == 1
    nobody = Errands(SimpleNamespace(state_dir=home.state), None, None, None)  # type: ignore[arg-type]
    with pytest.raises(ControlError, match="frame_upload"):
        nobody.carry_out(asked)


def test_sending_is_as_slow_as_is_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    stopping = threading.Event()
    monkeypatch.setattr(stopping, "wait", waited.append)
    home.keep(1, 300_000)
    with talk.connections(talk.trusting(home.authority.ca.read_bytes())) as pool:
        assert Courier(home.identity, pool, 1_000.0, stopping).bring(home.shelf.frames()[0])
    assert 250 < sum(waited) <= 300


@pytest.mark.parametrize(
    ("first", "last", "open_hours"),
    [(22, 5, [22, 23, 0, 1, 2, 3, 4]), (1, 3, [1, 2]), (4, 4, list(range(24)))],
)
def test_frames_go_in_their_hours(first: int, last: int, open_hours: list[int]) -> None:
    limits = FrameUploadSettings(from_hour=first, to_hour=last)
    assert {hour for hour in range(24) if is_hour(hour, limits)} == set(open_hours)
