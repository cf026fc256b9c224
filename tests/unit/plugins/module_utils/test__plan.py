# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import functools
import pathlib
import string
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan import PlanError, Request, make_plan
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_table import plan_table

ROLES_DIR = pathlib.Path(__file__).resolve().parents[4] / "roles"
ROLES = read_roles(ROLES_DIR)
PLAN_OPTIONS = next(role.options for role in ROLES if role.role == "plan")
BASE: dict[str, t.Any] = {
    "llm_environment": "test",
    "llm_profile": "serving",
    "llm_tier": "dev",
    "llm_substrate": "existing",
    "llm_features": {},
    "llm_sources": {"gateway_api_crds": "existing"},
    "llm_models": [],
    "llm_tenants": [],
    "llm_tenants_delete": [],
    "llm_kubeconfig": "/tmp/kubeconfig",
    "llm_context": "",
    "llm_kubernetes_version": "1.34",
    "llm_home_namespace": "llm-platform",
    "llm_storage_class": "",
    "llm_network_dns": {"namespace": "kube-system", "pod_labels": {"k8s-app": "kube-dns"}, "addresses": []},
    "llm_network_api_server": {"addresses": [], "port": 6443},
    "llm_network_flows": [],
    "llm_build_dir": "/tmp/build",
    "llm_evidence_dir": "/tmp/evidence",
    "llm_lock_file": "/tmp/images.lock.yml",
    "llm_cache_dir": "/tmp/cache",
    "llm_image_rules": {},
    "llm_image_paths": [],
    "llm_registry_endpoints": {},
    "llm_registry_credentials": "",
    "llm_registry_mirror": {},
    "llm_cosign": "cosign",
    "llm_domain": "",
    "llm_policy_exceptions": [],
    "llm_prune_components": [],
    "llm_prune_data": [],
    "llm_prune_max": 50,
    "llm_disposable": False,
    "llm_verify_destructive": False,
}
CHAT = {"name": "chat", "engine": "simulator"}
VLLM = {"name": "chat", "engine": "vllm", "source": "a/b"}
PRICE = {"input_per_token": 1e-07, "output_per_token": 4e-07}


@functools.cache
def catalog() -> dict[str, t.Any]:
    data = yaml.safe_load((ROLES_DIR / "plan" / "vars" / "main.yml").read_text(encoding="utf-8"))["__plan_catalog"]
    data["foundation"]["namespace"] = "llm-platform"
    data["serving"]["namespace"] = "llm-serving"
    data["datastores"]["namespace"] = data["llm_gateway"]["namespace"] = "llm-gateway"
    data["istio"]["namespace"] = "istio-system"
    data["gateway"]["namespace"] = "inference-gateway"
    data["edge"]["namespace"] = "llm-edge"
    data["egress"]["namespace"] = "llm-egress"
    return t.cast("dict[str, t.Any]", data)


def plan(*, run_tags: tuple[str, ...] = (), **changes: object) -> dict[str, t.Any]:
    return make_plan(Request({**BASE, **changes}, ROLES, catalog(), run_tags=run_tags))


def problems(**changes: object) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan(**changes)
    return str(caught.value).splitlines()[1:]


def model(**options: object) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", plan(llm_models=[{**CHAT, **options}])["models"][0])


def test_the_options_of_this_test_are_all_there_are() -> None:
    assert set(BASE) == set(PLAN_OPTIONS)


def test_destructive_claims_are_made_only_where_they_may_be_tried() -> None:
    def classes(**options: object) -> set[str]:
        made = plan(llm_profile="llm_gateway", llm_models=[{**CHAT, "price": PRICE}], **options)
        return {claim["class"] for entry in made["components"] for claim in entry["claims"]}

    assert classes() == {"read", "live"}
    assert classes(llm_disposable=True, llm_verify_destructive=True) == {"read", "live", "destructive"}


def test_a_plan_orders_components_and_narrows_by_tags() -> None:
    made = plan(run_tags=("serving",), llm_models=[CHAT])
    assert [entry["name"] for entry in made["components"]] == ["foundation", "gateway_api_crds", "secrets", "serving"]
    assert made["selected"] == ["serving"]
    assert [entry["name"] for entry in made["namespaces"]] == ["llm-platform", "llm-serving"]
    table = plan_table(made)
    assert "left out by tags" in table
    assert "checked only" in table
    assert "chat" in table


