# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of the LLM gateway."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_gateway import (
    Around,
    check_gateway,
    gateway_options,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_routing import Around as RoutedAround
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_routing import check_routing, routing_options
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Object = dict[str, t.Any]
ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = read_roles(ROOT / "roles")
CHAT: Object = {
    "name": "chat",
    "served_name": "org/chat",
    "price": {"input_per_token": 1e-07, "output_per_token": 4e-07},
    "max_model_len": 8192,
    "max_output_tokens": 512,
}
ROUTING = check_routing(routing_options({}, ROLES), RoutedAround("dev"), Validator())
TEMPLATES = ("config.yml.j2", "deployment.yml.j2", "migration.yml.j2")
Render = t.Callable[..., dict[tuple[str, str], Object]]


@pytest.fixture(scope="module")
def render(render_template: t.Any) -> Render:
    seen: dict[str, dict[tuple[str, str], Object]] = {}

    def objects(
        *, tier: str = "dev", models: list[Object] | None = None, providers: t.Sequence[Object] = (), **options: t.Any
    ) -> dict[tuple[str, str], Object]:
        key = repr((tier, models, providers, sorted(options.items())))
        if key not in seen:
            seen[key] = fresh(tier, models, providers, **options)
        return copy.deepcopy(seen[key])

    def fresh(
        tier: str, models: list[Object] | None, providers: t.Sequence[Object], **options: t.Any
    ) -> dict[tuple[str, str], Object]:
        listed = copy.deepcopy(models or [CHAT])
        validator = Validator()
        known = {"datastores_accept_single_redis": True, **options}
        found = check_gateway(
            gateway_options(known, ROLES), Around(tier, "existing", listed, {"cloudnative_pg": True}), validator
        )
        assert validator.problems == []
        variables = {
            "llm_plan": {"tier": tier, "storage_class": "", "models": listed, "routing": ROUTING, **found}
            | {"providers": list(providers), "egress": {"url": "http://egress-istio.llm-egress.svc"}},
            "role_path": str(ROOT / "roles" / "llm_gateway"),
            **options,
        }
        rendered = [
            obj
            for template in TEMPLATES
            for obj in render_template("llm_gateway", template, variables, namespace="llm-gateway")
        ]
        named = {(obj["kind"], obj["metadata"]["name"].split("-migrate-")[0]): obj for obj in rendered}
        assert len(named) == len(rendered)
        return named

    return objects


def config_of(objects: dict[tuple[str, str], Object]) -> Object:
    return t.cast("Object", yaml.safe_load(objects["ConfigMap", "litellm"]["data"]["config.yaml"]))


def pod_of(objects: dict[tuple[str, str], Object], kind: str = "Deployment") -> Object:
    return t.cast("Object", objects[kind, "litellm"]["spec"]["template"]["spec"])


def environment_of(container: Object) -> Object:
    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def test_a_model_becomes_an_entry_with_prices_and_bounds(render: Render) -> None:
    (entry,) = config_of(render())["model_list"]
    assert entry["model_name"] == "org/chat"
    params = entry["litellm_params"]
    assert params["model"] == "hosted_vllm/org/chat"
    assert params["api_base"] == "http://inference-istio.inference-gateway/m/chat/v1"
    assert params["api_key"] == "os.environ/UPSTREAM_API_KEY"
    info = entry["model_info"]
    assert (info["input_cost_per_token"], info["output_cost_per_token"]) == (1e-07, 4e-07)
    assert info["cache_read_input_token_cost"] == 1e-07, "a cached token is not free"
    assert not [name for name in params if "cost" in name], "such prices are registered again with every request"
    assert info["max_output_tokens"] == 512, "without it 16384 tokens are reserved"
    assert info["max_input_tokens"] == 8192, "without it nothing is, when tokens cannot be counted"
    assert info["id"] == "llm-platform/chat", "an id that LiteLLM's own list of prices has would mix with it"


CLAUDE: Object = {
    **CHAT,
    "name": "claude",
    "served_name": "org/claude",
    "engine": "provider",
    "kind": "anthropic",
    "model": "claude-haiku-4-5",
    "secret": "anthropic-key",
}


