/* SPDX-License-Identifier: MIT */
/* The files that a backend leaves to its successor. See journal.h. */
#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

static int file_path(
	char *path, const char *dir, const char *type, const struct pvr_back_journal_key *key)
{
	return snprintf(path, PATH_BYTES, "%s/inflight/%s-%u-%u-%u", dir, type, key->domid,
		       key->devid, key->queue) < PATH_BYTES;
}

/*
 * Its pages are allocated now: on a file system that is full later a store would end the process.
 * The dead one's file goes first, whatever comes of this one.
 */
static int create_file(const char *dir, const char *type, const struct pvr_back_journal_key *key)
{
	char path[PATH_BYTES];
	int fd;

	if (snprintf(path, sizeof(path), "%s/inflight", dir) >= PATH_BYTES)
		return -1;
	mkdir(path, 0700);
	if (!file_path(path, dir, type, key))
		return -1;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fallocate(fd, 0, 0, key->size)) {
		close(fd);
		unlink(path);
		return -1;
	}
	return fd;
}

static void *create(const char *dir, const char *type, const struct pvr_back_journal_key *key)
{
	int fd = dir ? create_file(dir, type, key) : -1;
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *journal = mmap(NULL, key->size, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd, 0);

	if (fd >= 0)
		close(fd);
	if (journal == MAP_FAILED)
		return NULL;
	memcpy(journal, key, sizeof(*key));
	return journal;
}

static int open_file(const char *dir, const char *type, const struct pvr_back_journal_key *key)
{
	char path[PATH_BYTES];
	struct stat stat;
	int fd;

	if (!dir || !file_path(path, dir, type, key))
		return -1;
	fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &stat) || !S_ISREG(stat.st_mode) || stat.st_size != key->size)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void *resume(const char *dir, const char *type, const struct pvr_back_journal_key *key)
{
	int fd = open_file(dir, type, key);
	void *journal;

	if (fd < 0)
		return NULL;
	journal = mmap(NULL, key->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (journal == MAP_FAILED)
		return NULL;
	if (!memcmp(journal, key, sizeof(*key)))
		return journal;
	munmap(journal, key->size);
	return NULL;
}

void *pvr_back_journal_open(
	const char *dir, const char *type, const struct pvr_back_journal_key *key, int again)
{
	return again ? resume(dir, type, key) : create(dir, type, key);
}

void pvr_back_journal_close(void *journal, const char *dir, const char *type, int keep)
{
	const struct pvr_back_journal_key *key = journal;
	char path[PATH_BYTES];

	if (!journal)
		return;
	if (!keep && dir && file_path(path, dir, type, key))
		unlink(path);
	munmap(journal, key->size);
}
