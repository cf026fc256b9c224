# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP to the API server on one urllib3 pool: TLS, credentials, retries, clear errors. Private to the collection."""

from __future__ import annotations

import json
import os
import re
import ssl
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from ansible.module_utils.basic import missing_required_lib

try:
    import urllib3
    from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError
    from urllib3.exceptions import TimeoutError as Urllib3TimeoutError
    from urllib3.util import Retry, Timeout, make_headers
except ImportError:  # said by HttpTransport, so that the rest of the collection can be imported without it
    urllib3 = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kubeconfig import Connection

POOL_SIZE = 32
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0

Query = t.Mapping[str, t.Union[str, int, bool, None]]  # noqa: UP007 - a linter of Ansible reads it as Python 3.9


# Server-side apply is idempotent, so PATCH may be repeated; POST and PUT may not. 500 is not here: what it means, the
# caller knows. Retry waits as long as Retry-After says.
def _retry() -> Retry:
    return Retry(
        total=6,
        connect=3,
        read=2,
        other=0,
        status=6,
        allowed_methods=frozenset({"GET", "PATCH", "DELETE"}),
        status_forcelist=(429, 502, 503, 504),
        backoff_factor=0.25,
        backoff_max=8,
        raise_on_status=False,
    )


class KubeError(Exception):
    """The cluster could not be asked or refused; the text says what and what to do."""


class TransportError(KubeError):
    """No answer came from the API server."""


@dataclass(frozen=True)
class Response:
    """An answer of the API server, whatever its status."""

    status: int
    body: bytes = b""
    headers: t.Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, t.Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as exc:
            raise KubeError(
                f"the API server answered {self.status} with something that is not JSON: {self.body[:120]!r}"
            ) from exc
        return t.cast("dict[str, t.Any]", value) if isinstance(value, dict) else {"value": value}


class Transport(t.Protocol):
    """What the rest of the collection needs from HTTP; tests bring their own."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: t.Any = None,
        content_type: str | None = None,
        accept: str | None = None,
        timeout: float | None = None,
    ) -> Response: ...

    def stream(self, path: str, *, query: Query | None = None, seconds: float) -> t.Iterator[bytes]: ...


def encode_query(query: Query | None) -> str:
    if not query:
        return ""
    pairs = [
        (key, str(value).lower() if isinstance(value, bool) else str(value))
        for key, value in query.items()
        if value is not None
    ]
    return "?" + urlencode(pairs) if pairs else ""


def ssl_context(connection: Connection) -> ssl.SSLContext:
    """One context for all connections of the pool: certificates are parsed once."""
    try:
        context = ssl.create_default_context(cadata=connection.ca.decode() if connection.ca else None)
    except (ssl.SSLError, UnicodeDecodeError) as exc:
        raise TransportError(
            f"the certificate authority of {connection.source} is not a PEM certificate: {exc}"
        ) from exc
    # Cluster CAs made by older kubeadm lack the key identifiers that Python's strict mode asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not connection.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.client_cert:
        _load_client_certificate(context, connection)
    return context


def _load_client_certificate(context: ssl.SSLContext, connection: Connection) -> None:
    """OpenSSL reads client certificates from files only: one that nobody else can read, for a moment."""
    handle, name = tempfile.mkstemp(prefix="llm-platform-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write((connection.client_cert or b"") + b"\n" + (connection.client_key or b""))
        context.load_cert_chain(name)
    except (ssl.SSLError, OSError) as exc:
        raise TransportError(f"the client certificate of {connection.source} cannot be used: {exc}") from exc
    finally:
        Path(name).unlink()


class HttpTransport:
    """The real transport. Safe for use by many threads."""

    def __init__(self, connection: Connection) -> None:
        if urllib3 is None:
            raise TransportError(missing_required_lib("urllib3"))
        self._connection = connection
        parts = urlsplit(connection.server)
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        options: dict[str, t.Any] = {"maxsize": POOL_SIZE, "block": False, "retries": _retry()}
        if parts.scheme == "https":
            options["ssl_context"] = ssl_context(connection)
            if not connection.verify:
                options["cert_reqs"] = "CERT_NONE"
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            if connection.tls_server_name:
                options |= {
                    "server_hostname": connection.tls_server_name,
                    "assert_hostname": connection.tls_server_name,
                }
        self._pool: urllib3.PoolManager = (
            urllib3.ProxyManager(connection.proxy, **options) if connection.proxy else urllib3.PoolManager(**options)
        )
        self._basic = make_headers(basic_auth=":".join(connection.basic)) if connection.basic else {}

    def _headers(self, accept: str | None, content_type: str | None) -> dict[str, str]:
        headers = {"accept": accept or "application/json", "user-agent": "llm-platform", **self._basic}
        if self._connection.token and (token := self._connection.token()):
            headers["authorization"] = f"Bearer {token}"
        if content_type:
            headers["content-type"] = content_type
        return headers

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: t.Any = None,
        content_type: str | None = None,
        accept: str | None = None,
        timeout: float | None = None,
    ) -> Response:
        data: bytes | None = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
            content_type = content_type or "application/json"
        try:
            answer = self._pool.request(
                method,
                self._base + path + encode_query(query),
                body=data,
                headers=self._headers(accept, content_type),
                timeout=Timeout(connect=CONNECT_SECONDS, read=timeout or READ_SECONDS),
                redirect=False,
            )
        except HTTPError as exc:
            raise TransportError(self._explain(exc)) from exc
        return Response(answer.status, answer.data, answer.headers)

    def stream(self, path: str, *, query: Query | None = None, seconds: float) -> t.Iterator[bytes]:
        """Lines of a long answer, as they come. Ends quietly when the server or the network ends it."""
        try:
            answer = self._pool.request(
                "GET",
                self._base + path + encode_query(query),
                headers=self._headers(None, None),
                timeout=Timeout(connect=CONNECT_SECONDS, read=seconds),
                preload_content=False,
                redirect=False,
            )
        except HTTPError as exc:
            raise TransportError(self._explain(exc)) from exc
        try:
            if answer.status != 200:
                yield answer.read()
                return
            rest = b""
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line)
        except HTTPError:
            return
        finally:
            answer.close()

    def _explain(self, exc: HTTPError) -> str:
        reason: BaseException | None = exc.reason if isinstance(exc, MaxRetryError) else exc
        server, source = self._connection.server, self._connection.source
        text = str(reason)
        if isinstance(reason, SSLError):
            if "certificate verify failed" in text.lower():
                return (
                    f"the certificate of {server} is not signed by the CA of {source} or names another host "
                    f"({_last(text)}); is this the right cluster? Set `ca_cert`, or get the kubeconfig again"
                )
            return f"TLS with {server} ({source}) failed: {_last(text)}"
        if isinstance(reason, NewConnectionError):
            return f"cannot connect to {server} ({source}): {_last(text)}; is the cluster up and the address right?"
        if isinstance(reason, Urllib3TimeoutError):
            return f"{server} ({source}) did not answer in time: {_last(text)}; check network, VPN and proxy"
        return f"the connection to {server} ({source}) broke: {_last(text)}"


def _last(text: str) -> str:
    """urllib3's messages begin with the connection; the cause comes last."""
    return re.split(r"(?:>|\)): ", text)[-1]
