#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest process, a backend process and the daemon, by their ports alone; ports_test.c has the cases.
. "$(dirname "$0")/lib.sh"
check "ports against the daemon" timeout $((60 * slow)) "$BUILD/tests/ports"
