#!/bin/sh
# Check this machine, find a Python and lay out the virtual environment.
#
# usage: tools/setup.sh VENV [cluster]
#   VENV     directory of the virtual environment
#   cluster  also check what the local cluster needs (root, cgroups, overlayfs, disk)
#
# POSIX sh and no Python on purpose: a missing Python is one of the things it reports.
# Every problem is reported, one sentence each, before anything is changed.
set -eu

venv=$1
wants=${2:-}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/llm-platform
problems=0

problem() {
    printf 'setup: %s\n' "$*" >&2
    problems=$((problems + 1))
}

usable_python() {
    # A pyenv shim exists on PATH and still refuses to run, so ask the interpreter itself.
    "$1" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3.12 python3.13 python3.14 python3 \
        "${PYENV_ROOT:-${HOME:-/root}/.pyenv}"/versions/3.1[234]*/bin/python3; do
        if usable_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

check_python() {
    python=$(find_python)
    if [ -z "$python" ]; then
        problem "no Python 3.12, 3.13 or 3.14 runs here (python3 is $(python3 --version 2>&1 || echo missing)):" \
            "install one (Debian 13 and Ubuntu 24.04 have it as python3) or name it with PYTHON=/path/to/python3.12"
    elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        problem "$python has no venv module: run 'apt-get install python3-venv'"
    fi
}

check_debian() {
    like=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}") || like=
    case " $like " in
        *" debian "*) ;;
        *) problem "this is not Debian or Ubuntu (/etc/os-release says '${like:-nothing}'): the local cluster's node is built from Debian packages" ;;
    esac
}

check_root() {
    [ "$(id -u)" -eq 0 ] || problem "this is user '$(id -un)', not root: namespaces, mounts and cgroups need root (sudo make …)"
}

check_cgroups() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        for controller in cpu cpuset memory pids; do
            grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers ||
                problem "cgroup v2 has no '$controller' controller: enable it on the kernel's command line or delegate it to this container"
        done
        [ -w /sys/fs/cgroup ] || problem "/sys/fs/cgroup is read-only: a container needs --privileged --cgroupns=host"
    else
        for controller in cpu cpuset memory pids devices; do
            [ -w "/sys/fs/cgroup/$controller" ] ||
                problem "/sys/fs/cgroup/$controller is missing or read-only: mount the cgroup v1 '$controller' controller there"
        done
    fi
}

check_overlayfs() {
    probe=$(mktemp -d "$1/overlay-check.XXXXXX")
    mkdir "$probe/lower" "$probe/upper" "$probe/work" "$probe/merged"
    # The private mount namespace takes the mount away again by itself.
    unshare --mount mount -t overlay overlay \
        -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" >/dev/null 2>&1 ||
        problem "overlayfs cannot be mounted below $1 in a mount namespace of its own:" \
            "containers need it (kernel module 'overlay', CAP_SYS_ADMIN, and a file system below that is not an overlay itself)"
    rm -rf "$probe"
}

check_disk() {
    need=$((15 * 1024 * 1024))
    free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$need" ] && return
    # What an earlier run has built already need not be built again.
    built=$(du -sk "$1" | awk '{ print $1 }')
    [ $((free + built)) -ge "$need" ] ||
        problem "$1 has $((free / 1024 / 1024)) GB free: 15 GB are needed (set XDG_CACHE_HOME to build elsewhere)"
}

check_python
if [ "$wants" = cluster ]; then
    check_debian
    check_root
    check_cgroups
    if mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ]; then
        [ "$(id -u)" -ne 0 ] || check_overlayfs "$cache"
        check_disk "$cache"
    else
        problem "$cache cannot be written: set XDG_CACHE_HOME to a directory with 15 GB"
    fi
fi
[ "$problems" -eq 0 ] || exit 1

exec "$python" "$root/tools/bootstrap.py" "$venv"
