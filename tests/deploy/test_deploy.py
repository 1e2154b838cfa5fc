"""What Dockerfile, compose.yaml and deploy/ say is true of the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.settings_parts import settings_of

from hookflash.agents.agent import Agent
from hookflash.cli import hookflash
from hookflash.runtime import switchboard
from hookflash.server import assembly
from hookflash.server.assembly import open_line
from hookflash.settings import SETTINGS, Settings
from hookflash_local.simulation.world import SimulatedWorld

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
FILES = [
    ROOT / "Dockerfile",
    ROOT / "compose.yaml",
    *sorted(path for path in DEPLOY.rglob("*") if path.suffix in {".yaml", ".cfg", ".service"}),
]
KNOWN = {setting.variable for setting in SETTINGS}
# Variables of haproxy.cfg, which are not settings of a node.
OF_THE_BALANCER = re.compile(r"HOOKFLASH_(BIND|NODE_[1-4])")
STORING_SECONDS = 20
"""A node may need so long after its last call: records and files are stored."""


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each is not None]


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, dict[str, Any]]:
    """The objects of the manifests by kind and name."""
    found = documents(DEPLOY / "kubernetes" / "hookflash.yaml")
    found += documents(DEPLOY / "kubernetes" / "secret.example.yaml")
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    (found,) = documents(ROOT / "compose.yaml")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"\b(?:HOOKFLASH_|TWILIO_|OPENAI_)[A-Z0-9_]+\b", path.read_text()))
    assert {each for each in named - KNOWN if not OF_THE_BALANCER.fullmatch(each)} == set()


def test_the_programs_that_check_these_files_accept_them() -> None:
    checked = subprocess.run(
        [ROOT / "scripts" / "check-deploy"], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- health ---------------------------------------------------------------------------------------


async def test_the_paths_that_are_asked_are_served(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    settings = settings_of(
        public_url="http://127.0.0.1:1",
        twilio_api_url="http://127.0.0.1:2",
        model_url="ws://127.0.0.1:3",
        data_dir=tmp_path,
    )
    async with open_line(settings, Agent("shop", instructions="x"), world=world) as line:
        served = {getattr(route, "path", "") for route in line.app.routes}
    named = set()
    for path in FILES:
        named |= set(re.findall(r"/(?:healthz|readyz|metrics)\b", path.read_text()))
    assert named == {"/healthz", "/readyz", "/metrics"} <= served


def test_a_node_is_restarted_by_its_own_health_alone(kubernetes: dict[str, Any]) -> None:
    (node,) = kubernetes["StatefulSet/hookflash"]["spec"]["template"]["spec"]["containers"]
    assert node["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert node["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert "/healthz" in (ROOT / "Dockerfile").read_text().partition("HEALTHCHECK")[2]
    assert "GET /readyz" in (DEPLOY / "haproxy.cfg").read_text()


# --- draining -------------------------------------------------------------------------------------


def longest_end(drain_seconds: float, before: float = 0.0) -> float:
    """Return how long a node may need from the request to stop until it has ended."""
    after = switchboard._LAST_HANDOFF_SECONDS + assembly._LAST_RECORDS_SECONDS + STORING_SECONDS
    return before + drain_seconds + after


def test_kubernetes_waits_until_a_node_has_drained(kubernetes: dict[str, Any]) -> None:
    pod = kubernetes["StatefulSet/hookflash"]["spec"]["template"]["spec"]
    (node,) = pod["containers"]
    (_, seconds) = node["lifecycle"]["preStop"]["exec"]["command"]
    drain = float(kubernetes["ConfigMap/hookflash"]["data"]["HOOKFLASH_DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= longest_end(drain, float(seconds))


def test_compose_and_systemd_wait_until_a_node_has_drained(compose: dict[str, Any]) -> None:
    for node in ("node1", "node2"):
        service = compose["services"][node]
        drain = float(service["environment"]["HOOKFLASH_DRAIN_SECONDS"])
        assert float(service["stop_grace_period"].rstrip("s")) >= longest_end(drain)
    unit = (DEPLOY / "hookflash.service").read_text()
    drained = re.search(r"HOOKFLASH_DRAIN_SECONDS=(\d+)", unit)
    waited = re.search(r"^TimeoutStopSec=(\d+)", unit, re.M)
    assert drained is not None and waited is not None
    assert float(waited[1]) >= longest_end(float(drained[1]))


# --- settings, ports and names --------------------------------------------------------------------


def test_a_node_of_the_manifests_starts_with_its_settings(kubernetes: dict[str, Any]) -> None:
    pod = kubernetes["StatefulSet/hookflash"]["spec"]["template"]["spec"]
    (node,) = pod["containers"]
    image = dict(re.findall(r"(HOOKFLASH_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    secret = {
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "0" * 32,
        "OPENAI_API_KEY": "key",
        "HOOKFLASH_CLUSTER_SECRET": "0" * 32,
        "HOOKFLASH_METRICS_TOKEN": "0" * 32,
    }
    given = kubernetes["Secret/hookflash"]["stringData"]
    assert {name for name, value in given.items() if not value} == secret.keys()
    chosen = image | kubernetes["ConfigMap/hookflash"]["data"] | given | secret
    chosen |= {each["name"]: each.get("value", "10.0.0.1") for each in node["env"]}
    chosen = {name: value for name, value in chosen.items() if not name.startswith("AWS_")}
    assert chosen.keys() <= KNOWN
    settings = Settings.load(chosen).check_serving()
    ports = {each["name"]: each["containerPort"] for each in node["ports"]}
    assert ports == {"http": settings.server.port, "node": settings.cluster.node_port}
    assert settings.server.host == "0.0.0.0"
    mounted = {each["mountPath"] for each in node["volumeMounts"]}
    assert {str(settings.storage.data_dir), "/app", "/tmp"} == mounted


def test_the_objects_of_the_manifests_refer_to_each_other(kubernetes: dict[str, Any]) -> None:
    labels = kubernetes["StatefulSet/hookflash"]["spec"]["template"]["metadata"]["labels"]
    for name, each in kubernetes.items():
        spec = each.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector")
        if selector is not None:
            assert selector.get("matchLabels", selector) == labels, name
    target = kubernetes["HorizontalPodAutoscaler/hookflash"]["spec"]["scaleTargetRef"]
    assert f"{target['kind']}/{target['name']}" in kubernetes
    pod = kubernetes["StatefulSet/hookflash"]["spec"]["template"]["spec"]
    for source in pod["containers"][0]["envFrom"]:
        ((kind, about),) = source.items()
        assert {"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind] + "/" + about[
            "name"
        ] in kubernetes
    budget = kubernetes["PodDisruptionBudget/hookflash"]["spec"]
    assert budget["maxUnavailable"] == 1


def test_the_autoscaler_counts_calls_by_a_metric_that_exists(kubernetes: dict[str, Any]) -> None:
    (metric,) = kubernetes["HorizontalPodAutoscaler/hookflash"]["spec"]["metrics"]
    name = metric["pods"]["metric"]["name"]
    documented = (ROOT / "docs" / "topics" / "workers.md").read_text()
    assert f"`{name}{{phase}}`" in documented
    (values,) = documents(DEPLOY / "monitoring" / "prometheus-adapter.yaml")
    assert values["rules"]["custom"][0]["seriesQuery"].startswith(f"{name}{{")
    limit = kubernetes["ConfigMap/hookflash"]["data"]["HOOKFLASH_MAX_CALLS"]
    assert int(metric["pods"]["target"]["averageValue"]) < int(limit)


def test_the_balancer_of_compose_reaches_every_node(compose: dict[str, Any]) -> None:
    balancer = compose["services"]["haproxy"]
    nodes = {name for name in compose["services"] if name.startswith("node")}
    reached = {
        value for name, value in balancer["environment"].items() if name.startswith("HOOKFLASH_N")
    }
    assert reached == {f"{name}:8080" for name in nodes}
    (mounted,) = balancer["volumes"]
    assert (ROOT / mounted.partition(":")[0]).is_file()
    volumes = {
        each.partition(":")[0] for name in nodes for each in compose["services"][name]["volumes"]
    }
    assert volumes - {"./agent.py"} <= compose["volumes"].keys()
    environment = compose["services"]["node1"]["environment"]
    assert Settings.load(
        {
            name: value.replace("${POSTGRES_PASSWORD:?set it in .env}", "x")
            for name, value in environment.items()
        }
    ).cluster.url


# --- the image ------------------------------------------------------------------------------------


def test_the_image_has_the_packages_of_the_lock_files() -> None:
    def pinned(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.M))

    image, all_of_them = pinned(DEPLOY / "image.lock"), pinned(ROOT / "requirements.lock")
    assert image.items() <= all_of_them.items()
    assert {"obstore", "redis", "asyncpg", "mcp", "uvicorn"} <= image.keys()
    # Local speech is large, and no part of a node.
    assert not {"faster-whisper", "onnxruntime", "piper-tts"} & image.keys()


def test_the_image_copies_what_there_is_and_nothing_runs_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = text.split("\nFROM ")
    assert len(stages) == 3
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()
    last = stages[-1]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert "pip" not in last
    assert ":latest" not in text
    found = re.search(r'^ENTRYPOINT \["(\w+)"\]\nCMD \["(\w+)"', last, re.M)
    assert found is not None
    assert (found[1], hookflash.get_command(None, found[2]) is not None) == ("hookflash", True)


def test_the_unit_runs_a_command_that_there_is() -> None:
    unit = (DEPLOY / "hookflash.service").read_text()
    found = re.search(r"^ExecStart=\S+/hookflash (\w+)", unit, re.M)
    assert found is not None
    assert hookflash.get_command(None, found[1]) is not None
    assert re.search(r"^User=hookflash$", unit, re.M)
