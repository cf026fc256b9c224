# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of the database and Redis."""

from __future__ import annotations

import copy
import pathlib
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_gateway import (
    Around,
    check_gateway,
    gateway_options,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Object = dict[str, t.Any]
ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = read_roles(ROOT / "roles")
MODEL: Object = {"served_name": "chat", "price": {"input_per_token": 1e-07, "output_per_token": 1e-07}}
# Of the many that the operator's release 1.30 knows, those that we use, with the types it wants.
CLUSTER_FIELDS: dict[str, type] = {
    "affinity": dict,
    "bootstrap": dict,
    "enablePDB": bool,
    "imageName": str,
    "imagePullPolicy": str,
    "imagePullSecrets": list,
    "inheritedMetadata": dict,
    "instances": int,
    "maxSyncReplicas": int,
    "minSyncReplicas": int,
    "postgresql": dict,
    "resources": dict,
    "storage": dict,
}
Render = t.Callable[..., dict[tuple[str, str], Object]]


@pytest.fixture(scope="module")
def render(render_template: t.Any) -> Render:
    seen: dict[str, dict[tuple[str, str], Object]] = {}

    def objects(*, tier: str = "dev", **options: t.Any) -> dict[tuple[str, str], Object]:
        key = repr((tier, sorted(options.items())))
        if key not in seen:
            seen[key] = fresh(tier, **options)
        return copy.deepcopy(seen[key])

    def fresh(tier: str, **options: t.Any) -> dict[tuple[str, str], Object]:
        validator = Validator()
        found = check_gateway(
            gateway_options(options, ROLES), Around(tier, "existing", [MODEL], {"cloudnative_pg": True}), validator
        )
        assert validator.problems == []
        kind = found["datastores"]["database"]["kind"]
        variables = {"llm_plan": {"tier": tier, "storage_class": "", **found}, **options}
        templates = {"statefulset": ["postgresql.yml.j2"], "cnpg": ["cluster.yml.j2"]}.get(kind, [])
        rendered = [
            obj
            for template in [*templates, "redis.yml.j2"]
            for obj in render_template("datastores", template, variables, namespace="llm-gateway")
        ]
        named = {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered}
        assert len(named) == len(rendered)
        return named

    return objects


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_pods_have_no_more_rights_than_they_need(render: Render, name: str) -> None:
    pod = render()["StatefulSet", name]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 999
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(("name", "secret"), [("postgresql", "litellm-pg-app"), ("redis", "litellm-redis")])
def test_the_password_comes_as_a_file_and_never_as_an_argument(render: Render, name: str, secret: str) -> None:
    pod = render()["StatefulSet", name]["spec"]["template"]["spec"]
    (volume,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "password"]
    assert (volume["secretName"], volume["defaultMode"]) == (secret, 0o440)
    assert [item["key"] for item in volume["items"]] == ["password"]
    (container,) = pod["containers"]
    assert "PASSWORD" not in " ".join(entry["name"] for entry in container.get("env", []) if "value" not in entry)
    assert "--requirepass" not in repr(container)


def test_the_shell_hands_the_password_to_redis_on_standard_input(render: Render) -> None:
    (container,) = render()["StatefulSet", "redis"]["spec"]["template"]["spec"]["containers"]
    script = container["args"][0]
    assert "exec redis-server /etc/redis/redis.conf -" in script
    assert "requirepass $(cat /run/secrets/redis/password)" in script


def test_counters_survive_a_restart_and_are_never_evicted(render: Render) -> None:
    lines = render()["ConfigMap", "redis"]["data"]["redis.conf"].splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line)
    assert settings["appendonly"] == "yes"
    assert settings["maxmemory-policy"] == "noeviction"
    assert int(settings["maxmemory"]) == int(256 * 1024**2 * 0.6)


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_the_data_outlives_the_pods(render: Render, name: str) -> None:
    spec = render(datastores_database_storage_class="fast", datastores_redis_storage_class="fast")["StatefulSet", name]
    assert spec["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"


def test_a_changed_configuration_rolls_redis(render: Render) -> None:
    def checksum(**options: t.Any) -> str:
        template = render(**options)["StatefulSet", "redis"]["spec"]["template"]
        return t.cast("str", template["metadata"]["annotations"]["llm-platform.wmx.dev/config-checksum"])

    assert checksum() == checksum()
    assert checksum() != checksum(datastores_redis_resources={"limits": {"memory": "512Mi"}})


def test_an_operated_database_keeps_what_was_acknowledged(render: Render) -> None:
    objects = render(tier="prod", datastores_accept_single_redis=True)
    cluster = objects["Cluster", "postgresql"]["spec"]
    assert cluster["instances"] == 3
    assert cluster["minSyncReplicas"] == cluster["maxSyncReplicas"] == 1
    assert cluster["bootstrap"]["initdb"]["secret"] == {"name": "litellm-pg-app"}
    assert ("StatefulSet", "postgresql") not in objects


def test_the_database_of_one_instance_asks_for_no_standby(render: Render) -> None:
    cluster = render(datastores_database="cnpg")["Cluster", "postgresql"]["spec"]
    assert cluster["instances"] == 1
    assert cluster["enablePDB"] is False
    assert "minSyncReplicas" not in cluster


@pytest.mark.parametrize("tier", ["dev", "prod"])
def test_the_operators_fields_have_its_types(render: Render, tier: str) -> None:
    objects = render(tier=tier, datastores_database="cnpg", datastores_accept_single_redis=True)
    spec = objects["Cluster", "postgresql"]["spec"]
    assert {name for name, value in spec.items() if not isinstance(value, CLUSTER_FIELDS[name])} == set()
    assert all(isinstance(value, str) for value in spec["postgresql"]["parameters"].values())
    assert set(spec["bootstrap"]["initdb"]) == {"database", "owner", "secret", "dataChecksums"}
    assert set(spec["storage"]) <= {"size", "storageClass"}


def crd_schema() -> Object:
    """The schema of the operator's CRD, where a folder with its release manifest lies beside the checkout."""
    manifests = sorted(ROOT.parent.glob("*/crds/cloudnative-pg-v*.yaml"))
    if not manifests:
        pytest.skip(
            "no ../*/crds/cloudnative-pg-v*.yaml beside the checkout: the operator's release manifest is needed"
        )
    text = manifests[-1].read_text(encoding="utf-8")
    (document,) = [part for part in text.split("\n---") if "\n  name: clusters.postgresql.cnpg.io\n" in part]
    crd = yaml.load(document, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    return t.cast("Object", crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def closed(schema: Object) -> Object:
    """The schema as the API server reads it: a field that it does not name is an error."""
    if "properties" in schema:
        properties = {name: closed(value) for name, value in schema["properties"].items()}
        return {"additionalProperties": False, **schema, "properties": properties}
    return {**schema, "items": closed(schema["items"])} if "items" in schema else schema


@pytest.mark.parametrize("tier", ["dev", "prod"])
def test_the_operator_knows_every_field(render: Render, tier: str) -> None:
    spec_schema = closed(crd_schema()["properties"]["spec"])
    options = {"datastores_database_storage_class": "fast", "datastores_image_pull_secrets": ["registry"]}
    objects = render(tier=tier, datastores_database="cnpg", datastores_accept_single_redis=True, **options)
    spec = objects["Cluster", "postgresql"]["spec"]
    jsonschema.validate(spec, spec_schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**spec, "unknown": 1}, spec_schema)
