/* SPDX-License-Identifier: MIT */
/*
 * What the guest wants of lwIP (its opt.h explains each): IPv4, TCP and ICMP for one task that polls, with every
 * buffer counted beforehand. There is no malloc: packets lie in a heap of whole pages that the port gave, so that
 * netfront can send them from there.
 */
#ifndef PVR_LWIPOPTS_H
#define PVR_LWIPOPTS_H

#define NO_SYS                      1
#define SYS_LIGHTWEIGHT_PROT        0 /* one task, and upcalls do not call lwIP */
#define LWIP_NETCONN                0
#define LWIP_SOCKET                 0
#define LWIP_STATS                  0
#define LWIP_UDP                    0
#define LWIP_RAW                    1 /* echo requests */
#define IP_FRAG                     1
#define MEMP_NUM_FRAG_PBUF          48
#define IP_REASSEMBLY               1
#define IP_REASS_MAX_PBUFS          48 /* of 1,514 bytes: the largest packet of IPv4 */
#define MEMP_NUM_REASSDATA          4
#define LWIP_BROADCAST_PING         0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY       0
#define LWIP_NETIF_TX_SINGLE_PBUF   0

#define MEM_ALIGNMENT               8
#define MEM_SIZE                    (510u << 10) /* and its own header, in NET_HEAP_PAGES */
#define NET_HEAP_PAGES              128u
#define LWIP_RAM_HEAP_POINTER       net_heap

#define TCP_MSS                     1460
#define TCP_WND                     65535 /* a packet of 64 KiB that was not cut into segments fits */
#define TCP_SND_BUF                 65535
#define TCP_SND_QUEUELEN            128
#define MEMP_NUM_TCP_SEG            256
#define MEMP_NUM_TCP_PCB            16
#define MEMP_NUM_PBUF               64
#define PBUF_POOL_SIZE              0 /* what is received is copied into the heap */

#define LWIP_DBG_TYPES_ON           0

#endif
