"""The Kubernetes files say what they mean: valid, complete in themselves, and no more allowed than is needed."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.settings import load_settings

FOLDER = Path(__file__).parents[2] / "configs" / "kubernetes"
LISTED = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
NAME = "app.kubernetes.io/name"


def documents() -> Iterator[dict[str, Any]]:
    for resource in LISTED["resources"]:
        yield from yaml.safe_load_all((FOLDER / resource).read_text())


ALL = list(documents())
WORKLOADS = [one for one in ALL if one["kind"] in {"Deployment", "StatefulSet"}]
POLICIES = [one for one in ALL if one["kind"] == "NetworkPolicy"]
SECRETS = {
    one["metadata"]["name"]: set(one["stringData"])
    for one in yaml.safe_load_all((FOLDER / "secrets.example.yaml").read_text())
}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"])


def named(workload: dict[str, Any]) -> str:
    return str(workload["metadata"]["name"])


def selects(selector: dict[str, Any], name: str) -> bool:
    labels = selector.get("matchLabels", {})
    listed = [value for one in selector.get("matchExpressions", []) if one["key"] == NAME for value in one["values"]]
    return labels.get(NAME, name) == name and (not listed or name in listed)


def test_every_file_is_listed_and_every_listed_file_is_there() -> None:
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "secrets.example.yaml", "fleet.yaml"}
    assert there == set(LISTED["resources"])
    for generated in LISTED["configMapGenerator"]:
        assert all((FOLDER / name).is_file() for name in generated["files"])


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_no_container_is_root_or_writes_to_itself_or_is_unbounded(workload: dict[str, Any]) -> None:
    spec = pod(workload)
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}
        assert {"readinessProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_every_reference_leads_somewhere(workload: dict[str, Any]) -> None:
    spec = pod(workload)
    assert workload["spec"]["template"]["metadata"]["labels"] == workload["spec"]["selector"]["matchLabels"]
    configs = {generated["name"] for generated in LISTED["configMapGenerator"]}
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    claimed = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    for volume in volumes.values():
        assert volume.get("configMap", {}).get("name", next(iter(configs))) in configs
        assert volume.get("secret", {}).get("secretName", next(iter(SECRETS))) in SECRETS
    for container in spec["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes) | claimed
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                key = variable["valueFrom"]["secretKeyRef"]
                assert key["key"] in SECRETS[key["name"]]


def test_every_service_and_policy_names_ports_that_pods_have() -> None:
    ports = {
        named(one): {port["name"] for container in pod(one)["containers"] for port in container.get("ports", [])}
        for one in WORKLOADS
    }
    for service in (one for one in ALL if one["kind"] == "Service"):
        target = service["spec"]["selector"][NAME]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[target]
    for policy in POLICIES:
        for rule in policy["spec"].get("ingress", []):
            wanted = {port["port"] for port in rule.get("ports", [])}
            assert wanted <= set().union(
                *(ports[name] for name in ports if selects(policy["spec"]["podSelector"], name))
            )


def test_whatever_is_not_named_is_forbidden_and_the_database_is_only_for_the_fleet() -> None:
    assert any(
        one["spec"]["podSelector"] == {} and set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not one["spec"].keys() & {"ingress", "egress"}
        for one in POLICIES
    )  # fmt: skip
    (database,) = [one for one in POLICIES if named(one) == "database"]
    callers = [source["podSelector"]["matchLabels"][NAME] for source in database["spec"]["ingress"][0]["from"]]
    assert callers == ["service", "ingest"]


def test_the_fleets_configuration_can_be_used_and_its_hosts_are_services() -> None:
    settings = load_settings(FOLDER / "fleet.yaml")
    services = {named(one): [port["port"] for port in one["spec"]["ports"]] for one in ALL if one["kind"] == "Service"}
    assert settings.mqtt.port in services[settings.mqtt.host]
    assert "@database/" in settings.database_url
    assert "password" not in settings.database_url
    assert settings.ingest.shared
    assert not settings.ingest.in_service


def test_no_secret_stands_in_what_is_applied() -> None:
    assert not [one for one in ALL if one["kind"] == "Secret"]


def test_kustomize_builds_it() -> None:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    built = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True).stdout
    kinds = [one["kind"] for one in yaml.safe_load_all(built)]
    assert kinds.count("ConfigMap") == 2
    assert len(kinds) == len(ALL) + 2


def test_every_resource_is_valid_for_kubernetes() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for one in ALL:
        validate.validate(one, validate.latest_version(), strict=True)
