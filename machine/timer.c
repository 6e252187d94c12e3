/* SPDX-License-Identifier: MIT */
/* The guest's one-shot timers, which are timerfds unless the machine does them itself, and its wall clock. */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include "internal.h"
#include "twolevel.h"

#define NS      1000000000ull
#define FOREVER (1ull << 62)

int vm_timer_open(struct vcpu *v)
{
	v->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return v->timer < 0 ? -errno : 0;
}

uint64_t vm_now(struct vm *vm)
{
	return vm->machine->now(vm);
}

long vm_timer_set(struct vcpu *v, uint64_t deadline, int must_be_future)
{
	uint64_t now = vm_now(v->vm);
	uint64_t left = deadline > now ? deadline - now : 0;
	struct itimerspec wait;

	if (deadline && !left && must_be_future)
		return -ETIME;
	if (v->vm->machine->timer)
		return v->vm->machine->timer(v, deadline);
	if (left > FOREVER)
		left = FOREVER;
	if (deadline && !left)
		left = 1; /* 0 would stop it */
	wait = (struct itimerspec){
		.it_value = {.tv_sec = (time_t)(left / NS), .tv_nsec = (long)(left % NS)}};
	return timerfd_settime(v->timer, 0, &wait, NULL) ? -errno : 0;
}

void vm_timer_fired(struct vcpu *v)
{
	pthread_mutex_lock(&v->vm->lock);
	evtchn_port_t port = v->timer_port;

	pthread_mutex_unlock(&v->vm->lock);
	if (port)
		vm_port_raise(v->vm, port);
}

/* The time of day at which the guest's clock was 0. Nobody reads it yet: the guest has not begun. */
void vm_wall_clock(struct vm *vm)
{
	uint8_t *at =
		vm->memory + PVR_HV_FRAME_SHARED_INFO * VM_PAGE + vm_2l_wall_clock(vm->word_size);
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	uint64_t ns = (uint64_t)real.tv_sec * NS + (uint64_t)real.tv_nsec - vm_now(vm);
	uint32_t wc[4] = {2, (uint32_t)(ns / NS), (uint32_t)(ns % NS), (uint32_t)(ns / NS >> 32)};

	/* i386 has the high half of the seconds elsewhere; it is 0 until 2106. */
	memcpy(at, wc, vm->word_size == 8 ? 16 : 12);
}
