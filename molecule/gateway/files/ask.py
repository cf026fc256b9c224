# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks the inference gateway from where it runs; prints JSON."""

import json
import os
import time
import urllib.error
import urllib.request


def ask(path: str) -> list:
    body = {"model": "molecule/chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
    request = urllib.request.Request(
        f"http://{os.environ['GATEWAY']}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['KEY']}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:
            found = json.loads(answer.read())
            return [answer.status, found["model"], found["choices"][0]["message"]["content"]]
    except urllib.error.HTTPError as error:
        return [error.code, json.loads(error.read())["error"]["code"]]
    except OSError as error:
        return [0, type(error).__name__]


until = time.monotonic() + float(os.environ["SECONDS"])
while (known := ask("/m/chat/v1/chat/completions"))[0] != 200 and time.monotonic() < until:
    time.sleep(0.5)
seen = {"known": known, "unknown": ask("/m/other/v1/chat/completions")}
if known[0] == 200:
    canary = ask("/m/chat-canary/v1/chat/completions")
    answers = [ask("/m/chat/v1/chat/completions") for _turn in range(300)]
    seen["statuses"] = sorted({answer[0] for answer in answers})
    seen["texts"] = len({answer[2] for answer in answers})
    seen["canary"] = sum(answer == canary for answer in answers)
print(json.dumps(seen))
