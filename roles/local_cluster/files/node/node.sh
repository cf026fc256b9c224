#!/usr/bin/env bash
# Starts, stops and enters the namespaces of a local cluster's node. Settings: node.env beside this file.
# usage: node.sh start | restart | stop | remove | pid | exec COMMAND [ARGUMENT…]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$HERE/node.env"
LOCK_SECONDS=60

if [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then VERSION=2; else VERSION=1; fi

# One run at a time starts or stops this cluster. The lock outlives the cluster's folder, and nothing that is started
# keeps it: the descriptor is closed for the node.
lock() {
  local folder="$NODE_RUN/../../locks"
  mkdir -p "$folder"
  exec 9>>"$folder/cluster-$NODE_NAME.lock"
  flock --timeout "$LOCK_SECONDS" 9 || {
    echo "Another run has been starting or stopping $NODE_NAME for $LOCK_SECONDS s; wait for it to end and run again" >&2
    exit 1
  }
}

# How many PID namespaces deep this shell is; the node's PID 1 is one deeper.
DEPTH=$(awk '/^NSpid:/ { print NF - 1 }' /proc/self/status)

# The cluster's own folder in every cgroup hierarchy.
cgroups() {
  if [[ $VERSION == 2 ]]; then
    echo "/sys/fs/cgroup/$NODE_CGROUP"
  else
    # A hybrid machine has a cgroup2 mount beside them, and runc uses it too.
    awk -v name="$NODE_CGROUP" '$3 ~ /^cgroup2?$/ { print $2 "/" name }' /proc/mounts
  fi
}

members() {
  local folder
  cgroups | while read -r folder; do
    [[ ! -d $folder ]] || find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done | sort -un
}

# PID 1 of the node, found by its cgroup: a PID file could name a stranger.
init_pid() {
  local pid ids
  for pid in $(members); do
    ids=$(awk '/^NSpid:/ { print NF - 1, $NF }' "/proc/$pid/status" 2>/dev/null) || continue
    if [[ $ids == "$((DEPTH + 1)) 1" ]]; then echo "$pid"; return; fi
  done
}

# The same, once the start came to its end: the link goes up last.
running_pid() {
  [[ -z $(ip -oneline link show "$NODE_LINK" up 2>/dev/null) ]] || init_pid
}

create_cgroups() {
  local folder file
  if [[ $VERSION == 2 ]]; then
    mkdir -p "/sys/fs/cgroup/$NODE_CGROUP/node"
    for file in cpuset cpu io memory pids; do
      echo "+$file" >"/sys/fs/cgroup/$NODE_CGROUP/cgroup.subtree_control" 2>/dev/null || true
    done
    return
  fi
  cgroups | while read -r folder; do
    mkdir -p "$folder"
    # A cpuset starts empty and takes no process before it has processors and memory nodes.
    for file in cpuset.cpus cpuset.mems; do
      [[ ! -e $folder/$file ]] || cat "$(dirname "$folder")/$file" >"$folder/$file"
    done
    mkdir -p "$folder/node"
    for file in cpuset.cpus cpuset.mems; do
      [[ ! -e $folder/$file ]] || cat "$folder/$file" >"$folder/node/$file"
    done
  done
}

start() {
  local folder pid=""
  if [[ ! -e $NODE_RUN/kubernetes ]]; then
    echo "Another run has taken $NODE_NAME down meanwhile; run again to start it" >&2
    exit 1
  fi
  mkdir -p "$NODE_RUN/log"
  # While the link is missing, nothing meant for the cluster may leave by the machine's default route.
  ip route replace unreachable "$NODE_NETWORK" metric "$NODE_GUARD_METRIC"
  create_cgroups
  (
    for folder in $(cgroups); do echo "$BASHPID" >"$folder/node/cgroup.procs"; done
    exec setsid unshare --net --mount --pid --uts --ipc --fork --kill-child --propagation private \
      bash "$HERE/enter.sh" </dev/null >>"$NODE_RUN/log/node.log" 2>&1 9>&-
  ) &
  for _ in $(seq 100); do
    pid=$(init_pid)
    [[ -z $pid ]] || break
    sleep 0.05
  done
  if [[ -z $pid ]]; then
    echo "The namespaces of $NODE_NAME did not start; the reason is in $NODE_RUN/log/node.log" >&2
    exit 1
  fi
  ip link add "$NODE_LINK" type veth peer name node0 netns "$pid"
  ip address add "$NODE_HOST_IP/32" peer "$NODE_IP" dev "$NODE_LINK"
  ip link set "$NODE_LINK" up
  echo "started $NODE_NAME"
}

stop() {
  local folder pids was_running
  was_running=$(members)
  # The first signal also ends PID 1 of the node and with it the whole namespace; the loop waits for the last process.
  for _ in $(seq 200); do
    pids=$(members)
    [[ -n $pids ]] || break
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null || true
    sleep 0.05
  done
  if [[ -n $(members) ]]; then
    echo "Processes of $NODE_NAME do not end: $(members | tr '\n' ' ')" >&2
    exit 1
  fi
  [[ -z $was_running ]] || echo "stopped $NODE_NAME"
  for folder in $(cgroups); do
    [[ ! -d $folder ]] || { find "$folder" -depth -type d -exec rmdir {} +; echo "removed cgroup $folder"; }
  done
  ! ip link show "$NODE_LINK" >/dev/null 2>&1 || { ip link delete "$NODE_LINK"; echo "removed link $NODE_LINK"; }
  ! ip route show "$NODE_NETWORK" | grep -q "^unreachable" || {
    ip route delete unreachable "$NODE_NETWORK" metric "$NODE_GUARD_METRIC"
    echo "removed route $NODE_NETWORK"
  }
}

case ${1:-} in
  start)
    lock
    # What a killed node or a killed start left would be in the way.
    [[ -n $(running_pid) ]] || { stop; start; }
    ;;
  restart) lock; stop; start ;;
  stop) lock; stop ;;
  remove)
    lock
    stop
    rm -rf "$NODE_RUN"
    ;;
  pid) running_pid ;;
  exec)
    pid=$(init_pid)
    [[ -n $pid ]] || { echo "$NODE_NAME does not run" >&2; exit 1; }
    shift
    exec nsenter --target "$pid" --net --mount --pid --uts --ipc --root --wd -- /usr/bin/env -i TERM="${TERM:-dumb}" HOME=/root \
      KUBECONFIG=/etc/kubernetes/admin.conf CONTAINERD_NAMESPACE=k8s.io PATH=/opt/tools/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
esac
