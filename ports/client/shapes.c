/* SPDX-License-Identifier: MIT */
/*
 * The sizes of hypercalls' arguments, which whoever passes a guest's hypercall on has to know: the process
 * port for its own program, the kvm machine for guests of both word sizes. What the fields mean is the
 * daemon's concern. Commands whose structure has a pointer in it are not here: they need more than a copy.
 */
#include <pvring/hypervisor.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/hvm.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>
#include <pvring/xen/version.h>

/* Structures which hold guest words: their sizes in a 64-bit and in a 32-bit guest. */
#define ADD_TO_PHYSMAP      24, 16
#define REMOVE_FROM_PHYSMAP 16, 8
#define PLATFORM_PARAMETERS 8, 4
#define TRANSFER            24, 16
#define COPY                40, 24
#define SINGLESHOT          16, 12 /* i386 aligns 64-bit numbers to four bytes */
#define NATIVE(s, w64, w32) _Static_assert(sizeof(s) == (sizeof(long) == 8 ? (w64) : (w32)), #s)
NATIVE(struct xen_add_to_physmap, 24, 16);
NATIVE(struct xen_remove_from_physmap, 16, 8);
NATIVE(struct xen_platform_parameters, 8, 4);
NATIVE(struct gnttab_transfer, 24, 16);
NATIVE(struct gnttab_copy, 40, 24);
NATIVE(struct vcpu_set_singleshot_timer, 16, 12);

/* clang-format off */
#define BOTH(s)     sizeof(s), sizeof(s)
#define NOTHING     0, 0
#define EVENT(c)    {__HYPERVISOR_event_channel_op, EVTCHNOP_##c, BOTH(struct evtchn_##c), 0}
#define GRANT(c, s) {__HYPERVISOR_grant_table_op, GNTTABOP_##c, s, 1}
#define SCHED(c, s) {__HYPERVISOR_sched_op, SCHEDOP_##c, s, 0}
#define MEMORY(c, s) {__HYPERVISOR_memory_op, XENMEM_##c, s, 0}
#define VERSION(c, s) {__HYPERVISOR_xen_version, XENVER_##c, s, 0}
#define HVM(c, s)   {__HYPERVISOR_hvm_op, HVMOP_##c, s, 0}
#define VCPU(c, s)  {__HYPERVISOR_vcpu_op, VCPUOP_##c, s, 0}

static const struct pvr_hv_shape shapes[] = {
	EVENT(bind_interdomain), EVENT(bind_virq), EVENT(bind_pirq), EVENT(close), EVENT(send),
	EVENT(status), EVENT(alloc_unbound), EVENT(bind_ipi), EVENT(bind_vcpu), EVENT(unmask),
	EVENT(reset), EVENT(init_control), EVENT(expand_array), EVENT(set_priority),

	GRANT(map_grant_ref, BOTH(struct gnttab_map_grant_ref)),
	GRANT(unmap_grant_ref, BOTH(struct gnttab_unmap_grant_ref)),
	GRANT(dump_table, BOTH(struct gnttab_dump_table)),
	GRANT(transfer, TRANSFER),
	GRANT(copy, COPY),
	GRANT(query_size, BOTH(struct gnttab_query_size)),
	GRANT(unmap_and_replace, BOTH(struct gnttab_unmap_and_replace)),
	GRANT(set_version, BOTH(struct gnttab_set_version)),
	GRANT(get_version, BOTH(struct gnttab_get_version)),
	GRANT(swap_grant_ref, BOTH(struct gnttab_swap_grant_ref)),

	SCHED(yield, NOTHING),
	SCHED(block, NOTHING),
	SCHED(shutdown, BOTH(struct sched_shutdown)),
	SCHED(remote_shutdown, BOTH(struct sched_remote_shutdown)),
	SCHED(shutdown_code, BOTH(struct sched_shutdown)),

	MEMORY(maximum_ram_page, NOTHING),
	MEMORY(current_reservation, BOTH(struct xen_memory_domain)),
	MEMORY(maximum_reservation, BOTH(struct xen_memory_domain)),
	MEMORY(maximum_gpfn, BOTH(struct xen_memory_domain)),
	MEMORY(add_to_physmap, ADD_TO_PHYSMAP),
	MEMORY(remove_from_physmap, REMOVE_FROM_PHYSMAP),

	VERSION(version, NOTHING),
	VERSION(extraversion, BOTH(xen_extraversion_t)),
	VERSION(compile_info, BOTH(struct xen_compile_info)),
	VERSION(capabilities, BOTH(xen_capabilities_info_t)),
	VERSION(changeset, BOTH(xen_changeset_info_t)),
	VERSION(platform_parameters, PLATFORM_PARAMETERS),
	VERSION(get_features, BOTH(struct xen_feature_info)),
	VERSION(pagesize, NOTHING),
	VERSION(guest_handle, BOTH(xen_domain_handle_t)),
	VERSION(commandline, BOTH(xen_commandline_t)),

	HVM(set_param, BOTH(struct xen_hvm_param)),
	HVM(get_param, BOTH(struct xen_hvm_param)),
#ifdef HVMOP_set_evtchn_upcall_vector
	HVM(set_evtchn_upcall_vector, BOTH(struct xen_hvm_evtchn_upcall_vector)),
#endif

	VCPU(is_up, NOTHING),
	VCPU(register_runstate_memory_area, BOTH(struct vcpu_register_runstate_memory_area)),
	VCPU(stop_periodic_timer, NOTHING),
	VCPU(set_singleshot_timer, SINGLESHOT),
	VCPU(stop_singleshot_timer, NOTHING),
	VCPU(register_vcpu_info, BOTH(struct vcpu_register_vcpu_info)),
};
/* clang-format on */

const struct pvr_hv_shape *pvr_hv_shape(uint32_t op, uint32_t cmd)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].op == op && shapes[i].cmd == cmd)
			return &shapes[i];
	return NULL;
}

enum pvr_hv_port_kind pvr_hv_port_made(uint32_t cmd, const void *argument, uint32_t *port)
{
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		*port = ((const struct evtchn_alloc_unbound *)argument)->port;
		return PVR_HV_PORT_SENDS;
	case EVTCHNOP_bind_interdomain:
		*port = ((const struct evtchn_bind_interdomain *)argument)->local_port;
		return PVR_HV_PORT_SENDS;
	case EVTCHNOP_bind_ipi:
		*port = ((const struct evtchn_bind_ipi *)argument)->port;
		return PVR_HV_PORT_IPI;
	case EVTCHNOP_bind_virq:
		*port = ((const struct evtchn_bind_virq *)argument)->port;
		return PVR_HV_PORT_VIRQ;
	default:
		return PVR_HV_PORT_CLOSED;
	}
}