def test_a_model_of_a_provider_goes_by_the_one_way_out_with_its_own_key(render: Render) -> None:
    objects = render(providers=[CLAUDE])
    ours, theirs = config_of(objects)["model_list"]
    assert theirs["litellm_params"] == {
        "model": "anthropic/claude-haiku-4-5",
        "api_base": "http://egress-istio.llm-egress.svc/p/claude",
        "api_key": "os.environ/PROVIDER_KEY_ANTHROPIC_KEY",
        "use_chat_completions_api": True,
        "max_retries": 0,
    }
    assert theirs["model_info"] == {**ours["model_info"], "id": "llm-platform/claude"}, "the same prices and bounds"
    environment = environment_of(pod_of(objects)["containers"][0])
    assert environment["PROVIDER_KEY_ANTHROPIC_KEY"] == {
        "secretKeyRef": {"name": "provider-keys", "key": "anthropic-key"}
    }
    known = json.loads(objects["ConfigMap", "litellm"]["data"]["guard.json"])["models"]
    assert known["org/claude"] == {"max_output_tokens": 512}
    assert ours["litellm_params"]["model"].startswith("hosted_vllm/"), "by which the guard knows a model of ours"


def test_budgets_fail_closed(render: Render) -> None:
    config = config_of(render())
    general = config["general_settings"]
    assert general["fail_closed_budget_enforcement"] is True
    assert general["allow_requests_on_db_unavailable"] is False
    assert general["store_model_in_db"] is False
    assert general["use_redis_transaction_buffer"] is True
    assert general["user_api_key_cache_ttl"] == 10
    assert config["litellm_settings"]["cache_params"]["supported_call_types"] == [], "no answer is cached"
    assert config["litellm_settings"]["num_retries"] == config["router_settings"]["num_retries"] == 0


def test_the_life_of_counters_stands_before_the_cache_that_takes_it(render: Render) -> None:
    order = list(config_of(render())["litellm_settings"])
    assert order.index("default_redis_ttl") < order.index("cache")


def test_free_settings_are_merged_and_the_guard_stays(render: Render) -> None:
    extra = {"litellm_settings": {"callbacks": ["langfuse"], "drop_params": False}, "new_section": {"a": 1}}
    config = config_of(render(llm_gateway_config=extra))
    assert config["litellm_settings"]["callbacks"] == ["llm_platform_guard.callback.guard", "prometheus", "langfuse"]
    assert config["litellm_settings"]["drop_params"] is False
    assert config["new_section"] == {"a": 1}
    assert config["general_settings"]["fail_closed_budget_enforcement"] is True


def test_fallbacks_are_written_as_litellm_reads_them(render: Render) -> None:
    spare = {**CHAT, "name": "spare", "served_name": "org/spare"}
    fallbacks = [{"model": "org/chat", "to": ["org/spare"]}]
    config = config_of(render(models=[CHAT, spare], llm_gateway_fallbacks=fallbacks))
    assert config["router_settings"]["fallbacks"] == [{"org/chat": ["org/spare"]}]


def test_the_guard_is_mounted_whole_and_knows_every_model(render: Render) -> None:
    objects = render(llm_gateway_guard_limits={"choices": 4})
    folder = ROOT / "roles/llm_gateway/files/guard/llm_platform_guard"
    mounted = objects["ConfigMap", "litellm-guard"]["data"]
    assert mounted == {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert "install.py" in mounted
    settings = json.loads(objects["ConfigMap", "litellm"]["data"]["guard.json"])
    assert settings["models"] == {"org/chat": {"max_output_tokens": 512}}
    assert settings["limits"] == {"request_seconds": 300, "choices": 4}
    (container,) = pod_of(objects)["containers"]
    assert environment_of(container)["LITELLM_WORKER_STARTUP_HOOKS"] == "llm_platform_guard.install:install"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    assert {"/etc/litellm", "/etc/litellm-guard/llm_platform_guard"} <= mounts


def test_what_litellm_reads_at_its_start_rolls_the_pods(render: Render) -> None:
    def checksum(**options: t.Any) -> str:
        template = render(**options)["Deployment", "litellm"]["spec"]["template"]
        return t.cast("str", template["metadata"]["annotations"]["llm-platform.wmx.dev/config-checksum"])

    assert checksum() == checksum()
    seen = {checksum(), checksum(llm_gateway_retries=1), checksum(llm_gateway_guard_limits={"choices": 4})}
    assert len(seen | {checksum(models=[{**CHAT, "max_output_tokens": 256}])}) == 4


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pods_have_no_more_rights_than_they_need(render: Render, kind: str) -> None:
    pod = pod_of(render(), kind)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]


