# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lock learns from a real registry, and what it refuses to."""

from __future__ import annotations

import base64
import datetime as dt
import json
import typing as t

import pytest
from certificates import Authority
from platform_run import SERVING_ONLY, Environment
from real_registry import NAME, PASSWORD, USER, USERS, Pinner, digest_of, only_failure, serve

pytestmark = pytest.mark.timeout(120)

if t.TYPE_CHECKING:
    import pathlib

    from conftest import Record

APP = f"{NAME}/org/app:v1"
REPOSITORY, TAG = "wmx/llm-platform/model-simulator", "1.0.0"
SIMULATOR = f"ghcr.io/{REPOSITORY}:{TAG}"


def test_a_manifest_that_was_tampered_with_is_refused(
    registry_root: pathlib.Path, tmp_path: pathlib.Path, record: Record
) -> None:
    expected = (
        "the untouched image is learned; with other bytes on the registry's disk, and with a digest in the lock that is"
        " served under another name alone, it is refused and the lock stays"
    )
    with (
        record("tampered-manifest-refused", expected) as observed,
        serve(registry_root, tmp_path / "registry") as registry,
    ):
        pinner = Pinner(tmp_path / "work", {"endpoints": registry.endpoints(insecure=True)})
        digest, other = registry.push("org/app", "v1"), registry.push("org/other", "v1", "other")
        learned = pinner.resolve(APP)
        assert not learned.get("failed"), learned
        assert pinner.lock[APP]["digest"] == digest
        before = pinner.lock_file.read_bytes()
        path = registry.stored(digest)
        honest = path.read_bytes()
        path.write_bytes(honest.replace(b'"layers": []', b'"layers":[ ]'))
        failure = only_failure(pinner.resolve(APP))
        assert digest in failure
        assert digest_of(path.read_bytes()) in failure
        assert "something tampers with it" in failure
        assert pinner.lock_file.read_bytes() == before
        observed.append(f"learned {digest[:19]}…; changed on disk: {failure.partition(': ')[2][:60]}…")
        path.write_bytes(honest)
        assert not pinner.resolve(APP).get("failed"), "the untouched bytes are refused too"
        pinner.lock_file.write_bytes(before.replace(digest.encode(), other.encode()))
        assert other in pinner.lock_file.read_text(encoding="utf-8")
        failure = only_failure(pinner.resolve(APP))
        assert f"has no {other} of it" in failure
        assert "take the entry out of the lock" in failure
        assert other in pinner.lock_file.read_text(encoding="utf-8"), "the lock was overwritten"
        observed.append("a digest of another name in the lock: refused")


def test_credentials_and_certificates_are_what_they_must_be(
    registry_root: pathlib.Path, tmp_path: pathlib.Path, record: Record
) -> None:
    expected = (
        "right credentials and authority: learned; wrong password, none, no authority, another one, an expired"
        " certificate, an expired authority: one line each, without the password"
    )
    ours, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "stranger")
    late = Authority(tmp_path, "late", expired=True)
    servers = {
        "good": ours.server("good"),
        "expired": ours.server("expired", expired=True),
        "of-late": late.server("of-late"),
    }
    with record("registry-auth-and-tls", expected) as observed:

        def learn(tls: str, ca: Authority | None, password: str | None, docker: bool = False) -> dict[str, t.Any]:
            with serve(registry_root, tmp_path / tls, servers[tls], users=USERS) as registry:
                ca_file = {"ca_file": str(ca.path)} if ca else {}
                pinner = Pinner(tmp_path / "work", {"endpoints": registry.endpoints(**ca_file)})
                pinner.lock_file.unlink(missing_ok=True)
                if tls == "good":
                    registry.ca, registry.user = ours.path, (USER, PASSWORD)
                    registry.push("org/app", "v1")
                config = logins(registry.host if docker else NAME, password) if password else ""
                secret = {} if docker or not config else {"pull_secret": config}
                pinner.folder.mkdir(exist_ok=True)
                # Without that a login of this machine would be found.
                (pinner.folder / "config.json").write_text(config if docker else "{}", encoding="utf-8")
                result = pinner.resolve(APP, timeout=10.0, **secret)
                assert PASSWORD not in json.dumps(result), "the password shows"
                assert bool(pinner.lock) is not bool(result.get("failed")), "the lock learned what was refused"
                return result

        for where, docker in (("a pull Secret", False), ("Docker's configuration", True)):
            result = learn("good", ours, PASSWORD, docker)
            assert not result.get("failed"), f"the right password of {where} is refused: {result['msg']}"
        observed.append("right password by pull Secret and by Docker's configuration: learned")
        for name, tls, ca, password, words in (
            ("wrong password", "good", ours, "wrong", ("refuses the credentials",)),
            ("no credentials", "good", ours, None, ("refuses the credentials", "or wants some")),
            ("unknown authority", "good", None, PASSWORD, ("certificate", "is refused")),
            ("another authority", "good", stranger, PASSWORD, ("certificate", "is refused")),
            ("expired certificate", "expired", ours, PASSWORD, ("certificate", "is refused", "expired")),
            ("expired authority", "of-late", late, PASSWORD, ("certificate", "is refused", "expired")),
        ):
            failure = only_failure(learn(tls, ca, password))
            assert all(word in failure for word in words), f"{name}: {failure}"
            observed.append(f"{name}: {failure.partition(': ')[2].partition('; ')[0]}")


