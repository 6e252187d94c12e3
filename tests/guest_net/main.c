/* SPDX-License-Identifier: MIT */
/*
 * The network of the guest kernel in a Linux process that plays the domain $PVRING_DOMID: the same files over the process
 * port, where a sanitizer sees what they do. usage: guest_net ip=ADDRESS/BITS|net=... ...
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <pvring/process.h>

#include "../../guest/kernel.h"
#include "../../guest/net.h"

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

int main(int argc, char **argv)
{
	int rc = pvr_process_attach(NULL, 0);

	if (rc)
		return -failed("guest_net: %s", strerror(-rc));
	for (int i = 1; i < argc && !rc; i++) {
		if (!strncmp(argv[i], "ip=", 3))
			rc = net_address(argv[i] + 3);
		else
			rc = strncmp(argv[i], "net=", 4) ? failed("what is %s?", argv[i])
							 : net_scenario(argv[i] + 4);
	}
	pvr_process_detach();
	return rc ? 1 : 0;
}
