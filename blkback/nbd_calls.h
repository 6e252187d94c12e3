/* SPDX-License-Identifier: MIT */
/*
 * libnbd, loaded when the first NBD disk comes: with what it links to it would take five megabytes
 * of every process, and time from every start.
 */
#ifndef PVR_BLKBACK_NBD_CALLS_H
#define PVR_BLKBACK_NBD_CALLS_H

#include <libnbd.h>

/* clang-format off */
#define PVR_BLKBACK_NBD_CALLS(CALL) \
	CALL(create) CALL(close) CALL(get_error) CALL(get_errno) CALL(poll) \
	CALL(set_uri_allow_transports) CALL(set_uri_allow_tls) CALL(set_uri_allow_local_file) \
	CALL(get_size) CALL(get_block_size) CALL(is_read_only) \
	CALL(can_flush) CALL(can_fua) CALL(can_trim) CALL(can_multi_conn) \
	CALL(aio_connect_uri) CALL(aio_is_ready) CALL(aio_is_processing) \
	CALL(aio_is_dead) CALL(aio_is_closed) CALL(aio_get_fd) CALL(aio_get_direction) \
	CALL(aio_notify_read) CALL(aio_notify_write) \
	CALL(aio_pread) CALL(aio_pwrite) CALL(aio_flush) CALL(aio_trim)
/* clang-format on */

struct pvr_blkback_nbd_calls {
#define CALL(name) __typeof__(nbd_##name) *name;
	PVR_BLKBACK_NBD_CALLS(CALL)
#undef CALL
};

/*
 * A handle that has begun to connect, or NULL with libnbd's error set for this thread. Names are
 * looked up here, which sleeps.
 */
struct nbd_handle *pvr_blkback_nbd_connect(
	const struct pvr_blkback_nbd_calls *call, const char *uri);

#endif
