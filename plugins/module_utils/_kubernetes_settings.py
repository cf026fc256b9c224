# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The kubernetes package's configuration out of our modules' connection options. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import PortForwardError


def kubernetes_settings(options: t.Mapping[str, t.Any]) -> t.Any:
    """The kubernetes package's Configuration for the connection options of our modules."""
    try:
        from kubernetes import config as k8s_config
        from kubernetes.client.configuration import Configuration
    except ImportError as exc:
        raise PortForwardError(f"the Python package kubernetes is needed to run commands in pods: {exc}") from exc

    settings = Configuration()
    if options.get("host"):
        settings.host = options["host"]
        if options.get("api_key"):
            settings.api_key = {"authorization": f"Bearer {options['api_key']}"}
        settings.username = options.get("username")
        settings.password = options.get("password")
        settings.ssl_ca_cert = options.get("ca_cert")
        settings.cert_file = options.get("client_cert")
        settings.key_file = options.get("client_key")
    else:
        wanted = {"config_file": options.get("kubeconfig") or None, "context": options.get("context") or None}
        try:
            if any(wanted.values()):
                k8s_config.load_kube_config(client_configuration=settings, persist_config=False, **wanted)
            else:
                # KUBECONFIG, ~/.kube/config, then the service account of the pod this runs in.
                k8s_config.load_config(client_configuration=settings)
        except k8s_config.ConfigException as exc:
            raise PortForwardError(f"kubeconfig {options.get('kubeconfig') or 'of the environment'}: {exc}") from exc
    if options.get("validate_certs") is not None:
        settings.verify_ssl = bool(options["validate_certs"])
    if options.get("proxy"):
        settings.proxy = options["proxy"]
    return settings


def credentials_of(settings: t.Any) -> dict[str, str]:
    """The headers that carry the credentials."""
    credentials = t.cast("dict[str, dict[str, str]]", settings.auth_settings())
    return {item["key"]: item["value"] for item in credentials.values() if item["in"] == "header"}
