/* SPDX-License-Identifier: MIT */
/* What a user writes to name a network interface. Pure text, no I/O. */
#include "net.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <pvring/netback.h>

#include "tools.h"

/* clang-format off */
const char net_spec_help[] =
	"A network SPEC is one of\n"
	"  tap[=NAME]      a TAP beside the backend (default: vifDOMAIN.DEVICE)\n"
	"  user            the world outside, without privilege, through passt\n"
	"  passt=SOCKET    a passt that listens there\n"
	"  null[=BYTES]    swallows all; sends packets of BYTES as fast as it can\n"
	"  loop            gives back what is sent\n"
	"followed by any of\n"
	"  ,mac=ADDRESS    the guest's (default: one of 00:16:3e)\n"
	"  ,bridge=NAME    that the TAP joins\n"
	"  ,queues=N       pairs of rings the guest may use, up to 16 (default: 1)\n"
	"  ,rate=N[KMG]B/s[@Nms]  what the guest may send, as xl has it; b: bits\n"
	"  ,mtu=N          68 to 65521 (default 1500)\n"
	"  ,ip=ADDRESS/BITS ,gw=ADDRESS  of eth0; once for IPv4, once for IPv6\n"
	"  ,without=A+B..  do not use sg, gso, csum, split, ctrl, mcast, static\n"
	"user, ip and gw are for pvring run.\n";
/* clang-format on */

int net_mac_parse(const char *text, uint8_t mac[6])
{
	for (unsigned i = 0; i < 6; i++, text += 3) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
			text[2] != (i < 5 ? ':' : 0))
			return -EINVAL;
		mac[i] = (uint8_t)strtoul(text, NULL, 16);
	}
	return 0;
}

