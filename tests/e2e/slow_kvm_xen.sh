#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests under a KVM with its own Xen support.
mode=-x
. "$(dirname "$0")/kvm/guests.sh"
