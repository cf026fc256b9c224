# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A program that answers as cosign does, by the repository it is asked about, and notes how it was asked."""

from __future__ import annotations

import json
import sys
import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from pathlib import Path

BUNDLE = "https://sigstore.dev/cosign/sign/v1"
OLD = "cosign container image signature"
PROVENANCE = "https://slsa.dev/provenance/v1"
_PROGRAM = """\
#!{python}
import json, os, pathlib, sys
folder = pathlib.Path({folder!r})
reference = sys.argv[-1]
old = "--new-bundle-format=false" in sys.argv
config = pathlib.Path(os.environ.get("DOCKER_CONFIG", "/none")) / "config.json"
keys = [word.partition("=")[2] for word in sys.argv if word.startswith("--key=/")]
note = {{
    "arguments": sys.argv[1:],
    "config": config.read_text() if config.exists() else "",
    "mode": oct(config.stat().st_mode & 0o777) if config.exists() else "",
    "key": "".join(pathlib.Path(key).read_text() for key in keys),
}}
with (folder / "asked.jsonl").open("a") as stream:
    stream.write(json.dumps(note) + chr(10))
answers = json.loads((folder / "answers.json").read_text())
repository = reference.partition("@")[0].partition("/")[2]
code, kinds, error = answers[repository][1 if old else 0]
digest = {digest!r} or reference.partition("@")[2]
if code == 0:
    print()
    image = {{"docker-manifest-digest": digest}}
    print(json.dumps([{{"critical": {{"image": image, "type": kind}}}} for kind in kinds]))
print("Error: " + error, file=sys.stderr)
print("error during command execution: " + error, file=sys.stderr)
sys.exit(code)
"""
Answer = tuple[int, list[str], str]
NONE: Answer = (10, [], "no signatures found")
OTHER_BUNDLE: Answer = (1, [], 'no matching attestations: expected SAN value "a", got "b"')
OTHER_OLD: Answer = (12, [], "no matching signatures: invalid signature")
DOWN: Answer = (1, [], "Get https://ghcr.io/v2/: connection refused")


def ok(*kinds: str) -> Answer:
    return (0, list(kinds), "")


@dataclass
class FakeCosign:
    """`answers` has, for each repository, what is said of bundles and of signatures in the old format."""

    folder: Path
    answers: dict[str, tuple[Answer, Answer]] = field(default_factory=dict)
    # What the signatures are of, when it is not what was asked about.
    digest: str = ""

    @property
    def command(self) -> str:
        path = self.folder / "cosign"
        text = _PROGRAM.format(python=sys.executable, folder=str(self.folder), digest=self.digest)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        (self.folder / "answers.json").write_text(json.dumps(self.answers), encoding="utf-8")
        return str(path)

    @property
    def asked(self) -> list[dict[str, t.Any]]:
        path = self.folder / "asked.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
