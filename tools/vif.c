/* SPDX-License-Identifier: MIT */
/* Network interfaces as a class of devices: their nodes and listing, and their verbs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/xenbus.h>

#include "device.h"
#include "net.h"

#define VIFS_MAX 64u /* of a domain, by number */

static void write_nodes(struct device *d, const void *opaque)
{
	static const char *const types[] = {"tap", "passt", "passt", "null", "loop"};
	const struct net_spec *spec = opaque;
	const char *mac = net_mac_text(spec->mac, (char[18]){0});

	device_put(d, d->back, "handle", "%u", d->devid);
	device_put(d, d->back, "mac", "%s", mac);
	device_put(d, d->back, "type", "%s", types[spec->type]);
	if (spec->type == NET_TAP && *spec->target)
		device_put(d, d->back, "vifname", "%s", spec->target);
	if (spec->type == NET_USER || spec->type == NET_PASST)
		device_put(d, d->back, "params", "%s", spec->target);
	if (spec->type == NET_NULL && spec->bytes)
		device_put(d, d->back, "params", "%u", spec->bytes);
	if (*spec->bridge)
		device_put(d, d->back, "bridge", "%s", spec->bridge);
	if (spec->mtu)
		device_put(d, d->back, "mtu", "%u", spec->mtu);
	if (spec->rate_bytes)
		device_put(d, d->back, "rate", "%" PRIu64 ",%" PRIu64, spec->rate_bytes,
			spec->rate_us);
	if (spec->queues)
		device_put(d, d->back, "queues", "%u", spec->queues);
	if (spec->back_without)
		device_put(d, d->back, "features", "0x%x", spec->back_without);
	device_put(d, d->front, "handle", "%u", d->devid);
	device_put(d, d->front, "mac", "%s", mac);
	if (spec->mtu)
		device_put(d, d->front, "mtu", "%u", spec->mtu);
}

/* What only `pvring run` can do is refused: it makes the guest's namespace, and starts passt. */
static void *parse(const char *text, char *why, size_t size)
{
	struct net_spec *spec = malloc(sizeof(*spec));
	int rc = spec ? net_spec_parse(text, spec, why, size)
		      : tool_say(why, size, -ENOMEM, "no memory");

	if (!rc && spec->type == NET_USER)
		rc = tool_say(why, size, -EINVAL,
			"user is for 'pvring run': start passt, and name its socket by "
			"passt=SOCKET");
	if (!rc && (spec->address[0].family || spec->address[1].family))
		rc = tool_say(why, size, -EINVAL,
			"ip and gw are for 'pvring run': here the guest gives itself its address");
	if (rc) {
		free(spec);
		return NULL;
	}
	net_mac_choose(spec);
	return spec;
}

static uint32_t wanted(const void *spec)
{
	(void)spec;
	return DEVICE_ANY;
}

/* An interface has a number and no name. */
static int number(const char *name, uint32_t *devid)
{
	(void)name;
	(void)devid;
	return -EINVAL;
}

static const char *name_of(uint32_t devid, char out[16])
{
	snprintf(out, 16, "%u", devid);
	return out;
}

static int nth(unsigned n, uint32_t *devid)
{
	*devid = n;
	return n < VIFS_MAX ? 0 : -ENOSPC;
}

/* The nodes a listing shows, in the order of its columns. */
static const char *const shown[] = {
	"state", "mac", "type", "bridge", "mtu", "carrier", "vifname", "params"};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

static void row(struct device *d, json_t *list)
{
	char value[SHOWN][128];
	const char *outside, *carrier;
	uint64_t state = 0, mtu = 1500;

	for (size_t i = 0; i < SHOWN; i++)
		device_read(d, shown[i], value[i], sizeof(value[i]));
	tool_number(value[0], 0, 8, &state);
	tool_number(value[4], 0, 65535, &mtu);
	outside = *value[6] ? value[6] : value[7];
	carrier = state == XenbusStateConnected && strcmp(value[5], "0") ? "up" : "down";
	if (list) {
		json_array_append_new(list,
			json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:s}", "devid",
				(int)d->devid, "state", pvr_xenbus_state_name((unsigned)state),
				"mac", value[1], "type", value[2], "outside", outside, "bridge",
				value[3], "mtu", (int)mtu, "carrier", carrier));
		return;
	}
	printf("%3u %-17s %-13s %-7s %5u %-5s %-10s %s\n", d->devid, value[1],
		pvr_xenbus_state_name((unsigned)state), carrier, (unsigned)mtu, value[2],
		*value[3] ? value[3] : "-", *outside ? outside : "-");
}

const struct device_class vif_class = {
	.name = "vif",
	.noun = "interface",
	.verb = "network",
	.server = "pvring netback",
	.names = "0 to 63",
	.operand = "DEVID",
	.attach_doc =
		"Give a domain a network interface. Returns when the backend has opened what is "
		"outside; prints its number.",
	.attach_help = net_spec_help,
	.detach_doc =
		"Take a network interface (by its number) away from a domain, once the guest has "
		"let go of it.",
	.list_doc = "List the network interfaces of a domain.",
	.list_heading =
		" ID Mac               State         Carrier   MTU Type  Bridge     Outside",
	.number = number,
	.name_of = name_of,
	.nth = nth,
	.parse = parse,
	.wanted = wanted,
	.write = write_nodes,
	.row = row,
};

int vif_attach(struct pvr_host *host, uint32_t domid, struct net_spec *spec, char *why, size_t size)
{
	struct device d;

	net_mac_choose(spec);
	device_init(&d, &vif_class, host, domid, DEVICE_ANY);
	return device_attach(&d, spec, why, size);
}

int verb_network_attach(int argc, char **argv)
{
	return device_verb_attach(&vif_class, argc, argv);
}

int verb_network_detach(int argc, char **argv)
{
	return device_verb_detach(&vif_class, argc, argv);
}

int verb_network_list(int argc, char **argv)
{
	return device_verb_list(&vif_class, argc, argv);
}
