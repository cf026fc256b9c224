# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the API server is and who we are to it: options, kubeconfig, service account. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import os
import time
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible.module_utils.basic import missing_required_lib

try:
    import yaml
except ImportError:  # said by from_kubeconfig, so that the rest of the collection can be imported without it
    yaml = None  # type: ignore[assignment]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_FILE_SECONDS = 60.0  # projected tokens rotate; client-go rereads them about as often

TokenSource = t.Callable[[], t.Optional[str]]  # noqa: UP045 - a linter of Ansible reads it as Python 3.9


class ConnectionConfigError(Exception):
    """The connection options or the kubeconfig cannot be used."""


@dataclass(frozen=True)
class Connection:
    """Everything the transport needs. Certificates are PEM bytes, whatever they came from."""

    server: str
    verify: bool = True
    ca: bytes | None = None
    client_cert: bytes | None = None
    client_key: bytes | None = field(default=None, repr=False)
    token: TokenSource | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    proxy: str | None = None
    tls_server_name: str | None = None
    source: str = "options"


class FileToken:
    """A token in a file that somebody else renews."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._value: str | None = None
        self._read_at = 0.0

    def __call__(self) -> str | None:
        if self._value is None or time.monotonic() - self._read_at > TOKEN_FILE_SECONDS:
            self._value = _read(self._path, "token file").decode().strip()
            self._read_at = time.monotonic()
        return self._value


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConnectionConfigError(f"cannot read the {what} {path}: {exc.strerror}") from exc


def _pem(entry: dict[str, t.Any], name: str, folder: Path, where: str) -> bytes | None:
    """`name` or `name-data` of a kubeconfig entry; data wins, as in kubectl."""
    if data := entry.get(f"{name}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise ConnectionConfigError(f"{where}: {name}-data is not base64; export the kubeconfig again") from exc
    if path := entry.get(name):
        return _read(folder / str(path), name)
    return None


def _named(config: dict[str, t.Any], section: str, name: str, kind: str, where: str) -> dict[str, t.Any]:
    entries = config.get(section) or []
    for entry in entries:
        if entry.get("name") == name:
            return t.cast("dict[str, t.Any]", entry.get(kind) or {})
    known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
    raise ConnectionConfigError(f"{where} has no {kind} {name!r} (it has: {known}); set `context` to one that is there")


def from_kubeconfig(path: Path, context: str | None) -> Connection:
    """Read one context of a kubeconfig."""
    where = f"kubeconfig {path}"
    if yaml is None:
        raise ConnectionConfigError(missing_required_lib("PyYAML"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(_read(path, "kubeconfig"), Loader=loader)
    except yaml.YAMLError as exc:
        raise ConnectionConfigError(f"{where} is not YAML: {str(exc).splitlines()[0]}") from exc
    if not isinstance(config, dict):
        raise ConnectionConfigError(f"{where} is not a kubeconfig: it holds a {type(config).__name__}")
    name = context or config.get("current-context")
    if not name:
        raise ConnectionConfigError(f"{where} has no current-context; set `context`")
    chosen = _named(config, "contexts", str(name), "context", where)
    cluster = _named(config, "clusters", str(chosen.get("cluster")), "cluster", where)
    user = _named(config, "users", str(chosen.get("user")), "user", where) if chosen.get("user") else {}
    if not cluster.get("server"):
        raise ConnectionConfigError(f"{where}: cluster {chosen.get('cluster')!r} has no server")
    folder = path.parent
    connection = Connection(
        server=str(cluster["server"]),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        ca=_pem(cluster, "certificate-authority", folder, where),
        proxy=cluster.get("proxy-url"),
        tls_server_name=cluster.get("tls-server-name"),
        source=f"{where}, context {name!r}",
    )
    if user.get("exec") or user.get("auth-provider"):
        return _with_plugin(connection, path, str(name))
    token: TokenSource | None = None
    if literal := user.get("token"):
        token = _constant(str(literal))
    elif user.get("tokenFile"):
        token = FileToken(folder / str(user["tokenFile"]))
    return replace(
        connection,
        client_cert=_pem(user, "client-certificate", folder, where),
        client_key=_pem(user, "client-key", folder, where),
        token=token,
        basic=(str(user["username"]), str(user.get("password", ""))) if user.get("username") else None,
    )


def _constant(value: str) -> TokenSource:
    return lambda: value


def _with_plugin(connection: Connection, path: Path, context: str) -> Connection:
    """Credentials that a program or a cloud's login issues: the kubernetes client knows how to get and renew them."""
    try:
        from kubernetes import config as kubernetes_config
        from kubernetes.config.config_exception import ConfigException
    except ImportError as exc:
        raise ConnectionConfigError(
            f"{connection.source} uses an exec plugin or auth provider, which needs the Python package `kubernetes`; "
            "install it or use a kubeconfig with a token or client certificate"
        ) from exc
    try:
        client = t.cast("t.Any", kubernetes_config).new_client_from_config(config_file=str(path), context=context)
    except ConfigException as exc:
        raise ConnectionConfigError(f"{connection.source}: the credential plugin failed: {exc}") from exc
    loaded = client.configuration

    def token() -> str | None:
        for identifier in ("BearerToken", "authorization"):
            if value := loaded.get_api_key_with_prefix(identifier):
                return str(value).removeprefix("Bearer ")
        return None

    return replace(
        connection,
        client_cert=_read(Path(loaded.cert_file), "client certificate") if loaded.cert_file else None,
        client_key=_read(Path(loaded.key_file), "client key") if loaded.key_file else None,
        token=token,
    )


