/* SPDX-License-Identifier: MIT */
/*
 * net=get and net=put: a TCP connection to a port of a host, over which BYTES come or go. They are the decimal numbers from 1, one a
 * line, cut off at the end, so that a byte in the wrong place is seen and `seq` is all the host needs.
 */
#include "net_internal.h"

#include <errno.h>

#include <lwip/tcp.h>

#include "../rings/text.h"
#include "kernel.h"

#define PATIENCE (10 * S) /* without a byte of progress */
#define CHUNK    1460u

struct flow {
	struct tcp_pcb *pcb;      /* NULL when it is over */
	uint64_t want, put, done; /* put: given to lwIP; done: received, or acknowledged */
	uint64_t number;          /* of the pattern, whose digits and newline are: */
	char line[PVR_U64_TEXT + 1];
	unsigned length, at;
	int is_get, ended, error; /* ended: the peer has said all */
};

static char next_byte(struct flow *flow)
{
	if (flow->at == flow->length) {
		flow->length = (unsigned)pvr_text_format_u64(++flow->number, flow->line);
		flow->line[flow->length++] = '\n';
		flow->at = 0;
	}
	return flow->line[flow->at++];
}

static int matches(struct flow *flow, const char *bytes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (bytes[i] != next_byte(flow))
			return 0;
	return 1;
}

static void take(struct flow *flow, const struct pbuf *p)
{
	for (; p && !flow->error; p = p->next) {
		if (!flow->is_get || p->len > flow->want - flow->done)
			flow->error = -E2BIG;
		else if (!matches(flow, p->payload, p->len))
			flow->error = -EPROTO;
		else
			flow->done += p->len;
	}
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct flow *flow = arg;

	(void)error;
	if (!p) {
		flow->ended = 1;
		return ERR_OK;
	}
	take(flow, p);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

/* As much as there is room for, and the end behind it. */
static void fill(struct flow *flow)
{
	char chunk[CHUNK];

	while (flow->put < flow->want && tcp_sndbuf(flow->pcb) >= CHUNK) {
		uint64_t left = flow->want - flow->put;
		uint16_t n = (uint16_t)(left < CHUNK ? left : CHUNK);
		struct flow before = *flow;

		for (unsigned i = 0; i < n; i++)
			chunk[i] = next_byte(flow);
		if (tcp_write(flow->pcb, chunk, n, TCP_WRITE_FLAG_COPY)) {
			*flow = before;
			break;
		}
		flow->put += n;
		if (flow->put == flow->want)
			tcp_shutdown(flow->pcb, 0, 1);
	}
	tcp_output(flow->pcb);
}

/* Where there was no memory and nothing is on its way whose answer would call. */
static err_t now_and_then(void *arg, struct tcp_pcb *pcb)
{
	(void)pcb;
	fill(arg);
	return ERR_OK;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct flow *flow = arg;

	(void)error;
	if (flow->is_get)
		return ERR_OK;
	tcp_poll(pcb, now_and_then, 1);
	fill(flow);
	return ERR_OK;
}

static err_t acknowledged(void *arg, struct tcp_pcb *pcb, uint16_t bytes)
{
	struct flow *flow = arg;

	(void)pcb;
	flow->done += bytes;
	fill(flow);
	return ERR_OK;
}

static void broken(void *arg, err_t error)
{
	struct flow *flow = arg;

	flow->pcb = NULL;
	if (error != ERR_CLSD) /* which is the end of both directions, in order */
		flow->error = -EIO;
}

static int start(struct flow *flow, const struct net_orders *orders)
{
	flow->pcb = tcp_new();
	if (!flow->pcb)
		return -ENOMEM;
	tcp_arg(flow->pcb, flow);
	tcp_recv(flow->pcb, received);
	tcp_err(flow->pcb, broken);
	if (!flow->is_get)
		tcp_sent(flow->pcb, acknowledged);
	return tcp_connect(flow->pcb, &orders->address, orders->port, connected) ? -EIO : 0;
}

/* In order, or at once after an error. */
static void finish(struct flow *flow)
{
	if (!flow->pcb)
		return;
	tcp_arg(flow->pcb, NULL);
	tcp_recv(flow->pcb, NULL);
	tcp_err(flow->pcb, NULL);
	tcp_sent(flow->pcb, NULL);
	tcp_poll(flow->pcb, NULL, 0);
	if (flow->error || tcp_close(flow->pcb))
		tcp_abort(flow->pcb);
}

static int run(struct net_if *nif, const struct net_orders *orders, struct flow *flow)
{
	uint64_t seen = UINT64_MAX, deadline = 0;
	int rc = start(flow, orders);

	while (!rc && !flow->error && !(flow->ended && flow->done == flow->want)) {
		if (flow->done != seen)
			deadline = pvr_port_now_ns() + PATIENCE;
		seen = flow->done;
		if (flow->ended && flow->is_get)
			rc = -EIO;
		else if (pvr_port_now_ns() >= deadline)
			rc = -ETIMEDOUT;
		else
			rc = net_if_turn(nif, deadline);
	}
	flow->error = flow->error ? flow->error : rc;
	finish(flow);
	return flow->error;
}

static int transfer(struct net_if *nif, const struct net_orders *orders, int is_get)
{
	const char *what = is_get ? "received" : "sent";
	struct flow flow = {.want = orders->number, .is_get = is_get};
	int rc = run(nif, orders, &flow);

	if (rc)
		return failed("%s %llu of %llu bytes, %s: error %u", what,
			(unsigned long long)flow.done, (unsigned long long)flow.want,
			rc == -EPROTO ? "and the next one is wrong" : "and then no more",
			-(unsigned)rc);
	say("net: %s %llu bytes", what, (unsigned long long)flow.done);
	return 0;
}

int net_get(struct net_if *nif, const struct net_orders *orders)
{
	return transfer(nif, orders, 1);
}

int net_put(struct net_if *nif, const struct net_orders *orders)
{
	return transfer(nif, orders, 0);
}
