/* SPDX-License-Identifier: MIT */
/* Event channels: the tables of ports and the rules of binding. See evtchn.h. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <pvring/xen/xen.h>

#include "pair.h"

/* Bytes from the start of shared_info to evtchn_pending: 32 vcpu_info of 64 bytes, on i386 and
 * x86_64. */
#define PENDING_OFFSET (XEN_LEGACY_MAX_VCPUS * sizeof(struct vcpu_info))

/* Interrupts which each vCPU binds for itself. Source: xen.h. */
static int virq_is_per_vcpu(uint32_t virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
	       virq == VIRQ_XENPMU;
}

int hv_ports_init(struct hv_ports *ports, uint32_t limit)
{
	ports->port = calloc(limit, sizeof(*ports->port));
	ports->limit = ports->port ? limit : 0;
	ports->open = 0;
	return ports->port ? 0 : -ENOMEM;
}

void hv_ports_fini(struct hv_ports *ports)
{
	hv_ports_reset(ports, 0, 1);
	free(ports->port);
	ports->port = NULL;
	ports->limit = 0;
}

struct hv_port *hv_port_get(const struct hv_ports *ports, evtchn_port_t port)
{
	if (port == 0 || port >= ports->limit || ports->port[port].state == EVTCHNSTAT_closed)
		return NULL;
	return &ports->port[port];
}

/* The eventfd that says an event came for this port. */
static int port_eventfd(const struct hv_port *port)
{
	return port->pair->fd[port->side];
}

int hv_port_rx(const struct hv_port *port)
{
	return port->guard >= 0 ? port->guard : port_eventfd(port);
}

int hv_port_tx(const struct hv_port *port)
{
	return port->pair->fd[!port->side];
}

/* The lowest free port, as Xen picks it. */
static int port_find_free(const struct hv_ports *ports)
{
	if (ports->open + 1 >= ports->limit)
		return -ENOSPC;
	for (uint32_t i = 1; i < ports->limit; i++)
		if (ports->port[i].state == EVTCHNSTAT_closed)
			return (int)i;
	return -ENOSPC;
}

/* Commit, but for the guard, without which nothing has happened. The content's pair is referenced
 * already. */
static int port_open(struct hv_ports *ports, int port, struct hv_port content)
{
	content.guard = -1;
	if (ports->guarded) {
		content.guard = hv_guard_new(ports->budget, port_eventfd(&content));
		if (content.guard < 0) {
			hv_pair_put(content.pair);
			return -ENOMEM;
		}
	}
	ports->port[port] = content;
	ports->open++;
	return port;
}

/* A new port that brings a pair of its own. */
static int port_open_new(struct hv_ports *ports, unsigned descriptors, struct hv_port content)
{
	int port = port_find_free(ports);

	if (port < 0)
		return port;
	content.pair = hv_pair_new(ports->budget, descriptors);
	if (!content.pair)
		return -ENOMEM;
	return port_open(ports, port, content);
}

int hv_port_alloc_unbound(struct hv_ports *ports, domid_t remote, uint32_t client)
{
	return port_open_new(ports, 2,
		(struct hv_port){.state = EVTCHNSTAT_unbound, .remote = remote, .client = client});
}

int hv_port_bind_interdomain(
	struct hv_ports *ports, struct hv_ports *remote, evtchn_port_t remote_port, uint32_t client)
{
	int port = port_find_free(ports);
	struct hv_port *other = hv_port_get(remote, remote_port);

	if (port < 0)
		return port;
	if (!other || other->state != EVTCHNSTAT_unbound || other->remote != ports->domid)
		return -EINVAL;
	other->pair->references++;
	port = port_open(ports, port,
		(struct hv_port){.state = EVTCHNSTAT_interdomain,
			.side = !other->side,
			.remote = remote->domid,
			.remote_port = remote_port,
			.client = client,
			.peer = remote,
			.pair = other->pair});
	if (port < 0)
		return port;
	other->state = EVTCHNSTAT_interdomain;
	other->peer = ports;
	other->remote_port = (evtchn_port_t)port;
	hv_event_kick(port_eventfd(&ports->port[port]));
	return port;
}

int hv_port_bind_virq(struct hv_ports *ports, uint32_t virq, uint32_t vcpu, uint32_t client)
{
	if (virq >= NR_VIRQS || (!virq_is_per_vcpu(virq) && vcpu != 0))
		return -EINVAL;
	if (vcpu >= ports->vcpus)
		return -ENOENT;
	for (uint32_t i = 1; i < ports->limit; i++) {
		const struct hv_port *p = &ports->port[i];

		if (p->state != EVTCHNSTAT_virq || p->virq != virq)
			continue;
		/* A global interrupt may have been moved to another vCPU; there is one all the
		 * same. */
		if (p->vcpu == vcpu || !virq_is_per_vcpu(virq))
			return -EEXIST;
	}
	return port_open_new(ports, 1,
		(struct hv_port){
			.state = EVTCHNSTAT_virq, .vcpu = vcpu, .virq = virq, .client = client});
}

