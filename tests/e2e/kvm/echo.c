/* SPDX-License-Identifier: MIT */
/*
 * A PVH kernel that has a console and nothing else: says hello, gives back in capitals what is typed, and ends at an 'O' (power
 * off), 'R' (reboot), 'C' (crash); 'F' prints 20000 numbered lines, 200 KB.
 *
 * gcc -m32 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mgeneral-regs-only, linked as tiny.S
 */
#include <stdint.h>

#include <pvring/xen/console.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/hvm.h>
#include <pvring/xen/sched.h>

#define SCHED_OP      29
#define EVENT_CHANNEL 32
#define HVM_OP        34

__asm__(".section .note.Xen, \"a\", @note\n"
	".long 4, 4, 18\n"
	".asciz \"Xen\"\n"
	".long _start\n"
	".text\n"
	".globl _start\n"
	"_start: movl $stack + 8192, %esp\n"
	"call main\n");

char stack[8192] __attribute__((used));
static uint8_t page[4096] __attribute__((aligned(4096)));
static struct xencons_interface *ring;
static uint32_t port;

static long hypercall(unsigned op, unsigned cmd, void *argument)
{
	long rc = (long)(page + 32 * op);

	__asm__ volatile("call *%%eax"
			 : "+a"(rc), "+b"(cmd), "+c"(argument)
			 :
			 : "memory", "edx", "esi", "edi");
	return rc;
}

static uint32_t param(uint32_t index)
{
	struct xen_hvm_param p = {.domid = DOMID_SELF, .index = index};

	hypercall(HVM_OP, HVMOP_get_param, &p);
	return (uint32_t)p.value;
}

static void notify(void)
{
	struct evtchn_send send = {.port = port};

	hypercall(EVENT_CHANNEL, EVTCHNOP_send, &send);
}

static void yield(void)
{
	hypercall(SCHED_OP, SCHEDOP_yield, 0);
}

static void put(char c)
{
	while (ring->out_prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) ==
		sizeof(ring->out)) {
		notify();
		yield();
	}
	ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = c;
	__atomic_store_n(&ring->out_prod, ring->out_prod + 1, __ATOMIC_RELEASE);
}

static void say(const char *text)
{
	while (*text)
		put(*text++);
	notify();
}

static void flood(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		char line[] = "line00000\n";

		for (unsigned n = i, at = 8; at > 3; at--, n /= 10)
			line[at] = (char)('0' + n % 10);
		for (unsigned at = 0; at < sizeof(line) - 1; at++)
			put(line[at]);
	}
}

static void end(unsigned reason)
{
	struct sched_shutdown shutdown = {.reason = reason};

	hypercall(SCHED_OP, SCHEDOP_shutdown, &shutdown);
}

static void typed(char c)
{
	if (c == 'O')
		end(SHUTDOWN_poweroff);
	else if (c == 'R')
		end(SHUTDOWN_reboot);
	else if (c == 'C')
		end(SHUTDOWN_crash);
	else if (c == 'F')
		flood();
	else
		put(c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
	notify();
}

void main(void)
{
	__asm__ volatile("wrmsr" : : "c"(0x40000000), "a"(page), "d"(0) : "memory");
	ring = (void *)(param(HVM_PARAM_CONSOLE_PFN) << 12);
	port = param(HVM_PARAM_CONSOLE_EVTCHN);
	say("echo: hello\n");
	for (;;) {
		uint32_t cons = ring->in_cons;

		if (cons == __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE)) {
			yield();
			continue;
		}
		char c = ring->in[MASK_XENCONS_IDX(cons, ring->in)];

		__atomic_store_n(&ring->in_cons, cons + 1, __ATOMIC_RELEASE);
		typed(c);
	}
}
