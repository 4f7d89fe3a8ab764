"""``canopy model`` and ``canopy update``: what they print in 80 columns, what they ask of a daemon, how they end."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import read_clock
from edge.contract.control import Phase
from edge.lock import only_daemon_in
from edge.package import ModelPackage
from edge.settings import load_settings
from edge.update.request import is_held
from edge.update.slots import Order, Slot, Slots
from edge.update.slotstore import SlotStore
from tests.sim.releases import Releases
from tests.sim.spine import wait_for
from tests.sim.updating import ENDS_WITHIN_S, QUICK, UpdatingDevice
from tests.sim.versions import build_version

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
ROOT = Path(__file__).parents[2]


def canopy(*words: object) -> Result:
    result = RUN.invoke(app, [str(word) for word in words])
    assert max(map(len, result.stdout.splitlines()), default=0) <= 80 or "--json" in words, result.stdout
    return result


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    folder = tmp_path_factory.mktemp("releases")
    made = Releases(folder)
    for version in ("0.0.2", "0.0.10"):
        made.publish(build_version(folder / version, version))
    return made


@pytest.fixture
def config(tmp_path: Path, releases: Releases) -> Path:
    build_version(tmp_path / "factory", "0.0.1")
    tree = {
        "site": "gh",
        "device": "cam",
        "state_dir": "state",
        "inference": {"package": "factory"},
        "cameras": [{"name": "top", "source": {"kind": "folder", "path": "pictures"}}],
        "mqtt": None,
        "update": {**QUICK, "root": str(releases.root)},
    }
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def store(config: Path) -> SlotStore:
    settings = load_settings(config)
    return SlotStore(settings.state_dir, settings.inference.package)


@pytest.fixture
def updated(store: SlotStore) -> Slots:
    """A device that confirmed 0.0.2 in slot a."""
    model = ModelPackage.open(build_version(store.folder / "a", "0.0.2")).ref
    slots = Slots().begun(Order(revision=3), model, read_clock()).cleared().staged()
    for phase in (Phase.COMPILING, Phase.TESTING, Phase.SHADOW):
        slots = slots.advanced(phase)
    slots = slots.activated().confirmed()
    store.write(slots)
    return slots


@pytest.fixture
def daemon(config: Path) -> Iterator[UpdatingDevice]:
    settings = load_settings(config)
    with only_daemon_in(settings.state_dir):
        device = UpdatingDevice(settings).start()
        yield device
        device.stop()


def test_list_shows_every_slot_and_which_one_measures(config, updated):
    shown = canopy("model", "list", "--config", config)
    assert shown.exit_code == 0
    for text in ("green 0.0.1", "green 0.0.2", "measures", "the model before", "confirmed"):
        assert text in shown.stdout
    document = json.loads(canopy("model", "list", "--config", config, "--json").stdout)
    assert [(each["slot"], each["active"]) for each in document["slots"]] == [
        ("factory", False),
        ("a", True),
        ("b", False),
    ]


def test_list_names_a_slot_whose_files_were_altered(config, store, updated):
    (store.folder / "a" / "model.fp32.onnx").write_bytes(b"no")
    assert "has 2 bytes" in " ".join(canopy("model", "list", "--config", config).stdout.split())
    assert canopy("model", "verify", "a", "--config", config).exit_code == 4


def test_show_and_verify_take_a_slot_a_version_or_nothing(config, updated):
    for which in ("0.0.2", "a", ""):
        shown = canopy("model", "show", which, "--config", config, "--json")
        assert json.loads(shown.stdout)["version"] == "0.0.2"
    assert "counts" in canopy("model", "show", "--config", config).stdout
    verified = canopy("model", "verify", "factory", "--config", config)
    assert verified.exit_code == 0
    assert "2 frames come out as recorded" in verified.stdout
    assert canopy("model", "show", "7.7.7", "--config", config).exit_code == 2


def test_a_rollback_without_a_daemon_is_there_at_its_next_start(config, store, updated):
    assert "green 0.0.1" in canopy("model", "rollback", "--config", config).stdout
    assert store.read().active is Slot.FACTORY
    again = canopy("model", "rollback", "--config", config)
    assert (again.exit_code, "no model before" in again.stderr) == (8, True)


def test_activate_and_rollback_are_asked_of_the_daemon(config, updated, daemon):
    assert canopy("model", "rollback", "--config", config).exit_code == 0
    wait_for(lambda: daemon.ledger.slots.active is Slot.FACTORY, ENDS_WITHIN_S)
    assert canopy("model", "activate", "0.0.2", "--config", config).exit_code == 0
    wait_for(lambda: daemon.ledger.slots.active is Slot.A, ENDS_WITHIN_S)
    refused = canopy("model", "activate", "0.0.2", "--config", config)
    assert (refused.exit_code, "measures already" in refused.stderr) == (8, True)


def test_check_says_what_is_offered_by_whom_and_until_when(config, releases):
    shown = canopy("update", "check", "--folder", releases.public, "--config", config)
    assert shown.exit_code == 0, shown.stderr
    for text in ("green 0.0.1", "green 0.0.2", "green 0.0.10", "newer", "signed by", "holds until"):
        assert text in shown.stdout
    lines = shown.stdout.splitlines()
    assert next(i for i, line in enumerate(lines) if "0.0.2 " in line) < next(
        i for i, line in enumerate(lines) if "0.0.10" in line
    )
    document = json.loads(canopy("update", "check", "--folder", releases.public, "-c", config, "--json").stdout)
    assert len(document["offers"]) == 2
    assert document["signed_by"]


def test_check_without_an_address_says_what_to_do(config):
    refused = canopy("update", "check", "--config", config)
    assert refused.exit_code == 8
    assert "update.url" in refused.stderr


def test_import_takes_the_newest_from_a_stick_and_says_when_it_may_go(config, releases, daemon, tmp_path):
    stick = tmp_path / "usb"
    shutil.copytree(releases.public, stick)
    taken = canopy("update", "import", stick, "--config", config)
    assert taken.exit_code == 0, taken.stderr
    assert "green 0.0.10 is copied and verified" in " ".join(taken.stdout.split())
    shutil.rmtree(stick)
    wait_for(lambda: daemon.ledger.reported.phase is Phase.CONFIRMED, ENDS_WITHIN_S)
    again = canopy("update", "import", releases.public, "--config", config)
    assert again.exit_code == 8
    assert "newest" in again.stderr


def test_import_of_something_else_is_refused_at_once(config, tmp_path):
    refused = canopy("update", "import", tmp_path, "--config", config)
    assert refused.exit_code == 8
    assert "no metadata" in refused.stderr


def test_a_wish_without_a_daemon_waits_and_says_so(config, releases):
    left = canopy("update", "import", releases.public, "--config", config)
    assert left.exit_code == 0
    assert "Leave the stick in" in left.stderr


def test_hold_and_release(config):
    state = load_settings(config).state_dir
    assert canopy("update", "hold", "--config", config).exit_code == 0
    assert is_held(state)
    assert "hold --release" in canopy("model", "list", "--config", config).stdout
    assert canopy("update", "hold", "--release", "--config", config).exit_code == 0
    assert not is_held(state)


def test_a_device_that_takes_no_updates_says_so(config):
    tree = yaml.safe_load(config.read_text())
    del tree["update"]
    config.write_text(yaml.safe_dump(tree))
    for words in (("update", "check"), ("update", "now"), ("update", "hold"), ("model", "activate", "factory")):
        refused = canopy(*words, "--config", config)
        assert refused.exit_code == 8, words


def test_the_commented_example_is_a_good_one(tmp_path):
    text = (ROOT / "configs" / "device.yaml").read_text()
    plain, _, example = text.partition("# update:")
    example = "\n".join(line.removeprefix("# ") for line in f"# update:{example}".splitlines())
    path = tmp_path / "device.yaml"
    path.write_text(plain + example)
    settings = load_settings(path).update
    assert settings is not None
    assert settings.root == tmp_path / "root.json"


def test_config_check_misses_the_root(config):
    tree = yaml.safe_load(config.read_text())
    tree["update"]["root"] = "nowhere.json"
    config.write_text(yaml.safe_dump(tree))
    (config.parent / "pictures").mkdir()
    missed = canopy("config", "check", "--config", config)
    assert missed.exit_code == 2
    assert "1.root.json" in missed.stderr
