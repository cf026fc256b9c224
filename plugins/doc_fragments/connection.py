# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the options of the cluster connection. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig file. Falls back to E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG), C(~/.kube/config),
        then the service account of the pod this runs in.
    type: path
  context:
    description:
      - The context of the kubeconfig to use. Falls back to E(K8S_AUTH_CONTEXT), then the current context.
    type: str
  host:
    description:
      - URL of the API server, instead of the one in the kubeconfig. Falls back to E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token. Falls back to E(K8S_AUTH_API_KEY).
    type: str
  username:
    description:
      - User name for basic authentication. Falls back to E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - Password for basic authentication. Falls back to E(K8S_AUTH_PASSWORD).
    type: str
  ca_cert:
    description:
      - Path of the certificate authority that signed the certificate of the API server.
        Falls back to E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of the client certificate. Falls back to E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key of O(client_cert). Falls back to E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  validate_certs:
    description:
      - Whether the certificate of the API server must be valid. Falls back to E(K8S_AUTH_VERIFY_SSL),
        then to the kubeconfig.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of an HTTP proxy to reach the API server through. Falls back to E(K8S_AUTH_PROXY), then to the kubeconfig.
        Variables like E(HTTPS_PROXY) are not read.
    type: str
requirements:
  - python >= 3.12
  - urllib3 >= 2.0
  - PyYAML >= 6.0
  - websocket-client >= 1.8 (only where pods are reached by port-forward)
  - kubernetes >= 31 (only for a kubeconfig with an exec plugin or an auth provider)
"""
