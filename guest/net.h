/* SPDX-License-Identifier: MIT */
/* The network of the guest, by lwIP; a kernel built without lwIP has none of this. */
#ifndef GUEST_NET_H
#define GUEST_NET_H

/* `ip=ADDRESS/BITS`, IPv4: the interface's address, before the first `net=`; 10.0.0.2/24 without. 0, or failed() of kernel.h. */
int net_address(const char *args) __attribute__((weak));

/*
 * `net=ARGS`: 0, or failed(). One at a time, in a task; others run while it waits. The interface is up from the first one on, and
 * answers echo requests while one runs.
 *
 *   ping,ADDRESS[,COUNT]        3 or COUNT echo requests; one that is lost is a failure
 *   serve[,SECONDS[,COUNT]]     TCP port 7 says what it hears, until COUNT connections have ended, which they must, or all the time
 *   get,ADDRESS,PORT,BYTES      connects; BYTES of what `seq` prints come, and then the end
 *   put,ADDRESS,PORT,BYTES      connects; they go there, and the peer closes
 *   down                        closes the interface; the next one opens it again
 */
int net_scenario(const char *args) __attribute__((weak));

#endif
