# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a pod of the gateway may do, seen from inside it; prints JSON."""

import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

BASE = "http://127.0.0.1:4000"


def status(method: str, path: str, key: str = "") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(BASE + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def migrate_again() -> str:
    secret, name = urllib.parse.quote_plus(os.environ["DATABASE_PASSWORD"]), os.environ["DATABASE_NAME"]
    url = f"postgresql://{os.environ['DATABASE_USERNAME']}:{secret}@{os.environ['DATABASE_HOST']}/{name}"
    folder = pathlib.Path(importlib.util.find_spec("litellm_proxy_extras").origin).parent
    done = subprocess.run(
        ["prisma", "migrate", "deploy"],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


print(
    json.dumps(
        {
            "user": os.getuid(),
            "token": pathlib.Path("/var/run/secrets/kubernetes.io").exists(),
            "writable": os.access("/opt", os.W_OK),
            "ready": status("GET", "/health/readiness"),
            "admin_without_key": status("GET", "/team/list"),
            "admin_with_key": status("GET", "/team/list", os.environ["LITELLM_MASTER_KEY"]),
            "unknown_key": status("GET", "/v1/models", "sk-unknown"),
            "metrics": status("GET", "/metrics"),
            "routing": reaches(os.environ["MOLECULE_ROUTING"], 80),
            "model": reaches(os.environ["MOLECULE_MODEL"], 8000),
            "api_server": reaches(os.environ["MOLECULE_API_SERVER"], 443),
            "migrations": migrate_again().strip().splitlines()[-1],
        }
    )
)
