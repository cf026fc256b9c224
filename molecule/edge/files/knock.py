# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Knocks at the public entrance by a node's address; the authority comes by standard input. One line of JSON."""

import http.client
import json
import socket
import ssl
import sys

ADDRESS, HOST, HTTP, HTTPS = sys.argv[1:]
CONTEXT = ssl.create_default_context(cadata=sys.stdin.read())


class Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.sock = CONTEXT.wrap_socket(socket.create_connection((ADDRESS, int(HTTPS)), 20), server_hostname=HOST)


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, dict[str, str], bytes]:
    connection.request("GET", path, headers={"Host": HOST})
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


listed = ask(Secure(HOST), "/v1/models")
unlisted = ask(Secure(HOST), "/key/list")
plain = ask(http.client.HTTPConnection(ADDRESS, int(HTTP), timeout=20), "/v1/models")
print(
    json.dumps(
        {
            "listed": [listed[0], json.loads(listed[2])["error"]["code"]],
            "unlisted": [unlisted[0], json.loads(unlisted[2])["error"]["code"]],
            "without_tls": [plain[0], plain[1].get("location")],
            "hsts": listed[1].get("strict-transport-security"),
        }
    )
)
