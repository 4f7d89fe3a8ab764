"""What attackers, broken hosts and wrong clocks do to an update: it is refused, and the device keeps what it had.

Every attack runs against a real host on a loopback port, and ends with what the device trusts and holds: unchanged.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile

from edge.clock import RELEASED_AT
from edge.errors import ClockBehind, ConfigError, NoRoom, UpdateError, UpdateExpired, UpdateRefused, UpdateUnreachable
from edge.update.client import UpdateClient
from edge.update.fetch import Source
from edge.update.http import HttpFetcher, Patience
from tests.sim import static_host
from tests.sim.static_host import Fault, StaticHost
from tests.sim.update_repository import HARDWARE, OTHER_HARDWARE, UpdateRepository, release, utc

CONTENT = bytes(range(256)) * 2000
IMPATIENT = Patience(answer_s=2, warm_up_s=1, least_bytes_per_s=10_000)
"""For hosts that drip; others may be slow on a machine that does much else."""


@dataclass
class Site:
    """A device, a repository and the host between them. ``now`` is what the device's clock says."""

    folder: Path
    host: StaticHost
    repository: UpdateRepository
    now: datetime = field(default_factory=lambda: utc(0))
    ca_file: Path | None = None
    patience: Patience | None = None

    @property
    def downloads(self) -> Path:
        return self.folder / "downloads"

    def client(self, **options) -> UpdateClient:
        """A device that has just started: nothing is in memory."""
        source = Source.at(self.host.url, HttpFetcher(self.patience, self.ca_file))
        options = {"reserve_bytes": 0, "clock": lambda: self.now, **options}
        return UpdateClient(self.folder / "trust", source, bootstrap=self.repository.bootstrap, **options)

    def take(self, path: str) -> Path:
        client = self.client()
        return client.download(client.target(path), self.downloads)

    def trusted(self) -> dict[str, int]:
        """The version of each role that the device has taken."""
        kept = (self.folder / "trust").glob("*.json")
        return {path.stem: json.loads(path.read_bytes())["signed"]["version"] for path in kept}

    def held(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.downloads.glob("*") if not path.name.startswith(".")}

    def refuses(self, error: type[UpdateError], path: str, *, also_trusts: dict[str, int] | None = None) -> UpdateError:
        """The device does not take ``path``; it trusts and holds what it did, but for ``also_trusts``."""
        trusted, held = self.trusted(), self.held()
        with pytest.raises(error) as raised:
            self.take(path)
        assert self.trusted() == trusted | (also_trusts or {})
        assert self.held() == held
        return raised.value


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A device that has taken the first package already."""
    with StaticHost().serving() as host:
        made = Site(tmp_path, host, UpdateRepository(host.files, utc(0)))
        made.take(made.repository.offer(b"the first"))
        yield made


def test_a_good_update_arrives_whole(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    shares: list[float] = []
    client = site.client()
    target = client.target(path)
    taken = client.download(target, site.downloads, shares.append)
    assert taken.read_bytes() == CONTENT
    assert target.release == release("1.1.0")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    asked = len(site.host.asked)
    assert client.download(client.target(path), site.downloads) == taken
    assert len(site.host.asked) == asked, "what is there already is not asked for again"


def test_a_tampered_target_is_refused(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    place = site.repository.place(path, CONTENT)
    site.host.faults[place] = static_host.replaced_by(CONTENT[:-1] + b"!")
    site.client().refresh()
    site.refuses(UpdateRefused, path, also_trusts={HARDWARE: 3})
    assert not list(site.downloads.glob(".*.partial"))


def test_a_rollback_to_an_older_timestamp_is_refused(site: Site) -> None:
    old = site.repository.keep()
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.take(path)
    site.host.files["/metadata/timestamp.json"] = old["/metadata/timestamp.json"]
    site.refuses(UpdateRefused, path)


def test_a_rollback_by_whoever_stole_the_online_keys_is_refused(site: Site) -> None:
    repository = site.repository
    path = repository.offer(CONTENT, release("1.1.0"))
    site.take(path)
    older = repository.snapshot.meta[f"{HARDWARE}.json"]
    repository.snapshot.meta[f"{HARDWARE}.json"] = MetaFile(older.version - 1)
    repository.publish()
    site.refuses(UpdateRefused, path, also_trusts={"timestamp": repository.timestamp.version})


def test_a_frozen_repository_is_refused_once_its_time_is_over(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.client().refresh()
    site.now = utc(3)
    site.refuses(UpdateExpired, path)


def test_a_clock_that_fell_back_cannot_keep_a_frozen_repository_alive(site: Site) -> None:
    old = site.repository.keep()
    site.now = site.repository.now = utc(5)
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.repository.timestamp.expires = utc(7)
    site.repository.publish()
    site.take(path)
    site.now = utc(0)
    site.host.files.clear()
    site.host.files.update(old)
    asked = len(site.host.asked)
    site.refuses(ClockBehind, path)
    assert len(site.host.asked) == asked, "a clock that is wrong is known before anybody is asked"


@pytest.mark.parametrize("now", [datetime.fromtimestamp(0, utc(0).tzinfo), RELEASED_AT - timedelta(days=1)])
def test_a_clock_without_a_battery_refuses_even_the_first_update(site: Site, tmp_path: Path, now: datetime) -> None:
    fresh = Site(tmp_path / "fresh", site.host, site.repository, now)
    with pytest.raises(ClockBehind):
        fresh.client().refresh()
    assert fresh.trusted() == {}


def test_a_clock_that_stands_before_the_signature_is_known_to_be_wrong(site: Site, tmp_path: Path) -> None:
    fresh = Site(tmp_path / "fresh", site.host, site.repository, utc(-30))
    with pytest.raises(ClockBehind):
        fresh.client().find("onnx-cpu/rosette-1.0.0.zip")
    assert fresh.held() == {}


def test_a_timestamp_signed_in_the_far_future_does_not_lock_the_device_out(site: Site) -> None:
    repository, path = site.repository, "onnx-cpu/rosette-1.0.0.zip"
    repository.now = utc(30_000)
    repository.timestamp.expires = utc(30_001)
    repository.publish()
    site.refuses(ClockBehind, path, also_trusts={"timestamp": 3, "snapshot": 3})
    repository.now = utc(0)
    repository.publish()
    assert site.take(path).read_bytes() == b"the first"


def test_parts_of_different_moments_are_refused(site: Site) -> None:
    repository = site.repository
    before = repository.keep()[f"/metadata/{repository.hardware[HARDWARE].version}.{HARDWARE}.json"]
    path = repository.offer(CONTENT, release("1.1.0"))
    place = f"/metadata/{repository.hardware[HARDWARE].version}.{HARDWARE}.json"
    site.host.files[place] = before
    versions = {"timestamp": repository.timestamp.version, "snapshot": repository.snapshot.version}
    site.refuses(UpdateRefused, path, also_trusts=versions)


def test_a_snapshot_of_another_moment_is_refused(site: Site) -> None:
    repository = site.repository
    before = repository.keep()[f"/metadata/{repository.snapshot.version}.snapshot.json"]
    path = repository.offer(CONTENT, release("1.1.0"))
    site.host.files[f"/metadata/{repository.snapshot.version}.snapshot.json"] = before
    site.refuses(UpdateRefused, path, also_trusts={"timestamp": repository.timestamp.version})


@pytest.mark.parametrize("fault", [static_host.endless, static_host.oversized])
def test_endless_data_is_cut_at_what_was_signed(site: Site, fault: Fault) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.client().refresh()
    site.host.faults[site.repository.place(path, CONTENT)] = fault
    site.refuses(UpdateRefused, path, also_trusts={HARDWARE: 3})
    assert all(part.stat().st_size <= len(CONTENT) for part in site.downloads.iterdir())


@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_endless_metadata_is_cut(site: Site, name: str) -> None:
    site.host.faults[f"/metadata/{name}"] = static_host.endless
    site.refuses(UpdateRefused, "onnx-cpu/rosette-1.0.0.zip")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", HARDWARE])
def test_a_role_signed_by_a_stranger_is_refused(site: Site, role: str) -> None:
    repository = site.repository
    path = repository.offer(CONTENT, release("1.1.0"))
    repository.signers[role] = [CryptoSigner.generate_ed25519()]
    repository.publish(*({"targets", HARDWARE} & {role}))
    order = ["timestamp", "snapshot", "targets"]
    passed = order[: order.index(role)] if role in order else order
    versions = {before: repository.signed(before).version for before in passed}
    site.refuses(UpdateRefused, path, also_trusts=versions)


@pytest.mark.parametrize("signers", [0, 1])
def test_a_role_with_too_few_signatures_is_refused(site: Site, signers: int) -> None:
    repository = site.repository
    repository.root.version = 2
    repository.put("root", repository.root, repository.signers["root"][:signers])
    site.refuses(UpdateRefused, "onnx-cpu/rosette-1.0.0.zip")


def test_a_root_of_other_peoples_keys_is_refused(site: Site) -> None:
    repository = site.repository
    strangers = [CryptoSigner.generate_ed25519() for _ in range(3)]
    for signer in strangers:
        repository.root.add_key(signer.public_key, "root")
    repository.root.version = 2
    repository.put("root", repository.root, [*strangers, repository.signers["root"][0]])
    site.refuses(UpdateRefused, "onnx-cpu/rosette-1.0.0.zip")


def test_an_unsigned_delegation_is_refused(site: Site) -> None:
    site.repository.signers[HARDWARE] = []
    path = site.repository.offer(CONTENT, release("1.1.0"))
    versions = {role: site.repository.signed(role).version for role in ("timestamp", "snapshot")}
    site.refuses(UpdateRefused, path, also_trusts=versions)


def test_a_hardware_cannot_speak_for_another(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"), role=OTHER_HARDWARE)
    versions = {role: site.repository.signed(role).version for role in ("timestamp", "snapshot")}
    site.refuses(UpdateRefused, path, also_trusts=versions)


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets", HARDWARE])
def test_an_expired_role_is_refused(site: Site, role: str) -> None:
    repository = site.repository
    path = repository.offer(CONTENT, release("1.1.0"))
    repository.signed(role).expires = utc(-1)
    repository.publish(*({"root", "targets", HARDWARE} & {role}))
    taken = {"root": ["root"], "timestamp": [], "snapshot": ["timestamp"], "targets": ["timestamp", "snapshot"]}
    roles = taken.get(role, ["timestamp", "snapshot", "targets"])
    site.refuses(UpdateExpired, path, also_trusts={each: repository.signed(each).version for each in roles})


@pytest.mark.parametrize("fault", [static_host.page, static_host.page_called_json, static_host.answers(403)])
def test_a_host_with_a_page_for_what_it_lacks_ends_the_chain_of_roots(site: Site, fault: Fault) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.host.faults["/metadata/2.root.json"] = fault
    assert site.take(path).read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [static_host.page, static_host.page_called_json, static_host.answers(503)])
def test_a_login_page_in_place_of_everything_is_no_attack_and_no_update(site: Site, fault: Fault) -> None:
    site.host.faults["*"] = fault
    site.refuses(UpdateUnreachable, "onnx-cpu/rosette-1.0.0.zip")


def test_a_login_page_in_place_of_the_target_leaves_what_came_before(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    place = site.repository.place(path, CONTENT)
    site.host.faults[place] = static_host.dropped_after(100_000)
    site.refuses(UpdateUnreachable, path, also_trusts=newest(site))
    site.host.faults[place] = static_host.page
    site.refuses(UpdateUnreachable, path)
    assert [part.stat().st_size for part in site.downloads.glob(".*.partial")] == [100_000]


@pytest.mark.parametrize(
    ("fault", "said"), [(static_host.dripping_head, "no answer in time"), (static_host.dripping_body, " bytes in ")]
)
def test_a_host_that_drips_is_left(site: Site, fault: Fault, said: str) -> None:
    site.host.faults["/metadata/timestamp.json"], site.patience = fault, IMPATIENT
    assert said in str(site.refuses(UpdateUnreachable, "onnx-cpu/rosette-1.0.0.zip"))


def test_a_host_that_drips_just_fast_enough_is_left_in_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.update.fetch.METADATA_WITHIN_S", 0.3)
    site.host.faults["/metadata/timestamp.json"] = static_host.dripping_body
    assert "bytes in 0 s" in str(site.refuses(UpdateUnreachable, "onnx-cpu/rosette-1.0.0.zip"))


@pytest.fixture
def tls_site(tmp_path: Path) -> Iterator[Site]:
    """The same over TLS, by a host whose certificate the device was given."""
    with StaticHost(certificate=static_host.certificate(tmp_path / "host.pem")).serving() as host:
        yield Site(tmp_path, host, UpdateRepository(host.files, utc(0)), ca_file=tmp_path / "host.pem")


def test_an_update_comes_over_tls(tls_site: Site) -> None:
    assert tls_site.take(tls_site.repository.offer(CONTENT)).read_bytes() == CONTENT


def test_a_host_with_a_strangers_certificate_is_not_asked(tls_site: Site) -> None:
    path = tls_site.repository.offer(CONTENT)
    tls_site.ca_file = None
    tls_site.refuses(UpdateUnreachable, path, also_trusts={"root": 1})
    assert tls_site.host.asked == []


@pytest.mark.parametrize("fault", [static_host.dripping_head, static_host.dripping_body])
def test_a_host_that_drips_over_tls_is_left(tls_site: Site, fault: Fault) -> None:
    path = tls_site.repository.offer(CONTENT)
    tls_site.host.faults["/metadata/timestamp.json"], tls_site.patience = fault, IMPATIENT
    tls_site.refuses(UpdateUnreachable, path, also_trusts={"root": 1})


def test_nobody_listens(site: Site) -> None:
    site.host.port = 1
    site.refuses(UpdateUnreachable, "onnx-cpu/rosette-1.0.0.zip")


def test_a_broken_line_is_gone_on_with(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    place = site.repository.place(path, CONTENT)
    site.host.faults[place] = static_host.dropped_after(200_000)
    for _ in range(2):
        site.refuses(UpdateUnreachable, path, also_trusts=newest(site))
    assert site.take(path).read_bytes() == CONTENT
    ranges = [asked_range for asked, asked_range in site.host.asked if asked == place]
    assert ranges == [None, "bytes=200000-", "bytes=400000-"]
    assert not list(site.downloads.glob(".*.partial"))


def test_a_host_without_ranges_sends_it_all_again(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    place = site.repository.place(path, CONTENT)
    site.host.faults[place] = static_host.dropped_after(100_000)
    site.refuses(UpdateUnreachable, path, also_trusts=newest(site))
    site.host.faults[place] = static_host.ignores_ranges
    assert site.take(path).read_bytes() == CONTENT


def test_a_truncated_target_is_not_taken(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.host.faults[site.repository.place(path, CONTENT)] = static_host.truncated_to(1000)
    site.refuses(UpdateUnreachable, path, also_trusts=newest(site))


def test_what_a_power_cut_left_of_a_part_costs_one_more_download(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.host.faults[site.repository.place(path, CONTENT)] = static_host.dropped_after(200_000)
    site.refuses(UpdateUnreachable, path, also_trusts=newest(site))
    site.host.faults.clear()
    (part,) = site.downloads.glob(".*.partial")
    part.write_bytes(b"\0" * 200_000)
    assert site.take(path).read_bytes() == CONTENT


def test_a_part_of_another_package_is_dropped(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.host.faults[site.repository.place(path, CONTENT)] = static_host.dropped_after(200_000)
    site.refuses(UpdateUnreachable, path, also_trusts=newest(site))
    site.host.faults.clear()
    site.take(site.repository.offer(b"the next", release("1.2.0")))
    assert not list(site.downloads.glob(".*.partial"))


def test_a_disk_without_room_is_known_before_the_download(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0", needs_bytes=2**50))
    error = site.refuses(NoRoom, path, also_trusts=newest(site))
    assert "MiB free" in str(error)
    assert site.repository.place(path, CONTENT) not in site.host.paths_asked()


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (release("1.1.0", hardware=OTHER_HARDWARE), "onnx-cpu/rosette-1.1.0.zip"),
        (release("1.0.9"), "onnx-cpu/rosette-1.1.0.zip"),
    ],
)
def test_a_package_that_is_signed_as_something_else_is_refused(site: Site, said, path: str) -> None:
    site.repository.offer(CONTENT, said, path)
    site.refuses(UpdateRefused, path, also_trusts=newest(site))


def test_a_file_that_is_no_release_is_refused(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    del site.repository.hardware[HARDWARE].targets[path].unrecognized_fields["custom"]
    site.repository.publish(HARDWARE)
    site.refuses(UpdateRefused, path, also_trusts=newest(site))


@pytest.mark.parametrize("digest", ["../../../etc/x", "", "é" * 64, "A" * 64])
def test_a_digest_that_is_none_is_refused(site: Site, digest: str) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    site.repository.hardware[HARDWARE].targets[path].hashes["sha256"] = digest
    site.repository.publish(HARDWARE)
    site.refuses(UpdateRefused, path, also_trusts=newest(site))


def test_a_device_provisioned_with_rubbish_says_so(site: Site) -> None:
    source = Source.at(site.host.url, HttpFetcher())
    for bootstrap in (b"", b"{}", site.host.files["/metadata/timestamp.json"]):
        with pytest.raises(ConfigError, match="as its root"):
            UpdateClient(site.folder / "fresh", source, bootstrap=bootstrap).refresh()
    assert not list((site.folder / "fresh").glob("*.json"))


def test_a_path_that_nobody_signed_is_refused(site: Site) -> None:
    site.refuses(UpdateRefused, "onnx-cpu/rosette-9.9.9.zip")
    site.refuses(UpdateRefused, "../../etc/passwd")


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", "targets.json", "root_history/1.root.json"])
@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"[" * 100_000])
def test_a_damaged_cache_is_loaded_anew(site: Site, name: str, damage: bytes) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    (site.folder / "trust" / name).write_bytes(damage)
    assert site.take(path).read_bytes() == CONTENT


def test_two_updates_at_once_do_not_share_a_cache(site: Site) -> None:
    client, other = site.client(), site.client()
    path = site.repository.offer(CONTENT, release("1.1.0"))
    target = client.target(path)

    def meanwhile(_: float) -> None:
        with pytest.raises(UpdateUnreachable, match="another process"):
            other.refresh()

    assert client.download(target, site.downloads, meanwhile).read_bytes() == CONTENT


def test_whoever_reports_can_stop_a_download_and_what_came_stays(site: Site) -> None:
    path = site.repository.offer(CONTENT, release("1.1.0"))
    client = site.client()

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.download(client.target(path), site.downloads, stop)
    assert site.take(path).read_bytes() == CONTENT


def test_metadata_is_on_the_disk_before_its_name_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """python-tuf renames without flushing; a power cut would leave an empty cache that remembers no version."""
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        done.append(("flushed", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        done.append(("renamed", str(path)))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    site.take(site.repository.offer(CONTENT, release("1.1.0")))
    renamed = [name for what, name in done if what == "renamed"]
    assert {Path(name).name for name in renamed} >= {".timestamp.json.fresh", ".snapshot.json.fresh"}
    for name in renamed:
        assert done.index(("flushed", name)) < done.index(("renamed", name))


@pytest.mark.parametrize("bytes_per_s", [0.0, 200_000.0])
def test_a_thin_line_is_left_room(site: Site, monkeypatch: pytest.MonkeyPatch, bytes_per_s: float) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edge.update.download.time.sleep", slept.append)
    monkeypatch.setattr("edge.update.download.time.monotonic", lambda: sum(slept))
    client = site.client(bytes_per_s=bytes_per_s)
    path = site.repository.offer(CONTENT, release("1.1.0"))
    client.download(client.target(path), site.downloads)
    assert sum(slept) == pytest.approx(len(CONTENT) / bytes_per_s if bytes_per_s else 0.0)


def newest(site: Site) -> dict[str, int]:
    """The versions that a device ends with that only the package itself was kept from."""
    roles: list[str] = ["timestamp", "snapshot", HARDWARE]
    return {role: site.repository.signed(role).version for role in roles}
