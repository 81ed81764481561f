"""The Helm chart: rendered by Helm's own library, held to the schemas of Kubernetes."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadtests.environment import NotInstalledError, python_with
from server.config import Settings
from server.tenancy.doors import DOORS, Access

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "whet"
PACKAGES = ("helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0")
KEY = {"apiKey": {"existingSecret": "whet-key", "key": "api-key"}}

Render = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def render() -> Render:
    """Render the chart with values; every manifest was held to the schemas."""
    try:
        python = python_with("helm", *PACKAGES)
    except NotInstalledError as error:
        pytest.skip(f"Helm cannot be installed here (pip install {' '.join(PACKAGES)}): {error}")

    def rendered(**values: Any) -> dict[str, Any]:
        program = Path(__file__).with_name("rendering.py")
        ended = subprocess.run(
            [python, program, CHART, json.dumps(values)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr[-3000:]
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    return rendered


def pod(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod of the rendered server."""
    sets = [each for each in found["manifests"] if each["kind"] == "StatefulSet"]
    spec: dict[str, Any] = sets[0]["spec"]["template"]["spec"]
    return spec


def variables(found: Mapping[str, Any]) -> dict[str, Any]:
    (container,) = pod(found)["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_the_chart_renders_to_what_kubernetes_takes_and_helm_has_no_complaint(
    render: Render,
) -> None:
    found = render(**KEY)
    kinds = sorted(each["kind"] for each in found["manifests"])
    assert kinds == ["Service", "ServiceAccount", "StatefulSet"]
    assert found["complaints"] == []
    assert "statefulset/try-whet" in found["notes"]


def test_the_server_runs_as_nobody_in_particular_and_may_do_nothing_in_particular(
    render: Render,
) -> None:
    spec = pod(render(**KEY))
    (container,) = spec["containers"]
    uid = spec["securityContext"]["runAsUser"]
    assert f"--uid {uid} " in (ROOT / "Dockerfile").read_text()
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not spec["automountServiceAccountToken"]


def test_probes_ask_routes_that_need_no_key(render: Render) -> None:
    (container,) = pod(render(**KEY))["containers"]
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")}
    ready = container["readinessProbe"]["httpGet"]["path"]
    assert (paths, ready) == ({"/health"}, "/ready")
    assert {DOORS[path] for path in (*paths, ready)} == {Access.PUBLIC}


def test_settings_become_variables_that_the_server_knows(render: Render) -> None:
    given = {"files_mb": 20_000_000, "min_similarity": 0.75, "log_format": "json", "jobs": False}
    database = {"existingSecret": "postgres", "key": "url"}
    found = variables(render(**KEY, settings=given, database=database))
    said = {name.removeprefix("WHET_").lower(): value for name, value in found.items()}
    key = said.pop("vllm_api_key")
    url = said.pop("database_url")
    assert key == {"secretKeyRef": {"name": "whet-key", "key": "api-key"}}
    assert url == {"secretKeyRef": {"name": "postgres", "key": "url"}}
    settings = Settings(**said)
    assert {name: getattr(settings, name) for name in given} == given
    assert not pod(render(**KEY))["enableServiceLinks"]


def test_requests_have_time_to_end_before_the_server_is_killed(render: Render) -> None:
    found = render(**KEY, drainSeconds=120, noticeSeconds=10)
    settings = variables(found)
    given_s = float(settings["WHET_DRAIN_S"]) + float(settings["WHET_NOTICE_S"])
    assert pod(found)["terminationGracePeriodSeconds"] >= given_s + 10


def test_gpus_model_and_flags_reach_the_server(render: Render) -> None:
    found = render(**KEY, gpus=2, model="Qwen/Qwen3-8B", args=["--max-model-len=8192"])
    (container,) = pod(found)["containers"]
    assert container["resources"]["limits"] == {"memory": "12Gi", "nvidia.com/gpu": 2}
    assert container["args"][:2] == ["serve", "Qwen/Qwen3-8B"]
    assert container["args"][-1] == "--max-model-len=8192"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"apiKey": {"existingSecret": "", "key": "k"}}, "existingSecret"),
        ({**KEY, "replicas": 3}, "replicas"),
        ({**KEY, "settings": {"Max": 3}}, "Max"),
        ({**KEY, "gpus": -1}, "gpus"),
        ({**KEY, "sharedMemory": "much"}, "sharedMemory"),
    ],
    ids=["no key", "several servers", "no setting's name", "no number", "no size"],
)
def test_values_that_cannot_work_are_refused_by_name(
    render: Render, wrong: dict[str, Any], named: str
) -> None:
    assert named in render(**wrong)["refused"]


def test_the_chart_installs_the_version_that_it_lies_beside() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == package["version"]
