#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""lookup.py SOCKET TOPIC: prints the keys that are announced under a topic."""

import sys

from control import Control

control = Control(sys.argv[1])
result = control.call("lookup", topic=sys.argv[2],
                      found=lambda peer: print(peer["public_key"]))
print(result["replies"], "nodes answered", file=sys.stderr)
