# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks for secret values in whatever a run leaves: raw, encoded, hashed, or a piece of them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import pathlib
import re
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

OURS = "app.kubernetes.io/part-of=llm-platform"
# In Secrets of the platform, and no secret: certificates are shown to whoever connects.
PUBLIC = frozenset({"username", "OPENAI_BASE_URL", "ca.crt", "tls.crt"})
# The line with which every key in this form begins and ends says nothing.
PEM_LINE = re.compile(rb"-----(BEGIN|END) [A-Z ]+-----\n?")
# A piece this long tells a value from all others, and saves whoever guesses the rest most of the work.
PIECE = 20
EVERY = 0.05


@dataclass(frozen=True)
class Value:
    """A secret and where it stands; `token` when its SHA-256 is public, as it names a key in the gateway's ledger."""

    place: str
    raw: bytes
    token: bool = False

    def forms(self) -> dict[str, bytes]:
        """What the value could look like in a text."""
        raw = self.raw
        forms = {
            "begin": raw[:PIECE],
            "end": raw[-PIECE:],
            "url": quote(raw, safe="").encode(),
            "hex": raw.hex().encode(),
        }
        forms |= {"json": json.dumps(raw.decode())[1:-1].encode(), "upper": raw.upper(), "reversed": raw[::-1]}
        digests = ("md5", "sha1", "sha512") if self.token else ("md5", "sha1", "sha256", "sha512")
        forms |= {name: hashlib.new(name, raw, usedforsecurity=False).hexdigest().encode() for name in digests}
        if not self.token:
            digest = hashlib.sha256(raw).digest()
            forms["base64 of sha256"] = base64.b64encode(digest).rstrip(b"=")
        for shift in range(3):
            # Whatever stands before it, as in user:password, moves the bits: three alignments, without the ends.
            encoded = base64.b64encode(b"\0" * shift + raw + b"\0" * (-(shift + len(raw)) % 3))
            middle = encoded[4:-4]
            forms |= {
                f"base64 +{shift}": middle,
                f"urlsafe base64 +{shift}": middle.translate(bytes.maketrans(b"+/", b"-_")),
            }
        try:
            forms["bytes"] = binascii.unhexlify(raw.removeprefix(b"sk-"))
            forms["base64 of bytes"] = base64.b64encode(forms["bytes"]).rstrip(b"=")
        except binascii.Error:
            pass
        return forms


def values_of(client: KubeClient) -> list[Value]:
    """Every secret value of the platform that the cluster holds; what is remembered of the salt is one of them."""
    found = []
    for secret in client.list("v1", "Secret", label_selector=OURS):
        metadata = secret["metadata"]
        for key, encoded in (secret.get("data") or {}).items():
            raw = PEM_LINE.sub(b"", base64.b64decode(encoded)).strip()
            if key not in PUBLIC and raw:
                tenants = key == "OPENAI_API_KEY"
                found.append(Value(f"{metadata['namespace']}/{metadata['name']}:{key}", raw, token=tenants))
    return found


def search(text: bytes, values: t.Iterable[Value], where: str) -> list[str]:
    """Where a value shows and how; never the value."""
    return [
        f"{where} shows {value.place} ({form})"
        for value in values
        for form, needle in value.forms().items()
        if len(needle) >= 16 and needle in text
    ]


def search_folder(folder: pathlib.Path, values: t.Sequence[Value]) -> tuple[list[str], int]:
    """(what was found, bytes that were read) of all files below a folder."""
    found, size = [], 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            size += len(text)
            found += search(text, values, str(path))
    return found, size


def cluster_texts(client: KubeClient) -> t.Iterator[tuple[str, bytes]]:
    """All that whoever may not read Secrets may read: objects that hold configuration, and the logs of all pods."""
    for api_version, kind in (
        ("v1", "ConfigMap"),
        ("v1", "Event"),
        ("v1", "Pod"),
        ("v1", "Namespace"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("batch/v1", "Job"),
    ):
        for item in client.list(api_version, kind):
            yield (
                f"{kind} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}",
                json.dumps(item).encode(),
            )
    for secret in client.list("v1", "Secret", label_selector=OURS):
        yield f"metadata of Secret {secret['metadata']['name']}", json.dumps(secret["metadata"]).encode()
    for pod in client.list("v1", "Pod"):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
            answer = client.request("GET", path, query={"container": container["name"]})
            # A pod that has gone meanwhile has no log any more.
            if answer.status == 200:
                yield f"log of {namespace}/{name}", answer.body


@dataclass
class Arguments:
    """The command lines of all processes that were seen, the cluster's own too: they run on this machine."""

    seen: set[bytes] = field(default_factory=set)

    @contextmanager
    def watched(self) -> t.Iterator[None]:
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(EVERY):
                for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        self.seen.add(path.read_bytes())
                    except OSError:  # it has ended
                        continue

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
