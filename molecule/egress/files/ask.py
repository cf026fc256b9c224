"""Asks the egress gateway from a pod that may, and says what came back."""

import json
import os
import urllib.error
import urllib.request


def ask(method: str, path: str) -> int:
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(f"http://{os.environ['MOLECULE_EGRESS']}{path}", body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


print(
    json.dumps(
        {
            "asked": ask("POST", "/p/claude/v1/messages"),
            "other_method": ask("GET", "/p/claude/v1/messages"),
            "other_path": ask("POST", "/p/claude/v1/files"),
            "other_model": ask("POST", "/p/gpt/chat/completions"),
        }
    )
)
