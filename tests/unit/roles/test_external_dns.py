# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of external-dns, for each provider."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import Item, Tree, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULES
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.test__plan_dns import (
    AZURE,
    CLIENT,
    EDGE,
    ROLE,
    WAYS,
    plan,
)

if t.TYPE_CHECKING:
    from conftest import RenderTemplate

Object = dict[str, t.Any]
Render = t.Callable[..., dict[tuple[str, str], Object]]
ROOT = pathlib.Path(__file__).resolve().parents[3]
SECRET = {"secretKeyRef": {"name": "dns-credential", "key": "credential"}}


@pytest.fixture(scope="module")
def render(render_template: RenderTemplate) -> Render:
    def objects(way: str, **options: t.Any) -> dict[tuple[str, str], Object]:
        options = {**WAYS[way], **options}
        entry, problems = plan(**options)
        assert problems == []
        known = {
            **options,
            "llm_plan": {
                "environment": "blue",
                "external_dns": entry,
                "edge": {**EDGE, "namespace": "llm-edge"},
                "gateway": {"namespace": "llm-gateway"},
            },
        }
        rendered = [
            obj
            for template in ("access.yml.j2", "deployment.yml.j2")
            for obj in render_template("external_dns", template, known, namespace="external-dns")
        ]
        named = {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered}
        assert len(named) == len(rendered)
        return named

    return objects


def pod(objects: dict[tuple[str, str], Object]) -> Object:
    return t.cast("Object", objects["Deployment", "external-dns"]["spec"]["template"])


def container(objects: dict[tuple[str, str], Object], name: str = "external-dns") -> Object:
    (found,) = [item for item in pod(objects)["spec"]["containers"] if item["name"] == name]
    return t.cast("Object", found)


def environment(objects: dict[tuple[str, str], Object], name: str = "external-dns") -> dict[str, t.Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container(objects, name).get("env", [])}


def volumes(objects: dict[tuple[str, str], Object]) -> list[Object]:
    return t.cast("list[Object]", pod(objects)["spec"].get("volumes", []))


@pytest.mark.parametrize("tier", ["dev", "prod"])
@pytest.mark.parametrize("way", WAYS)
def test_the_gate_finds_nothing(render: Render, way: str, tier: str) -> None:
    items = [Item.of("experience/external_dns/x.yml", obj) for obj in render(way).values()]
    # Digests are written when a component is rendered as a whole.
    findings = judge(Tree(items, tier), [rule for rule in RULES if rule.name != "pinned"])
    assert [str(finding) for finding in findings] == []


@pytest.mark.parametrize("way", WAYS)
def test_it_publishes_our_entrance_alone_and_says_whose_records_are_whose(render: Render, way: str) -> None:
    args = container(render(way))["args"]
    assert {
        "--source=gateway-httproute",
        "--gateway-name=edge",
        "--gateway-namespace=llm-edge",
        "--namespace=llm-gateway",
        f"--provider={WAYS[way]['external_dns_provider']}",
        "--domain-filter=llm.example.com",
        "--policy=upsert-only",
        "--registry=txt",
        "--txt-owner-id=blue",
    } <= set(args)
    assert len([arg for arg in args if arg.startswith("--source=")]) == 1
    assert not [arg for arg in args if "target" in arg]


def test_it_reads_that_gateway_its_routes_and_the_names_of_namespaces(render: Render) -> None:
    objects = render("cloudflare")
    rights = {
        (kind, obj["metadata"].get("namespace"), rule["resources"][0])
        for (kind, _name), obj in objects.items()
        if kind in ("Role", "ClusterRole")
        for rule in obj["rules"]
        if rule["verbs"] == ["get", "list", "watch"] and len(rule["resources"]) == 1
    }
    assert rights == {
        ("Role", "llm-edge", "gateways"),
        ("Role", "llm-gateway", "httproutes"),
        ("ClusterRole", None, "namespaces"),
    }
    for (kind, _name), obj in objects.items():
        if kind.endswith("Binding"):
            assert obj["subjects"] == [{"kind": "ServiceAccount", "name": "external-dns", "namespace": "external-dns"}]


def test_cloudflare_reads_its_token_from_a_file(render: Render) -> None:
    objects = render("cloudflare")
    assert environment(objects) == {"CF_API_TOKEN": "file:/run/secrets/dns/credential"}
    (volume,) = volumes(objects)
    assert volume["secret"]["secretName"] == "dns-credential"
    assert volume["secret"]["items"] == [{"key": "credential", "path": "credential"}]
    (mount,) = container(objects)["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/run/secrets/dns", True)
    assert not [arg for arg in container(objects)["args"] if "proxied" in arg]
    proxied = render("cloudflare", external_dns_cloudflare={"proxied": True})
    assert "--cloudflare-proxied" in container(proxied)["args"]