def test_exceptions_come_with_what_is_installed_and_with_nothing_else() -> None:
    def excused(**options: t.Any) -> dict[str, str]:
        made = plan(llm_profile="llm_gateway", llm_models=[{**CHAT, "price": PRICE}], **options)
        return {entry["object"]: entry["owner"] for entry in made["policy_exceptions"]}

    own = {"rule": "rbac", "object": "a", "owner": "we", "reason": "r"}
    assert excused(llm_policy_exceptions=[own])["a"] == "we"
    assert excused()["apps/Deployment */istiod"] == "wmx.llm_platform"
    assert excused(llm_sources={**BASE["llm_sources"], "istio": "existing"}) == {}


def test_a_namespace_of_what_is_there_already_is_left_alone() -> None:
    def namespaces(**options: t.Any) -> set[str]:
        made = plan(llm_profile="llm_gateway", llm_models=[{**CHAT, "price": PRICE}], **options)
        return {entry["name"] for entry in made["namespaces"]}

    assert "istio-system" in namespaces()
    assert "istio-system" not in namespaces(llm_sources={**BASE["llm_sources"], "istio": "existing"})


def test_a_plan_says_how_models_are_reached() -> None:
    made = plan(llm_profile="llm_gateway", llm_models=[{**CHAT, "price": PRICE}])
    assert made["routing"]["url"] == "http://inference-istio.inference-gateway"
    assert plan(llm_models=[CHAT])["routing"] == {}


def test_a_plan_has_the_tenants_and_lets_former_ones_go() -> None:
    made = plan(
        llm_profile="llm_gateway",
        llm_models=[{**CHAT, "price": PRICE}],
        llm_tenants=[{"name": "red", "budget": {"usd": 5, "period": "30d"}, "keys": [{"name": "app"}]}],
        llm_tenants_delete=[{"name": "old"}],
        llm_prune_data=["Secret a/b"],
    )
    assert [tenant["namespace"] for tenant in made["tenants"]] == ["tenant-red"]
    assert made["tenants_delete"] == [{"name": "old", "namespace": "tenant-old"}]
    assert made["prune"]["data"] == ["Secret a/b", "Namespace tenant-old"]
    assert "red     tenant-red  active  $5 per 30d" in plan_table(made)


def test_tenants_need_the_profile_that_has_a_gateway() -> None:
    (line,) = problems(llm_tenants=[{"name": "red", "budget": {"usd": 5, "period": "30d"}}], llm_models=[CHAT])
    assert line.startswith('llm_tenants = ["red"]: needs the LLM gateway')


def test_a_component_that_exists_is_never_delivered() -> None:
    made = plan()
    assert next(e for e in made["components"] if e["name"] == "gateway_api_crds")["source"] == "existing"
    assert "gateway_api_crds" not in made["selected"]