const char *net_mac_text(const uint8_t mac[6], char out[18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
	return out;
}

void net_mac_choose(struct net_spec *spec)
{
	static const uint8_t none[6];

	if (memcmp(spec->mac, none, 6))
		return;
	memcpy(spec->mac, (uint8_t[]){0x00, 0x16, 0x3e}, 3);
	if (getrandom(spec->mac + 3, 3, 0) != 3)
		spec->mac[5] = 1;
	spec->mac[3] &= 0x7f; /* the other half is for addresses that are assigned */
}

/* A name that the kernel takes for an interface. */
static int parse_ifname(const char *what, const char *text, char out[16], char *why, size_t size)
{
	int good = *text && strlen(text) < IFNAMSIZ && strcmp(text, ".") && strcmp(text, "..");

	for (const char *at = text; *at && good; at++)
		good = *at != '/' && *at != ':' && !isspace((unsigned char)*at) && *at != '%';
	if (!good)
		return tool_say(why, size, -EINVAL, "%s is a name of up to %d characters, not '%s'",
			what, IFNAMSIZ - 1, text);
	snprintf(out, IFNAMSIZ, "%s", text);
	return 0;
}

static int parse_socket(const char *text, struct net_spec *spec, char *why, size_t size)
{
	if (*text != '/' || strlen(text) >= sizeof(spec->target))
		return tool_say(why, size, -EINVAL,
			"passt needs the absolute path of its socket, of up to %zu bytes, not '%s'",
			sizeof(spec->target) - 1, text);
	strcpy(spec->target, text);
	return 0;
}

static int parse_first(
	const char *key, const char *value, struct net_spec *spec, char *why, size_t size)
{
	static const char *const names[] = {"tap", "user", "passt", "null", "loop"};
	uint64_t bytes;
	unsigned type = 0;

	while (type < 5 && strcmp(key, names[type]))
		type++;
	spec->type = (enum net_type)type;
	switch (type) {
	case NET_TAP:
		return value ? parse_ifname("tap", value, spec->target, why, size) : 0;
	case NET_PASST:
		return parse_socket(value ? value : "", spec, why, size);
	case NET_NULL:
		if (value && (tool_number(value, 14, 65535, &bytes)))
			return tool_say(why, size, -EINVAL,
				"null sends packets of 14 to 65535 bytes, not '%s'", value);
		spec->bytes = value ? (uint32_t)bytes : 0;
		return 0;
	case NET_USER:
	case NET_LOOP:
		return value ? tool_say(why, size, -EINVAL, "%s takes no value", key) : 0;
	default:
		return tool_say(why, size, -EINVAL,
			"unknown kind of network '%s': tap, user, passt, null, loop are known",
			key);
	}
}

/* xl's NUMBER[KMG](b|B)/s[@NUMBER(s|ms|us)] (Xen's xl-network-configuration), as bytes in each interval of 50 ms or so. */
static int parse_rate(const char *text, struct net_spec *spec, char *why, size_t size)
{
	static const char prefixes[] = "KMG";
	uint64_t value, interval = 50000, unit = 1;
	const char *prefix, *rest;
	char *end;
	int bits;

	if (!isdigit((unsigned char)*text))
		goto bad;
	value = strtoull(text, &end, 10);
	prefix = *end ? strchr(prefixes, *end) : NULL;
	for (int i = 0; prefix && i <= prefix - prefixes; i++)
		unit *= 1000;
	rest = end + (prefix != NULL);
	bits = *rest == 'b';
	if ((*rest != 'b' && *rest != 'B') || strncmp(rest + 1, "/s", 2))
		goto bad;
	rest += 3;
	if (*rest == '@') {
		if (!isdigit((unsigned char)rest[1]))
			goto bad;
		interval = strtoull(rest + 1, &end, 10);
		if (!strcmp(end, "s"))
			interval = interval < 10 ? interval * 1000000 : 0;
		else if (!strcmp(end, "ms"))
			interval = interval < 10000 ? interval * 1000 : 0;
		else if (strcmp(end, "us"))
			goto bad;
		rest = "";
	}
	if (*rest || !value || value > 1000000000000 / unit || !interval || interval > 10000000)
		goto bad;
	value *= unit;
	spec->rate_bytes = (uint64_t)((double)value / (bits ? 8 : 1) * (double)interval / 1e6);
	spec->rate_us = interval;
	if (spec->rate_bytes && spec->rate_bytes <= UINT32_MAX)
		return 0;
bad:
	return tool_say(why, size, -EINVAL,
		"rate is a number with b/s, B/s, Kb/s, MB/s and so on, and perhaps @20ms, not '%s'",
		text);
}

static int parse_address(const char *text, struct net_spec *spec, char *why, size_t size)
{
	char copy[64], *slash;
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	struct net_address *address = &spec->address[family == AF_INET6];
	uint64_t prefix;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = 0;
	if (!slash || tool_number(slash, 0, family == AF_INET6 ? 128 : 32, &prefix) ||
		inet_pton(family, copy, &address->host) != 1)
		return tool_say(why, size, -EINVAL,
			"'%s' is no address with a prefix, such as 10.0.0.2/24", text);
	if (address->family)
		return tool_say(why, size, -EINVAL, "ip is given once for IPv4 and once for IPv6");
	address->family = family;
	address->prefix = (unsigned)prefix;
	return 0;
}

static int parse_gateway(const char *text, struct net_spec *spec, char *why, size_t size)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	struct net_address *address = &spec->address[family == AF_INET6];

	if (inet_pton(family, text, &address->gateway) != 1)
		return tool_say(why, size, -EINVAL,
			"'%s' is no address of a gateway, such as 10.0.0.1", text);
	address->has_gateway = 1;
	return 0;
}

