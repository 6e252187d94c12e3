/* SPDX-License-Identifier: MIT */
/*
 * netfront as an interface of lwIP.
 *
 * Both directions copy a packet once. What is received is the backend's again when the callback returns. What is sent goes
 * into a page of the queue, which a backend that keeps mappings has mapped for all time: for a packet of an MTU that
 * is cheaper than granting it where it lies, and a page that a dead backend never lets go is no part of lwIP's heap.
 */
#include "net_if.h"

#include <errno.h>
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <pvring/evtchn.h>
#include <pvring/port.h>

#define BUDGET     64u          /* packets a turn */
#define CONNECT_NS 10000000000u /* for a backend to be there */
#define LOOK_NS    250000000u   /* netfront.h: the backend's state, four times a second */
#define MTU_MAX    (PVR_PAGE_SIZE - SIZEOF_ETH_HDR)
#define NS_OF_MS   1000000u

uint8_t *net_heap; /* lwIP's, for as long as the kernel runs */

/* ---- what lwIP asks of the kernel ---- */

/*
 * Milliseconds, without a 64-bit division, for which a 32-bit kernel would need libgcc: both halves times 2^51 / 10^6, rounded
 * down, which makes a day 26 microseconds longer.
 */
uint32_t sys_now(void)
{
	const uint64_t factor = 2251799813u, ns = pvr_port_now_ns();

	return (uint32_t)((ns >> 32) * factor >> 19) + (uint32_t)((uint32_t)ns * factor >> 51);
}

/* Port numbers that differ from boot to boot; no secret depends on them. */
uint32_t net_random(void)
{
	static uint32_t state;
	uint64_t now = pvr_port_now_ns();

	state ^= (uint32_t)(now ^ now >> 32) | 1u;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* ---- sending ---- */

/*
 * Where the backend completes checksums, lwIP makes none for TCP, and the field gets what netif.h wants there: the sum of
 * the pseudo header. Nonzero when it is so.
 */
static int blank_checksum(uint8_t *frame, uint32_t bytes)
{
	uint8_t *ip = frame + SIZEOF_ETH_HDR;
	uint32_t head = bytes < SIZEOF_ETH_HDR + IP_HLEN ? 0 : (ip[0] & 15u) * 4, sum;
	uint16_t address[4];

	if (!head || frame[12] != 0x08 || frame[13] != 0x00 || ip[9] != IP_PROTO_TCP ||
		bytes < SIZEOF_ETH_HDR + head + TCP_HLEN)
		return 0;
	memcpy(address, ip + 12, sizeof(address)); /* both */
	sum = PP_HTONS(IP_PROTO_TCP) + lwip_htons((uint16_t)((ip[2] << 8 | ip[3]) - (int)head));
	for (unsigned i = 0; i < 4; i++)
		sum += address[i];
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	memcpy(ip + head + offsetof(struct tcp_hdr, chksum), &(uint16_t){(uint16_t)sum}, 2);
	return 1;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
	struct net_if *nif = netif->state;
	struct pvr_net_packet packet = {.count = 1, .bytes = p->tot_len};
	void *page = p->tot_len > PVR_PAGE_SIZE ? NULL : pvr_netfront_page_get(nif->queue);

	if (!page) {
		nif->refused = 1;
		return ERR_MEM;
	}
	pbuf_copy_partial(p, page, p->tot_len, 0);
	if (pvr_netfront_info(nif->front)->csum4 && blank_checksum(page, packet.bytes))
		packet.flags = PVR_NET_CSUM_BLANK;
	packet.slice[0] = (struct pvr_net_slice){page, p->tot_len};
	packet.token = page;
	if (pvr_netfront_send(nif->queue, &packet) > 0)
		return ERR_OK;
	pvr_netfront_page_put(nif->queue, page);
	nif->refused = 1;
	return ERR_MEM;
}

static void sent(void *user, struct pvr_netfront_queue *queue, void *page, int error)
{
	(void)user;
	if (error != -EBUSY)
		pvr_netfront_page_put(queue, page);
}

/* ---- receiving ---- */

static uint16_t checksums(const struct net_if *nif, int validated)
{
	uint32_t flags = NETIF_CHECKSUM_ENABLE_ALL;

	if (pvr_netfront_info(nif->front)->csum4)
		flags &= ~(uint32_t)NETIF_CHECKSUM_GEN_TCP;
	if (validated)
		flags &= ~(uint32_t)NETIF_CHECKSUM_CHECK_TCP;
	return (uint16_t)flags;
}

/* lwIP knows checksums that need no look by interface, not by packet: so the interface says it for each packet. */
static void received(
	void *user, struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	struct net_if *nif = user;
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (uint16_t)packet->bytes, PBUF_RAM);
	uint16_t at = 0;

	(void)queue;
	if (!p)
		return; /* lost, as networks do */
	for (uint32_t i = 0; i < packet->count; i++) {
		pbuf_take_at(p, packet->slice[i].address, (uint16_t)packet->slice[i].length, at);
		at = (uint16_t)(at + packet->slice[i].length);
	}
	NETIF_SET_CHECKSUM_CTRL(&nif->netif,
		checksums(nif, packet->flags & (PVR_NET_CSUM_BLANK | PVR_NET_DATA_VALIDATED)));
	if (nif->netif.input(p, &nif->netif) != ERR_OK)
		pbuf_free(p);
}

