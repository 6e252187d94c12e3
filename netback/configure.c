/* SPDX-License-Identifier: MIT */
/*
 * The nodes by which the toolstack says what an interface is: its address, its outside, how many
 * queues, its limits, and what is not to be offered.
 */
#include "configure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU_MIN  68u
#define MTU_MAX  65521u /* a header more is all a packet can have */
#define WITHOUTS 63u    /* all PVR_NETBACK_NO_* */

__attribute__((format(printf, 2, 3))) static int refuse(
	char error[PVR_BACK_LINE], const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, PVR_BACK_LINE, format, list);
	va_end(list);
	return -EINVAL;
}

/* ---- texts ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int pvr_netback_mac_parse(const char *text, uint8_t mac[6])
{
	static const uint8_t none[6];

	for (unsigned i = 0; i < 6; i++, text += 3) {
		int high = hex(text[0]), low = high < 0 ? -1 : hex(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return mac[0] & 1 || !memcmp(mac, none, 6) ? -EINVAL : 0;
}

static int number(const char **text, char end, uint32_t *value)
{
	uint64_t n = 0;
	unsigned digits = 0;

	for (; **text >= '0' && **text <= '9' && digits < 11; ++*text, digits++)
		n = n * 10 + (uint64_t)(**text - '0');
	if (!digits || n > UINT32_MAX || **text != end)
		return -EINVAL;
	++*text;
	*value = (uint32_t)n;
	return 0;
}

int pvr_netback_rate_parse(const char *text, uint32_t *bytes, uint32_t *us)
{
	if (number(&text, ',', bytes) || number(&text, '\0', us))
		return -EINVAL;
	if (!*bytes || !*us)
		*bytes = *us = 0;
	return 0;
}

/* ---- nodes ---- */

/* An optional text: its length, 0 when it is not there or empty, or a negative errno. */
static int read_text(
	const struct pvr_netback_device *device, const char *name, char *value, size_t size)
{
	int length =
		pvr_back_node_text(device->base.home->host, device->base.path, name, value, size);

	if (length < 0)
		value[0] = '\0';
	return length == -ENOENT ? 0 : length;
}

/* An optional number. */
static int read_number(const struct pvr_netback_device *device, const char *name, uint32_t min,
	uint32_t max, uint32_t *value)
{
	int result =
		pvr_back_node_number(device->base.home->host, device->base.path, name, max, value);

	if (result == -ENOENT)
		return 0;
	return result || *value < min ? -EINVAL : 0;
}

static int read_names(struct pvr_netback_device *device, char error[PVR_BACK_LINE])
{
	struct pvr_netback_texts *texts = &device->texts;
	struct pvr_netback_spec *spec = &device->spec;

	if (read_text(device, "type", texts->type, sizeof(texts->type)) < 0)
		return refuse(error, "type: unknown; use tap, passt, null or loop");
	if (read_text(device, "params", texts->params, sizeof(texts->params)) < 0)
		return refuse(error, "params: longer than %zu bytes", sizeof(texts->params) - 1);
	if (read_text(device, "vifname", texts->vifname, sizeof(texts->vifname)) < 0 ||
		read_text(device, "bridge", texts->bridge, sizeof(texts->bridge)) < 0)
		return refuse(error, "vifname or bridge: too long for the name of an interface");
	/* libxl says of what kind the interface is to the guest, and nothing of its outside. */
	spec->type = texts->type[0] && strncmp(texts->type, "vif", 3) ? texts->type : NULL;
	spec->params = texts->params[0] ? texts->params : NULL;
	spec->vifname = texts->vifname[0] ? texts->vifname : NULL;
	spec->bridge = texts->bridge[0] ? texts->bridge : NULL;
	return 0;
}

static int read_features(struct pvr_netback_device *device, char error[PVR_BACK_LINE])
{
	char text[12], *end = text;
	int length = read_text(device, "features", text, sizeof(text));
	unsigned long bits = 0;

	if (length > 2 && !strncmp(text, "0x", 2) && hex(text[2]) >= 0)
		bits = strtoul(text, &end, 16);
	if (length < 0 || *end || bits > WITHOUTS)
		return refuse(error, "features: not 0x0 to 0x%x", WITHOUTS);
	device->without = (uint32_t)bits;
	return 0;
}

int pvr_netback_configure(struct pvr_netback_device *device, char error[PVR_BACK_LINE])
{
	struct pvr_netback_spec *spec = &device->spec;
	uint32_t mtu = 1500, queues = device->base.home->worker_count;
	char mac[24], rate[32];

	*spec = (struct pvr_netback_spec){
		.domid = (domid_t)device->base.domid, .devid = device->base.devid};
	if (queues > PVR_NETBACK_QUEUES_MAX)
		queues = PVR_NETBACK_QUEUES_MAX;
	if (read_text(device, "mac", mac, sizeof(mac)) <= 0 ||
		pvr_netback_mac_parse(mac, spec->mac))
		return refuse(error, "mac: missing, or not a station's address as "
				     "02:00:00:00:00:01");
	if (read_number(device, "mtu", MTU_MIN, MTU_MAX, &mtu))
		return refuse(error, "mtu: not a number from %u to %u", MTU_MIN, MTU_MAX);
	if (read_number(device, "queues", 1, PVR_NETBACK_QUEUES_MAX, &queues))
		return refuse(error, "queues: not a number from 1 to %u", PVR_NETBACK_QUEUES_MAX);
	if (read_text(device, "rate", rate, sizeof(rate)) < 0 ||
		(rate[0] && pvr_netback_rate_parse(rate, &spec->credit_bytes, &spec->credit_us)))
		return refuse(error, "rate: not BYTES,MICROSECONDS");
	spec->mtu = mtu;
	spec->queues = queues;
	if (read_names(device, error))
		return -EINVAL;
	return read_features(device, error);
}
