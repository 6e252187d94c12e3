/* SPDX-License-Identifier: MIT */
/* What the backend says of the interface and of itself. Names of the nodes: Xen's public io/netif.h. */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

/* "02:00:00:00:00:01" and the NUL. */
#define MAC_TEXT 18

static int senseless(struct pvr_netfront *net, const char *what)
{
	char line[160];
	struct pvr_text text;

	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add_foreign(&text, net->front.bus.backend);
	pvr_text_add(&text, ": ");
	pvr_text_add(&text, what);
	pvr_port_log(line);
	return -EPROTO;
}

static uint32_t number(struct pvr_netfront *net, const char *name)
{
	uint64_t value = pvr_xenbus_backend_u64(&net->front.bus, name, 0);

	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* ---- the address ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int parse_mac(const char *text, uint8_t mac[6])
{
	for (unsigned i = 0; i < 6; i++, text += 3) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* The toolstack writes it on our side; some only on the backend's. */
static int read_mac(struct pvr_netfront *net)
{
	char path[96], text[MAC_TEXT] = "";
	int r = pvr_text_path(net->front.bus.path, "mac", path, sizeof(path));

	if (!r)
		r = pvr_store_read(0, path, text, sizeof(text));
	if (r == -ENOENT)
		r = pvr_xenbus_backend_read(&net->front.bus, "mac", text, sizeof(text));
	if (r < 0 && r != -ENOENT && r != -E2BIG)
		return r;
	if (r < 0 || parse_mac(text, net->info.mac))
		return senseless(net, "the interface has no mac, or one that is none");
	return 0;
}

/* ---- features ---- */

static void read_features(struct pvr_netfront *net)
{
	const uint32_t without = net->want.without;
	struct pvr_netfront_info *info = &net->info;
	uint32_t mtu = number(net, "mtu");

	info->mtu = (uint16_t)(mtu >= NETFRONT_MTU_MIN && mtu <= NETFRONT_MTU_MAX
				       ? mtu
				       : NETFRONT_MTU_DEFAULT);
	info->sg = !(without & PVR_NETFRONT_NO_SG) && number(net, "feature-sg");
	info->csum4 = !(without & PVR_NETFRONT_NO_CSUM) && !number(net, "feature-no-csum-offload");
	info->csum6 = !(without & PVR_NETFRONT_NO_CSUM) && number(net, "feature-ipv6-csum-offload");
	/* A large packet takes several slots, and leaves its checksums blank. */
	info->gso4 = info->sg && info->csum4 && !(without & PVR_NETFRONT_NO_GSO) &&
		     number(net, "feature-gso-tcpv4");
	info->gso6 = info->sg && info->csum6 && !(without & PVR_NETFRONT_NO_GSO) &&
		     number(net, "feature-gso-tcpv6");
	info->split =
		!(without & PVR_NETFRONT_NO_SPLIT) && number(net, "feature-split-event-channels");
	info->control = number(net, "feature-ctrl-ring") != 0;
	info->multicast = net->want.multicast && number(net, "feature-multicast-control");
}

int netfront_facts_read(struct pvr_netfront *net)
{
	int r = read_mac(net);

	if (r)
		return r;
	if (!number(net, "feature-rx-copy"))
		return senseless(net, "the backend does not copy what it sends (feature-rx-copy)");
	read_features(net);
	return 0;
}

/* ---- carrier ---- */

void netfront_carrier_read(struct pvr_netfront *net)
{
	uint32_t fired = atomic_load_explicit(&net->carrier.fired, memory_order_acquire);

	atomic_store_explicit(&net->carrier_seen, fired, memory_order_relaxed);
	atomic_store_explicit(&net->carrier_node,
		pvr_xenbus_backend_u64(&net->front.bus, "carrier", 1) != 0, memory_order_relaxed);
}
