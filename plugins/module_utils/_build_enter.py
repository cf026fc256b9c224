# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs commands inside the node's root filesystem in namespaces of their own. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Arguments: root, scratch folder, pairs of bound folders, --, command. Every mount dies with the mount namespace; what
# the command writes outside the bound folders lands in memory, so the shared root filesystem stays as it was built.
_SCRIPT = r"""
set -eu
root=$1 scratch=$2
shift 2
mount -t tmpfs -o mode=0755 llm-platform "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" llm-platform "$scratch/root"
mount -t proc proc "$scratch/root/proc"
mount --rbind /sys "$scratch/root/sys"
mount --rbind /dev "$scratch/root/dev"
cp -L /etc/resolv.conf /etc/hosts "$scratch/root/etc/"
while [ "$1" != -- ]; do
  mkdir -p "$scratch/root$2"
  mount --bind "$1" "$scratch/root$2"
  shift 2
done
shift
exec chroot "$scratch/root" "$@"
"""
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def enter(root: Path, scratch: Path, binds: Mapping[Path, str], command: Sequence[str]) -> list[str]:
    """Give the command line that runs `command` inside `root` with host folders bound to paths there."""
    if set(str(root)) & set(":,\\"):
        msg = f"{root}: overlayfs takes no path with a colon, comma or backslash; set llm_cache_dir to another folder"
        raise BuildError(msg)
    pairs = [text for source, target in binds.items() for text in (str(source), target)]
    return [*_UNSHARE, "/bin/sh", "-c", _SCRIPT, "enter", str(root), str(scratch), *pairs, "--", *command]
