#!/usr/bin/env bash
# Runs as PID 1 of the node's namespaces: gives them a root filesystem of their own and moves into it.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$HERE/node.env"
ROOT=$NODE_RUN/root

rm -rf "$ROOT"
mkdir -p "$ROOT"/{upper,work,merged}
mount -t overlay overlay -o "lowerdir=$NODE_ROOT,upperdir=$ROOT/upper,workdir=$ROOT/work" "$ROOT/merged"
cd "$ROOT/merged"

mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp

# What outlives a restart lies on the machine's file system, not on the overlay.
share() { mkdir -p "$1" ".$2"; mount --bind "$1" ".$2"; }
share "$NODE_RUN/config" /etc/node
share "$NODE_RUN/kubernetes" /etc/kubernetes
share "$NODE_RUN/log" /var/log
share "$NODE_RUN/state/etcd" /var/lib/etcd
share "$NODE_RUN/state/containerd" /var/lib/containerd
share "$NODE_RUN/state/kubelet" /var/lib/kubelet
share "$NODE_REGISTRY" /var/lib/registry
share "$NODE_VOLUMES" /var/lib/volumes
share "$NODE_TOOLS" /opt/tools
mount -o remount,bind,ro opt/tools

mkdir -p old
pivot_root . old
exec /bin/bash /etc/node/boot.sh