def logins(host: str, password: str) -> str:
    return json.dumps({"auths": {host: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}}})


def test_a_moved_tag_is_told_and_what_is_delivered_stays(
    registry_root: pathlib.Path, tmp_path: pathlib.Path, record: Record
) -> None:
    expected = (
        "wmx.llm_platform.lock --check --diff tells tag, old and new digest and age, and writes nothing; what is"
        " rendered then is the same to the byte"
    )
    with (
        record("tag-moved-detected", expected) as observed,
        serve(registry_root, tmp_path / "registry") as registry,
    ):
        environment = Environment.copy("existing", tmp_path, "none", SERVING_ONLY)
        environment.set(
            llm_models=[{"name": "chat", "engine": "simulator"}],
            llm_registry_endpoints={"ghcr.io": {"host": registry.host, "insecure": True}},
            llm_image_rules={"quarantine_days": 3},
            preflight_probe_image=SIMULATOR,
        )
        old = registry.push(REPOSITORY, TAG, "as it was")
        learned = environment.run("lock")
        assert learned.code == 0, str(learned)
        lock = environment.inventory / "images.lock.yml"
        aged(lock, days=12)
        before, delivered = lock.read_bytes(), rendered(environment)
        assert f"{SIMULATOR}@{old}" in "".join(delivered.values())
        new = registry.push(REPOSITORY, TAG, "somebody has pushed it again")
        drift = environment.run("lock", "--check", "--diff")
        assert drift.code == 0, str(drift)
        (told,) = [line.strip() for line in drift.output.splitlines() if f"{SIMULATOR}: moved" in line]
        assert f"moved from {old} (first seen 12 day(s) ago) to {new}" in told
        changes = [line[:1] for line in drift.output.splitlines() if line[:1] in "+-" and (old in line or new in line)]
        assert sorted(changes) == ["+", "-"], drift.output
        assert lock.read_bytes() == before, "check mode has written"
        assert rendered(environment) == delivered, "the drift is delivered"
        observed.append(f"{told.strip('",')}; lock and {len(delivered)} rendered objects unchanged")


def aged(lock: pathlib.Path, days: int) -> None:
    """As if the lock had been made then; the rules would not let a digest of today pass."""
    today = dt.datetime.now(dt.UTC).date()
    text = lock.read_text(encoding="utf-8")
    assert today.isoformat() in text
    lock.write_text(text.replace(today.isoformat(), (today - dt.timedelta(days=days)).isoformat()), encoding="utf-8")


def rendered(environment: Environment) -> dict[str, str]:
    run = environment.run("render")
    assert run.code == 0, str(run)
    tree = environment.inventory.parent / "build"
    return {str(path): path.read_text(encoding="utf-8") for path in sorted(tree.rglob("*.yml"))}
