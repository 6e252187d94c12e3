/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls and the store's ring through the real daemon, from guests of both word sizes and dom0.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>
#include <pvring/xen/version.h>
#include <pvring/xen/xs_wire.h>

#include "hv_rig.h"
#include "suite.h"

static long event_op(struct hv_rig_client *c, uint32_t cmd, void *arg, size_t size, int *fds)
{
	unsigned count = fds ? 2 : 0;

	if (fds)
		fds[0] = fds[1] = -1;
	return pvr_hv_hypercall(c->control, __HYPERVISOR_event_channel_op, cmd, arg, size, 1, fds,
		fds ? &count : NULL);
}

static long grant_op(struct hv_rig_client *c, uint32_t cmd, void *arg, size_t size, uint32_t count)
{
	return pvr_hv_hypercall(
		c->control, __HYPERVISOR_grant_table_op, cmd, arg, size, count, NULL, NULL);
}

/* A guest takes an event from its epoll descriptor. */
static int guest_event(int rx, int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(rx, &event, 1, timeout_ms) == 1;
}

struct pair_of_guests {
	struct hv_rig rig;
	struct hv_rig_client a, b, dom0;
};

static void guests_start(struct pair_of_guests *g, uint32_t word_a, uint32_t word_b)
{
	hv_rig_start(&g->rig);
	CU_ASSERT_EQUAL_FATAL(hv_rig_create(&g->rig, "a", 0), 1);
	CU_ASSERT_EQUAL_FATAL(hv_rig_create(&g->rig, "b", 0), 2);
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&g->rig, 1, word_a, &g->a), 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&g->rig, 2, word_b, &g->b), 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_dom0(&g->rig, &g->dom0), 0);
}

static void guests_stop(struct pair_of_guests *g)
{
	hv_rig_leave(&g->a);
	hv_rig_leave(&g->b);
	hv_rig_leave(&g->dom0);
	hv_rig_stop(&g->rig);
}

static void events_cross(void)
{
	struct pair_of_guests g;
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};
	struct evtchn_bind_interdomain bind = {.remote_dom = 1};
	struct evtchn_status status = {.dom = 1};
	int far[2], near[2], again[2];

	guests_start(&g, 8, 8);
	CU_ASSERT_EQUAL(event_op(&g.a, EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc), far), 0);
	bind.remote_port = alloc.port;
	CU_ASSERT_EQUAL(/* not for domain 2 */
		event_op(&g.b, EVTCHNOP_bind_interdomain, &bind, sizeof(bind), NULL), -EINVAL);
	CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_bind_interdomain, &bind, sizeof(bind), near), 0);
	CU_ASSERT(hv_rig_event(near[0]));
	hv_rig_kick(far[1]);
	CU_ASSERT(hv_rig_event(near[0]));
	hv_rig_kick(near[1]);
	CU_ASSERT(guest_event(far[0], 20000));
	CU_ASSERT(!guest_event(far[0], 0));
	/* By hypercall it is the same event; and status hands the descriptors back. */
	CU_ASSERT_EQUAL(
		event_op(&g.dom0, EVTCHNOP_send, &bind.local_port, sizeof(bind.local_port), NULL),
		0);
	CU_ASSERT(guest_event(far[0], 20000));
	status.port = alloc.port;
	CU_ASSERT_EQUAL(event_op(&g.a, EVTCHNOP_status, &status, sizeof(status), again), 0);
	CU_ASSERT_EQUAL(status.status, EVTCHNSTAT_interdomain);
	hv_rig_kick(again[1]);
	CU_ASSERT(hv_rig_event(near[0]));
	/* The guest has no eventfd that dom0 writes: not even the flags of one. */
	CU_ASSERT_EQUAL(write(far[0], "12345678", 8), -1);

	CU_ASSERT_EQUAL(event_op(&g.b, EVTCHNOP_status, &status, sizeof(status), NULL), -EPERM);
	status.dom = 77;
	CU_ASSERT_EQUAL(event_op(&g.b, EVTCHNOP_status, &status, sizeof(status), NULL), -ESRCH);
	alloc.dom = 1;
	CU_ASSERT_EQUAL(
		event_op(&g.b, EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc), NULL), -EPERM);
	CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc), NULL), 0);
	CU_ASSERT_EQUAL(
		event_op(&g.b, EVTCHNOP_reset, &(domid_t){1}, sizeof(domid_t), NULL), -EPERM);
	CU_ASSERT_EQUAL(event_op(&g.a, EVTCHNOP_bind_pirq, &(struct evtchn_bind_pirq){0},
				sizeof(struct evtchn_bind_pirq), NULL),
		-EINVAL);
	for (int i = 0; i < 2; i++) {
		close(far[i]);
		close(near[i]);
		close(again[i]);
	}
	guests_stop(&g);
}

