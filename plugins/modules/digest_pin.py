#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: digest_pin
short_description: Pin every image of rendered manifests by digest, and keep the lock of digests
version_added: 1.0.0
description:
  - Finds every image that manifests name, in all kinds of containers, in fields of custom resources, in flags,
    variables, annotations and texts of ConfigMaps.
  - With O(state=pinned) it writes the digest of the lock behind every name and needs no network. It fails, and writes
    nothing, when an image is not in the lock or breaks a rule.
  - With O(state=resolved) it asks the registries for the digest of every image and writes O(lock_file). Manifests whose
    bytes do not hash to the digest that the registry promised are refused. It asks for O(charts) and O(models) too.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.image_rules
attributes:
  check_mode:
    support: full
    description: Reads files and asks registries, and writes nothing.
  diff_mode:
    support: full
    description: Shows the manifests or the lock before and after.
  idempotent:
    support: full
    description: Manifests that are pinned and a lock that is current stay as they are.
options:
  state:
    description:
      - V(pinned) rewrites the manifests in O(folder) from the lock.
      - V(resolved) fills and refreshes the lock from the registries.
    type: str
    choices: [pinned, resolved]
    default: pinned
  folder:
    description:
      - Folder of manifests (YAML or JSON), searched with all folders below it.
    type: path
  images:
    description:
      - Further images, beside those of the manifests.
    type: list
    elements: str
    default: []
  charts:
    description:
      - Helm charts whose digests the lock is to hold, with O(state=resolved).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - An address C(oci://registry/path), C(https://repository/path/chart) or one that ends in C(.tgz), or the name
            of a folder or archive.
        type: str
        required: true
      version:
        description:
          - Exact version of a remote chart.
        type: str
      path:
        description:
          - Where the folder or archive lies. Defaults to O(charts[].name).
        type: path
      plain_http:
        description:
          - Whether the registry of an C(oci://) chart speaks HTTP without TLS.
        type: bool
        default: false
  models:
    description:
      - Models as C(hf://organisation/model@revision) whose commits the lock is to hold, with O(state=resolved).
    type: list
    elements: str
    default: []
  lock_file:
    description:
      - The lock of the environment. O(state=resolved) writes it, by renaming a finished file.
    type: path
    required: true
  locks:
    description:
      - Locks below it, the last one on top. Entries of O(lock_file) win over all of them.
    type: list
    elements: path
    default: []
  paths:
    description:
      - JMESPath expressions, applied to every object, that select texts which are images too.
    type: list
    elements: str
    default: []
  endpoints:
    description:
      - Where the images of a registry are asked for, by the registry's name. C(huggingface.co) stands for the hub.
    type: dict
    default: {}
  mirror:
    description:
      - A private registry that has the images of all others, each below its own name. With O(state=resolved) it is
        asked instead of them, except for those of O(endpoints).
    type: dict
    suboptions:
      host:
        description:
          - Its name and port.
        type: str
        required: true
      prefix:
        description:
          - Path below which it has the others.
        type: str
        default: ""
      how:
        description:
          - V(rewrite) writes its names into manifests with O(state=pinned), V(containerd) leaves them as they are.
        type: str
        choices: [rewrite, containerd]
        default: rewrite
      ca_file:
        description:
          - File of the authority that signed its certificate.
        type: path
      insecure:
        description:
          - Whether it speaks HTTP without TLS.
        type: bool
        default: false
      pull_secret:
        description:
          - Name of the Secret that pods get to pull from it, with O(mirror.how=rewrite).
        type: str
        default: ""
  pull_secret:
    description:
      - Text of a C(.dockerconfigjson) with credentials. Without it, Docker's configuration and its credential helpers
        are used.
    type: str
  hub_token:
    description:
      - Token of the hub, for models that not everyone may read.
    type: str
  timeout:
    description:
      - Seconds until a silent registry counts as not reachable.
    type: float
    default: 15.0
  cosign:
    description:
      - The command that checks signatures, of version 3. It runs only where O(rules.signatures) speaks of an image.
    type: path
    default: cosign
requirements:
  - oras (Python package), for O(state=resolved)
  - jmespath (Python package), for O(paths)
"""

EXAMPLES = r"""
- name: Pin what was rendered
  wmx.llm_platform.digest_pin:
    folder: build/production
    lock_file: inventories/production/images.lock.yml

- name: Ask the registries, a mirror among them
  wmx.llm_platform.digest_pin:
    state: resolved
    folder: build/production
    lock_file: inventories/production/images.lock.yml
    endpoints:
      docker.io:
        host: mirror.example.com
        prefix: hub
        ca_file: /etc/ssl/certs/example.pem
"""

RETURN = r"""
images:
  description: Every image by its full name and tag, with the places that name it.
  returned: success
  type: dict
  sample:
    docker.io/library/busybox:1.36: ["Pod default/box spec.containers[0].image"]
moves:
  description: Entries of the lock that changed, with O(state=resolved).
  returned: success
  type: list
  elements: dict
  sample:
    - image: docker.io/library/busybox:1.36
      section: images
      before: sha256:aaaa...
      after: sha256:bbbb...
      status: verified
      age_days: 12
report:
  description: The moves as lines for people.
  returned: success
  type: list
  elements: str
waived:
  description: Rules that are broken with an exception, with O(state=pinned).
  returned: success
  type: list
  elements: dict
  sample:
    - image: quay.io/org/app:v1
      rule: registry
      owner: platform team
      reason: moves to our registry next week
"""

import datetime as dt
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifacts import read_artifacts
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin import FAILURES, Request, pinned, resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin_options import (
    OPTIONS,
    access_of,
    policy_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import mirror_of


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        supports_check_mode=True,
        required_one_of=[("folder", "images", "charts", "models")],
    )
    options = module.params
    today = dt.datetime.now(dt.UTC).date()
    try:
        request = Request(
            lock_file=Path(options["lock_file"]),
            locks=tuple(Path(path) for path in options["locks"]),
            folder=Path(options["folder"]) if options["folder"] else None,
            images=tuple(options["images"]),
            expressions=tuple(options["paths"]),
            policy=policy_of(options["rules"]),
            cosign=options["cosign"],
            artifacts=read_artifacts(options["charts"], options["models"], options["hub_token"] or ""),
            mirror=mirror_of(options["mirror"]),
        )
        if options["state"] == "pinned":
            outcome = pinned(request, today, check=module.check_mode)
        else:
            outcome = resolved(request, access_of(options), today, check=module.check_mode)
    except FAILURES as exc:
        module.fail_json(msg=str(exc))
    result: dict[str, t.Any] = {
        "changed": outcome.changed,
        "images": outcome.images,
        "moves": [move.as_data(today) for move in outcome.moves],
        "report": [move.told(today) for move in outcome.moves],
        "waived": [
            {"image": item.image, "rule": item.rule, "owner": item.waiver.owner, "reason": item.waiver.reason}
            for item in outcome.waived
            if item.waiver
        ],
        "diff": outcome.diff,
    }
    if outcome.failures:
        what = f"{len(outcome.failures)} image(s), chart(s) or model(s) could not be resolved"
        head = f"{what}; their entries in the lock stay as they were"
        module.fail_json(msg="\n".join([head, *outcome.failures]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
