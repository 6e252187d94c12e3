/* SPDX-License-Identifier: MIT */
/* `ip=` and `net=`: read what they ask for, and bring the interface up for it. */
#include "net.h"

#include <errno.h>
#include <string.h>

#include <lwip/priv/tcp_priv.h>

#include "kernel.h"
#include "net_internal.h"

#define ADDRESS_TEXT 16u     /* with a NUL */
#define GOODBYE      (1 * S) /* for the last packets of a connection */

static ip4_addr_t own = {PP_HTONL(0x0a000002)}, own_mask = {PP_HTONL(0xffffff00)};

static const struct scenario {
	const char *name;
	int (*run)(struct net_if *nif, const struct net_orders *orders);
	int has_address, has_port;
} scenarios[] = {
	{"ping", net_ping, 1, 0},
	{"serve", net_serve, 0, 0},
	{"get", net_get, 1, 1},
	{"put", net_put, 1, 1},
};

/* Up to `end` or the end of text: where that is, or NULL when there is no address. */
static const char *parse_address(const char *text, char end, ip4_addr_t *address)
{
	char word[ADDRESS_TEXT];
	size_t length = 0;

	while (text[length] && text[length] != end) {
		if (length == sizeof(word) - 1)
			return NULL;
		word[length] = text[length];
		length++;
	}
	word[length] = '\0';
	return ip4addr_aton(word, address) ? text + length : NULL;
}

int net_address(const char *args)
{
	ip4_addr_t address;
	const char *text = parse_address(args, '/', &address);
	uint64_t bits = text && *text ? number_of(text + 1, 0) : 0;

	if (bits < 1 || bits > 30)
		return failed("ip=%s: that is no ADDRESS/BITS", args);
	own = address;
	ip4_addr_set_u32(&own_mask, lwip_htonl(UINT32_MAX << (32 - bits)));
	return 0;
}

/* What is behind the name. 0, or failed(). */
static int parse_orders(
	const struct scenario *scenario, const char *text, struct net_orders *orders)
{
	uint64_t port = 0;

	if (scenario->has_address) {
		text = parse_address(text, ',', &orders->address);
		if (!text)
			return failed("net=%s,ADDRESS: that is no address", scenario->name);
		text = after_comma(text);
	}
	if (scenario->has_port) {
		port = number_of(text, 0);
		text = after_comma(text);
		if (port < 1 || port > UINT16_MAX)
			return failed("net=%s,ADDRESS,PORT: that is no port", scenario->name);
	}
	orders->port = (uint16_t)port;
	orders->number = number_of(text, 0);
	orders->connections = (unsigned)number_of(after_comma(text), 0);
	return 0;
}

/* A connection that was closed has its last words on the way. */
static void settle(struct net_if *nif)
{
	uint64_t end = pvr_port_now_ns() + GOODBYE;

	while (tcp_active_pcbs && pvr_port_now_ns() < end && !net_if_turn(nif, end))
		;
}

/* Up from the first scenario on. */
static struct net_if interface;

static int run(const struct scenario *scenario, const struct net_orders *orders)
{
	int rc = interface.front ? 0 : net_if_open(&interface, &own, &own_mask);

	if (rc)
		return failed("no network interface: error %u", -(unsigned)rc);
	rc = scenario->run(&interface, orders);
	settle(&interface);
	return rc;
}

static int down(void)
{
	if (interface.front)
		net_if_close(&interface);
	say("net: down");
	return 0;
}

int net_scenario(const char *args)
{
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		struct net_orders orders = {0};

		if (!word_is(args, scenarios[i].name))
			continue;
		if (parse_orders(&scenarios[i], after_comma(args), &orders))
			return -1;
		return run(&scenarios[i], &orders);
	}
	if (word_is(args, "down"))
		return down();
	return failed("net=%s: there are ping, serve, get, put and down", args);
}
