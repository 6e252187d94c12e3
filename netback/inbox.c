/* SPDX-License-Identifier: MIT */
/* Packets from other queues. See inbox.h. */
#include "inbox.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BYTES PVR_NETBACK_INBOX_BYTES

int pvr_netback_inbox_init(struct pvr_netback_inbox *inbox)
{
	memset(inbox, 0, sizeof(*inbox));
	inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (inbox->fd < 0)
		return -errno;
	pthread_mutex_init(&inbox->lock, NULL);
	return 0;
}

void pvr_netback_inbox_end(struct pvr_netback_inbox *inbox)
{
	close(inbox->fd);
	pthread_mutex_destroy(&inbox->lock);
	free(inbox->bytes);
}

static void copy_in(struct pvr_netback_inbox *inbox, uint32_t at, const void *from, size_t length)
{
	size_t first = BYTES - at % BYTES;

	if (first > length)
		first = length;
	memcpy(inbox->bytes + at % BYTES, from, first);
	memcpy(inbox->bytes, (const uint8_t *)from + first, length - first);
}

static void copy_out(struct pvr_netback_inbox *inbox, void *to, size_t length)
{
	size_t first = BYTES - inbox->head % BYTES;

	if (first > length)
		first = length;
	memcpy(to, inbox->bytes + inbox->head % BYTES, first);
	memcpy((uint8_t *)to + first, inbox->bytes, length - first);
	inbox->head += (uint32_t)length;
}

static int put(struct pvr_netback_inbox *inbox, const struct pvr_netback_parcel *parcel,
	const struct iovec *iov, int count)
{
	uint32_t used = atomic_load_explicit(&inbox->used, memory_order_relaxed);
	uint32_t need = (uint32_t)sizeof(*parcel) + parcel->bytes, at = inbox->head + used;

	if (!inbox->bytes)
		inbox->bytes = malloc(BYTES);
	if (!inbox->bytes || need > BYTES - used)
		return -ENOBUFS;
	copy_in(inbox, at, parcel, sizeof(*parcel));
	at += (uint32_t)sizeof(*parcel);
	for (int i = 0; i < count; i++) {
		copy_in(inbox, at, iov[i].iov_base, iov[i].iov_len);
		at += (uint32_t)iov[i].iov_len;
	}
	atomic_store_explicit(&inbox->used, used + need, memory_order_relaxed);
	return 0;
}

int pvr_netback_inbox_put(struct pvr_netback_inbox *inbox, const struct pvr_netback_parcel *parcel,
	const struct iovec *iov, int count)
{
	int result, was_empty;

	pthread_mutex_lock(&inbox->lock);
	was_empty = atomic_load_explicit(&inbox->used, memory_order_relaxed) == 0;
	result = put(inbox, parcel, iov, count);
	/* Under the lock, so that the event and what it tells of go together: 1, or 0 when it is empty. */
	if (!result && was_empty && eventfd_write(inbox->fd, 1))
		assert(!"it was 0");
	pthread_mutex_unlock(&inbox->lock);
	return result;
}

int pvr_netback_inbox_take(
	struct pvr_netback_inbox *inbox, struct pvr_netback_parcel *parcel, uint8_t *bytes)
{
	eventfd_t count;
	uint32_t used;

	/* Mostly there is nothing, and that is told without the lock. */
	if (!atomic_load_explicit(&inbox->used, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&inbox->lock);
	copy_out(inbox, parcel, sizeof(*parcel));
	copy_out(inbox, bytes, parcel->bytes);
	used = atomic_load_explicit(&inbox->used, memory_order_relaxed) -
	       (uint32_t)sizeof(*parcel) - parcel->bytes;
	atomic_store_explicit(&inbox->used, used, memory_order_relaxed);
	if (!used && eventfd_read(inbox->fd, &count))
		assert(!"it was 1");
	pthread_mutex_unlock(&inbox->lock);
	return 1;
}