def in_cluster() -> Connection | None:
    """The pod's own service account, if this runs in a pod."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = SERVICE_ACCOUNT / "token"
    if not host or not token.exists():
        return None
    host = f"[{host}]" if ":" in host else host
    ca = _read(SERVICE_ACCOUNT / "ca.crt", "service account CA")
    return Connection(
        server=f"https://{host}:{port}", ca=ca, token=FileToken(token), source="service account of this pod"
    )


def _base(params: t.Mapping[str, t.Any]) -> Connection:
    path = params.get("kubeconfig")
    if not path and params.get("host"):
        return Connection(server=str(params["host"]))
    if path:
        return from_kubeconfig(Path(str(path)).expanduser(), params.get("context"))
    candidates = [Path(entry).expanduser() for entry in os.environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    if len(candidates) > 1:
        raise ConnectionConfigError(
            f"KUBECONFIG names {len(candidates)} files; merge them (`kubectl config view --flatten`), set `kubeconfig`"
        )
    for candidate in candidates or [Path("~/.kube/config").expanduser()]:
        if candidate.exists():
            return from_kubeconfig(candidate, params.get("context"))
    if found := in_cluster():
        return found
    raise ConnectionConfigError("no cluster to talk to: set `kubeconfig` (llm_kubeconfig), or `host` with `api_key`")


def connection_of(params: t.Mapping[str, t.Any]) -> Connection:
    """The connection a module's options ask for; options win over the kubeconfig."""
    connection = _base(params)
    changes: dict[str, t.Any] = {}
    if params.get("host"):
        changes["server"] = str(params["host"])
    if params.get("api_key"):
        changes |= {"token": _constant(str(params["api_key"])), "basic": None}
    if params.get("username"):
        changes["basic"] = (str(params["username"]), str(params.get("password") or ""))
    for option, attribute in (("ca_cert", "ca"), ("client_cert", "client_cert"), ("client_key", "client_key")):
        if params.get(option):
            changes[attribute] = _read(Path(str(params[option])).expanduser(), option)
    if params.get("validate_certs") is not None:
        changes["verify"] = bool(params["validate_certs"])
    if params.get("proxy"):
        changes["proxy"] = str(params["proxy"])
    connection = replace(connection, **changes)
    if not connection.server.startswith(("https://", "http://")):
        raise ConnectionConfigError(f"the API server's URL {connection.server!r} must start with https:// or http://")
    return connection