def test_aws_is_a_role_or_has_a_key(render: Render) -> None:
    objects = render("aws by its role")
    assert objects["ServiceAccount", "external-dns"]["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": ROLE}
    assert environment(objects) == {"AWS_REGION": "us-east-1"}
    assert "--aws-zone-type=public" in container(objects)["args"]
    keyed = render("aws by a key")
    assert "annotations" not in keyed["ServiceAccount", "external-dns"]["metadata"]
    assert environment(keyed) == {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    assert volumes(objects) == volumes(keyed) == []


def test_google_is_a_service_account_or_has_its_key(render: Render) -> None:
    objects = render("google by its identity")
    annotations = objects["ServiceAccount", "external-dns"]["metadata"]["annotations"]
    assert annotations == {"iam.gke.io/gcp-service-account": "dns@project.iam.gserviceaccount.com"}
    assert (environment(objects), volumes(objects)) == ({}, [])
    assert {"--google-project=p", "--google-zone-visibility=public"} <= set(container(objects)["args"])
    keyed = render("google by a key")
    assert environment(keyed) == {"GOOGLE_APPLICATION_CREDENTIALS": "/run/secrets/dns/credential"}
    assert volumes(keyed)[0]["secret"]["secretName"] == "dns-credential"


def test_azure_reads_one_file_that_is_secret_only_where_a_secret_is_in_it(render: Render) -> None:
    objects = render("azure by its identity")
    account = objects["ServiceAccount", "external-dns"]["metadata"]["annotations"]
    assert account == {"azure.workload.identity/client-id": CLIENT}
    assert pod(objects)["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert json.loads(objects["ConfigMap", "external-dns"]["data"]["azure.json"]) == {
        "tenantId": AZURE["tenant_id"],
        "subscriptionId": AZURE["subscription_id"],
        "resourceGroup": AZURE["resource_group"],
        "useWorkloadIdentityExtension": True,
    }
    assert volumes(objects)[0]["configMap"] == {"name": "external-dns"}
    filed = render("azure by a file")
    assert "azure.workload.identity/use" not in pod(filed)["metadata"]["labels"]
    assert volumes(filed)[0]["secret"]["items"] == [{"key": "credential", "path": "azure.json"}]
    for which in (objects, filed):
        assert container(which)["volumeMounts"][0]["mountPath"] == "/etc/kubernetes"
        assert "--azure-config-file=/etc/kubernetes/azure.json" in container(which)["args"]


def test_updates_by_rfc2136_are_signed_and_the_key_is_no_argument(render: Render) -> None:
    objects = render("rfc2136", external_dns_zone="example.com")
    assert [arg for arg in container(objects)["args"] if arg.startswith("--rfc2136")] == [
        "--rfc2136-host=ns1.example.com",
        "--rfc2136-port=53",
        "--rfc2136-zone=example.com",
        "--rfc2136-tsig-keyname=k",
        "--rfc2136-tsig-secret-alg=hmac-sha256",
        "--rfc2136-tsig-axfr",
    ]
    assert environment(objects) == {"EXTERNAL_DNS_RFC2136_TSIG_SECRET": SECRET}


def test_a_webhook_stands_beside_it_and_has_the_credential_alone(render: Render) -> None:
    more = {**WAYS["webhook"]["external_dns_webhook"], "args": ["--dry"], "env": {"RETRIES": "3"}}
    objects = render("webhook", external_dns_webhook=more)
    assert environment(objects) == {}
    assert environment(objects, "webhook") == {"RETRIES": "3", "API_TOKEN": SECRET}
    hook = container(objects, "webhook")
    assert (hook["image"], hook["args"]) == ("ghcr.io/acme/hook:1.0.0", ["--dry"])
    assert hook["ports"] == [{"name": "http-webhook", "containerPort": 8080}]
    assert "--webhook-provider-url=http://localhost:8888" in container(objects)["args"]


def test_addresses_that_were_said_take_the_place_of_those_in_the_cluster(render: Render) -> None:
    args = container(render("cloudflare", external_dns_targets=["192.0.2.1", "2001:db8::1"]))["args"]
    assert [arg for arg in args if "target" in arg] == [
        "--default-targets=192.0.2.1",
        "--default-targets=2001:db8::1",
        "--force-default-targets",
    ]


@pytest.mark.parametrize("way", WAYS)
def test_two_never_write_at_once_and_nothing_is_writable(render: Render, way: str) -> None:
    spec = render(way)["Deployment", "external-dns"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    for item in spec["template"]["spec"]["containers"]:
        assert item["securityContext"]["readOnlyRootFilesystem"]
        assert item["securityContext"]["capabilities"] == {"drop": ["ALL"]}