static void dom0_connections_keep_apart(void)
{
	struct pair_of_guests g;
	struct hv_rig_client other;
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 1};

	guests_start(&g, 8, 8);
	CU_ASSERT_EQUAL_FATAL(hv_rig_dom0(&g.rig, &other), 0);
	CU_ASSERT_NOT_EQUAL(other.dom0.client, g.dom0.dom0.client);
	CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc), NULL), 0);
	CU_ASSERT_EQUAL(event_op(&other, EVTCHNOP_send, &alloc.port, 4, NULL), -EINVAL);
	CU_ASSERT_EQUAL(event_op(&other, EVTCHNOP_close, &alloc.port, 4, NULL), -EINVAL);
	CU_ASSERT_EQUAL(event_op(&other, EVTCHNOP_reset, &(domid_t){DOMID_SELF}, 2, NULL), 0);
	CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_send, &alloc.port, 4, NULL), 0);
	CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_close, &alloc.port, 4, NULL), 0);
	/* The daemon's own ends of the store channels are nobody's. */
	for (evtchn_port_t port = 1; port <= 2; port++)
		CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_close, &port, 4, NULL), -EINVAL);
	hv_rig_leave(&other);
	guests_stop(&g);
}

static void grant_commands_answer_as_xen(void)
{
	struct pair_of_guests g;
	struct {
		struct gnttab_setup_table table;
		uint64_t frames[64];
	} setup = {.table = {.dom = DOMID_SELF, .nr_frames = 64}};
	struct gnttab_query_size size = {.dom = DOMID_SELF};
	struct gnttab_set_version version = {2};
	struct gnttab_map_grant_ref map[3] = {{.dom = 2, .flags = GNTMAP_host_map},
		{.dom = 9, .flags = GNTMAP_host_map}, {.dom = 2}};
	struct gnttab_unmap_grant_ref unmap[2] = {{.handle = 0}, {.handle = UINT32_MAX}};
	struct gnttab_swap_grant_ref swap[2] = {{8, 9, 0}, {8, UINT32_MAX, 0}};
	struct gnttab_transfer transfer = {.domid = 2, .ref = 8};

	guests_start(&g, 8, 8);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_setup_table, &setup, sizeof(setup), 1), 0);
	CU_ASSERT_EQUAL(setup.table.status, GNTST_okay);
	CU_ASSERT_EQUAL(setup.frames[63], PVR_HV_FRAME_GRANT + 63);
	setup.table.nr_frames = 65;
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_setup_table, &setup, sizeof(setup), 1), 0);
	CU_ASSERT_EQUAL(setup.table.status, GNTST_general_error);
	setup.table.nr_frames = 1;
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_setup_table, &setup, sizeof(setup), 1), -EFAULT);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_query_size, &size, sizeof(size), 1), 0);
	CU_ASSERT_EQUAL(size.max_nr_frames, 64);
	size.dom = 2;
	grant_op(&g.a, GNTTABOP_query_size, &size, sizeof(size), 1);
	CU_ASSERT_EQUAL(size.status, GNTST_permission_denied);
	size.dom = 9;
	grant_op(&g.a, GNTTABOP_query_size, &size, sizeof(size), 1);
	CU_ASSERT_EQUAL(size.status, GNTST_bad_domain);
	/* XSA-255 and the others: there is no version 2 to race with. */
	CU_ASSERT_EQUAL(
		grant_op(&g.a, GNTTABOP_set_version, &version, sizeof(version), 1), -ENOSYS);
	CU_ASSERT_EQUAL(version.version, 1);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_set_version, &version, sizeof(version), 1), 0);
	version.version = 3;
	CU_ASSERT_EQUAL(
		grant_op(&g.a, GNTTABOP_set_version, &version, sizeof(version), 1), -EINVAL);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_map_grant_ref, map, sizeof(map), 3), 0);
	CU_ASSERT_EQUAL(map[0].status, GNTST_permission_denied);
	CU_ASSERT_EQUAL(map[1].status, GNTST_bad_domain);
	CU_ASSERT_EQUAL(map[2].status, GNTST_bad_gntref);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_unmap_grant_ref, unmap, sizeof(unmap), 2), 0);
	CU_ASSERT(unmap[0].status == GNTST_bad_handle && unmap[1].status == GNTST_bad_handle);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_swap_grant_ref, swap, sizeof(swap), 2), 0);
	CU_ASSERT_EQUAL(swap[0].status, GNTST_general_error);
	CU_ASSERT_EQUAL(swap[1].status, GNTST_bad_gntref);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_transfer, &transfer, sizeof(transfer), 1), 0);
	CU_ASSERT_EQUAL(transfer.status, GNTST_permission_denied);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_cache_flush, &size, 1, 1), -EOPNOTSUPP);
	guests_stop(&g);
}

