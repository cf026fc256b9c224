# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Tries connections from inside a pod, with nothing but the standard library. Private to the collection.

Its text is sent into pods. As a pod's command it tries from its first instant what BIRTH lists, keeps what opened, and
then answers on PORT: whoever posts targets gets back which of them it could open. With `once` in its arguments it reads
targets from standard input. A target is [host, port, protocol, wanted]; what is wanted is tried again for a while.
"""

from __future__ import annotations

import errno
import http.server
import json
import os
import selectors
import socket
import sys
import time
import typing as t

BEGAN = time.monotonic()
PORT = 8080
# A denied connection is refused at first and then met with silence.
PATIENCE = 1.0
# How long what is wanted is tried again.
WANTED_SECONDS = 15.0
ROUNDS = 2
BIRTH_SECONDS = 2.0
BIRTH_PAUSE = 0.03
# Where is the API server? The cluster's own DNS knows without asking anybody.
QUERY = (
    bytes.fromhex("0b0b01000001000000000000")
    + b"".join(bytes([len(part)]) + part for part in b"kubernetes.default.svc.cluster.local".split(b"."))
    + bytes.fromhex("0000010001")
)

Target = tuple[str, int, str]
Opened = dict[int, socket.socket]


def connect(targets: t.Sequence[Target], seconds: float) -> tuple[Opened, dict[int, str]]:
    """Open connections by number of the target, and why the others did not open."""
    selector = selectors.DefaultSelector()
    opened: Opened = {}
    failed: dict[int, str] = {}
    pending: dict[int, socket.socket] = {}

    def settle(number: int, sock: socket.socket, why: str) -> None:
        pending.pop(number, None)
        if why:
            failed[number] = why
            sock.close()
        else:
            opened[number] = sock

    for number, (host, port, protocol) in enumerate(targets):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        code = sock.connect_ex((host, port))
        if protocol == "UDP" and code == 0:
            code = _send(sock)
        if code not in (0, errno.EINPROGRESS):
            settle(number, sock, os.strerror(code))
        elif code == 0 and protocol != "UDP":
            settle(number, sock, "")
        else:
            pending[number] = sock
            # A datagram is through when the answer is here.
            event = selectors.EVENT_READ if protocol == "UDP" else selectors.EVENT_WRITE
            selector.register(sock, event, (number, protocol))
    until = time.monotonic() + seconds
    while pending and (left := until - time.monotonic()) > 0:
        for key, _events in selector.select(left):
            number, protocol = key.data
            sock = t.cast("socket.socket", key.fileobj)
            selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            settle(number, sock, os.strerror(code) if code else "")
    for number, sock in list(pending.items()):
        settle(number, sock, "no answer")
    selector.close()
    return opened, failed


def _send(sock: socket.socket) -> int:
    try:
        sock.send(QUERY)
    except OSError as exc:
        return exc.errno or errno.EIO
    return 0


def attempt(targets: t.Sequence[tuple[str, int, str, bool]]) -> list[str]:
    """Of each target "" where it opened, else why not. Once open is open: what is denied must be so every time."""
    said = [""] * len(targets)
    seen: set[int] = set()
    rest = list(range(len(targets)))
    began, rounds = time.monotonic(), 0
    while rest:
        opened, failed = connect([targets[number][:3] for number in rest], PATIENCE)
        for index, sock in opened.items():
            seen.add(rest[index])
            sock.close()
        for index, why in failed.items():
            said[rest[index]] = why
        rounds += 1
        late = time.monotonic() - began > WANTED_SECONDS
        rest = [
            number
            for number in rest
            if number not in seen
            and ((targets[number][3] and not late) or (not targets[number][3] and rounds < ROUNDS))
        ]
        if rest:
            time.sleep(0.2)
    return ["" if number in seen else said[number] for number in range(len(targets))]


class Birth:
    """What could be opened in a pod's first moments, and lives on."""

    def __init__(self, targets: t.Sequence[Target]) -> None:
        self.targets = list(targets)
        self.held: Opened = {}
        self.times: dict[int, list[int]] = {}
        self.rounds = 0

    def run(self) -> None:
        while self.targets and time.monotonic() - BEGAN < BIRTH_SECONDS:
            opened, _failed = connect(self.targets, BIRTH_PAUSE)
            now = int((time.monotonic() - BEGAN) * 1000)
            for number, sock in opened.items():
                self.times.setdefault(number, []).append(now)
                if number in self.held:
                    sock.close()
                else:
                    self.held[number] = sock
            self.rounds += 1
            time.sleep(BIRTH_PAUSE)

    def report(self) -> dict[str, t.Any]:
        return {
            "rounds": self.rounds,
            "opened": [
                {"target": number, "times": len(times), "last_ms": times[-1], "lives": _lives(self.held[number])}
                for number, times in sorted(self.times.items())
            ],
        }


def _lives(sock: socket.socket) -> bool:
    """Whether a connection still carries something both ways: every server answers this, or hangs up."""
    try:
        sock.settimeout(1.0)
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        sock.recv(1)
    except OSError:
        return False
    return True


def serve(birth: Birth) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def do_POST(self) -> None:
            wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"tried": attempt(wanted), "birth": birth.report()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: t.Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    Server(("", PORT), Handler).serve_forever()


def main() -> None:
    if "once" in sys.argv:
        sys.stdout.write(json.dumps({"tried": attempt(json.loads(sys.stdin.readline()))}) + "\n")
        return
    birth = Birth(json.loads(os.environ.get("BIRTH", "[]")))
    birth.run()
    serve(birth)


if __name__ == "__main__":
    main()
