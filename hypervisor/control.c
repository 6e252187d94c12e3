/* SPDX-License-Identifier: MIT */
/* The calls of pvring/hypervisor.h: who may make them, what they answer. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hv.h"
#include "hypercall.h"

typedef int64_t (*handler)(struct hv_client *client, const uint8_t *data, struct hv_reply *reply);

static void reply_set(struct hv_reply *reply, const void *data, size_t length)
{
	memcpy(reply->data, data, length);
	reply->length = length;
}

static int64_t op_attach(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	struct hv *hv = client->hv;
	struct pvr_hv_attach attach;

	memcpy(&attach, data, sizeof(attach));
	struct hv_domain *d = hv_domain_find(hv, attach.domid);

	if (client->role != HV_ROLE_TOOL)
		return -EISCONN;
	if (attach.word_size != 4 && attach.word_size != 8)
		return -EINVAL;
	if (!d)
		return -ENOENT;
	if (!client->privileged && client->uid != d->uid)
		return -EACCES;
	int err = hv_client_watch(client);

	if (err)
		return err;
	err = hv_domain_attach(d, client, attach.word_size);
	if (err) {
		close(hv_source_remove(hv, &client->death));
		return err;
	}
	client->role = HV_ROLE_GUEST;
	client->domain = d;
	struct pvr_hv_boot boot = {
		.memory_bytes = d->memory_bytes,
		.domid = d->domid,
		.vcpus = d->vcpus,
		.grant_frames = hv->config.grant_frames,
		.store_port = d->store_port,
		.generation = d->generation,
	};
	const struct hv_port *store = hv_port_get(&d->ports, d->store_port);

	reply_set(reply, &boot, sizeof(boot));
	reply->fds[0] = d->memory;
	reply->fds[1] = hv_port_rx(store);
	reply->fds[2] = hv_port_tx(store);
	reply->fds_count = 3;
	return 0;
}

static int64_t op_dom0(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	const size_t size = HV_MAPTRACK_ENTRIES * sizeof(struct pvr_maptrack);
	int fd;

	(void)data;
	if (!client->privileged)
		return -EACCES;
	if (client->role != HV_ROLE_TOOL)
		return -EISCONN;
	int err = hv_client_watch(client);

	if (err)
		return err;
	fd = hv_memory_new("pvring-maptrack", size);
	void *map =
		fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED) {
		err = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		close(hv_source_remove(client->hv, &client->death));
		return err;
	}
	client->maptrack = map;
	client->maptrack_fd = fd;
	client->role = HV_ROLE_DOM0;
	client->domain = &client->hv->dom0;
	struct pvr_hv_dom0 answer = {HV_MAPTRACK_ENTRIES, client->number};

	reply_set(reply, &answer, sizeof(answer));
	reply->fds[0] = fd;
	reply->fds_count = 1;
	return 0;
}

static uint32_t word(const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

static int64_t op_foreign(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	struct hv_domain *d = hv_domain_find(client->hv, word(data));

	if (client->role != HV_ROLE_DOM0)
		return -EPERM;
	if (!d || d->state == PVR_HV_DYING)
		return -ENOENT;
	if (d->state != PVR_HV_RUNNING)
		return -ENOTCONN;
	client->opened[d->domid / 8] |= (uint8_t)(1u << d->domid % 8);
	struct pvr_hv_foreign answer = {
		.memory_bytes = d->memory_bytes,
		.generation = d->generation,
		.grant_frames = client->hv->config.grant_frames,
	};

	reply_set(reply, &answer, sizeof(answer));
	reply->fds[0] = d->memory;
	reply->fds[1] = d->books_fd;
	reply->fds_count = 2;
	return 0;
}

/* The toolstack's calls: not for a guest, whoever its user is. */
static int may_manage(const struct hv_client *client)
{
	return client->privileged && client->role != HV_ROLE_GUEST;
}

