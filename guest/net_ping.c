/* SPDX-License-Identifier: MIT */
/* net=ping: echo requests, one at a time, each answered or lost. */
#include "net_internal.h"

#include <errno.h>
#include <string.h>

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip4.h>
#include <lwip/raw.h>

#include "kernel.h"

#define COUNT      3u
#define PATIENCE   (5 * S) /* for one answer; the first waits for ARP too */
#define IDENTIFIER 0x7076u
#define DATA       56u

struct ping {
	uint16_t sequence;
	int answered; /* the one with this sequence */
};

static uint8_t data_byte(unsigned at, uint16_t sequence)
{
	return (uint8_t)(at * 7 + sequence);
}

static int is_answer(const struct ping *ping, struct pbuf *p)
{
	uint8_t bytes[IP_HLEN_MAX + sizeof(struct icmp_echo_hdr) + DATA];
	uint16_t size = pbuf_copy_partial(p, bytes, sizeof(bytes), 0);
	uint16_t head = (uint16_t)((bytes[0] & 15u) * 4);
	struct icmp_echo_hdr echo;

	if (size < head + sizeof(echo) + DATA)
		return 0;
	memcpy(&echo, bytes + head, sizeof(echo));
	if (echo.type != ICMP_ER || echo.id != PP_HTONS(IDENTIFIER) ||
		echo.seqno != lwip_htons(ping->sequence))
		return 0;
	for (unsigned i = 0; i < DATA; i++)
		if (bytes[head + sizeof(echo) + i] != data_byte(i, ping->sequence))
			return 0;
	return 1;
}

static uint8_t received(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	struct ping *ping = arg;

	(void)pcb;
	(void)from; /* it is who we are connected to */
	if (!is_answer(ping, p))
		return 0; /* lwIP answers what others ask of us */
	ping->answered = 1;
	pbuf_free(p);
	return 1;
}

/* 0, or a negative errno, which is as if the network had lost it. */
static int send_echo(struct raw_pcb *pcb, const struct ping *ping)
{
	struct pbuf *p = pbuf_alloc(PBUF_IP, sizeof(struct icmp_echo_hdr) + DATA, PBUF_RAM);
	struct icmp_echo_hdr *echo;
	int rc;

	if (!p)
		return -ENOMEM;
	echo = p->payload;
	*echo = (struct icmp_echo_hdr){
		.type = ICMP_ECHO, .id = PP_HTONS(IDENTIFIER), .seqno = lwip_htons(ping->sequence)};
	for (unsigned i = 0; i < DATA; i++)
		((uint8_t *)(echo + 1))[i] = data_byte(i, ping->sequence);
	echo->chksum = inet_chksum(echo, p->len);
	rc = raw_send(pcb, p);
	pbuf_free(p);
	return rc ? -EIO : 0;
}

int net_ping(struct net_if *nif, const struct net_orders *orders)
{
	unsigned long long count = orders->number ? orders->number : COUNT, got = 0;
	struct raw_pcb *pcb = raw_new(IP_PROTO_ICMP);
	struct ping ping = {0};
	int rc = pcb ? 0 : -ENOMEM;

	if (pcb) {
		raw_connect(pcb, &orders->address);
		raw_recv(pcb, received, &ping);
	}
	for (unsigned long long i = 0; i < count && !rc; i++) {
		uint64_t deadline = pvr_port_now_ns() + PATIENCE;

		ping.sequence = (uint16_t)(i + 1);
		ping.answered = 0;
		send_echo(pcb, &ping);
		while (!rc && !ping.answered && pvr_port_now_ns() < deadline)
			rc = net_if_turn(nif, deadline);
		got += ping.answered != 0;
	}
	if (pcb)
		raw_remove(pcb);
	if (rc)
		return failed("ping: error %u", -(unsigned)rc);
	if (got < count)
		return failed("ping: %llu of %llu echo requests are lost", count - got, count);
	say("net: %llu echo requests answered", got);
	return 0;
}