static int parse_without(char *text, struct net_spec *spec, char *why, size_t size)
{
	static const struct {
		const char *name;
		uint32_t back, front;
	} features[] = {
		{"sg", PVR_NETBACK_NO_SG, PVR_NETFRONT_NO_SG},
		{"gso", PVR_NETBACK_NO_GSO, PVR_NETFRONT_NO_GSO},
		{"csum", PVR_NETBACK_NO_CSUM, PVR_NETFRONT_NO_CSUM},
		{"split", PVR_NETBACK_NO_SPLIT, PVR_NETFRONT_NO_SPLIT},
		{"ctrl", PVR_NETBACK_NO_CONTROL, 0},
		{"mcast", PVR_NETBACK_NO_MULTICAST, 0},
		{"static", 0, PVR_NETFRONT_NO_STATIC},
	};
	const size_t count = sizeof(features) / sizeof(features[0]);

	for (char *save, *one = strtok_r(text, "+", &save); one; one = strtok_r(NULL, "+", &save)) {
		size_t i = 0;

		while (i < count && strcmp(one, features[i].name))
			i++;
		if (i == count)
			return tool_say(why, size, -EINVAL,
				"without takes sg, gso, csum, split, ctrl, mcast, static, joined "
				"by '+', not '%s'",
				one);
		spec->back_without |= features[i].back;
		spec->front_without |= features[i].front;
	}
	return 0;
}

/* One key=value after the first. */
static int parse_option(const char *key, char *value, struct net_spec *spec, char *why, size_t size)
{
	uint64_t number;

	if (!strcmp(key, "mac")) {
		if (net_mac_parse(value, spec->mac) || spec->mac[0] & 1)
			return tool_say(
				why, size, -EINVAL, "'%s' is no MAC address of one station", value);
		return 0;
	}
	if (!strcmp(key, "bridge"))
		return parse_ifname("bridge", value, spec->bridge, why, size);
	if (!strcmp(key, "queues")) {
		if (tool_number(value, 1, PVR_NETFRONT_QUEUES_MAX, &number))
			return tool_say(why, size, -EINVAL,
				"queues is a number from 1 to %u, not '%s'",
				PVR_NETFRONT_QUEUES_MAX, value);
		spec->queues = (unsigned)number;
		return 0;
	}
	if (!strcmp(key, "mtu")) {
		if (tool_number(value, 68, 65521, &number))
			return tool_say(why, size, -EINVAL,
				"mtu is a number from 68 to 65521, not '%s'", value);
		spec->mtu = (unsigned)number;
		return 0;
	}
	if (!strcmp(key, "rate"))
		return parse_rate(value, spec, why, size);
	if (!strcmp(key, "ip"))
		return parse_address(value, spec, why, size);
	if (!strcmp(key, "gw"))
		return parse_gateway(value, spec, why, size);
	if (!strcmp(key, "without"))
		return parse_without(value, spec, why, size);
	return tool_say(why, size, -EINVAL,
		"unknown key '%s': mac, bridge, queues, rate, mtu, ip, gw, without are known", key);
}

/* What one key alone cannot tell. */
static int check_whole(const struct net_spec *spec, char *why, size_t size)
{
	if (*spec->bridge && spec->type != NET_TAP)
		return tool_say(why, size, -EINVAL, "only a tap joins a bridge");
	for (unsigned i = 0; i < 2; i++)
		if (spec->address[i].has_gateway && !spec->address[i].family &&
			spec->type != NET_USER)
			return tool_say(why, size, -EINVAL, "gw needs an ip of its kind");
	return 0;
}

int net_spec_parse(const char *text, struct net_spec *spec, char *why, size_t size)
{
	char copy[512], *save, *part;
	int first = 1, rc = 0;

	memset(spec, 0, sizeof(*spec));
	if (strlen(text) >= sizeof(copy))
		return tool_say(why, size, -EINVAL, "a network SPEC has at most %zu bytes",
			sizeof(copy) - 1);
	strcpy(copy, text);
	for (part = strtok_r(copy, ",", &save); part && !rc; part = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(part, '=');

		if (equals)
			*equals++ = 0;
		if (first)
			rc = parse_first(part, equals, spec, why, size);
		else
			rc = equals ? parse_option(part, equals, spec, why, size)
				    : tool_say(why, size, -EINVAL, "'%s' is no key=value", part);
		first = 0;
	}
	if (first)
		return tool_say(why, size, -EINVAL, "an empty network SPEC");
	return rc ? rc : check_whole(spec, why, size);
}
