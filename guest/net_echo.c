/* SPDX-License-Identifier: MIT */
/*
 * net=serve: answers echo requests, which lwIP does by itself, and on TCP port 7 says what it hears (RFC 862). A peer
 * that does not read is not read from: what waits for room to send keeps its window closed.
 */
#include "net_internal.h"

#include <errno.h>

#include <lwip/tcp.h>

#include "kernel.h"

#define PORT        7u
#define CONNECTIONS 8u

struct echo {
	struct tcp_pcb *pcb; /* NULL: free */
	struct pbuf *waiting;
	int ended; /* the peer has said all */
};

static struct echo echoes[CONNECTIONS];
static unsigned long long echoed;
static unsigned finished; /* connections, in order */

static void release(struct echo *echo)
{
	if (echo->waiting)
		pbuf_free(echo->waiting);
	*echo = (struct echo){0};
}

static void pump(struct echo *echo)
{
	struct tcp_pcb *pcb = echo->pcb;

	while (echo->waiting) {
		uint16_t room = tcp_sndbuf(pcb);
		uint16_t n = echo->waiting->len < room ? echo->waiting->len : room;

		if (!n || tcp_write(pcb, echo->waiting->payload, n, TCP_WRITE_FLAG_COPY))
			break;
		echo->waiting = pbuf_free_header(echo->waiting, n);
		tcp_recved(pcb, n);
		echoed += n;
	}
	tcp_output(pcb);
	if (!echo->ended || echo->waiting)
		return;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	release(echo);
	finished++;
	tcp_close(pcb); /* without memory for it lwIP tries again by itself */
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct echo *echo = arg;

	(void)pcb;
	(void)error;
	if (!p)
		echo->ended = 1;
	else if (echo->waiting)
		pbuf_cat(echo->waiting, p);
	else
		echo->waiting = p;
	pump(echo);
	return ERR_OK;
}

static err_t acknowledged(void *arg, struct tcp_pcb *pcb, uint16_t bytes)
{
	(void)pcb;
	(void)bytes;
	pump(arg);
	return ERR_OK;
}

/* Where there was no memory and nothing is on its way whose answer would call. */
static err_t now_and_then(void *arg, struct tcp_pcb *pcb)
{
	(void)pcb;
	pump(arg);
	return ERR_OK;
}

static void broken(void *arg, err_t error)
{
	(void)error;
	release(arg);
}

static err_t accepts(void *arg, struct tcp_pcb *pcb, err_t error)
{
	unsigned i = 0;

	(void)arg;
	while (i < CONNECTIONS && echoes[i].pcb)
		i++;
	if (error || i == CONNECTIONS)
		return ERR_MEM;
	echoes[i].pcb = pcb;
	tcp_arg(pcb, &echoes[i]);
	tcp_recv(pcb, received);
	tcp_sent(pcb, acknowledged);
	tcp_err(pcb, broken);
	tcp_poll(pcb, now_and_then, 1);
	return ERR_OK;
}

static struct tcp_pcb *listener(void)
{
	struct tcp_pcb *pcb = tcp_new(), *listening = NULL;

	if (pcb && !tcp_bind(pcb, IP_ADDR_ANY, PORT))
		listening = tcp_listen_with_backlog(pcb, CONNECTIONS);
	if (pcb && !listening)
		tcp_abort(pcb);
	if (listening)
		tcp_accept(listening, accepts);
	return listening;
}

int net_serve(struct net_if *nif, const struct net_orders *orders)
{
	uint64_t end = orders->number ? pvr_port_now_ns() + orders->number * S : UINT64_MAX;
	unsigned want = orders->connections ? orders->connections : UINT32_MAX;
	struct tcp_pcb *listening = listener();
	int rc = listening ? 0 : -ENOMEM;

	echoed = 0;
	finished = 0;
	say("net: listens on port %u", PORT);
	while (!rc && finished < want && pvr_port_now_ns() < end)
		rc = net_if_turn(nif, end);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (echoes[i].pcb)
			tcp_abort(echoes[i].pcb); /* `broken` releases it */
	if (listening)
		tcp_close(listening);
	if (rc)
		return failed("serve: error %u", -(unsigned)rc);
	if (finished < orders->connections)
		return failed("serve: %u of %u connections", finished, want);
	say("net: %llu bytes echoed over %u connections", echoed, finished);
	return 0;
}
