# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m model_simulator --model … `: serves until it is told to stop."""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from . import NAME, __version__
from .api import Api
from .options import parse
from .server import MadeUpText, Server, TextSource


def text_source(real: bool) -> TextSource:
    """The real model's library is imported only where it is asked for: the small image lacks it."""
    if not real:
        return MadeUpText()
    from .real_text import MODEL, RealText

    return RealText.load(os.environ.get("SIMULATOR_TEXT_MODEL", MODEL))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    options = parse(sys.argv[1:], os.environ)
    logging.getLogger(NAME).info("version %s: answers of %s are simulated", __version__, options.model)
    server = Server(options, text_source(options.real_text))
    uvicorn.run(
        Api(server).app(),
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
    )


if __name__ == "__main__":
    main()