def test_every_key_of_a_model_is_present() -> None:
    entry = model()
    options = PLAN_OPTIONS["llm_models"]["options"]
    assert set(entry) == {*options, "source_kind", "artifact", "services"}
    assert entry.pop("canary") == {}
    for name, spec in options.items():
        if "options" in spec and spec["type"] == "dict" and name in entry:
            assert set(entry[name]) == set(spec["options"]), name
    assert None not in entry.values()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (VLLM, {"strategy": "Recreate", "gpu": {"count": 1, "product": "", "resource": "nvidia.com/gpu"}}),
        ({**VLLM, "cache": {"size": ""}}, {"strategy": "Recreate"}),
        (CHAT, {"strategy": "RollingUpdate", "served_name": "chat", "source": "", "source_kind": "none"}),
        # A simulator has no weights that could be pinned.
        ({**CHAT, "source": "hf://a/b"}, {"source_kind": "huggingface", "artifact": ""}),
        ({**VLLM, "source": "hf://a/b"}, {"artifact": "hf://a/b@main"}),
        ({**VLLM, "source": "hf://a/b@v1"}, {"source": "a/b", "revision": "v1", "artifact": "hf://a/b@v1"}),
        ({**VLLM, "source": "/models/x"}, {"source_kind": "path", "revision": "", "artifact": ""}),
    ],
)
def test_defaults_follow_from_engine_and_source(options: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    entry = plan(llm_models=[options])["models"][0]
    assert {key: entry[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "Chat"}, "name"),
        ({"name": "1chat"}, "name"),
        ({"name": "c" * 41}, "name"),
        ({"name": "chat-"}, "name"),
        ({"name": True}, "name"),
        ({"engine": "tgi"}, "engine"),
        ({"engine": "vllm"}, "source"),
        ({"engine": "vllm", "source": "a/b", "gpu": {"count": 0}}, "gpu.count"),
        ({"gpu": {"count": 1}}, "gpu.count"),
        ({"gpu": {"resource": "gpu"}}, "gpu.resource"),
        ({"price": {"input_per_token": -0.1, "output_per_token": 0}}, "price.input_per_token"),
        ({"price": {"input_per_token": 0.1}}, "price.output_per_token"),
        ({"price": {"input_per_token": 2, "output_per_token": 0.1}}, "price.input_per_token"),
        ({"price": {"input_per_token": float("inf"), "output_per_token": 0.1}}, "price.input_per_token"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 9000}, "max_output_tokens"),
        ({"gpu_memory_utilization": 0}, "gpu_memory_utilization"),
        ({"replicas": -1}, "replicas"),
        ({"slo": {"ttft_p95_ms": 0}}, "slo.ttft_p95_ms"),
        ({"resources": {"requests": {"cpu": "many"}}}, "resources.requests.cpu"),
        ({"resources": {"requests": {"memory": "1Ti"}}}, "resources.requests.memory"),
        ({"cache": {"size": "5Gi"}}, "cache.size"),
        ({"engine": "vllm", "source": "a/b", "replicas": 2}, "replicas"),
        ({"engine": "vllm", "source": "a/b", "strategy": "RollingUpdate"}, "strategy"),
        ({"source": "only-one-part"}, "source"),
        ({"source": "hf://a/b@v1", "revision": "v2"}, "revision"),
        ({"revision": "v1"}, "revision"),
        ({"image": "Not An Image"}, "image"),
        ({"env": {"1A": "x"}}, "env.1A"),
        ({"env": {"A": 1}}, "env.A"),
        ({"node_selector": {"a b": "x"}}, "node_selector.a b"),
        ({"node_selector": {"zone": True}}, "node_selector.zone"),
        ({"tolerations": [{"key": "a", "value": "b"}]}, "tolerations[0].value"),
        ({"simulator": {"failures": {"error_rate": 1.5}}}, "simulator.failures.error_rate"),
        ({"priority": "High Priority"}, "priority"),
        ({"replcas": 1}, "replcas"),
    ],
)
def test_a_wrong_model_is_one_line_that_names_the_option(options: dict[str, t.Any], path: str) -> None:
    lines = problems(llm_models=[{**CHAT, **options}])
    assert len(lines) == 1
    assert lines[0].startswith(f"llm_models[0].{path} = ")
    assert ";" in lines[0]


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("VLLM_API_KEY", "serving_api_key_secret"),
        ("HF_TOKEN", "serving_hub_token_secret"),
        ("HUGGING_FACE_HUB_TOKEN", "serving_hub_token_secret"),
    ],
)
def test_a_secret_in_a_models_environment_is_refused_and_not_shown(name: str, option: str) -> None:
    (line,) = problems(llm_models=[{**CHAT, "env": {name: "hf_very_secret", "OTHER": "fine"}}])
    assert line.startswith(f"llm_models[0].env.{name} = ")
    assert option in line
    assert "hf_very_secret" not in line


