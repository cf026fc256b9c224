# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The one main of our modules: options, errors, result, in a process of its own or not. Private to the collection.

Ansible starts a new Python for every module and compiles all that it imports: a third of a second before anything is
asked of the cluster. Where nothing but that separates the module from the controller, its action plugin calls the same
main in its own process instead, with a `Here` in place of the AnsibleModule.
"""

from __future__ import annotations

import subprocess
import typing as t
from contextvars import ContextVar

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.wmx.llm_platform.plugins.module_utils._argspec import CONNECTION_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

Result = dict[str, t.Any]
Work = t.Callable[[AnsibleModule], Result]


def run(
    spec: t.Mapping[str, t.Any], work: Work, *, errors: tuple[type[Exception], ...] = (), connection: bool = True
) -> t.NoReturn:
    """Run a module that has its own options (`spec`) and those of the connection to a cluster, unless told otherwise.

    What `work` gives back is the result; `changed` is False unless it says otherwise. KubeError and `errors` fail the
    task with their text; whoever has more to say calls `module.fail_json` itself. Of the module, `work` may use what
    `Here` has.
    """
    argument_spec = {**spec, **(CONNECTION_SPEC if connection else {})}
    here = _here.get()
    module = (
        t.cast("AnsibleModule", here.read(argument_spec))
        if here
        else AnsibleModule(argument_spec, supports_check_mode=True)
    )
    expected: tuple[type[Exception], ...] = (KubeError, *errors)
    try:
        result = work(module)
    except expected as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**{"changed": False, **result})


def probing(
    probe: t.Callable[[t.Mapping[str, t.Any]], tuple[t.Sequence[t.Mapping[str, t.Any]], t.Sequence[str]]],
    *,
    in_check_mode: bool = False,
) -> Work:
    """The work of a module that carries out a probe: its checks and warnings; none in check mode, unless told so."""

    def work(module: AnsibleModule) -> Result:
        if module.check_mode and not in_check_mode:
            return {"checks": []}
        checks, warnings = probe(module.params)
        for warning in warnings:
            module.warn(warning)
        return {"checks": checks}

    return work


class _Ended(Exception):  # noqa: N818 - it is the way out, not an error
    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class Here:
    """What `work` needs of a module, in this process."""

    def __init__(self, name: str, args: t.Mapping[str, t.Any], *, check_mode: bool, diff: bool) -> None:
        self.check_mode = check_mode
        self.params: dict[str, t.Any] = {}
        self.warnings: list[str] = []
        self._diff = diff
        self._name, self._args = name, args
        self._secrets: set[str] = set()

    def call(self, main: t.Callable[[], t.NoReturn]) -> Result:
        """The result of a module's main, as it would print it."""
        token = _here.set(self)
        try:
            main()
        except _Ended as ended:
            return ended.result
        finally:
            _here.reset(token)

    def read(self, spec: t.Mapping[str, t.Any]) -> t.Self:
        found = ArgumentSpecValidator(dict(spec)).validate(dict(self._args))
        self.params = found.validated_parameters
        self._secrets = found._no_log_values  # noqa: SLF001 - Ansible gives it no public name
        if found.error_messages:
            unsupported = isinstance(found.errors[0], UnsupportedError)
            self.fail_json(
                (f"Unsupported parameters for ({self._name}) module: " if unsupported else "") + found.errors.msg
            )
        return self

    def warn(self, warning: str) -> None:
        self.warnings.append(str(self._clean(warning)))

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        raise _Ended(self._clean({**result, "failed": True, "msg": msg}))

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        raise _Ended(self._clean(result))

    def run_command(self, args: t.Sequence[str], *, handle_exceptions: bool = True) -> tuple[int, str, str]:
        try:
            # pylint: disable-next=ansible-bad-function
            done = subprocess.run(args, check=False, capture_output=True, text=True, errors="surrogateescape")
        except OSError as exc:
            if handle_exceptions:
                self.fail_json(f"{args[0]}: {exc.strerror}")
            raise
        return done.returncode, done.stdout, done.stderr

    def _clean(self, value: t.Any) -> t.Any:
        return remove_values(value, self._secrets)


_here: ContextVar[Here | None] = ContextVar("here", default=None)
