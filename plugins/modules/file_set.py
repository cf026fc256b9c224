#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: file_set
short_description: Write many small files in one task
version_added: 1.0.0
author:
  - wmx.llm_platform contributors (@wmx)
description:
  - Makes a folder hold the given files.
  - A task with a loop over M(ansible.builtin.template) does the same in many times the time.
  - Contents come rendered, for example from the P(ansible.builtin.template#lookup) lookup.
options:
  path:
    description: Folder that the names are relative to. It is made with mode V(0700) where it is missing.
    type: path
    required: true
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Path relative to O(path).
        type: str
        required: true
      content:
        description: The whole text of the file.
        type: str
        required: true
      mode:
        description: Octal mode.
        type: str
        default: "0600"
  exclusive:
    description: Folders below O(path) in which every file that is not in O(files) is removed.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, the second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Write two files
  wmx.llm_platform.file_set:
    path: /srv/node/config
    files:
      - {name: kubelet.yaml, content: "{{ lookup('ansible.builtin.template', 'kubelet.yaml.j2') }}"}
      - {name: boot.sh, content: "{{ lookup('ansible.builtin.template', 'boot.sh.j2') }}", mode: "0700"}
"""

RETURN = r"""
written:
  description: Names of the files whose text or mode differed.
  type: list
  elements: str
  returned: success
removed:
  description: Names of the files that did not belong.
  type: list
  elements: str
  returned: success
"""

import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._file_set import FileSetError, write_files

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "path": {"type": "path", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "mode": {"type": "str", "default": "0600"},
        },
    },
    "exclusive": {"type": "list", "elements": "str", "default": []},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    done = write_files(Path(params["path"]), params["files"], exclusive=params["exclusive"], check=module.check_mode)
    return {"changed": done.changed, "written": done.written, "removed": done.removed, "diff": done.diff}


def main() -> t.NoReturn:
    run(SPEC, work, errors=(FileSetError,), connection=False)


if __name__ == "__main__":
    main()
