#!/bin/bash
# SPDX-License-Identifier: MIT
# PV domUs on the real Xen, and the same requests and packets beside Linux's backends.
scenarios=${SCENARIOS:-pv beside}
. "$(dirname "$0")/xen/scenarios.sh"
