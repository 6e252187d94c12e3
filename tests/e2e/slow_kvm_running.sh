#!/bin/bash
# SPDX-License-Identifier: MIT
# A running Linux guest under a KVM with its own Xen support: network, devices that come and go, killed backends.
scenario=running mode=-x
. "$(dirname "$0")/kvm/guests.sh"
