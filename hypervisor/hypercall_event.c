/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op: the commands' arguments, and who may use which port; the rules are in evtchn.c.
 */
#include <errno.h>

#include "hv.h"
#include "hypercall.h"

/* The running domain a command names, or NULL. */
static struct hv_domain *domain_named(const struct hv_client *client, domid_t domid)
{
	struct hv_domain *d;

	if (domid == DOMID_SELF || domid == client->domain->domid)
		return client->domain;
	d = domid == 0 ? &client->hv->dom0 : hv_domain_find(client->hv, domid);
	return d && d->state == PVR_HV_RUNNING ? d : NULL;
}

/* May the client act on a port of its domain? dom0's connections do not touch each other's. */
static int port_is_ours(const struct hv_client *client, evtchn_port_t port)
{
	const struct hv_port *p = hv_port_get(&client->domain->ports, port);

	return p && (client->role != HV_ROLE_DOM0 || p->client == client->number);
}

static void reply_port(const struct hv_client *client, evtchn_port_t port, struct hv_reply *reply)
{
	const struct hv_port *p = hv_port_get(&client->domain->ports, port);

	reply->fds[0] = hv_port_rx(p);
	reply->fds[1] = hv_port_tx(p);
	reply->fds_count = 2;
}

/* What all commands that make a port of the caller's own end with. */
static int64_t port_made(
	const struct hv_client *client, int port, evtchn_port_t *answer, struct hv_reply *reply)
{
	if (port < 0)
		return port;
	*answer = (evtchn_port_t)port;
	reply_port(client, *answer, reply);
	return 0;
}

int64_t hv_evtchn_alloc_unbound(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct evtchn_alloc_unbound *arg = (void *)call->argument;
	struct hv_domain *d = domain_named(client, arg->dom);
	const int own = d == client->domain;

	if (!d)
		return -ESRCH;
	if (!own && client->role != HV_ROLE_DOM0)
		return -EPERM;
	if (arg->remote_dom == DOMID_SELF)
		arg->remote_dom = client->domain->domid;
	int port = hv_port_alloc_unbound(&d->ports, arg->remote_dom, own ? client->number : 0);

	if (own || port < 0)
		return port_made(client, port, &arg->port, reply);
	arg->port = (evtchn_port_t)port;
	return 0;
}

int64_t hv_evtchn_bind_interdomain(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct evtchn_bind_interdomain *arg = (void *)call->argument;
	struct hv_domain *remote = domain_named(client, arg->remote_dom);

	if (!remote)
		return -ESRCH;
	int port = hv_port_bind_interdomain(
		&client->domain->ports, &remote->ports, arg->remote_port, client->number);

	return port_made(client, port, &arg->local_port, reply);
}

int64_t hv_evtchn_bind_virq(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct evtchn_bind_virq *arg = (void *)call->argument;
	int port = hv_port_bind_virq(&client->domain->ports, arg->virq, arg->vcpu, client->number);

	return port_made(client, port, &arg->port, reply);
}

/* No domain has physical interrupts, so the number is out of range, whichever it is. */
int64_t hv_evtchn_bind_pirq(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)client;
	(void)call;
	(void)reply;
	return -EINVAL;
}

int64_t hv_evtchn_bind_ipi(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct evtchn_bind_ipi *arg = (void *)call->argument;
	int port = hv_port_bind_ipi(&client->domain->ports, arg->vcpu, client->number);

	return port_made(client, port, &arg->port, reply);
}

int64_t hv_evtchn_close(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct evtchn_close *arg = (void *)call->argument;

	(void)reply;
	return port_is_ours(client, arg->port) ? hv_port_close(&client->domain->ports, arg->port)
					       : -EINVAL;
}

int64_t hv_evtchn_send(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct evtchn_send *arg = (void *)call->argument;

	(void)reply;
	return port_is_ours(client, arg->port) ? hv_port_send(&client->domain->ports, arg->port)
					       : -EINVAL;
}

int64_t hv_evtchn_status(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct evtchn_status *arg = (void *)call->argument;
	const struct hv_domain *d = domain_named(client, arg->dom);

	if (!d)
		return -ESRCH;
	if (d != client->domain && client->role != HV_ROLE_DOM0)
		return -EPERM;
	int err = hv_port_status(&d->ports, arg);

	if (!err && d == client->domain && port_is_ours(client, arg->port))
		reply_port(client, arg->port, reply);
	return err;
}

int64_t hv_evtchn_bind_vcpu(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct evtchn_bind_vcpu *arg = (void *)call->argument;

	(void)reply;
	if (arg->vcpu < client->domain->vcpus && !port_is_ours(client, arg->port))
		return -EINVAL;
	return hv_port_bind_vcpu(&client->domain->ports, arg->port, arg->vcpu);
}

int64_t hv_evtchn_unmask(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct evtchn_unmask *arg = (void *)call->argument;

	(void)reply;
	return port_is_ours(client, arg->port) ? hv_port_unmask(&client->domain->ports, arg->port)
					       : -EINVAL;
}

int64_t hv_evtchn_reset(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const struct evtchn_reset *arg = (void *)call->argument;
	struct hv_domain *d = domain_named(client, arg->dom);

	(void)reply;
	if (!d)
		return -ESRCH;
	if (d != client->domain && client->role != HV_ROLE_DOM0)
		return -EPERM;
	/* Among dom0's connections each is on its own. */
	hv_ports_reset(&d->ports, d == &client->hv->dom0 ? client->number : 0, 0);
	return 0;
}