static struct grant_entry_v1 *entry_of(struct hv_rig_client *c, grant_ref_t ref)
{
	return (struct grant_entry_v1 *)(c->memory + PVR_HV_FRAME_GRANT * 4096) + ref;
}

static int16_t copy(struct hv_rig_client *c, struct gnttab_copy op)
{
	CU_ASSERT_EQUAL(grant_op(c, GNTTABOP_copy, &op, sizeof(op), 1), 0);
	return op.status;
}

static void copy_is_checked(void)
{
	struct pair_of_guests g;
	const struct gnttab_copy good = {
		.source = {.u.gmfn = 100, .domid = DOMID_SELF, .offset = 10},
		.dest = {.u.ref = 8, .domid = 2, .offset = 4000},
		.len = 96,
		.flags = GNTCOPY_dest_gref,
	};
	struct gnttab_copy op = good;

	guests_start(&g, 8, 8);
	*entry_of(&g.b, 8) =
		(struct grant_entry_v1){.flags = GTF_permit_access, .domid = 1, .frame = 200};
	memset(g.a.memory + 100 * 4096, 0x5a, 4096);
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_okay);
	CU_ASSERT_EQUAL(g.b.memory[200 * 4096 + 3999], 0);
	CU_ASSERT_EQUAL(g.b.memory[200 * 4096 + 4000], 0x5a);
	CU_ASSERT_EQUAL(g.b.memory[200 * 4096 + 4095], 0x5a);
	CU_ASSERT_EQUAL(g.b.memory[201 * 4096], 0);
	CU_ASSERT_EQUAL(entry_of(&g.b, 8)->flags, GTF_permit_access); /* nothing left pinned */

	op.len = 97; /* out of its page, by one byte, on either side */
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_copy_arg);
	op = good;
	op.source.offset = 4001;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_copy_arg);
	op.source.offset = UINT16_MAX;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_copy_arg);
	op = good;
	op.dest.u.ref = 9;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_gntref);
	op.dest.u.ref = UINT32_MAX;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_gntref);
	op = good;
	op.dest.domid = 9;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_domain);
	op = good;
	op.source.domid = 2; /* somebody else's frame by its number */
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_permission_denied);
	op = good;
	op.source.u.gmfn = 256;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_page);
	op.source.u.gmfn = 1ull << 52;
	CU_ASSERT_EQUAL(copy(&g.a, op), GNTST_bad_page);
	entry_of(&g.b, 8)->flags = GTF_permit_access | GTF_readonly;
	CU_ASSERT_NOT_EQUAL(copy(&g.a, good), GNTST_okay);
	*entry_of(&g.b, 8) =
		(struct grant_entry_v1){.flags = GTF_permit_access, .domid = 7, .frame = 200};
	CU_ASSERT_NOT_EQUAL(copy(&g.a, good), GNTST_okay); /* granted to somebody else */
	/* A frame that is not the guest's: its grant table itself, and beyond its memory. */
	*entry_of(&g.b, 8) = (struct grant_entry_v1){
		.flags = GTF_permit_access, .domid = 1, .frame = PVR_HV_FRAME_GRANT};
	CU_ASSERT_EQUAL(copy(&g.a, good), GNTST_bad_page);
	entry_of(&g.b, 8)->frame = 256;
	CU_ASSERT_EQUAL(copy(&g.a, good), GNTST_bad_page);
	guests_stop(&g);
}

