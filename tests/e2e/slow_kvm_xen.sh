#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests under a KVM with its own Xen support: the same kernels, and a reboot.
scenario=kernels mode=-x
. "$(dirname "$0")/kvm/guests.sh"
