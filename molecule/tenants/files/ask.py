# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs in a tenant's pod: what the key and the network let it do, as one line of JSON."""

import json
import os
import socket
import time
import urllib.error
import urllib.request


def ask(path: str, key: str, body: dict | None = None) -> int:
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    # The rules for a new pod take a moment to reach the node's firewall.
    for _attempt in range(30):
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as exc:
            return exc.code
        except OSError:
            time.sleep(1)
    return 0


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return False
    return True


CHAT = {"model": "molecule/chat", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}
KEY = os.environ["OPENAI_API_KEY"]
print(
    json.dumps(
        {
            "chat": ask("/chat/completions", KEY, CHAT),
            "unknown_key": ask("/chat/completions", "sk-unknown", CHAT),
            "model_directly": reaches("chat.llm-serving.svc", 8000),
            "database": reaches("postgresql.llm-gateway.svc", 5432),
            "api_server": reaches(os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])),
        }
    )
)
