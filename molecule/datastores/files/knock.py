# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Tries to open a connection to each datastore, several times since rules reach the node a moment after a pod."""

import socket
import time

for name, port in (("postgresql", 5432), ("redis", 6379)):
    state = "closed"
    for _attempt in range(8):
        try:
            socket.create_connection((name, port), timeout=1).close()
        except socket.gaierror as error:
            # Not to know the name proves nothing about the door.
            state = f"unknown: {error}"
            time.sleep(0.5)
        except OSError:
            state = "closed"
            time.sleep(0.5)
        else:
            state = "open"
            break
    print(name, state)
print("tried")
