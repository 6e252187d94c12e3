/* SPDX-License-Identifier: MIT */
/*
 * A whole backend finds a device that both halves call Connected, and nobody serves. What the one
 * before it left is made here of one that ended in order: its journal and its state are put back.
 */
#include "suite.h"

#include <stdio.h>
#include <unistd.h>

#include "blkback_device_rig.h"

#define SAVE "saved"

static char directory[] = "/tmp/pvring-test-XXXXXX", inflight[64], path[96], image[64];

static void begin(void)
{
	FILE *file;

	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
	snprintf(inflight, sizeof(inflight), "%s/inflight", directory);
	snprintf(path, sizeof(path), "%s/vbd-7-51712-0", inflight);
	snprintf(image, sizeof(image), "%s/image", directory);
	file = fopen(image, "w");
	CU_ASSERT_FATAL(file != NULL && ftruncate(fileno(file), 1048576) == 0);
	fclose(file);
	start_in(directory);
	attach("file", image, FRONT);
	connect_front();
	write_and_read();
}

/* It is dead: nothing is mapped or bound, and the rest as it was. */
static void end_it(void)
{
	char saved[96];

	snprintf(saved, sizeof(saved), "%s/" SAVE, directory);
	CU_ASSERT_EQUAL_FATAL(link(path, saved), 0);
	stop();
	CU_ASSERT_EQUAL_FATAL(rename(saved, path), 0);
	mock_store_write(BACK "/state", "4");
}

static void end(void)
{
	char stats[64];

	stop();
	snprintf(stats, sizeof(stats), "%s/stats", directory);
	CU_ASSERT_EQUAL(rmdir(stats), 0);
	unlink(path); /* of one that was not taken over */
	CU_ASSERT_EQUAL(rmdir(inflight), 0);
	unlink(image);
	CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* The frontend asks on, and finds nothing changed. */
static void goes_on_without_a_word(void)
{
	begin();
	for (unsigned i = 0; i < 5; i++) {
		end_it();
		start_backend(directory);
		write_and_read();
		CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateConnected);
	}
	mock_store_write(FRONT "/state", "5");
	CU_ASSERT(becomes(XenbusStateClosing));
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	end();
}

/* The image has grown meanwhile: the frontend is told as it is of any other resize. */
static void tells_of_another_size(void)
{
	begin();
	end_it();
	CU_ASSERT_EQUAL(truncate(image, 2097152), 0);
	start_backend(directory);
	CU_ASSERT(node_becomes(BACK "/sectors", "4096"));
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateConnected);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_WRITE, 4088, 0, 1), BLKIF_RSP_OKAY);
	end();
}

/* A frontend that begins anew, before or after its rings are taken over, gets a new handshake. */
static void frontend_begins_anew(void)
{
	begin();
	for (unsigned i = 0; i < 10; i++) {
		end_it();
		if (i % 2)
			mock_store_write(FRONT "/state", "1");
		start_backend(directory);
		pause_ms(i);
		mock_store_write(FRONT "/state", "1");
		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		front_init_ring(&front, FRONT_START);
		connect_front();
		write_and_read();
	}
	end();
}

static void waits_for_an_offer(void)
{
	start_backend(directory);
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	pause_ms(20);
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateInitWait);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	front_init_ring(&front, FRONT_START);
	mock_store_write(FRONT "/state", "1");
	connect_front();
	write_and_read();
}

static void what_does_not_fit_is_left_to_the_frontend(void)
{
	begin();
	end_it();
	mock_store_write(BACK "/journal", "0123456789abcdef"); /* another handshake's */
	waits_for_an_offer();
	end_it();
	mock_store_write(BACK "/journal", "%s", "");
	waits_for_an_offer();
	end_it();
	CU_ASSERT_EQUAL(truncate(path, 100), 0);
	waits_for_an_offer();
	end_it();
	mock_store_write(FRONT "/event-channel", "%u", mock_port());
	waits_for_an_offer();
	end_it();
	front.shared->rsp_prod += 3; /* seen once the ring is mapped */
	waits_for_an_offer();
	end();
}

PVR_SUITE(blkback_takeover, CASE(goes_on_without_a_word), CASE(tells_of_another_size),
	CASE(frontend_begins_anew), CASE(what_does_not_fit_is_left_to_the_frontend))