int hv_port_bind_ipi(struct hv_ports *ports, uint32_t vcpu, uint32_t client)
{
	if (vcpu >= ports->vcpus)
		return -ENOENT;
	return port_open_new(ports, 1,
		(struct hv_port){.state = EVTCHNSTAT_ipi, .vcpu = vcpu, .client = client});
}

static void port_close(struct hv_ports *ports, struct hv_port *port, int wake)
{
	if (port->state == EVTCHNSTAT_interdomain) {
		struct hv_port *other = &port->peer->port[port->remote_port];

		/* The peer's end waits for the same domain again; its descriptors stay. */
		other->state = EVTCHNSTAT_unbound;
		other->peer = NULL;
		other->remote_port = 0;
		if (wake)
			hv_event_kick(port_eventfd(other));
	}
	hv_guard_close(ports->budget, port->guard);
	hv_pair_put(port->pair);
	*port = (struct hv_port){.state = EVTCHNSTAT_closed};
	ports->open--;
}

int hv_port_close(struct hv_ports *ports, evtchn_port_t port)
{
	struct hv_port *p = hv_port_get(ports, port);

	if (!p)
		return -EINVAL;
	port_close(ports, p, 0);
	return 0;
}

int hv_port_send(struct hv_ports *ports, evtchn_port_t port)
{
	struct hv_port *p = hv_port_get(ports, port);

	if (!p)
		return -EINVAL;
	switch (p->state) {
	case EVTCHNSTAT_interdomain:
	case EVTCHNSTAT_ipi:
		hv_event_kick(hv_port_tx(p));
		return 0;
	case EVTCHNSTAT_unbound:
		return 0; /* dropped: who binds later starts with an event anyway */
	default:
		return -EINVAL;
	}
}

int hv_port_status(const struct hv_ports *ports, struct evtchn_status *status)
{
	if (status->port >= ports->limit)
		return -EINVAL;
	const struct hv_port *p = &ports->port[status->port];

	status->status = p->state;
	status->vcpu = p->vcpu;
	switch (p->state) {
	case EVTCHNSTAT_unbound:
		status->u.unbound.dom = p->remote;
		break;
	case EVTCHNSTAT_interdomain:
		status->u.interdomain.dom = p->remote;
		status->u.interdomain.port = p->remote_port;
		break;
	case EVTCHNSTAT_virq:
		status->u.virq = p->virq;
		break;
	}
	return 0;
}

int hv_port_bind_vcpu(struct hv_ports *ports, evtchn_port_t port, uint32_t vcpu)
{
	struct hv_port *p = hv_port_get(ports, port);

	if (vcpu >= ports->vcpus)
		return -ENOENT;
	if (!p || p->state == EVTCHNSTAT_ipi)
		return -EINVAL;
	if (p->state == EVTCHNSTAT_virq && virq_is_per_vcpu(p->virq))
		return -EINVAL;
	p->vcpu = vcpu;
	return 0;
}

int hv_port_unmask(struct hv_ports *ports, evtchn_port_t port)
{
	struct hv_port *p = hv_port_get(ports, port);

	if (!p)
		return -EINVAL;
	if (!ports->shared_info)
		return 0;
	/*
	 * Bit n of a little-endian bitmap is bit n%8 of byte n/8, whatever the width of its words.
	 */
	_Atomic uint8_t *pending = (_Atomic uint8_t *)ports->shared_info + PENDING_OFFSET;
	_Atomic uint8_t *mask = pending + HV_PORTS_2L(ports->word_size) / 8;
	uint8_t bit = (uint8_t)(1u << port % 8);

	atomic_fetch_and(&mask[port / 8], (uint8_t)~bit);
	if (atomic_load(&pending[port / 8]) & bit)
		hv_event_kick(port_eventfd(p));
	return 0;
}

void hv_ports_reset(struct hv_ports *ports, uint32_t client, int wake)
{
	for (uint32_t i = 1; i < ports->limit && ports->open; i++)
		if (ports->port[i].state != EVTCHNSTAT_closed &&
			(!client || ports->port[i].client == client))
			port_close(ports, &ports->port[i], wake);
}

void hv_ports_raise_virq(struct hv_ports *ports, uint32_t virq)
{
	for (uint32_t i = 1; i < ports->limit; i++)
		if (ports->port[i].state == EVTCHNSTAT_virq && ports->port[i].virq == virq)
			hv_event_kick(port_eventfd(&ports->port[i]));
}
