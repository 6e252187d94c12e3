/* SPDX-License-Identifier: MIT */
/*
 * Foreign domains: their memory and grant books, mapped once and kept, so that a grant is mapped
 * without a system call. A domain which is attached anew has new memory, hence the generations.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static void foreign_free(struct foreign *f)
{
	if (f->memory)
		munmap(f->memory, f->bytes);
	if (f->table.books)
		munmap(f->table.books, f->books_bytes);
	close(f->memory_fd);
	free(f);
}

static void foreign_unlink(struct dom0 *host, struct foreign *foreign)
{
	struct foreign **at = &host->foreign;

	while (*at != foreign)
		at = &(*at)->next;
	*at = foreign->next;
}

static void *map_shared(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Map what the hypervisor handed out; takes memory_fd in any case. */
static struct foreign *foreign_new(const struct dom0 *host, domid_t domid,
	const struct pvr_hv_foreign *hv, int memory_fd, int books_fd)
{
	struct foreign *f = calloc(1, sizeof(*f));
	uint32_t entries = hv->grant_frames * (uint32_t)PVR_GRANTS_PER_FRAME;

	if (!f) {
		close(memory_fd);
		return NULL;
	}
	f->generation = hv->generation;
	f->memory_fd = memory_fd;
	f->bytes = (size_t)hv->memory_bytes;
	f->books_bytes = entries * sizeof(struct pvr_grant_book);
	f->memory = map_shared(memory_fd, f->bytes);
	f->table = (struct pvr_gnttab){
		.books = map_shared(books_fd, f->books_bytes),
		.entries = entries,
		.first_frame = PVR_HV_FRAME_GRANT + hv->grant_frames,
		.last_frame = (uint32_t)(hv->memory_bytes / PAGE_SIZE),
		.domid = domid,
		.generation = (uint32_t)hv->generation,
		.client = host->client,
	};
	if (!f->memory || !f->table.books) {
		foreign_free(f);
		return NULL;
	}
	f->table.shared = (void *)(f->memory + PVR_HV_FRAME_GRANT * PAGE_SIZE);
	return f;
}

static struct foreign *foreign_find(const struct dom0 *host, domid_t domid)
{
	struct foreign *f = host->foreign;

	while (f && (f->table.domid != domid || f->stale))
		f = f->next;
	return f;
}

void foreign_put(struct dom0 *host, struct foreign *foreign)
{
	if (foreign->mapped || foreign->ports)
		return;
	foreign_unlink(host, foreign);
	foreign_free(foreign);
}

static void foreign_retire(struct dom0 *host, struct foreign *foreign)
{
	foreign->stale = 1;
	foreign_put(host, foreign);
}

int foreign_refresh(struct dom0 *host, domid_t domid, struct foreign **foreign)
{
	struct foreign *known = foreign_find(host, domid);
	struct pvr_hv_foreign hv;
	size_t length = sizeof(hv);
	uint32_t argument = domid;
	unsigned count = 2;
	int fds[2];
	int err = (int)pvr_hv_call(host->control, PVR_HV_FOREIGN, &argument, sizeof(argument), &hv,
		&length, fds, &count);

	if (!err && (length != sizeof(hv) || count != 2))
		err = -EPROTO;
	if (!err && known && known->generation == hv.generation) {
		*foreign = known;
	} else {
		if (known)
			foreign_retire(host, known);
		*foreign = NULL;
	}
	if (!err && !*foreign) {
		*foreign = foreign_new(host, domid, &hv, fds[0], fds[1]);
		fds[0] = -1;
		err = *foreign ? 0 : -ENOMEM;
	}
	if (!err && *foreign != known) {
		(*foreign)->next = host->foreign;
		host->foreign = *foreign;
	}
	while (count)
		if (fds[--count] >= 0)
			close(fds[count]);
	return err;
}

struct foreign *foreign_get(struct dom0 *host, domid_t domid)
{
	struct foreign *f = host->foreign;

	if (f && f->table.domid == domid && !f->stale)
		return f;
	f = foreign_find(host, domid);
	if (!f)
		return foreign_refresh(host, domid, &f) ? NULL : f;
	foreign_unlink(host, f);
	f->next = host->foreign;
	host->foreign = f;
	return f;
}

void foreign_close_all(struct dom0 *host)
{
	while (host->foreign) {
		struct foreign *f = host->foreign;

		host->foreign = f->next;
		foreign_free(f);
	}
}