def test_a_model_with_real_text_gets_the_memory_that_its_weights_need() -> None:
    asked, not_asked = plan(
        llm_models=[
            {**CHAT, "simulator": {"real_text": True}},
            {**CHAT, "name": "other", "simulator": {"real_text": False}},
        ]
    )["models"]
    assert asked["resources"]["limits"]["memory"] == "1Gi"
    assert not_asked["resources"]["limits"]["memory"] == "512Mi"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"llm_environment": "Prod 1"}, "llm_environment"),
        ({"llm_profile": "full"}, "llm_profile"),
        ({"llm_kubeconfig": ""}, "llm_kubeconfig"),
        ({"llm_substrate": "local"}, "llm_kubeconfig"),
        ({"llm_substrate": "local", "llm_kubeconfig": "", "llm_context": "x"}, "llm_context"),
        ({"llm_home_namespace": "kube-system"}, "llm_home_namespace"),
        ({"llm_home_namespace": "a: b"}, "llm_home_namespace"),
        ({"llm_kubernetes_version": "1.33"}, "llm_kubernetes_version"),
        ({"llm_prune_data": ["secret"]}, "llm_prune_data[0]"),
        ({"llm_prune_components": ["long_gone", "serving"]}, "llm_prune_components[1]"),
        ({"llm_prune_max": -1}, "llm_prune_max"),
        ({"llm_verify_destructive": True}, "llm_verify_destructive"),
        ({"llm_disposable": True, "llm_tier": "prod"}, "llm_disposable"),
        ({"llm_sources": {}}, "gateway_api_crds_manifest"),
        ({"gateway_api_crds_manifest": "https://example.com/x.yaml"}, "gateway_api_crds_checksum"),
        ({"gateway_api_crds_inference_manifest": "http://example.com/x"}, "gateway_api_crds_inference_manifest"),
        ({"llm_profle": "serving"}, "llm_profle"),
        ({"llm_features": {"kueue": True}}, "llm_features.kueue"),
        ({"llm_profile": "platform", "llm_models": [CHAT]}, "llm_profile"),
        ({"llm_build_dir": ""}, "llm_build_dir"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(changes: dict[str, t.Any], path: str) -> None:
    lines = problems(**changes)
    assert len(lines) == 1
    assert lines[0].startswith(f"{path} = ")


def test_choices_that_do_not_exist_yet_are_not_offered() -> None:
    (line,) = problems(llm_profile="full")
    assert "choose one of: platform, serving" in line


def test_two_models_with_one_name_are_refused() -> None:
    (line,) = problems(llm_models=[CHAT, CHAT])
    assert line.startswith('llm_models[1].name = "chat": is the name of llm_models[0] too')


def test_two_models_with_one_served_name_are_refused() -> None:
    (line,) = problems(llm_models=[CHAT, {"name": "other", "engine": "simulator", "served_name": "chat"}])
    assert line.startswith("llm_models[1].served_name")


@pytest.mark.parametrize("engine", ["vllm", "vllm-cpu"])
def test_the_local_cluster_refuses_engines_it_cannot_run(engine: str) -> None:
    entry = {"name": "chat", "engine": engine, "source": "a/b"}
    (line,) = problems(llm_substrate="local", llm_kubeconfig="", llm_models=[entry])
    assert line.startswith("llm_models[0].engine")
    assert plan(llm_substrate="local", llm_kubeconfig="", llm_models=[{**entry, "replicas": 0}])


def test_all_problems_come_in_one_message() -> None:
    lines = problems(llm_tier="huge", llm_prune_max="many", llm_models=[{**CHAT, "replicas": -1}, {"engine": "x"}])
    assert len(lines) == 5


TEXT = st.text(alphabet=st.sampled_from(string.printable + "ä\u0085\x00{}"), max_size=80)
STRINGS = sorted(name for name, spec in PLAN_OPTIONS["llm_models"]["options"].items() if spec["type"] == "str")


def planned(option: str, value: str) -> tuple[dict[str, t.Any], list[str]]:
    """The model with this option, or the lines of the refusal."""
    try:
        return plan(llm_models=[{**VLLM, option: value}])["models"][0], []
    except PlanError as exc:
        return {}, str(exc).splitlines()[1:]


@given(option=st.sampled_from(STRINGS), value=TEXT)
def test_any_text_in_any_option_is_a_clear_error_or_taken_as_it_is(option: str, value: str) -> None:
    entry, refused = planned(option, value)
    if entry:
        assert value in {"", entry[option], f"hf://{entry['source']}@{entry['revision']}", f"hf://{entry['source']}"}
    else:
        assert all(" = " in line and "; " in line for line in refused)
        assert any(line.startswith(f"llm_models[0].{option}") for line in refused)


def test_hostile_text_is_refused_or_kept(hostile: str) -> None:
    for option in STRINGS:
        entry, refused = planned(option, hostile)
        if entry:
            assert hostile in {"", entry[option]}
        else:
            assert any(line.startswith(f"llm_models[0].{option}") for line in refused)


def test_hostile_arguments_are_kept_as_they_are(hostile: str) -> None:
    if all(char.isprintable() or char in "\n\t" or ord(char) > 127 for char in hostile):
        entry = model(args=[hostile], env={"A": hostile})
        assert entry["args"] == [hostile]
        assert entry["env"] == {"A": hostile}
    else:
        lines = problems(llm_models=[{**CHAT, "args": [hostile]}])
        assert "control character" in lines[0]


def test_the_example_inventories_can_be_planned() -> None:
    inventories = ROLES_DIR.parent / "inventories"
    for name in ("local", "existing"):
        variables: dict[str, t.Any] = {}
        for path in sorted((inventories / name / "group_vars" / "all").glob("*.yml")):
            variables |= yaml.safe_load(path.read_text(encoding="utf-8"))
        variables = {
            key: "/tmp/x" if "{{" in str(value) and isinstance(value, str) else value
            for key, value in variables.items()
        }
        kubeconfig = "" if name == "local" else "/tmp/kubeconfig"
        made = plan(**{**variables, "llm_sources": variables.get("llm_sources", {}), "llm_kubeconfig": kubeconfig})
        assert made["models"], name


def test_images_are_held_to_the_shipped_lock_and_the_environments_own() -> None:
    images = plan()["images"]
    assert images["pin"]
    assert images["built_lock"] == ""
    assert images["lock_file"] == "/tmp/images.lock.yml"
    assert [pathlib.Path(path).relative_to(ROLES_DIR).as_posix() for path in images["locks"]] == [
        "plan/files/images.lock.yml"
    ]
    assert images["rules"]["demand_verified"]
    assert images["rules"]["quarantine_days"] == 3
    assert "ghcr.io" in images["rules"]["registries"]


def test_the_inventorys_rules_on_signatures_come_before_the_shipped_ones() -> None:
    own = {"images": "*", "demand": "required", "identity": "a", "issuer": "b"}
    shipped = {**own, "images": "ghcr.io/*"}
    values = {**BASE, "llm_image_rules": {"signatures": [own]}, "llm_cosign": "/opt/cosign"}
    images = make_plan(Request(values, ROLES, catalog(), advisories={"signatures": [shipped]}))["images"]
    first, second = images["rules"]["signatures"]
    assert own.items() <= first.items()
    assert second == shipped
    assert images["cosign"] == "/opt/cosign"


def test_the_local_cluster_adds_the_lock_of_what_it_built() -> None:
    local = {"llm_substrate": "local", "llm_kubeconfig": "", "llm_disposable": True}
    images = plan(**local)["images"]
    assert images["locks"][-1] == images["built_lock"] == "/tmp/cache/images/images.lock.yml"
    assert not images["rules"]["demand_verified"]


def test_the_cluster_lets_in_the_mirror_alone_where_names_are_rewritten_and_the_lock_keeps_the_first_ones() -> None:
    mirror = {"host": "mirror.example.com:5000", "prefix": "all"}
    plain, images = plan()["images"], plan(llm_registry_mirror=mirror)["images"]
    assert (plain["mirror"], plain["admitted"]) == ({}, plain["rules"]["registries"])
    assert images["mirror"] == {**mirror, "how": "rewrite"}
    assert images["admitted"] == ["mirror.example.com:5000/all"]
    assert images["rules"]["registries"] == plain["rules"]["registries"]
    by_nodes = plan(llm_registry_mirror={**mirror, "how": "containerd"})["images"]
    assert by_nodes["admitted"] == plain["rules"]["registries"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"llm_registry_mirror": {"prefix": "all"}}, "llm_registry_mirror.host"),
        ({"llm_registry_mirror": {"host": "https://a.example.com"}}, "llm_registry_mirror.host"),
        ({"llm_registry_mirror": {"host": "a.io", "how": "magic"}}, "llm_registry_mirror.how"),
        ({"llm_registry_mirror": {"host": "a.io", "port": 5000}}, "llm_registry_mirror.port"),
        ({"llm_image_rules": {"registries": ["https://ghcr.io"]}}, "llm_image_rules.registries[0]"),
        ({"llm_image_rules": {"quarantine_days": -1}}, "llm_image_rules.quarantine_days"),
        (
            {"llm_image_rules": {"exceptions": [{"rule": "known", "image": "a", "owner": "b"}]}},
            "llm_image_rules.exceptions[0].reason",
        ),
        (
            {"llm_image_rules": {"exceptions": [{"rule": "no", "image": "a", "owner": "b", "reason": "c"}]}},
            "llm_image_rules.exceptions[0].rule",
        ),
        (
            {"llm_image_rules": {"signatures": [{"images": "a", "demand": "always", "identity": "a", "issuer": "b"}]}},
            "llm_image_rules.signatures[0].demand",
        ),
        (
            {"llm_image_rules": {"signatures": [{"images": "a", "demand": "required", "identity": "a"}]}},
            "llm_image_rules.signatures[0].issuer",
        ),
        (
            {"llm_image_rules": {"signatures": [{"images": "a", "demand": "required", "public_key": "/etc/key.pub"}]}},
            "llm_image_rules.signatures[0].public_key",
        ),
        (
            {"llm_policy_exceptions": [{"rule": "host", "object": "a", "owner": " ", "reason": "c"}]},
            "llm_policy_exceptions[0].owner",
        ),
        (
            {"llm_policy_exceptions": [{"rule": "hosts", "object": "a", "owner": "b", "reason": "c"}]},
            "llm_policy_exceptions[0].rule",
        ),
    ],
)
def test_a_wrong_rule_for_images_or_objects_is_named(options: dict[str, t.Any], path: str) -> None:
    assert any(line.startswith(f"{path} = ") for line in problems(**options))
