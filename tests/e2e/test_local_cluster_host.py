# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A local cluster of its own is started and taken down; the machine must look the same before, during and after."""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import testinfra

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_files import write_fragment

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-platform"
NAME = "e2e-host"
CGROUP = f"local-cluster-{NAME}"
# What changes by itself or by looking at it.
VOLATILE_SYSCTLS = (
    "fs/aio-nr", "fs/dentry-state", "fs/file-nr", "fs/inode-nr", "fs/inode-state", "fs/quota", "kernel/ns_last_pid",
    "kernel/pty/nr", "kernel/random", "kernel/perf_event_max_sample_rate", "net/netfilter/nf_conntrack_count",
    "vm/stat_refresh", "vm/compact_memory", "vm/drop_caches",
)  # fmt: skip
VOLATILE_FOLDERS = ("/var/cache", "/var/lib/apt", "/var/lib/systemd", "/var/log", "/var/spool", "/var/tmp")
CLAIM = Claim(
    id="host-untouched",
    probe_class="live",
    claim="A local cluster leaves the machine it runs on as it was",
    expected=(
        "sysctls, firewall, routes, links, foreign cgroups and the files of /etc /opt /usr /var equal before, "
        "during and after; no process of the cluster in the machine's network or mount namespace; "
        "nothing of it left after down"
    ),
)

State = dict[str, set[str]]


@pytest.fixture(scope="module")
def host() -> t.Any:
    return testinfra.get_host("local://")


def playbook(name: str, *options: str) -> str:
    command = ["ansible-playbook", f"playbooks/{name}.yml", "-e", f"local_cluster_name={NAME}", *options]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=900)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    return run.stdout


def addresses() -> dict[str, str]:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._local_network import network

    return network(NAME)


def sysctls(host: t.Any) -> set[str]:
    skip = " -o ".join(f"-path '/proc/sys/{name}*'" for name in VOLATILE_SYSCTLS)
    mine = "-path '*/lc-*'"
    # grep prints `file:line`; what cannot be read (write-only settings) is the same kind of nothing each time.
    text = host.run(
        f"find /proc/sys \\( {skip} -o {mine} \\) -prune -o -type f -perm -400 -exec grep -sH '' {{}} +"
    ).stdout
    return set(text.splitlines())


def firewall(host: t.Any) -> set[str]:
    if host.exists("nft"):
        nft = "nft"
    else:
        # The machine has no nft; the node's own binary asks the machine's kernel, in the machine's network namespace.
        roots = sorted(CACHE.glob("node-root/*/root/usr/sbin/nft"))
        assert roots, "no nft on the machine and no built node root: the firewall cannot be read; run `make up` first"
        nft = f"chroot {roots[0].parents[2]} /usr/sbin/nft"
    rules = set(host.check_output(f"{nft} --stateless list ruleset").splitlines())
    for legacy in ("iptables-legacy-save", "ip6tables-legacy-save"):
        if host.exists(legacy):
            rules |= {line for line in host.check_output(legacy).splitlines() if not line.startswith(("#", ":"))}
    return rules


def routes_and_links(host: t.Any) -> set[str]:
    found = set()
    for kind in ("route show table all", "-6 route show table all", "rule", "address"):
        for entry in json.loads(host.check_output(f"ip -json {kind}") or "[]"):
            text = json.dumps({k: v for k, v in entry.items() if k not in ("ifindex", "link_index")}, sort_keys=True)
            # Other local clusters may come and go meanwhile.
            if '"lc-' not in text and '"metric": 9999' not in text:
                found.add(f"{kind}: {text}")
    return found


def foreign_cgroups(host: t.Any) -> set[str]:
    text = host.check_output("find /sys/fs/cgroup -name 'local-cluster-*' -prune -o -type d -print")
    folders = {line for line in text.splitlines() if not line.endswith(".scope") and "/user.slice/" not in line}
    controls = host.run(
        "grep -sH '' /sys/fs/cgroup/cgroup.subtree_control /sys/fs/cgroup/*/cgroup.subtree_control"
    ).stdout
    return folders | set(controls.splitlines())


def files(host: t.Any) -> set[str]:
    skip = " -o ".join(f"-path {folder}" for folder in VOLATILE_FOLDERS)
    if any(CACHE.is_relative_to(root) for root in ("/etc", "/opt", "/usr", "/var")):
        skip += f" -o -path {CACHE}"
    text = host.check_output(
        f"find /etc /opt /usr /var -xdev \\( {skip} -o -name __pycache__ \\) -prune "
        "-o ! -type d -printf '%p %s %m %T@\\n'"
    )
    return set(text.splitlines())


def look(host: t.Any) -> State:
    return {
        "sysctls": sysctls(host),
        "firewall": firewall(host),
        "routes and links": routes_and_links(host),
        "cgroups": foreign_cgroups(host),
        "files": files(host),
    }


def differences(before: State, after: State) -> list[str]:
    return [
        f"{what}: {sign}{entry}"
        for what in before
        for sign, entries in (("-", before[what] - after[what]), ("+", after[what] - before[what]))
        for entry in sorted(entries)[:5]
    ]


