# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Command line: vLLM's names for vLLM's things, `--simulator-*` for ours."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import typing as t

from .timing import PROFILES

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    model: str
    served_model_name: tuple[str, ...]
    host: str
    port: int
    api_keys: tuple[str, ...] = dataclasses.field(repr=False)
    max_num_seqs: int
    max_model_len: int
    max_num_batched_tokens: int
    block_size: int
    num_gpu_blocks_override: int | None
    enable_prefix_caching: bool
    gpu_memory_utilization: float
    max_new_tokens: int | None
    """The server's own limit on what one request may generate."""
    profile: str
    seed: int
    real_text: bool
    embedding_dimensions: int
    request_log_size: int
    startup_seconds: float
    error_rate: float
    delay_seconds: float
    stall_rate: float

    @property
    def gpu_blocks(self) -> int:
        return self.num_gpu_blocks_override or PROFILES[self.profile].gpu_blocks


def _at_least(smallest: int) -> t.Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError(f"{value} is less than {smallest}")
        return value

    return integer


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a duration in seconds")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _generation_config(text: str) -> int | None:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not JSON: {error}") from error
    limit = value.get("max_new_tokens") if isinstance(value, dict) else None
    if not isinstance(value, dict) or (
        limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1)
    ):
        raise argparse.ArgumentTypeError(f"{text} is no object with a positive max_new_tokens")
    return limit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="model-simulator", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--model", default="simulated-model")
    add("--served-model-name", nargs="+", default=[])
    add("--host", default="0.0.0.0")  # noqa: S104 - a pod has one address, the guard is the network policy
    add("--port", type=_at_least(0), default=8000)
    add("--api-key", nargs="+", default=[])
    add("--max-num-seqs", type=_at_least(1), default=256)
    add("--max-model-len", type=_at_least(1), default=8192)
    add("--max-num-batched-tokens", type=_at_least(1), default=2048)
    add("--block-size", type=_at_least(1), default=16)
    add("--num-gpu-blocks-override", type=_at_least(1), default=None)
    add("--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=True)
    add("--gpu-memory-utilization", type=_rate, default=0.92)
    add("--override-generation-config", type=_generation_config, default=None)
    add("--simulator-profile", choices=sorted(PROFILES), default="l4")
    add("--simulator-seed", type=int, default=0)
    add("--simulator-real-text", action="store_true", help="answers come from a small real model on the CPU")
    add("--simulator-embedding-dimensions", type=_at_least(1), default=768)
    add("--simulator-request-log-size", type=_at_least(0), default=200)
    add("--simulator-startup-seconds", type=_seconds, default=0.0)
    add("--simulator-error-rate", type=_rate, default=0.0)
    add("--simulator-delay-seconds", type=_seconds, default=0.0)
    add("--simulator-stall-rate", type=_rate, default=0.0)
    return parser


def parse(arguments: t.Sequence[str], environment: t.Mapping[str, str]) -> Options:
    """Flags of vLLM that mean nothing here are accepted, so that a model's arguments stay the same on a GPU."""
    parser = _parser()
    known, unknown = parser.parse_known_args(arguments)
    ours = [flag for flag in unknown if flag.startswith("--simulator-")]
    if ours:
        parser.error(f"unknown simulator option: {' '.join(ours)}")
    if unknown:
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        LOG.warning("flags without effect in a simulator: %s", " ".join(names) or "(positional words)")
    keys = known.api_key or [key for key in [environment.get("VLLM_API_KEY", "")] if key]
    options = Options(
        model=known.model,
        served_model_name=tuple(known.served_model_name) or (known.model,),
        host=known.host,
        port=known.port,
        api_keys=tuple(keys),
        max_num_seqs=known.max_num_seqs,
        max_model_len=known.max_model_len,
        max_num_batched_tokens=known.max_num_batched_tokens,
        block_size=known.block_size,
        num_gpu_blocks_override=known.num_gpu_blocks_override,
        enable_prefix_caching=known.enable_prefix_caching,
        gpu_memory_utilization=known.gpu_memory_utilization,
        max_new_tokens=known.override_generation_config,
        profile=known.simulator_profile,
        seed=known.simulator_seed,
        real_text=known.simulator_real_text,
        embedding_dimensions=known.simulator_embedding_dimensions,
        request_log_size=known.simulator_request_log_size,
        startup_seconds=known.simulator_startup_seconds,
        error_rate=known.simulator_error_rate,
        delay_seconds=known.simulator_delay_seconds,
        stall_rate=known.simulator_stall_rate,
    )
    room = options.gpu_blocks * options.block_size
    if options.max_model_len > room:
        parser.error(
            f"--max-model-len {options.max_model_len} does not fit the KV cache of {room} tokens"
            f" ({options.gpu_blocks} blocks of {options.block_size}); lower it or raise --num-gpu-blocks-override"
        )
    return options
