#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests under KVM as Debian builds it.
mode=
. "$(dirname "$0")/kvm/guests.sh"