static void copy_by_a_32_bit_guest(void)
{
	struct pair_of_guests g;
	struct {
		uint32_t source, source_where, dest, dest_where;
		uint16_t len, flags;
		int16_t status;
		uint16_t pad;
	} op[2] = {
		{100, DOMID_SELF, 8, 2, 4096, GNTCOPY_dest_gref, 1, 0},
		{100, DOMID_SELF, 9, 2, 4096, GNTCOPY_dest_gref, 1, 0},
	};

	guests_start(&g, 4, 8);
	*entry_of(&g.b, 8) =
		(struct grant_entry_v1){.flags = GTF_permit_access, .domid = 1, .frame = 200};
	memset(g.a.memory + 100 * 4096, 0x77, 4096);
	CU_ASSERT_EQUAL(grant_op(&g.a, GNTTABOP_copy, op, sizeof(op), 2), 0);
	CU_ASSERT_EQUAL(op[0].status, GNTST_okay);
	CU_ASSERT_EQUAL(op[1].status, GNTST_bad_gntref);
	CU_ASSERT_EQUAL(memcmp(g.b.memory + 200 * 4096, g.a.memory + 100 * 4096, 4096), 0);
	guests_stop(&g);
}

static void small_hypercalls(void)
{
	struct pair_of_guests g;
	struct xen_feature_info features = {.submap_idx = 0};
	xen_extraversion_t extra;
	struct {
		struct xen_memory_map map;
		uint8_t entry[20];
	} e820 = {.map.nr_entries = 1};
	uint64_t bytes;

	guests_start(&g, 8, 8);
	int c = g.a.control;

	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_xen_version, XENVER_version, NULL, 0, 1,
				NULL, NULL),
		4 << 16 | 17);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_xen_version, XENVER_extraversion, extra,
				sizeof(extra), 1, NULL, NULL),
		0);
	CU_ASSERT_STRING_EQUAL(extra, ".0-pvring");
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_xen_version, XENVER_get_features,
				&features, sizeof(features), 1, NULL, NULL),
		0);
	CU_ASSERT(features.submap & 1u << XENFEAT_auto_translated_physmap);
	CU_ASSERT(!(features.submap & 1u << XENFEAT_dom0));
	features.submap_idx = 1;
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_xen_version, XENVER_get_features,
				&features, sizeof(features), 1, NULL, NULL),
		-EINVAL);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_memory_op, XENMEM_current_reservation,
				&(domid_t){DOMID_SELF}, 2, 1, NULL, NULL),
		256);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_memory_op, XENMEM_current_reservation,
				&(domid_t){2}, 2, 1, NULL, NULL),
		-EPERM);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_memory_op, XENMEM_memory_map, &e820, 36, 1,
				NULL, NULL),
		0);
	memcpy(&bytes, e820.entry + 8, sizeof(bytes));
	CU_ASSERT_EQUAL(bytes, 1 << 20);
	CU_ASSERT_EQUAL(
		pvr_hv_hypercall(c, __HYPERVISOR_vcpu_op, VCPUOP_is_up, NULL, 0, 0, NULL, NULL), 1);
	CU_ASSERT_EQUAL(
		pvr_hv_hypercall(c, __HYPERVISOR_vcpu_op, VCPUOP_is_up, NULL, 0, 1, NULL, NULL),
		-ENOENT);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_console_io, CONSOLEIO_write, "hello\n", 6,
				6, NULL, NULL),
		0);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_sched_op, SCHEDOP_shutdown,
				&(uint32_t){SHUTDOWN_MAX + 1}, 4, 1, NULL, NULL),
		-EINVAL);
	CU_ASSERT_EQUAL(pvr_hv_hypercall(c, __HYPERVISOR_sched_op, SCHEDOP_shutdown,
				&(uint32_t){SHUTDOWN_poweroff}, 4, 1, NULL, NULL),
		0);
	guests_stop(&g);
}

/* One request over the ring page; the reply's type, its payload in out. */
static uint32_t ring_call(struct hv_rig_client *c, uint32_t type, const char *body, uint32_t length,
	char *out, size_t size)
{
	struct xenstore_domain_interface *ring = (void *)(c->memory + PVR_HV_FRAME_STORE * 4096);
	struct xsd_sockmsg head = {.type = type, .len = length};
	uint8_t message[sizeof(head) + 256], reply[XENSTORE_RING_SIZE];
	uint32_t have = 0;

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, length);
	for (uint32_t i = 0; i < sizeof(head) + length; i++)
		ring->req[MASK_XENSTORE_IDX(ring->req_prod + i)] = (char)message[i];
	__atomic_store_n(&ring->req_prod, ring->req_prod + (uint32_t)sizeof(head) + length,
		__ATOMIC_RELEASE);
	hv_rig_kick(c->fds[2]);
	for (int i = 0; i < 1000 && have < sizeof(head); i++) {
		guest_event(c->fds[1], 20);
		have = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) - ring->rsp_cons;
	}
	if (have < sizeof(head) || have > sizeof(reply))
		return XS_INVALID;
	for (uint32_t i = 0; i < have; i++)
		reply[i] = (uint8_t)ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons + i)];
	__atomic_store_n(&ring->rsp_cons, ring->rsp_cons + have, __ATOMIC_RELEASE);
	memcpy(&head, reply, sizeof(head));
	snprintf(out, size, "%.*s", (int)head.len, (char *)reply + sizeof(head));
	return head.type;
}

