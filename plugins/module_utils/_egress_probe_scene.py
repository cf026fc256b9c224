# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts a stand-in for providers behind the egress gateway, and takes it away again. Private to the collection."""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import inspect
import json
import secrets
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils import _certificates as certificates
from ansible_collections.wmx.llm_platform.plugins.module_utils import _egress_probe_provider as provider
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import API_GROUP, LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import Dial, PortForwardError, forward
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import Target
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import ENFORCE, Object, restricted_pod

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

LABEL: t.Final = f"{API_GROUP}/probe"
VALUE: t.Final = "egress"
POD: t.Final = "provider"
FOLDER: t.Final = "/certificates"
PAUSE_SECONDS: t.Final = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stand-in is expected, and for which hosts it must have certificates."""

    namespace: str
    service: str
    pods: t.Mapping[str, str]
    secrets: t.Mapping[str, str]
    """By host, the Secret of the certificate that an authority has signed whom the gateway trusts."""


@dataclass(slots=True)
class StandIn:
    """A provider that answers, and what it was asked so far."""

    url: str
    address: str

    def seen(self) -> Object:
        return t.cast("Object", json.loads(self._ask("GET", "/")))

    def show(self, certificate: str) -> None:
        """From the next connection on."""
        self._ask("POST", f"/certificate/{certificate}")

    def _ask(self, method: str, path: str) -> bytes:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise ProbeError(f"the stand-in does not tell what it was asked: {exc}") from exc
        finally:
            connection.close()
        if answer.status != 200:
            raise ProbeError(f"the stand-in answered {method} {path} with status {answer.status}")
        return body


class Scene:
    """Makes all that a stand-in needs, in a namespace of its own and around the gateway."""

    def __init__(self, client: KubeClient, dial: Dial, image: str, timeout: float) -> None:
        self._client = client
        self._dial = dial
        self._image = image
        self._timeout = timeout
        self.namespace = f"llm-platform-probe-{secrets.token_hex(4)}"

    @contextmanager
    def stand_in(self, place: Place) -> t.Iterator[StandIn]:
        """A stand-in that the gateway reaches for as long as the block lasts; gone afterwards, whatever happened."""
        self.clear(place.namespace)
        files = self._files(place)
        try:
            self._create("/api/v1/namespaces", namespace(self.namespace))
            path = f"/api/v1/namespaces/{self.namespace}"
            self._create(f"{path}/secrets", certificates_of(files))
            self._create(f"{path}/pods", pod(self._image, list(place.secrets)))
            self._create(
                f"/apis/networking.k8s.io/v1/namespaces/{place.namespace}/networkpolicies",
                policy(self.namespace, place),
            )
            address = self._address()
            self._create(
                f"/apis/discovery.k8s.io/v1/namespaces/{place.namespace}/endpointslices",
                endpoints(self.namespace, place, address),
            )
            with forward(self._dial, Target(self.namespace, POD, provider.CONTROL_PORT)) as near:
                found = StandIn(near.url, address)
                self._wait_for(found)
                yield found
        except PortForwardError as exc:
            raise ProbeError(f"the stand-in cannot be reached: {exc}") from exc
        finally:
            self.clear(place.namespace)

    def clear(self, gateway_namespace: str) -> None:
        """This stand-in, or that of a probe that was killed."""
        query = {"labelSelector": f"{LABEL}={VALUE}"}
        for path in (
            f"/apis/discovery.k8s.io/v1/namespaces/{gateway_namespace}/endpointslices",
            f"/apis/networking.k8s.io/v1/namespaces/{gateway_namespace}/networkpolicies",
        ):
            self._client.request("DELETE", path, query=query)
        found = self._client.get_json("/api/v1/namespaces", query)
        for item in found.get("items") or ():
            self._client.request("DELETE", f"/api/v1/namespaces/{item['metadata']['name']}")

    def _create(self, path: str, body: Object) -> None:
        self._client.checked("POST", path, body=body)

    def _files(self, place: Place) -> dict[str, certificates.Pair]:
        """Each host's own certificate, and one of an authority that nobody trusts."""
        certificates.demand_library()
        now = dt.datetime.now(dt.UTC)
        stranger = certificates.make_authority("an authority that nobody trusts", now)
        found = {}
        for number, (host, secret) in enumerate(place.secrets.items()):
            path = f"/api/v1/namespaces/{place.namespace}/secrets/{secret}"
            data = self._client.get_json(path).get("data") or {}
            if not (data.get("tls.crt") and data.get("tls.key")):
                where = f"Secret {place.namespace}/{secret}"
                raise ProbeError(f"{where} holds no certificate; deliver the component egress first")
            right = certificates.Pair(base64.b64decode(data["tls.crt"]), base64.b64decode(data["tls.key"]))
            found[provider.file_of(provider.RIGHT, number)] = right
            found[provider.file_of(provider.WRONG, number)] = certificates.make_host(host, stranger, 1, now)
        return found

    def _address(self) -> str:
        until = time.monotonic() + self._timeout
        while True:
            status = self._client.get_json(f"/api/v1/namespaces/{self.namespace}/pods/{POD}").get("status") or {}
            states = [item.get("state") or {} for item in status.get("containerStatuses") or ()]
            if status.get("podIP") and any("running" in state for state in states):
                return str(status["podIP"])
            if status.get("phase") in ("Failed", "Succeeded") or time.monotonic() > until:
                raise ProbeError(f"the stand-in with image {self._image} does not run: {json.dumps(status)[:300]}")
            time.sleep(PAUSE_SECONDS)

    def _wait_for(self, found: StandIn) -> None:
        until = time.monotonic() + self._timeout
        while True:
            try:
                found.seen()
            except (ProbeError, ValueError):
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                return


def namespace(name: str) -> Object:
    labels = {LABEL_PART_OF: PLATFORM, ENFORCE: "restricted", LABEL: VALUE}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def certificates_of(files: t.Mapping[str, certificates.Pair]) -> Object:
    data = {}
    for name, pair in files.items():
        data[f"{name}.crt"] = base64.b64encode(pair.certificate).decode()
        data[f"{name}.key"] = base64.b64encode(pair.key).decode()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": POD}, "data": data}


def pod(image: str, hosts: t.Sequence[str]) -> Object:
    made = restricted_pod(
        POD,
        image,
        command=["python3", "-c", inspect.getsource(provider)],
        env=[{"name": "CERTIFICATES", "value": FOLDER}, {"name": "HOSTS", "value": json.dumps(hosts)}],
        volumeMounts=[{"name": "certificates", "mountPath": FOLDER, "readOnly": True}],
    )
    made["spec"]["securityContext"]["fsGroup"] = 65532
    made["spec"]["volumes"] = [{"name": "certificates", "secret": {"secretName": POD, "defaultMode": 0o440}}]
    return made


def policy(name: str, place: Place) -> Object:
    """What the address of a provider is in a flow, the stand-in's namespace is here."""
    to = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": place.namespace, "labels": {LABEL: VALUE, LABEL_PART_OF: PLATFORM}},
        "spec": {
            "podSelector": {"matchLabels": dict(place.pods)},
            "policyTypes": ["Egress"],
            "egress": [{"to": to, "ports": [{"port": provider.PORT, "protocol": "TCP"}]}],
        },
    }


def endpoints(name: str, place: Place, address: str) -> Object:
    labels = {
        "kubernetes.io/service-name": place.service,
        "endpointslice.kubernetes.io/managed-by": PLATFORM,
        LABEL: VALUE,
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": place.namespace, "labels": labels},
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": provider.PORT, "protocol": "TCP"}],
    }