def test_secrets_come_from_secrets_alone(render: Render) -> None:
    objects = render()
    (container,) = pod_of(objects)["containers"]
    seen = {name: value["secretKeyRef"] for name, value in environment_of(container).items() if isinstance(value, dict)}
    assert seen == {
        "DATABASE_PASSWORD": {"name": "litellm-pg-app", "key": "password"},
        "DATABASE_USERNAME": {"name": "litellm-pg-app", "key": "username"},
        "LITELLM_MASTER_KEY": {"name": "litellm-secrets", "key": "PROXY_MASTER_KEY"},
        "LITELLM_SALT_KEY": {"name": "litellm-secrets", "key": "LITELLM_SALT_KEY"},
        "REDIS_PASSWORD": {"name": "litellm-redis", "key": "password"},
        "UPSTREAM_API_KEY": {"name": "litellm-secrets", "key": "UPSTREAM_API_KEY"},
    }
    (migration,) = pod_of(objects, "Job")["containers"]
    names = {name for name, value in environment_of(migration).items() if isinstance(value, dict)}
    assert names == {"DATABASE_PASSWORD", "DATABASE_USERNAME"}, "a migration needs no more"


def test_the_migration_comes_before_the_rollout_with_the_same_image(render: Render) -> None:
    image = "registry.example.com/litellm:v1.108.7"
    objects = render(llm_gateway_image=image)
    for kind in ("Job", "ServiceAccount"):
        name = "litellm" if kind == "Job" else "litellm-migrate"
        assert objects[kind, name]["metadata"]["annotations"] == {"llm-platform.wmx.dev/phase": "before"}
    (migration,), (server,) = pod_of(objects, "Job")["containers"], pod_of(objects)["containers"]
    assert migration["image"] == server["image"] == image
    assert migration["args"] == ["--skip_server_startup"]
    assert environment_of(server)["DISABLE_SCHEMA_UPDATE"] == "True", "a replica never migrates by itself"


def test_a_migration_is_named_by_what_decides_it(render: Render) -> None:
    def name(**options: t.Any) -> str:
        return t.cast("str", render(**options)["Job", "litellm"]["metadata"]["name"])

    assert name() == name(llm_gateway_retries=1, llm_gateway_replicas=3)
    assert len({name(), name(llm_gateway_image="litellm:v1.108.8"), name(datastores_database_name="other")}) == 3


def test_a_replica_starts_with_the_database_and_stays_without_it(render: Render) -> None:
    (container,) = pod_of(render())["containers"]
    assert container["startupProbe"]["httpGet"]["path"] == "/health/readiness"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/liveliness"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/liveliness"


def test_a_pod_that_goes_answers_and_bills_what_it_let_in(render: Render) -> None:
    pod = pod_of(render(llm_gateway_request_timeout=60))
    (container,) = pod["containers"]
    assert environment_of(container)["GRACEFUL_SHUTDOWN_TIMEOUT"] == "60"
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > before + 60


def test_replicas_are_spread_and_protected(render: Render) -> None:
    production, alone = render(tier="prod"), render()
    assert production["Deployment", "litellm"]["spec"]["replicas"] == 2
    assert production["PodDisruptionBudget", "litellm"]["spec"]["maxUnavailable"] == 1
    assert "podAntiAffinity" in pod_of(production)["affinity"]
    assert ("PodDisruptionBudget", "litellm") not in alone
    assert "affinity" not in pod_of(alone)
    assert alone["Deployment", "litellm"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_external_servers_are_reached_encrypted(render: Render) -> None:
    objects = render(
        datastores_database="external",
        datastores_database_external={
            "host": "db.example.com",
            "port": 5433,
            "sslmode": "verify-full",
            "cidrs": ["10.2.0.0/24"],
        },
        datastores_redis="external",
        datastores_redis_external={
            "host": "redis.example.com",
            "port": 6380,
            "tls": True,
            "cidrs": ["10.3.0.0/24", "10.4.0.0/24"],
        },
    )
    (migration,) = pod_of(objects, "Job")["containers"]
    seen = environment_of(migration)
    assert (seen["DATABASE_HOST"], seen["DATABASE_SSLMODE"]) == ("db.example.com:5433", "verify-full")
    cache = config_of(objects)["litellm_settings"]["cache_params"]
    assert (cache["host"], cache["port"], cache["ssl"]) == ("redis.example.com", 6380, True)
