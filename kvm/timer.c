/* SPDX-License-Identifier: MIT */
/*
 * The guest's clock and its one-shot timers. The clock page in each vcpu_info is written by KVM, which knows when
 * the TSC's rate or offset changes: its own paravirtual clock has the same layout and is told, through
 * the MSR a KVM guest would write, that the page is there. Timers are timerfds unless KVM does them itself.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include <pvring/xen/xen.h>

#include "internal.h"
#include "twolevel.h"

#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define NS                      1000000000ull
#define FOREVER                 (1ull << 62)

int kvm_timer_open(struct vcpu *v)
{
	v->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return v->timer < 0 ? -errno : 0;
}

uint64_t kvm_now(struct vm *vm)
{
	struct kvm_clock_data clock = {0};

	ioctl(vm->fd, KVM_GET_CLOCK, &clock);
	return clock.clock;
}

long kvm_timer_set(struct vcpu *v, uint64_t deadline, int must_be_future)
{
	uint64_t now = kvm_now(v->vm);
	uint64_t left = deadline > now ? deadline - now : 0;
	struct itimerspec wait;

	if (deadline && !left && must_be_future)
		return -ETIME;
	if (left > FOREVER)
		left = FOREVER;
	if (deadline && !left)
		left = 1; /* 0 would stop it */
	wait = (struct itimerspec){
		.it_value = {.tv_sec = (time_t)(left / NS), .tv_nsec = (long)(left % NS)}};
	return timerfd_settime(v->timer, 0, &wait, NULL) ? -errno : 0;
}

void kvm_timer_fired(struct vcpu *v)
{
	pthread_mutex_lock(&v->vm->lock);
	evtchn_port_t port = v->timer_port;

	pthread_mutex_unlock(&v->vm->lock);
	if (port)
		kvm_port_raise(v->vm, port);
}

int kvm_clock_place(struct vcpu *v, uint64_t vcpu_info_gpa)
{
	/* Behind two bytes, a word and the architecture's part: the same in both word sizes. */
	_Static_assert(offsetof(struct vcpu_info, time) == 32, "where Xen has it");
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[1];
	} msrs = {.head.nmsrs = 1,
		.entry = {{.index = MSR_KVM_SYSTEM_TIME_NEW, .data = (vcpu_info_gpa + 32) | 1}}};
	int err;

	kvm_vcpu_hold(v);
	err = ioctl(v->fd, KVM_SET_MSRS, &msrs) == 1 ? 0 : -EINVAL;
	kvm_vcpu_go(v);
	return err;
}

/* The time of day at which the guest's clock was 0. Nobody reads it yet: the guest has not begun. */
void kvm_wall_clock(struct vm *vm)
{
	uint8_t *at =
		vm->memory + PVR_HV_FRAME_SHARED_INFO * KVM_PAGE + kvm_2l_wall_clock(vm->word_size);
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	uint64_t ns = (uint64_t)real.tv_sec * NS + (uint64_t)real.tv_nsec - kvm_now(vm);
	uint32_t wc[4] = {2, (uint32_t)(ns / NS), (uint32_t)(ns % NS), (uint32_t)(ns / NS >> 32)};

	/* i386 has the high half of the seconds elsewhere; it is 0 until 2106. */
	memcpy(at, wc, vm->word_size == 8 ? 16 : 12);
}
