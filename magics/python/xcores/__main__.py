# SPDX-License-Identifier: BSD-3-Clause
"""`python3 -m xcores`: see `xcores.command_line`."""

import sys

from xcores.command_line import main

main(sys.argv[1:])
