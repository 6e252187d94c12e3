/* SPDX-License-Identifier: MIT */
/* NBD servers for the tests of the backend. */
#ifndef PVR_TEST_NBD_RIG_H
#define PVR_TEST_NBD_RIG_H

#include "suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/pvring-nbd-XXXXXX", socket_path[64], pid_path[64], uri[96],
	    image[64];

/* nbdkit -f -U socket, and these; -1 where it does not come up. It has a pid file once it listens. */
static pid_t nbd_serve(const char *const more[])
{
	const char *argv[18] = {"nbdkit", "-f", "-U", socket_path, "-P", pid_path};
	pid_t child;

	for (unsigned i = 0; more[i]; i++)
		argv[6 + i] = more[i];
	unlink(socket_path);
	unlink(pid_path);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		unsetenv("LD_PRELOAD");
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	for (unsigned tries = 0; tries < 3000; tries++) {
		struct stat st;

		if (!stat(pid_path, &st))
			return child;
		usleep(10000);
	}
	return -1;
}

static void nbd_stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void nbd_prepare(off_t image_bytes)
{
	int fd;

	strcpy(directory, "/tmp/pvring-nbd-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	sprintf(socket_path, "%s/sock", directory);
	sprintf(pid_path, "%s/pid", directory);
	sprintf(uri, "nbd+unix:///?socket=%s", socket_path);
	sprintf(image, "%s/image", directory);
	fd = open(image, O_CREAT | O_RDWR, 0600);
	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, image_bytes) == 0);
	close(fd);
}

static void nbd_remove(void)
{
	unlink(socket_path);
	unlink(pid_path);
	unlink(image);
	rmdir(directory);
}

#endif
