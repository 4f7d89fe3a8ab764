"""What boards say of themselves, read from folders that look like their /sys."""

from pathlib import Path

import pytest

from edge.chip import Chip, ChipState, power_mode


def write(root: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")


def thermal(number: int, name: str, millidegrees: int, trips: dict[str, int] | None = None) -> dict[str, object]:
    zone = f"sys/class/thermal/thermal_zone{number}"
    files: dict[str, object] = {f"{zone}/type": name, f"{zone}/temp": millidegrees}
    for index, (kind, trip) in enumerate((trips or {}).items()):
        files[f"{zone}/trip_point_{index}_type"] = kind
        files[f"{zone}/trip_point_{index}_temp"] = trip
    return files


def orin(root: Path) -> Path:
    """As an Orin Nano with JetPack 6 lays them out."""
    cooling = "sys/class/thermal/cooling_device"
    write(
        root,
        {
            **thermal(0, "cpu-thermal", 61_500, {"active": 50_000, "passive": 99_000, "critical": 104_500}),
            **thermal(1, "gpu-thermal", 63_250, {"passive": 99_000}),
            **thermal(8, "tj-thermal", 64_000, {"passive": 95_000}),
            "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": 1_510_400,
            "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": 729_600,
            "sys/class/devfreq/17000000.gpu/cur_freq": 624_750_000,
            "sys/class/devfreq/15340000.vic/cur_freq": 435_200_000,
            f"{cooling}0/type": "pwm-fan",
            f"{cooling}0/cur_state": 3,
            f"{cooling}1/type": "cpu-throttle-alert",
            f"{cooling}1/cur_state": 0,
            "sys/class/hwmon/hwmon1/oc1_event_cnt": 0,
            "sys/class/hwmon/hwmon1/oc3_event_cnt": 17,
            "var/lib/nvpmodel/status": "pmode:0001 fmode:fanNull",
            "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\nCPU_A78_0 MIN_FREQ 729600\n"
            "< POWER_MODEL ID=1 NAME=25W >",
        },
    )
    return root


def test_an_orin_tells_its_zones_its_clocks_and_its_power_mode(tmp_path: Path) -> None:
    found = Chip(orin(tmp_path)).read()
    assert found == ChipState(
        temperatures_c={"cpu-thermal": 61.5, "gpu-thermal": 63.25, "tj-thermal": 64.0},
        headroom_c=31.0,  # of tj-thermal, which is nearest to its limit; a fan's trip point is none
        clocks_mhz={"cpu-policy0": 1510.4, "cpu-policy4": 729.6, "gpu": 624.75},
        power_mode="25W",
        throttled=False,  # the fan turns, and 17 events lie in the past
    )


def test_a_new_over_current_event_is_throttling_until_the_next_look(tmp_path: Path) -> None:
    chip = Chip(orin(tmp_path))
    write(tmp_path, {"sys/class/hwmon/hwmon1/oc3_event_cnt": 18})
    assert [chip.read().throttled, chip.read().throttled] == [True, False]


def test_a_cooling_device_that_slows_the_chip_is_throttling(tmp_path: Path) -> None:
    chip = Chip(orin(tmp_path))
    write(tmp_path, {"sys/class/thermal/cooling_device1/cur_state": 1})
    assert chip.read().throttled is True


@pytest.mark.parametrize(("flags", "throttled"), [("50000", False), ("50005", True), ("0x1", True), ("0", False)])
def test_a_raspberry_pi_tells_of_now_and_not_of_the_past(tmp_path: Path, flags: str, throttled: bool) -> None:
    write(
        tmp_path,
        {
            **thermal(0, "cpu-thermal", 71_000, {"critical": 110_000}),
            "sys/devices/platform/soc/soc:firmware/get_throttled": flags,
        },
    )
    found = Chip(tmp_path).read()
    assert (found.throttled, found.headroom_c, found.power_mode) == (throttled, None, None)


def test_an_x86_counts_its_throttling(tmp_path: Path) -> None:
    counter = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    write(tmp_path, {**thermal(0, "x86_pkg_temp", 88_000), counter: 4})
    chip = Chip(tmp_path)
    assert chip.read().throttled is False
    write(tmp_path, {counter: 6})
    assert chip.read().throttled is True


def test_a_machine_without_sensors_tells_nothing(tmp_path: Path) -> None:
    assert Chip(tmp_path).read() == ChipState()


def test_nonsense_in_a_sensor_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, {**thermal(0, "cpu-thermal", 50_000), "sys/class/thermal/thermal_zone1/type": "gpu-thermal"})
    (tmp_path / "sys/class/thermal/thermal_zone1/temp").write_bytes(b"\xff\xfe")
    assert Chip(tmp_path).read().temperatures_c == {"cpu-thermal": 50.0}


def test_a_power_mode_that_the_table_does_not_name_is_its_number(tmp_path: Path) -> None:
    write(tmp_path, {"var/lib/nvpmodel/status": "pmode:0003"})
    assert power_mode(tmp_path) == "mode 3"
