"""Prometheus, Grafana and Home Assistant get what is there, and the files that are given to them name only that."""

import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client.parser import text_string_to_metric_families

from fleet import metrics
from fleet.homeassistant import HomeAssistant
from fleet.ingest.ingest import Ingest
from fleet.settings import HomeAssistantSettings, MqttSettings
from fleet.store import Store
from tests.sim.fleet_records import batch, health, letter

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def store(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    opened.commit([letter(batch([1, 2, 5])), letter(health(6)), letter(batch([1]), site="south", device="dev-2")])
    yield opened
    opened.close()


def families(store):
    counted = {"committed": 7, "rejected": 0, "shed": 0, "store_errors": 0}
    ingest = SimpleNamespace(connected=False, writing=True, tally=lambda: counted)
    with store.reading() as connection:
        text = metrics.render(connection, ingest).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family):
    return {(sample.labels["site"], sample.labels["device"]): sample.value for sample in family.samples}


def test_the_metrics_are_those_of_the_store(store):
    found = families(store)
    assert values(found["canopy_device_records"]) == {("site", "dev"): 3, ("south", "dev-2"): 1}
    assert values(found["canopy_device_records_behind"])["site", "dev"] == 3
    assert values(found["canopy_device_online"]) == {("site", "dev"): 1, ("south", "dev-2"): 0}, (
        "of one no sign of life"
    )
    assert found["canopy_fleet_receiving"].samples[0].value == 0
    assert found["canopy_fleet_messages_committed"].type == "counter"


def test_the_shipped_rules_and_dashboard_name_only_what_is_there(store):
    there = {sample.name for family in families(store).values() for sample in family.samples}
    there |= {"canopy_device_disk_free_bytes", "canopy_device_step_seconds", "canopy_device_temperature_celsius"}
    there |= {"canopy_alerts_firing"}  # without samples while nothing fires
    rules = yaml.safe_load((CONFIGS / "prometheus/canopy-rules.yaml").read_text())["groups"][0]["rules"]
    board = json.loads((CONFIGS / "grafana/canopy-fleet.json").read_text())
    asked = [rule["expr"] for rule in rules]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for expression in asked for name in re.findall(r"canopy_[a-z_]+", expression)}
    assert named
    assert named <= there
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert yaml.safe_load((CONFIGS / "prometheus/canopy.yaml").read_text())["rule_files"] == ["canopy-rules.yaml"]


class Broker:
    """What Home Assistant would find on its broker."""

    def __init__(self):
        self.retained, self.takes = {}, True

    def __call__(self, topic, payload):
        if self.takes:
            self.retained[topic] = payload
        return self.takes


def test_each_headline_of_a_camera_becomes_a_sensor(store):
    broker = Broker()
    HomeAssistant(store, HomeAssistantSettings(), broker, lambda: 1).tell()
    topic = "homeassistant/sensor/canopy_site_dev_cam_leaf_count/config"
    told = json.loads(broker.retained[topic])
    assert told["unique_id"] == "canopy_site_dev_cam_leaf_count"
    state = json.loads(broker.retained[told["state_topic"]])
    assert state["leaf_count"] == 5
    assert told["value_template"] == "{{ value_json.leaf_count }}"
    assert told["device"]["identifiers"] == ["canopy_site_dev"]


def test_what_the_broker_did_not_take_is_announced_again(store):
    broker = Broker()
    bridge, broker.takes = HomeAssistant(store, HomeAssistantSettings(), broker, lambda: 1), False
    bridge.tell()
    broker.takes = True
    bridge.tell()
    assert sum(topic.endswith("/config") for topic in broker.retained) == 2


def test_another_session_is_told_everything_again(store):
    broker, session = Broker(), 1
    bridge = HomeAssistant(store, HomeAssistantSettings(), broker, lambda: session)
    bridge.tell()
    broker.retained.clear()
    bridge.tell()
    assert not any(topic.endswith("/config") for topic in broker.retained)
    session = 2
    bridge.tell()
    assert any(topic.endswith("/config") for topic in broker.retained)


def test_home_assistant_finds_its_sensors_on_a_real_broker(store, mosquitto):
    ingest = Ingest(store, MqttSettings(embedded=False, port=mosquitto.port), mosquitto.port)
    ingest.start()
    heard, arrived = {}, threading.Event()
    listener = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    def note(_client, _data, message):
        heard[message.topic] = json.loads(message.payload)
        if any(topic.startswith("canopy-ha/") for topic in heard):
            arrived.set()

    listener.on_message = note
    try:
        assert ingest.wait_subscribed(10)
        HomeAssistant(store, HomeAssistantSettings(), ingest.retain, lambda: ingest.session).tell()
        listener.connect("127.0.0.1", mosquitto.port)
        listener.subscribe([("homeassistant/#", 1), ("canopy-ha/#", 1)])
        listener.loop_start()
        assert arrived.wait(10)
    finally:
        listener.disconnect()
        listener.loop_stop()
        ingest.stop()
    assert "homeassistant/sensor/canopy_site_dev_cam_leaf_count/config" in heard
