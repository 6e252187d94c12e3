/* SPDX-License-Identifier: MIT */
#ifndef PVR_GUEST_REOPEN_H
#define PVR_GUEST_REOPEN_H

/*
 * Attached as a domain: its disk and its interface opened and closed in turn, again and again for so many seconds,
 * without a pause in between. Nonzero, with a line on stderr, when an open fails or a page is kept.
 */
int reopen_check(unsigned seconds);

#endif