static int64_t op_create(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	struct pvr_hv_create create;

	if (!may_manage(client))
		return -EPERM;
	memcpy(&create, data, sizeof(create));
	int domid = hv_domain_create(client->hv, &create);

	if (domid < 0)
		return domid;
	reply_set(reply, &(uint32_t){(uint32_t)domid}, sizeof(uint32_t));
	return 0;
}

static int64_t op_destroy(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	struct hv_domain *d = hv_domain_find(client->hv, word(data));

	(void)reply;
	if (!may_manage(client))
		return -EPERM;
	return d ? hv_domain_destroy(client->hv, d) : -ENOENT;
}

static struct pvr_hv_domain describe(const struct hv_domain *d)
{
	struct pvr_hv_domain info = {
		.domid = d->domid,
		.state = d->state,
		.memory_bytes = d->memory_bytes,
		.generation = d->generation,
		.vcpus = d->vcpus,
		.uid = d->uid,
		.pid = d->client ? d->client->pid : 0,
		.event_channels = d->ports.open,
		.hypercalls = d->hypercalls,
	};

	memcpy(info.name, d->name, sizeof(info.name));
	info.grants_mapped =
		d->books ? pvr_gnttab_mapped(&d->gnttab) : hv_clients_mapped(d->hv, d->domid);
	return info;
}

static int64_t op_list(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	const uint32_t first = word(data);
	struct hv_domain *d;

	TAILQ_FOREACH(d, &client->hv->domains, entry)
	{
		if (d->domid < first || (!may_manage(client) && d->uid != client->uid))
			continue;
		if (reply->length + sizeof(struct pvr_hv_domain) > PVR_HV_DATA_MAX)
			break;
		struct pvr_hv_domain info = describe(d);

		memcpy(reply->data + reply->length, &info, sizeof(info));
		reply->length += sizeof(info);
	}
	return 0;
}

static int64_t op_shutdown(struct hv_client *client, const uint8_t *data, struct hv_reply *reply)
{
	(void)data;
	(void)reply;
	if (!may_manage(client))
		return -EPERM;
	client->hv->stop = 1;
	return 0;
}

static int64_t op_hypercall(
	struct hv_client *client, const uint8_t *data, size_t length, struct hv_reply *reply)
{
	struct hv_call call;

	if (!client->domain)
		return -EPERM;
	client->domain->hypercalls++;
	/* The argument goes back where it came from, updated: work on it in the reply. */
	if (length < sizeof(struct pvr_hv_hypercall))
		return -EINVAL;
	memcpy(reply->data, data + sizeof(struct pvr_hv_hypercall),
		length - sizeof(struct pvr_hv_hypercall));
	reply->length = length - sizeof(struct pvr_hv_hypercall);
	int err = hv_call_decode(data, length, client->domain->word_size, reply->data, &call);

	return err ? err : hv_call_invoke(client, &call, reply);
}

int64_t hv_control_request(struct hv_client *client, uint32_t op, const uint8_t *data,
	size_t length, struct hv_reply *reply)
{
	static const struct {
		handler run;
		size_t length;
	} ops[] = {
		[PVR_HV_ATTACH] = {op_attach, sizeof(struct pvr_hv_attach)},
		[PVR_HV_DOM0] = {op_dom0, 0},
		[PVR_HV_FOREIGN] = {op_foreign, sizeof(uint32_t)},
		[PVR_HV_DOMAIN_CREATE] = {op_create, sizeof(struct pvr_hv_create)},
		[PVR_HV_DOMAIN_DESTROY] = {op_destroy, sizeof(uint32_t)},
		[PVR_HV_DOMAIN_LIST] = {op_list, sizeof(uint32_t)},
		[PVR_HV_SHUTDOWN] = {op_shutdown, 0},
	};

	if (op == PVR_HV_HYPERCALL)
		return op_hypercall(client, data, length, reply);
	if (op >= sizeof(ops) / sizeof(ops[0]) || !ops[op].run)
		return -ENOSYS;
	if (length != ops[op].length)
		return -EINVAL;
	return ops[op].run(client, data, reply);
}
