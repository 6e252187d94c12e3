/* SPDX-License-Identifier: MIT */
/*
 * The small hypercalls: sched_op, memory_op, xen_version, vcpu_op, console_io. Blocking and polling
 * never reach the daemon: a process domain sleeps on its own descriptors.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

#include "hv.h"
#include "hypercall.h"

/* The Xen we resemble: the ABI of its 4.17, with which the wire headers are compared. */
#define XEN_MAJOR        4
#define XEN_MINOR        17
#define CONSOLE_LINE_MAX 256u

int64_t hv_sched_yield(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)client;
	(void)call;
	(void)reply;
	return 0;
}

/* The process ends by itself; that the domain has shut down is told now. */
int64_t hv_sched_shutdown(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct sched_shutdown *arg = (void *)call->argument;

	(void)reply;
	if (arg->reason > SHUTDOWN_MAX)
		return -EINVAL;
	if (client->role == HV_ROLE_DOM0)
		return -EPERM; /* a backend does not take the host down */
	hv_log("domain %u (%s) shuts down, reason %u", client->domain->domid, client->domain->name,
		arg->reason);
	pvr_xs_shutdown(client->hv->xs, client->domain->domid);
	return 0;
}

int64_t hv_sched_shutdown_code(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct sched_shutdown *arg = (void *)call->argument;

	(void)client;
	(void)reply;
	return arg->reason > SHUTDOWN_MAX ? -EINVAL : 0;
}

int64_t hv_memory_maximum_ram_page(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)call;
	(void)reply;
	uint64_t bytes = client->domain->memory_bytes;

	return bytes ? (int64_t)(bytes / 4096 - 1) : 0;
}

/* -ESRCH, -EPERM, or 0 and the domain. */
static int memory_domain(
	const struct hv_client *client, const struct hv_call *call, const struct hv_domain **d)
{
	const struct xen_memory_domain *arg = (void *)call->argument;

	*d = client->domain;
	if (arg->domid != DOMID_SELF && arg->domid != client->domain->domid)
		*d = hv_domain_find(client->hv, arg->domid);
	if (!*d)
		return -ESRCH;
	return *d == client->domain || client->role == HV_ROLE_DOM0 ? 0 : -EPERM;
}

int64_t hv_memory_reservation(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct hv_domain *d;
	int err = memory_domain(client, call, &d);

	(void)reply;
	return err ? err : (int64_t)(d->memory_bytes / 4096);
}

int64_t hv_memory_maximum_gpfn(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct hv_domain *d;
	int err = memory_domain(client, call, &d);

	(void)reply;
	if (err)
		return err;
	return d->memory_bytes ? (int64_t)(d->memory_bytes / 4096 - 1) : 0;
}

/* One entry: all of the domain's memory is RAM. The BIOS's layout, 20 bytes without padding. */
int64_t hv_memory_e820(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct __attribute__((packed)) {
		uint64_t start, size;
		uint32_t type;
	} ram = {0, client->domain->memory_bytes, 1};
	uint32_t entries;

	(void)reply;
	memcpy(&entries, call->argument, sizeof(entries));
	if (!ram.size || entries < 1)
		return -EINVAL;
	if (call->tail < sizeof(ram))
		return -EFAULT;
	entries = 1;
	memcpy(call->argument, &entries, sizeof(entries));
	memcpy(call->argument + call->size, &ram, sizeof(ram));
	return 0;
}

int64_t hv_version_number(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)client;
	(void)call;
	(void)reply;
	return XEN_MAJOR << 16 | XEN_MINOR;
}

int64_t hv_version_text(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const char *text = call->rule->cmd == XENVER_extraversion   ? ".0-pvring"
			   : call->rule->cmd == XENVER_capabilities ? "xen-3.0-process "
								    : "unavailable";

	(void)client;
	(void)reply;
	memset(call->argument, 0, call->size);
	memcpy(call->argument, text, strlen(text));
	return 0;
}

int64_t hv_version_features(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct xen_feature_info *info = (void *)call->argument;

	(void)reply;
	if (info->submap_idx >= XENFEAT_NR_SUBMAPS)
		return -EINVAL;
	info->submap = 1u << XENFEAT_auto_translated_physmap;
	if (client->role == HV_ROLE_DOM0)
		info->submap |= 1u << XENFEAT_dom0;
	return 0;
}

int64_t hv_version_pagesize(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)client;
	(void)call;
	(void)reply;
	return 4096;
}

/* vcpu_op's second argument, the vCPU, comes as the count. */
int64_t hv_vcpu_is_up(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)reply;
	return call->count < client->domain->vcpus ? 1 : -ENOENT;
}

int64_t hv_vcpu_stop_timer(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)reply;
	return call->count < client->domain->vcpus ? 0 : -ENOENT;
}

/*
 * Into the daemon's log, which is bounded by lines a second; what cannot be printed becomes a dot.
 */
int64_t hv_console_write(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	char line[CONSOLE_LINE_MAX + 1];
	size_t n = call->count < CONSOLE_LINE_MAX ? call->count : CONSOLE_LINE_MAX;

	reply->length = 0;
	while (n && (call->argument[n - 1] == '\n' || call->argument[n - 1] == '\0'))
		n--;
	for (size_t i = 0; i < n; i++)
		line[i] = call->argument[i] >= ' ' && call->argument[i] < 127
				  ? (char)call->argument[i]
				  : '.';
	line[n] = '\0';
	if (n)
		hv_log("(d%u) %s", client->domain->domid, line);
	return 0;
}