/* ---- sleeping ---- */

static void count_event(evtchn_port_t port, void *events)
{
	(void)port;
	atomic_fetch_add_explicit((_Atomic uint32_t *)events, 1, memory_order_release);
	pvr_port_wake(events);
}

static void unhook(struct net_if *nif)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!nif->ports[i])
			continue;
		pvr_evtchn_mask(nif->ports[i]);
		pvr_evtchn_handler_set(nif->ports[i], NULL, NULL);
		nif->ports[i] = 0;
	}
}

/*
 * Events are to wake this task and no other, so they come by a handler and not by SCHEDOP_poll, which stops the whole vCPU. A
 * reconnect brings new ports, perhaps under the old numbers, and closes the old ones.
 */
static void hook(struct net_if *nif)
{
	struct pvr_netfront_stats stats;

	pvr_netfront_stats(nif->front, &stats);
	if (nif->ports[0] && nif->reconnects == stats.reconnects)
		return;
	nif->reconnects = stats.reconnects;
	pvr_netfront_ports(nif->queue, nif->ports);
	for (unsigned i = 0; i < 2; i++) {
		if (!nif->ports[i])
			continue;
		pvr_evtchn_handler_set(nif->ports[i], count_event, &nif->events);
		pvr_evtchn_unmask(nif->ports[i]);
	}
}

/* An event after the look at the number changes it, one before is seen by arm. */
static void sleep_for_work(struct net_if *nif, uint64_t deadline_ns)
{
	uint32_t ms = sys_timeouts_sleeptime(), seen;
	uint64_t now = pvr_port_now_ns(), until = now + LOOK_NS;

	if (until > now + (uint64_t)ms * NS_OF_MS)
		until = now + (uint64_t)ms * NS_OF_MS;
	if (until > deadline_ns)
		until = deadline_ns;
	hook(nif);
	seen = atomic_load_explicit(&nif->events, memory_order_acquire);
	if (until > now && !pvr_netfront_arm(nif->queue))
		pvr_port_wait(&nif->events, seen, until);
}

/* What a new backend can do differs, and a bridge is to learn where we are now. */
static void follow_backend(struct net_if *nif)
{
	int carrier = pvr_netfront_info(nif->front)->carrier != 0;

	NETIF_SET_CHECKSUM_CTRL(&nif->netif, checksums(nif, 0));
	if (carrier && !netif_is_link_up(&nif->netif))
		netif_set_link_up(&nif->netif);
	else if (!carrier)
		netif_set_link_down(&nif->netif);
}

int net_if_turn(struct net_if *nif, uint64_t deadline_ns)
{
	int n = pvr_netfront_poll(nif->queue, BUDGET);

	if (n < 0)
		return n;
	follow_backend(nif);
	if (n && nif->refused) {
		nif->refused = 0;
		tcp_txnow(); /* rather than at the next timer: there is room again */
	}
	sys_check_timeouts();
	pvr_netfront_kick(nif->queue);
	if (!n)
		sleep_for_work(nif, deadline_ns);
	return 0;
}

/* ---- life ---- */

static err_t netif_start(struct netif *netif)
{
	struct net_if *nif = netif->state;
	const struct pvr_netfront_info *info = pvr_netfront_info(nif->front);

	netif->name[0] = 'x';
	netif->name[1] = 'n';
	netif->hwaddr_len = sizeof(info->mac);
	memcpy(netif->hwaddr, info->mac, sizeof(info->mac));
	netif->mtu = info->mtu < MTU_MAX ? info->mtu : MTU_MAX;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->linkoutput = link_output;
	NETIF_SET_CHECKSUM_CTRL(netif, checksums(nif, 0));
	return ERR_OK;
}

/* lwIP starts once, and its heap stays. */
static int start_lwip(void)
{
	if (net_heap)
		return 0;
	net_heap = pvr_port_pages_alloc(NET_HEAP_PAGES);
	if (!net_heap)
		return -ENOMEM;
	lwip_init();
	return 0;
}

int net_if_open(struct net_if *nif, const ip4_addr_t *address, const ip4_addr_t *mask)
{
	const struct pvr_netfront_calls calls = {.received = received, .sent = sent, .user = nif};
	const ip4_addr_t none = {0};
	int rc = start_lwip();

	if (rc)
		return rc;
	*nif = (struct net_if){0};
	rc = pvr_netfront_open(
		"device/vif/0", NULL, &calls, pvr_port_now_ns() + CONNECT_NS, &nif->front);
	if (rc) {
		nif->front = NULL;
		return rc;
	}
	nif->queue = pvr_netfront_queue(nif->front, 0);
	netif_add(&nif->netif, address, mask, &none, nif, netif_start, ethernet_input);
	netif_set_default(&nif->netif);
	netif_set_link_up(&nif->netif);
	netif_set_up(&nif->netif);
	return 0;
}

void net_if_close(struct net_if *nif)
{
	pvr_netfront_kick(nif->queue);
	netif_remove(&nif->netif); /* aborts what was connected from its address */
	unhook(nif);
	pvr_netfront_close(nif->front);
	nif->front = NULL;
}
