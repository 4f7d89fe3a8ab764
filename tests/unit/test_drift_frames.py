"""The drift page shows a camera's kept frames from before a day and after it, to those who may see pictures."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from edge.contract.frames import KeptFrame, Reason
from fleet.drift.day import bounds
from fleet.frames.around import Around, around
from fleet.frames.desk import FrameDesk
from fleet.pages.drift import Chosen, draw
from fleet.service import listen, serve_web
from fleet.settings import FrameSettings, HttpSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.access import bearer
from tests.sim.fleet_drift import drift, window
from tests.sim.fleet_records import letter
from tests.unit.test_fleet_rollout_web import WELL

DAY = datetime(2026, 6, 2, tzinfo=timezone.utc)
CHOSEN = Chosen("site", "dev", "cam", DAY.date())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FrameDesk]:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    store.commit([letter(drift(window(1)))])
    yield FrameDesk(store, tmp_path / "frames", FrameSettings())
    store.close()


def kept(desk: FrameDesk, hours: float, *, camera: str = "cam", device: str = "dev") -> str:
    """A frame of so many hours after the day's midnight, brought home; its digest."""
    content = cv2.imencode(".jpg", np.full((48, 64, 3), 128 + int(hours), np.uint8))[1].tobytes()
    content += f"{camera}{device}{hours}".encode() + b"\xff\xd9"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    frame = KeptFrame(
        site="site", device=device, camera=camera, captured_at=DAY + timedelta(hours=hours), clock_ok=True,
        image=digest, image_bytes=len(content), height_px=48, width_px=64, model="sha256:" + "0" * 64,
        reason=Reason.DRIFTED, probability=1.0, categories=("leaf",), grid=(12, 16), cell_px=4.0,
    )  # fmt: skip
    desk.announce(f"site/{device}", digest, frame.encode())
    assert desk.take(f"site/{device}", digest, 0, content).stored
    return digest


def found(desk: FrameDesk) -> Around:
    with desk.store.reading() as connection:
        return around(connection, desk.folder, CHOSEN.name, *bounds(CHOSEN.day))


def shown(desk: FrameDesk) -> str:
    with desk.store.reading() as connection:
        return draw(connection, None, CHOSEN, desk.folder, receiving=True)


def digests(desk: FrameDesk) -> tuple[str | None, str | None]:
    about = found(desk)
    return about.before and about.before.digest, about.after and about.after.digest


def test_the_newest_from_before_and_the_newest_of_the_day(desk: FrameDesk) -> None:
    _, before, _, after, _ = [kept(desk, hours) for hours in (-50, -3, 6, 20, 30)]
    assert digests(desk) == (before, after)


def test_the_first_after_the_day_stands_for_a_day_without_any(desk: FrameDesk) -> None:
    _, first, _ = [kept(desk, hours) for hours in (-3, 30, 50)]
    assert digests(desk)[1] == first
    assert "<b>After it</b>" in shown(desk)


def test_frames_of_other_cameras_are_not_shown(desk: FrameDesk) -> None:
    kept(desk, -3, camera="other")
    kept(desk, 6, device="dev-2")
    assert found(desk) == Around(None, None)
    assert "No frame of this camera has come home" in shown(desk)


def test_a_frame_whose_file_is_gone_is_passed_over(desk: FrameDesk) -> None:
    older, newer = kept(desk, -30), kept(desk, -3)
    desk.folder.whole(newer).unlink()
    assert digests(desk) == (older, None)


def test_the_page_says_when_none_was_kept_from_before(desk: FrameDesk) -> None:
    after = kept(desk, 6)
    text = shown(desk)
    assert "No frame kept from before" in text
    assert f"/kept/site/dev/{after.removeprefix('sha256:')}" in text
    assert "the camera had changed" in text


def test_a_frame_is_for_those_who_may_see_pictures_and_for_its_own_device(desk: FrameDesk) -> None:
    name = kept(desk, 6).removeprefix("sha256:")
    with ExitStack() as parts:
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        parts.enter_context(serve_web(create_app(desk.store, WELL, frames=desk), listening))  # type: ignore[arg-type]
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        client = parts.enter_context(httpx.Client(base_url=url))
        reads = bearer(desk.store, "read", name="bo")
        answer = client.get(f"/kept/site/dev/{name}", headers=reads)
        assert (answer.status_code, answer.headers["content-type"], answer.content[:2]) == (
            200,
            "image/jpeg",
            b"\xff\xd8",
        )
        again = client.get(f"/kept/site/dev/{name}", headers=reads | {"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert client.get(f"/kept/site/dev/{name}", headers={"authorization": "Bearer nonsense"}).status_code == 401
        for path in (f"/kept/site/dev-2/{name}", f"/kept/elsewhere/dev/{name}", f"/kept/site/dev/{'0' * 64}"):
            assert client.get(path, headers=reads).status_code == 404
        assert client.get("/kept/site/dev/..%2f..%2ffleet.sqlite", headers=reads).status_code in {404, 422}
        assert (
            f"/kept/site/dev/{name}" in client.get(f"/drift?camera=site/dev/cam&day={CHOSEN.day}", headers=reads).text
        )
