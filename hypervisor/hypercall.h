/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls that reach the daemon: a table by Xen's numbers, decoded first, invoked then. Decoding
 * looks at lengths and counts only and has no effect; it is pure, for tests and fuzzers.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include <stddef.h>
#include <stdint.h>

struct hv_client;
struct hv_reply;
struct hv_call;

typedef int64_t (*hv_call_invoke_fn)(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply);

/* How an argument's length follows from its count. */
enum hv_call_shape {
	HV_CALL_NONE,  /* no argument; count is whatever the command makes of it */
	HV_CALL_ONE,   /* one structure */
	HV_CALL_ARRAY, /* `count` structures, perhaps none */
	HV_CALL_TAIL,  /* one structure and behind it room for what its guest pointer would name */
	HV_CALL_BYTES, /* `count` bytes */
};

struct hv_call_rule {
	uint16_t op;
	uint16_t cmd;
	uint8_t shape;
	uint16_t size_32; /* of the structure in an i386 guest */
	uint16_t size_64;
	hv_call_invoke_fn invoke;
};

struct hv_call {
	const struct hv_call_rule *rule;
	uint32_t count;
	unsigned word_size; /* 4 or 8: which layout the argument has */
	uint8_t *argument;  /* read and written in place, aligned for anything */
	size_t size;        /* of one structure */
	size_t tail;        /* bytes behind the structure, HV_CALL_TAIL only */
};

/*
 * Decode data[length], which is a struct pvr_hv_hypercall and its argument; `argument` is a copy of
 * the latter to work on. 0 and *call filled in; -EINVAL: the message is shorter than it says, or
 * the count cannot be; -ENOSYS: no such hypercall here; -EFAULT: the argument is not as long as its
 * count asks.
 */
int hv_call_decode(const uint8_t *data, size_t length, unsigned word_size, uint8_t *argument,
	struct hv_call *call);

/* The hypercall's result; the argument in *reply is updated. */
int64_t hv_call_invoke(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply);

/* hypercall_event.c */
int64_t hv_evtchn_alloc_unbound(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_bind_interdomain(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_bind_virq(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_bind_pirq(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_bind_ipi(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_close(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_send(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_status(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_bind_vcpu(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_unmask(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_evtchn_reset(struct hv_client *, const struct hv_call *, struct hv_reply *);

/* hypercall_grant.c */
int64_t hv_grant_map(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_unmap(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_setup(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_transfer(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_copy(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_query(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_set_version(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_get_version(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_swap(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_grant_cache_flush(struct hv_client *, const struct hv_call *, struct hv_reply *);

/* hypercall_misc.c */
int64_t hv_sched_yield(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_sched_shutdown(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_sched_shutdown_code(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_memory_maximum_ram_page(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_memory_reservation(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_memory_maximum_gpfn(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_memory_e820(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_version_number(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_version_text(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_version_features(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_version_pagesize(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_vcpu_is_up(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_vcpu_stop_timer(struct hv_client *, const struct hv_call *, struct hv_reply *);
int64_t hv_console_write(struct hv_client *, const struct hv_call *, struct hv_reply *);

#endif