def members() -> set[int]:
    return {
        int(pid)
        for path in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}/**/cgroup.procs")
        for pid in path.read_text().split()
    }


def strangers(pids: t.Iterable[int]) -> list[str]:
    """Processes of the cluster that share a namespace with the machine."""
    return [
        f"process {pid} ({Path(f'/proc/{pid}/comm').read_text().strip()}) in the machine's {kind} namespace"
        for pid in pids
        for kind in ("net", "mnt")
        if Path(f"/proc/{pid}/ns/{kind}").readlink() == Path(f"/proc/self/ns/{kind}").readlink()
    ]


def leftovers(host: t.Any) -> list[str]:
    net = addresses()
    found = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}")]
    found += [str(path) for path in (CACHE / "clusters" / NAME, CACHE / "volumes" / NAME) if path.exists()]
    found += [line for line in host.check_output("ip route show table all").splitlines() if net["cidr"] in line]
    found += [line for line in host.check_output("ip -brief link").splitlines() if net["link"] in line]
    found += [line for line in host.check_output("cat /proc/mounts").splitlines() if f"/clusters/{NAME}/" in line]
    # The command line of this test names the cluster, too: only what runs out of its folder counts.
    found += [line for line in host.check_output("ps -eo pid,args").splitlines() if f"/clusters/{NAME}/" in line]
    return found


@pytest.fixture(scope="module")
def seen(host: t.Any) -> dict[str, t.Any]:
    """One life of a cluster, looked at three times; what was seen becomes the evidence."""
    playbook("local_down", "-e", "local_cluster_remove_volumes=true")
    begin = time.monotonic()
    before = look(host)
    result: dict[str, t.Any] = {}
    try:
        result["first"] = playbook("local_up")
        result["load"] = os.getloadavg()[0]
        result["processes"] = sorted(members())
        result["strangers"] = strangers(result["processes"])
        # The positive control: where the cluster does have rules, the same question finds them.
        node = CACHE / "clusters" / NAME / "node.sh"
        result["node rules"] = len(host.check_output(f"{node} exec nft list ruleset").splitlines())
        result["second"] = playbook("local_up")
        result["during"] = differences(before, look(host))
    finally:
        playbook("local_down", "-e", "local_cluster_remove_volumes=true")
    result["after"] = differences(before, look(host))
    result["left"] = leftovers(host)
    result["sizes"] = {what: len(entries) for what, entries in before.items()}
    bad = result["strangers"] + result["during"] + result["after"] + result["left"]
    sizes = ", ".join(f"{size} {what}" for what, size in result["sizes"].items())
    observed = "; ".join(bad[:5]) or (
        f"equal: {sizes}; {len(result['processes'])} processes, all in namespaces of their own, "
        f"with {result['node rules']} lines of firewall rules there"
    )
    looked = min(result["sizes"]["sysctls"], result["sizes"]["files"]) > 100
    ok = not bad and looked and len(result["processes"]) > 10 and result["node rules"] > 10
    evidence = Path(os.environ.get("LLM_EVIDENCE_DIR", CHECKOUT / "evidence")) / os.environ.get(
        "LLM_ENVIRONMENT", "local"
    )
    write_fragment(evidence, CLAIM.check(ok=ok, observed=observed, seconds=round(time.monotonic() - begin, 1)))
    return result


def test_the_machine_was_really_looked_at(seen: dict[str, t.Any]) -> None:
    assert seen["sizes"]["sysctls"] > 100
    assert seen["sizes"]["files"] > 100
    assert seen["sizes"]["cgroups"] > 1
    assert seen["sizes"]["routes and links"] > 1
    assert seen["node rules"] > 10


def test_processes_of_the_cluster_live_in_namespaces_of_their_own(seen: dict[str, t.Any]) -> None:
    assert len(seen["processes"]) > 10
    assert seen["strangers"] == []


def test_the_machine_is_the_same_while_the_cluster_runs(seen: dict[str, t.Any]) -> None:
    assert seen["during"] == []


def test_the_machine_is_the_same_after_the_cluster_went(seen: dict[str, t.Any]) -> None:
    assert seen["after"] == []


def test_nothing_of_the_cluster_is_left(seen: dict[str, t.Any]) -> None:
    assert seen["left"] == []


def test_a_second_start_changes_nothing(seen: dict[str, t.Any]) -> None:
    lines = seen["second"].splitlines()
    assert [lines[index - 1] for index, line in enumerate(lines) if line.startswith("changed:")] == []
    assert "changed=0 " in seen["second"]


def test_the_node_is_ready_within_fifteen_seconds(seen: dict[str, t.Any]) -> None:
    words = next(line for line in seen["first"].splitlines() if "The node was Ready" in line).split()
    seconds = float(words[words.index("Ready") + 1])
    assert seconds <= 60
    if seconds > 15 and seen["load"] > (os.cpu_count() or 1):
        pytest.skip(f"{seconds} s, but {seen['load']:.1f} processes were competing for {os.cpu_count()} processors")
    assert seconds <= 15
