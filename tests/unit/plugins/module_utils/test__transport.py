# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.server
import inspect
import json
import os
import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._kubeconfig import (
    Connection,
    ConnectionConfigError,
    connection_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import (
    HttpTransport,
    KubeError,
    TransportError,
)

if t.TYPE_CHECKING:
    from pathlib import Path

CONTEXT = "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
Answer = tuple[int, dict[str, str], t.Any]


class Server:
    """A real HTTP server on loopback that answers from a list."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                code, headers, body = outer.answers.pop(0) if outer.answers else (200, {}, {})
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = do_POST = do_DELETE = do_PUT = answer  # noqa: N815 - http.server calls them so

            def log_message(self, *_args: t.Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> t.Iterator[Server]:
    started = Server()
    yield started
    started.http.shutdown()
    started.http.server_close()


def client(server: Server, **options: t.Any) -> KubeClient:
    return KubeClient.from_options({"host": server.url, **options})


@pytest.mark.parametrize("code", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_idempotent_request_is_repeated(server: Server, method: str, code: int) -> None:
    server.answers = [(code, {"Retry-After": "0"}, {}), (200, {}, {"ok": True})]
    assert client(server).checked(method, "/x").json() == {"ok": True}
    assert len(server.seen) == 2


@pytest.mark.parametrize(("method", "code"), [("POST", 503), ("PUT", 503), ("GET", 500), ("GET", 404), ("PATCH", 409)])
def test_what_could_do_harm_or_is_an_answer_is_not_repeated(server: Server, method: str, code: int) -> None:
    server.answers = [(code, {}, {"message": "no", "reason": "Because"})]
    with pytest.raises(ApiError, match=rf"{method} /x was refused with {code} Because: no"):
        client(server).checked(method, "/x", body={})
    assert len(server.seen) == 1


def test_a_token_is_sent_and_read_again_from_its_file(server: Server, tmp_path: Path) -> None:
    client(server, api_key="secret").request("GET", "/x")
    assert server.seen[-1][2]["authorization"] == "Bearer secret"
    (tmp_path / "token").write_text("from-file\n")
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    KubeClient.from_options({"kubeconfig": str(tmp_path / "config")}).request("GET", "/x")
    assert server.seen[-1][2]["authorization"] == "Bearer from-file"


def test_basic_authentication_is_sent(server: Server) -> None:
    client(server, username="u", password="p").request("GET", "/x")
    assert server.seen[-1][2]["authorization"] == "Basic dTpw"


def test_a_proxy_is_used(server: Server) -> None:
    KubeClient.from_options({"host": "http://cluster.example", "proxy": server.url}).request("GET", "/x")
    assert server.seen[-1][1] == "http://cluster.example/x"


def test_an_expired_token_says_what_to_do(server: Server) -> None:
    server.answers = [(401, {}, {"message": "Unauthorized", "reason": "Unauthorized"})]
    with pytest.raises(ApiError, match="has expired: get a new kubeconfig"):
        client(server).get_json("/x")


def test_a_server_that_is_not_there_says_so() -> None:
    with pytest.raises(TransportError, match=r"cannot connect to http://127\.0\.0\.1:1 .*is the cluster up"):
        KubeClient.from_options({"host": "http://127.0.0.1:1"}).get_json("/x")


def test_tls_without_a_tls_server_is_an_error_with_a_sentence(server: Server) -> None:
    with pytest.raises(TransportError, match="TLS with https://127"):
        KubeClient.from_options({"host": server.url.replace("http", "https")}).get_json("/x")


def test_something_that_is_no_api_server_says_so(server: Server) -> None:
    server.answers = [(200, {}, b"<html>login</html>")]
    with pytest.raises(KubeError, match="not JSON: b'<html>login"):
        client(server).get_json("/x")


def test_lines_of_a_watch_come_one_by_one(server: Server) -> None:
    server.answers = [(200, {}, b'{"type":"ADDED"}\n{"type":"MODIFIED"}\n')]
    lines = list(HttpTransport(Connection(server.url)).stream("/w", query={"watch": True}, seconds=5))
    assert lines == [b'{"type":"ADDED"}', b'{"type":"MODIFIED"}']
    assert server.seen[-1][1] == "/w?watch=true"


def test_a_broken_certificate_authority_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(TransportError, match="is not a PEM certificate"):
        KubeClient.from_options({"host": "https://x", "ca_cert": str(tmp_path / "ca")})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("just text", "is not a kubeconfig"),
        ("{}", "no current-context"),
        ("current-context: x\ncontexts: [{name: a, context: {}}]", "has no context 'x' (it has: a)"),
        (CONTEXT, "has no cluster 'c' (it has: none)"),
        (
            CONTEXT + "clusters: [{name: c, cluster: {}}]",
            "has no server",
        ),
        (
            CONTEXT + "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority-data: '!'}}]",
            "certificate-authority-data is not base64",
        ),
        (
            CONTEXT + "clusters: [{name: c, cluster: {server: x.example}}]",
            "must start with https:// or http://",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConnectionConfigError) as caught:
        connection_of({"kubeconfig": str(tmp_path / "config")})
    assert message in str(caught.value)


def test_a_missing_kubeconfig_names_its_path(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match=r"cannot read the kubeconfig .*nope"):
        KubeClient.from_options({"kubeconfig": str(tmp_path / "nope")})


def test_secrets_of_a_connection_do_not_show_in_its_text() -> None:
    assert "hunter2" not in repr(
        connection_of({"host": "https://x", "username": "u", "password": "hunter2", "api_key": "hunter2"})
    )


def test_importing_the_client_loads_neither_kubernetes_nor_yaml() -> None:
    name = KubeClient.__module__
    # A Python of its own knows neither the loader of collections nor what pytest put into the path.
    home = inspect.getfile(KubeClient).removesuffix(name.replace(".", os.sep) + ".py")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([home, *sys.path])}
    code = f"import sys, {name}; print([m for m in ('kubernetes', 'yaml', 'requests') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "[]"


def test_an_exec_plugin_is_run_by_the_kubernetes_client(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("kubernetes")
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "issued"},
    }
    command = {
        "apiVersion": credential["apiVersion"],
        "command": "echo",
        "args": [json.dumps(credential)],
        "interactiveMode": "Never",
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"exec": command}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    KubeClient.from_options({"kubeconfig": str(tmp_path / "config")}).request("GET", "/x")
    assert server.seen[-1][2]["authorization"] == "Bearer issued"
