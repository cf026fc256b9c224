# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract of secrets: complete, documented, and rendered into objects that their operator takes."""

from __future__ import annotations

import os
import pathlib
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import (
    FORMATS,
    OPERATOR,
    VERBS,
    read_contract,
)

if t.TYPE_CHECKING:
    from conftest import Object, RenderTemplate

ROOT = pathlib.Path(__file__).resolve().parents[3]
# The operator's own CRDs, where somebody has put them: named, or in a folder beside the checkout.
NAME = "external-secrets-v2.9.0.yaml"
BESIDE = (
    [pathlib.Path(os.environ["LLM_CRDS"]) / NAME] if "LLM_CRDS" in os.environ else ROOT.parent.glob(f"*/crds/{NAME}")
)
SCHEMA = next((path for path in BESIDE if path.exists()), None)
SPECS = yaml.safe_load((ROOT / "roles" / "secrets" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
CATALOG = yaml.safe_load((ROOT / "roles" / "plan" / "vars" / "main.yml").read_text(encoding="utf-8"))["__plan_catalog"]
HUB_MODEL = {"engine": "vllm", "source_kind": "huggingface"}


def plan(*components: str, models: t.Sequence[Object] = (), **rest: t.Any) -> Object:
    entries = [{"name": name} for name in components]
    return {"home_namespace": "llm-platform", "components": entries, "models": list(models), **rest}


ALL = ("secrets", "datastores", "serving", "llm_gateway")
EXTERNAL: Object = {"secrets_backend": "external_secrets", "secrets_store": {"name": "vault"}}


@pytest.fixture
def evaluated(render_template: RenderTemplate, tmp_path: pathlib.Path) -> t.Callable[..., t.Any]:
    """A variable of the role as the role sees it."""

    def evaluate(name: str, variables: Object) -> t.Any:
        # A template of its own would need a place in the role; the one there is renders the same variables.
        from ansible.parsing.dataloader import DataLoader
        from ansible.template import Templar

        loader = DataLoader()
        known: Object = {}
        for part in ("defaults", "vars"):
            path = ROOT / "roles" / "secrets" / part / "main.yml"
            known |= loader.load_from_file(str(path), trusted_as_template=True)
        return Templar(loader=loader, variables=known | variables).resolve_variable_expression(name)

    return evaluate


def contract(evaluated: t.Callable[..., t.Any], **rest: t.Any) -> list[Object]:
    variables = {"llm_plan": plan(*ALL, models=[HUB_MODEL]), **rest}
    return t.cast("list[Object]", evaluated("__secrets_contract", variables))


def needed(evaluated: t.Callable[..., t.Any], variables: Object) -> dict[str, list[str]]:
    found = evaluated("__secrets_needed", variables)
    return {
        entry["name"]: [f"{each['namespace']}/{each['secret']}:{each['key']}" for each in entry["targets"]]
        for entry in found
    }


def test_every_entry_says_all_that_is_asked_of_it(evaluated: t.Callable[..., t.Any]) -> None:
    found = contract(evaluated)
    assert len({entry["name"] for entry in found}) == len(found)
    for entry, typed in zip(found, read_contract(found), strict=True):
        name = entry["name"]
        assert entry["format"] in {*FORMATS, OPERATOR}, name
        assert entry["consumers"], name
        assert typed.rotation.verb in VERBS, name
        assert entry["rotation"]["blast"], name
        assert typed.targets, name
        assert typed.rotation.reason or typed.rotation.verb == "roll", f"{name} does not say why it may not rotate"
        components = {target["component"] for target in entry["targets"]} | set(entry["rotation"].get("order") or [])
        assert components <= CATALOG.keys(), f"{name} names a component that is not in the catalog"


def test_no_place_holds_two_values(evaluated: t.Callable[..., t.Any]) -> None:
    places = [str(target.place) for entry in read_contract(contract(evaluated)) for target in entry.targets]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("option", ["secrets_values", "secrets_from"])
def test_every_value_may_be_given_and_nothing_else(evaluated: t.Callable[..., t.Any], option: str) -> None:
    options = dict(SPECS["argument_specs"]["main"]["options"][option]["options"])
    assert options.pop("provider-keys")["type"] == "dict", "their names are the inventory's"
    assert list(options) == [entry["name"] for entry in contract(evaluated)] or set(options) == {
        entry["name"] for entry in contract(evaluated)
    }


def test_what_is_given_is_hidden() -> None:
    given = SPECS["argument_specs"]["main"]["options"]["secrets_values"]
    assert given["no_log"]
    assert all(option["no_log"] for option in given["options"].values())


def test_a_plan_without_the_gateway_needs_the_models_key_alone(evaluated: t.Callable[..., t.Any]) -> None:
    assert needed(evaluated, {"llm_plan": plan("secrets", "serving")}) == {
        "vllm-api-key": ["llm-serving/vllm-api-key:api-key"]
    }
    assert needed(evaluated, {"llm_plan": plan("secrets")}) == {}


def test_the_gateway_needs_the_rest_and_shares_the_models_key(evaluated: t.Callable[..., t.Any]) -> None:
    found = needed(evaluated, {"llm_plan": plan(*ALL)})
    assert list(found) == [
        "litellm-master-key",
        "litellm-salt-key",
        "vllm-api-key",
        "litellm-db-password",
        "litellm-redis-password",
    ]
    assert found["vllm-api-key"] == [
        "llm-serving/vllm-api-key:api-key",
        "llm-gateway/litellm-secrets:UPSTREAM_API_KEY",
    ]


def test_namespaces_and_names_are_those_of_the_inventory(evaluated: t.Callable[..., t.Any]) -> None:
    variables = {
        "llm_plan": plan(*ALL),
        "serving_namespace": "models",
        "llm_gateway_namespace": "proxy",
        "serving_api_key_secret": {"name": "keys", "key": "one"},
    }
    found = needed(evaluated, variables)
    assert found["vllm-api-key"] == ["models/keys:one", "proxy/litellm-secrets:UPSTREAM_API_KEY"]
    assert found["litellm-redis-password"] == ["proxy/litellm-redis:password"]


@pytest.mark.parametrize(
    ("models", "secret", "wanted"),
    [
        ([HUB_MODEL], {"name": "hub"}, True),
        ([HUB_MODEL], {}, False),
        ([], {"name": "hub"}, False),
        ([{**HUB_MODEL, "engine": "simulator"}], {"name": "hub"}, False),
        ([{**HUB_MODEL, "source_kind": "path"}], {"name": "hub"}, False),
    ],
)
def test_the_hubs_token_is_needed_where_a_model_is_downloaded_with_it(
    evaluated: t.Callable[..., t.Any], models: list[Object], secret: Object, wanted: bool
) -> None:
    variables = {"llm_plan": plan(*ALL, models=models), "serving_hub_token_secret": secret}
    assert ("hf-token" in needed(evaluated, variables)) is wanted


def test_an_external_store_of_data_keeps_its_own_password(evaluated: t.Callable[..., t.Any]) -> None:
    stores = {"database": {"kind": "external", "secret": "db"}, "redis": {"kind": "external", "secret": "cache"}}
    variables = {"llm_plan": plan(*ALL, datastores=stores)}
    entries = {entry["name"]: entry for entry in evaluated("__secrets_needed", variables)}
    for name in ("litellm-db-password", "litellm-db-username", "litellm-redis-password"):
        assert entries[name]["format"] == OPERATOR
        assert entries[name]["rotation"]["verb"] == "refused"
    assert entries["litellm-db-password"]["targets"][0]["secret"] == "db"
    assert not entries["litellm-db-password"]["targets"][0]["literals"]


BOUGHT = {"name": "claude", "secret": "claude", "simulated": False}
PLAYED = {"name": "gpt", "secret": "gpt", "simulated": True}


def test_each_credential_of_a_provider_is_a_value_of_its_own(evaluated: t.Callable[..., t.Any]) -> None:
    variables = {"llm_plan": plan(*ALL, providers=[BOUGHT, {**BOUGHT, "name": "second"}, PLAYED])}
    entries = {entry["name"]: entry for entry in evaluated("__secrets_needed", variables)}
    bought, played = entries["provider-keys.claude"], entries["provider-keys.gpt"]
    assert len(entries) == 7
    (target,) = bought["targets"]
    assert (target["namespace"], target["secret"], target["key"]) == ("llm-gateway", "provider-keys", "claude")
    assert (bought["format"], bought["rotation"]["verb"]) == (OPERATOR, "refused")
    assert (played["format"], played["rotation"]["verb"]) == ("hex32", "roll"), "whom a probe plays takes what is made"
    assert read_contract([bought, played])


def test_what_is_given_for_a_provider_has_the_name_of_the_table(evaluated: t.Callable[..., t.Any]) -> None:
    source = {"namespace": "ops", "name": "a", "key": "b"}
    variables = {
        "llm_plan": plan(*ALL),
        "secrets_values": {"hf-token": "one", "provider-keys": {"claude": "two", "gpt": "three"}},
        "secrets_from": {"vllm-api-key": source, "provider-keys": {"other": source}},
    }
    given = {"hf-token": "one", "provider-keys.claude": "two", "provider-keys.gpt": "three"}
    assert evaluated("__secrets_given", variables) == given
    assert evaluated("__secrets_sources", variables) == {"vllm-api-key": source, "provider-keys.other": source}
    nothing = {"llm_plan": plan(*ALL), "secrets_values": {"provider-keys": None}, "secrets_from": {}}
    assert (evaluated("__secrets_given", nothing), evaluated("__secrets_sources", nothing)) == ({}, {})


def test_a_store_has_plain_names_for_credentials_of_providers(evaluated: t.Callable[..., t.Any]) -> None:
    variables = {**EXTERNAL, "llm_plan": plan(*ALL, providers=[BOUGHT])}
    (found,) = [each for each in evaluated("__secrets_objects", variables) if each["name"] == "provider-keys"]
    assert found["keys"] == [{"key": "claude", "from": "provider-keys-claude"}]


def external(evaluated: t.Callable[..., t.Any], render_template: RenderTemplate, **store: t.Any) -> dict[str, Object]:
    variables = {**EXTERNAL, "llm_plan": plan(*ALL)}
    variables["secrets_store"] = {**variables["secrets_store"], **store}
    found: dict[str, Object] = {}
    for each in evaluated("__secrets_objects", variables):
        (obj,) = render_template("secrets", "external-secret.yml.j2", {**variables, "__secrets_object": each})
        found[f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"] = obj
    return found


def test_each_secret_comes_from_one_external_secret(
    evaluated: t.Callable[..., t.Any], render_template: RenderTemplate
) -> None:
    found = external(evaluated, render_template, prefix="prod/", property="value")
    assert found.keys() == {
        "llm-gateway/litellm-secrets",
        "llm-gateway/litellm-pg-app",
        "llm-gateway/litellm-redis",
        "llm-serving/vllm-api-key",
    }
    data = {entry["secretKey"]: entry["remoteRef"] for entry in found["llm-gateway/litellm-secrets"]["spec"]["data"]}
    assert data["UPSTREAM_API_KEY"] == {"key": "prod/vllm-api-key", "property": "value"}
    assert data.keys() == {"PROXY_MASTER_KEY", "LITELLM_SALT_KEY", "UPSTREAM_API_KEY"}
    target = found["llm-gateway/litellm-pg-app"]["spec"]["target"]
    assert target["template"]["type"] == "kubernetes.io/basic-auth"
    assert target["template"]["data"] == {"username": "litellm"}
    assert target["template"]["mergePolicy"] == "Merge"


def test_a_secret_outlives_what_brought_it(evaluated: t.Callable[..., t.Any], render_template: RenderTemplate) -> None:
    for obj in external(evaluated, render_template).values():
        assert obj["spec"]["target"]["creationPolicy"] == "Orphan"
        assert obj["spec"]["target"]["deletionPolicy"] == "Retain"
        assert all("property" not in entry["remoteRef"] for entry in obj["spec"]["data"])


def test_without_a_store_nothing_is_rendered_for_one(evaluated: t.Callable[..., t.Any]) -> None:
    assert evaluated("__secrets_objects", {"llm_plan": plan(*ALL)}) == []


@pytest.mark.skipif(SCHEMA is None, reason=f"no {NAME} in a folder crds beside the checkout, and none in LLM_CRDS")
def test_the_operator_takes_every_external_secret(
    evaluated: t.Callable[..., t.Any], render_template: RenderTemplate
) -> None:
    assert SCHEMA
    crds = [crd for crd in yaml.safe_load_all(SCHEMA.read_text(encoding="utf-8")) if crd]
    (crd,) = [crd for crd in crds if crd["spec"]["names"]["kind"] == "ExternalSecret"]
    (schema,) = [version["schema"]["openAPIV3Schema"] for version in crd["spec"]["versions"] if version["name"] == "v1"]
    for store in ({}, {"kind": "SecretStore", "prefix": "a/", "property": "b", "refresh_interval": "15m"}):
        for obj in external(evaluated, render_template, **store).values():
            jsonschema.validate(obj, closed(schema))


def closed(schema: t.Any) -> t.Any:
    """The schema, with fields that it does not know refused as the API server's strict validation does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(item) for name, item in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        # The root says nothing about metadata, which every object has.
        made.setdefault("additionalProperties", False)
    return made


def test_the_tree_tells_names_and_places(render_template: RenderTemplate) -> None:
    (config,) = render_template("secrets", "contract.yml.j2", {"llm_plan": plan(*ALL)}, namespace="llm-platform")
    assert config["data"]["backend"] == "kubernetes"
    assert config["data"]["litellm-salt-key"] == "llm-gateway/litellm-secrets:LITELLM_SALT_KEY"


def test_hostile_names_stay_what_they_are(render_template: RenderTemplate, hostile_strings: tuple[str, ...]) -> None:
    wanted = {"namespace": "ns", "name": "one", "type": "Opaque", "literals": {}}
    wanted["keys"] = [{"key": "password", "from": name} for name in hostile_strings]
    store = {"name": "vault", "prefix": "{{ no: template }}"}
    variables = {**EXTERNAL, "secrets_store": store, "llm_plan": plan(*ALL), "__secrets_object": wanted}
    (obj,) = render_template("secrets", "external-secret.yml.j2", variables)
    keys = [entry["remoteRef"]["key"] for entry in obj["spec"]["data"]]
    assert keys == [f"{store['prefix']}{name}" for name in hostile_strings]


MADE = {
    "hex32": "made: 32 random bytes as hex",
    "sk-hex32": "made: `sk-` and 32 random bytes as hex",
    OPERATOR: "operator",
}


def table(found: list[Object]) -> list[str]:
    """The contract as docs/secrets.md shows it."""
    lines = ["| secret | made or given | in | read by | when replaced |", "|---|---|---|---|---|"]
    for entry in found:
        places = "<br>".join(f"`{each['namespace']}/{each['secret']}:{each['key']}`" for each in entry["targets"])
        made = MADE[entry["format"]] + (", write-once" if entry.get("write_once") else "")
        blast = " ".join(entry["rotation"]["blast"].split())
        lines.append(f"| `{entry['name']}` | {made} | {places} | {entry['consumers']} | {blast} |")
    return lines


def test_the_documentation_shows_the_contract_as_it_is(evaluated: t.Callable[..., t.Any]) -> None:
    page = (ROOT / "docs" / "secrets.md").read_text(encoding="utf-8")
    wanted = "\n".join(table(contract(evaluated)))
    assert wanted in page, f"put this table into docs/secrets.md:\n{wanted}"