static void store_by_ring(void)
{
	struct pair_of_guests g;
	char out[256];

	guests_start(&g, 8, 4);
	for (int i = 0; i < 100; i++) { /* many times around the ring */
		CU_ASSERT_EQUAL(ring_call(&g.a, XS_READ, "name", 5, out, sizeof(out)), XS_READ);
		CU_ASSERT_STRING_EQUAL(out, "a");
	}
	CU_ASSERT_EQUAL(ring_call(&g.b, XS_READ, "domid", 6, out, sizeof(out)), XS_READ);
	CU_ASSERT_STRING_EQUAL(out, "2");
	CU_ASSERT_EQUAL(ring_call(&g.b, XS_WRITE, "data/x\0hello", 12, out, sizeof(out)), XS_WRITE);
	CU_ASSERT_EQUAL(
		hv_rig_shell(&g.rig, out, sizeof(out), "xenstore-read /local/domain/2/data/x"), 0);
	CU_ASSERT_STRING_EQUAL(out, "hello\n");
	/* The rest is the toolstack's, and other domains' are not to be read. */
	CU_ASSERT_EQUAL(ring_call(&g.b, XS_WRITE, "name\0evil", 9, out, sizeof(out)), XS_ERROR);
	CU_ASSERT_STRING_EQUAL(out, "EACCES");
	CU_ASSERT_EQUAL(
		ring_call(&g.b, XS_READ, "/local/domain/1/name", 21, out, sizeof(out)), XS_ERROR);
	guests_stop(&g);
}

/*
 * Indices that cannot be: the ring is broken and says so, the daemon reads nothing, others go on.
 */
static void xsa_38_hostile_ring_indices(void)
{
	struct pair_of_guests g;
	static const uint32_t far[] = {1025, 4096, 1u << 31, UINT32_MAX};
	char out[256];

	guests_start(&g, 8, 8);
	struct xenstore_domain_interface *ring = (void *)(g.a.memory + PVR_HV_FRAME_STORE * 4096);

	for (size_t i = 0; i < 2 * sizeof(far) / sizeof(far[0]); i++) {
		if (i % 2)
			ring->req_prod += far[i / 2];
		else
			ring->rsp_cons -= far[i / 2];
		hv_rig_kick(g.a.fds[2]);
		for (int n = 0; n < 4000 && !*(volatile uint32_t *)&ring->error; n++)
			usleep(5000);
		CU_ASSERT_EQUAL(ring->error, XENSTORE_ERROR_RINGIDX);
		CU_ASSERT_EQUAL(ring_call(&g.b, XS_READ, "name", 5, out, sizeof(out)), XS_READ);
		/* A fresh start heals it. */
		ring->connection = XENSTORE_RECONNECT;
		hv_rig_kick(g.a.fds[2]);
		for (int n = 0; n < 4000 && *(volatile uint32_t *)&ring->connection; n++)
			usleep(5000);
		CU_ASSERT_EQUAL(ring->error, XENSTORE_ERROR_NONE);
		CU_ASSERT_EQUAL(ring->req_prod, 0);
		guest_event(g.a.fds[1], 1000);
		CU_ASSERT_EQUAL(ring_call(&g.a, XS_READ, "name", 5, out, sizeof(out)), XS_READ);
	}
	guests_stop(&g);
}

static void xsa_72_long_payload_breaks_the_ring(void)
{
	struct pair_of_guests g;
	char out[256];

	guests_start(&g, 8, 8);
	struct xenstore_domain_interface *ring = (void *)(g.a.memory + PVR_HV_FRAME_STORE * 4096);
	struct xsd_sockmsg head = {.type = XS_READ, .len = 4097};

	memcpy(ring->req, &head, sizeof(head));
	__atomic_store_n(&ring->req_prod, sizeof(head), __ATOMIC_RELEASE);
	hv_rig_kick(g.a.fds[2]);
	for (int n = 0; n < 4000 && !*(volatile uint32_t *)&ring->error; n++)
		usleep(5000);
	CU_ASSERT_EQUAL(ring->error, XENSTORE_ERROR_PROTO);
	CU_ASSERT_EQUAL(ring_call(&g.b, XS_READ, "name", 5, out, sizeof(out)), XS_READ);
	guests_stop(&g);
}

