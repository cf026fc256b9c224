# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Put pip into an environment as get-pip does, from the interpreter's own copy instead of a download."""

import ensurepip
import os
import subprocess
import sys

# ensurepip hides pip's configuration from everything that runs after it.
environment = dict(os.environ)
ensurepip.bootstrap()
arguments = [argument for argument in sys.argv[1:] if argument not in {"--no-setuptools", "--no-wheel"}]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *arguments], env=environment))
