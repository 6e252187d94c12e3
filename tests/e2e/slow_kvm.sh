#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests under KVM as Debian builds it: kernels, numbers of vCPUs, disks that come and go, a balloon.
scenario=kernels mode=
. "$(dirname "$0")/kvm/guests.sh"