/* A guest makes its own eventfd blocking and full: the daemon does not sleep on it when the guest
 * dies. */
static void full_blocking_eventfd_stops_nobody(void)
{
	struct pair_of_guests g;
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};
	struct evtchn_bind_interdomain bind = {.remote_dom = 1};
	struct pvr_hv_domain info;
	uint64_t most = UINT64_MAX - 1;
	int far[2], near[2];

	guests_start(&g, 8, 8);
	CU_ASSERT_EQUAL(event_op(&g.a, EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc), far), 0);
	bind.remote_port = alloc.port;
	CU_ASSERT_EQUAL(event_op(&g.dom0, EVTCHNOP_bind_interdomain, &bind, sizeof(bind), near), 0);
	CU_ASSERT(hv_rig_event(near[0]));
	CU_ASSERT_EQUAL(fcntl(far[1], F_SETFL, fcntl(far[1], F_GETFL) & ~O_NONBLOCK), 0);
	CU_ASSERT_EQUAL(write(far[1], &most, sizeof(most)), sizeof(most));
	hv_rig_leave(&g.a);
	CU_ASSERT(hv_rig_event(near[0]));
	CU_ASSERT_EQUAL(hv_rig_describe(&g.rig, 2, &info), 0);
	for (int i = 0; i < 2; i++) {
		close(far[i]);
		close(near[i]);
	}
	hv_rig_leave(&g.b);
	hv_rig_leave(&g.dom0);
	hv_rig_stop(&g.rig);
}

/* The file of the watch has so many lines, before long. */
static int watch_says(struct hv_rig *rig, unsigned lines)
{
	char out[64];

	for (int n = 0; n < 400; n++) {
		hv_rig_shell(rig, out, sizeof(out), "true; wc -l <%s.watch", rig->dir);
		if ((unsigned)atoi(out) == lines)
			return 1;
		usleep(50000);
	}
	return 0;
}

static void packaged_tools(void)
{
	struct hv_rig rig;
	char out[8192];

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	CU_ASSERT_EQUAL(hv_rig_shell(&rig, out, sizeof(out), "xenstore-ls -f -p"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "/local/domain/1/name = \"guest\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "/local/domain/1/data = \"\""));
	CU_ASSERT_EQUAL(hv_rig_shell(&rig, out, sizeof(out), "xenstore-list /local/domain"), 0);
	CU_ASSERT_STRING_EQUAL(out, "0\n1\n");
	CU_ASSERT_EQUAL(
		hv_rig_shell(&rig, out, sizeof(out), "xenstore-chmod /local/domain/1/data r1"), 0);
	CU_ASSERT_EQUAL(
		hv_rig_shell(&rig, out, sizeof(out), "xenstore-rm /local/domain/1/data"), 0);
	CU_ASSERT_NOT_EQUAL(
		hv_rig_shell(&rig, out, sizeof(out), "xenstore-exists /local/domain/1/data"), 0);
	/* A watch sees the domain go; the first event is from setting it. */
	CU_ASSERT_EQUAL(
		hv_rig_shell(&rig, out, sizeof(out),
			"timeout 60 xenstore-watch -n 2 @releaseDomain >%s.watch &", rig.dir),
		0);
	CU_ASSERT(watch_says(&rig, 1));
	CU_ASSERT_EQUAL(hv_rig_destroy(&rig, 1), 0);
	CU_ASSERT(watch_says(&rig, 2));
	hv_rig_shell(&rig, out, sizeof(out), "rm %s.watch", rig.dir);
	hv_rig_stop(&rig);
}

PVR_SUITE(hypervisor_calls, CASE(events_cross), CASE(dom0_connections_keep_apart),
	CASE(grant_commands_answer_as_xen), CASE(copy_is_checked), CASE(copy_by_a_32_bit_guest),
	CASE(small_hypercalls), CASE(store_by_ring), CASE(xsa_38_hostile_ring_indices),
	CASE(xsa_72_long_payload_breaks_the_ring), CASE(full_blocking_eventfd_stops_nobody),
	CASE(packaged_tools))
