#!/bin/bash
# SPDX-License-Identifier: MIT
# PVH domUs on the real Xen: Debian's kernel, and pvring's own.
scenarios="pvh kernels"
. "$(dirname "$0")/xen/scenarios.sh"
