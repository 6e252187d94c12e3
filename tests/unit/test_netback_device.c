/* SPDX-License-Identifier: MIT */
/*
 * The whole network backend, control thread and workers, on the mock host and the real store core:
 * handshakes as the toolstack and a frontend drive them, and what hostile ones do. The outside is
 * the mirror: what is sent comes back.
 */
#include "../../netback/configure.h"
#include "../../netback/device.h"

#define BACK  "/local/domain/0/backend/vif/7/0"
#define FRONT "/local/domain/7/device/vif/0"
#define KIND  (&pvr_netback_kind)

#include "backend_rig.h"

#define START   (UINT32_MAX - 5) /* the indices wrap soon */
#define QUEUES  2u
#define BUFFERS 8u
#define FRAMES  16u /* of one queue */
#define BYTES   60u

PVR_RING_TYPE(tx, struct netif_tx_request, struct netif_tx_response);
PVR_RING_TYPE(rx, struct netif_rx_request, struct netif_rx_response);

static struct guest_queue {
	struct pvr_ring tx, rx;
	grant_ref_t tx_ref, rx_ref, data, buffer[BUFFERS];
	evtchn_port_t port, rx_port;
	unsigned frame; /* rings, data, buffers */
	uint16_t next;  /* buffer */
} guest[QUEUES];

/* ---- the guest ---- */

static void make_rings(struct guest_queue *queue)
{
	memset(mock_page(queue->frame), 0x5a, 4096);
	memset(mock_page(queue->frame + 1), 0x5a, 4096);
	pvr_ring_front_init(&queue->tx, mock_page(queue->frame), tx_entries(4096), START);
	pvr_ring_front_init(&queue->rx, mock_page(queue->frame + 1), rx_entries(4096), START);
	queue->next = 0;
}

static void start_in(const char *directory)
{
	mock_host_reset();
	for (unsigned i = 0; i < QUEUES; i++) {
		struct guest_queue *queue = &guest[i];

		queue->frame = 1 + i * FRAMES;
		queue->tx_ref = mock_grant(queue->frame, 0);
		queue->rx_ref = mock_grant(queue->frame + 1, 0);
		queue->data = mock_grant(queue->frame + 2, 1);
		for (unsigned n = 0; n < BUFFERS; n++)
			queue->buffer[n] = mock_grant(queue->frame + 3 + n, 0);
		queue->port = mock_port();
		queue->rx_port = mock_port();
		make_rings(queue);
	}
	start_backend(directory);
}

static void start(void)
{
	start_in(NULL);
}

/* What the toolstack writes for a new interface, its state last. */
static void attach(const char *type)
{
	mock_store_write(FRONT "/backend", BACK);
	mock_store_write(FRONT "/backend-id", "0");
	mock_store_write(FRONT "/state", "1");
	mock_store_write(BACK "/frontend", FRONT);
	mock_store_write(BACK "/frontend-id", "7");
	mock_store_write(BACK "/online", "1");
	mock_store_write(BACK "/type", "%s", type);
	mock_store_write(BACK "/mac", "02:00:00:00:00:01");
	mock_store_write(BACK "/state", "1");
}

/* Everything but the state; each queue has two event channels when they are split. */
static void write_offer(unsigned queues, int split)
{
	for (unsigned i = 0; i < queues; i++) {
		char at[64];
		char path[128];

		snprintf(at, sizeof(at), queues > 1 ? FRONT "/queue-%u" : FRONT, i);
		snprintf(path, sizeof(path), "%s/tx-ring-ref", at);
		mock_store_write(path, "%u", guest[i].tx_ref);
		snprintf(path, sizeof(path), "%s/rx-ring-ref", at);
		mock_store_write(path, "%u", guest[i].rx_ref);
		snprintf(path, sizeof(path), "%s/event-channel%s", at, split ? "-tx" : "");
		mock_store_write(path, "%u", guest[i].port);
		snprintf(path, sizeof(path), "%s/event-channel-rx", at);
		if (split)
			mock_store_write(path, "%u", guest[i].rx_port);
	}
	if (queues > 1)
		mock_store_write(FRONT "/multi-queue-num-queues", "%u", queues);
	mock_store_write(FRONT "/request-rx-copy", "1");
	mock_store_write(FRONT "/feature-rx-notify", "1");
	mock_store_write(FRONT "/feature-sg", "1");
}

/* As Linux's netfront: from Initialising to Connected. */
static void connect_front(unsigned queues, int split)
{
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	write_offer(queues, split);
	mock_store_write(FRONT "/state", "4");
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
}

static void post_buffers(struct guest_queue *queue, int split)
{
	while (pvr_ring_free(&queue->rx) > rx_entries(4096) - BUFFERS) {
		uint16_t id = queue->next++ % BUFFERS;
		struct netif_rx_request request = {.id = id, .gref = queue->buffer[id]};

		rx_request_put(&queue->rx, &request);
	}
	if (pvr_ring_publish_notify(&queue->rx))
		mock_port_send(split ? queue->rx_port : queue->port);
}

static int wait_answer(struct pvr_ring *ring, evtchn_port_t port, int timeout_ms)
{
	for (int i = 0; i < timeout_ms / 100 && pvr_ring_final_check(ring) == 0; i++)
		mock_port_events(port, 100);
	return pvr_ring_pending(ring) > 0;
}

/* One packet to `mac`; its answer. 99: there is none. */
static int16_t send_to(struct guest_queue *queue, uint8_t first_byte)
{
	uint8_t *packet = mock_page(queue->frame + 2);
	struct netif_tx_request request = {.gref = queue->data, .id = 5, .size = BYTES};
	struct netif_tx_response response;

	for (unsigned i = 0; i < BYTES; i++)
		packet[i] = (uint8_t)(i * 3);
	packet[0] = first_byte;
	packet[12] = 0x88; /* no protocol that anybody looks into */
	packet[13] = 0xb5;
	tx_request_put(&queue->tx, &request);
	if (pvr_ring_publish_notify(&queue->tx))
		mock_port_send(queue->port);
	if (!wait_answer(&queue->tx, queue->port, 5000))
		return 99;
	tx_response_take(&queue->tx, &response);
	CU_ASSERT_EQUAL(response.id, 5);
	return response.status;
}

/* What the mirror gives back: 1 when it came within the time. */
static int receive(struct guest_queue *queue, int split, int timeout_ms)
{
	struct netif_rx_response response;
	uint16_t id = (uint16_t)(queue->rx.cons - START) % BUFFERS;
	const uint8_t *packet = mock_page(queue->frame + 2);

	if (!wait_answer(&queue->rx, split ? queue->rx_port : queue->port, timeout_ms))
		return 0;
	rx_response_take(&queue->rx, &response);
	CU_ASSERT_EQUAL(response.id, id);
	CU_ASSERT_EQUAL(response.status, (int16_t)BYTES);
	CU_ASSERT_EQUAL_FATAL(response.offset, 0);
	return !memcmp(mock_page(queue->frame + 3 + id), packet, BYTES);
}

static void exchange(struct guest_queue *queue, int split)
{
	post_buffers(queue, split);
	CU_ASSERT_EQUAL(send_to(queue, 2), NETIF_RSP_OKAY);
	CU_ASSERT(receive(queue, split, 5000));
}

/* ---- life ---- */

static void connect_use_close(void)
{
	start();
	attach("loop");
	connect_front(1, 0);
	CU_ASSERT(node_is(BACK "/hotplug-status", "connected"));
	CU_ASSERT(node_is(BACK "/feature-sg", "1"));
	CU_ASSERT(node_is(BACK "/feature-rx-copy", "1"));
	CU_ASSERT(node_is(BACK "/feature-rx-flip", "0"));
	CU_ASSERT(node_is(BACK "/feature-no-csum-offload", "0"));
	CU_ASSERT(node_is(BACK "/feature-ipv6-csum-offload", "1"));
	CU_ASSERT(node_is(BACK "/feature-multicast-control", "1"));
	CU_ASSERT(node_is(BACK "/feature-dynamic-multicast-control", "1"));
	CU_ASSERT(node_is(BACK "/feature-split-event-channels", "1"));
	CU_ASSERT(node_is(BACK "/feature-ctrl-ring", "1"));
	CU_ASSERT(node_is(BACK "/feature-xdp-headroom", "1"));
	CU_ASSERT(node_is(BACK "/multi-queue-max-queues", "2")); /* as many as workers */
	CU_ASSERT(node_is(BACK "/carrier", "1"));
	for (unsigned i = 0; i < 40; i++)
		exchange(&guest[0], 0);
	mock_store_write(FRONT "/state", "5");
	CU_ASSERT(becomes(XenbusStateClosing));
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

static void two_queues_with_split_channels(void)
{
	start();
	attach("loop");
	connect_front(2, 1);
	for (unsigned i = 0; i < 20; i++)
		for (unsigned q = 0; q < 2; q++)
			exchange(&guest[q], 1);
	stop();
}

/* Others say Initialised first, as for disks. */
static void by_way_of_initialised(void)
{
	start();
	attach("loop");
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	write_offer(1, 0);
	mock_store_write(FRONT "/state", "3");
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	mock_store_write(FRONT "/state", "4");
	exchange(&guest[0], 0);
	stop();
}

static void frontend_comes_back(void)
{
	start();
	attach("loop");
	for (unsigned i = 0; i < 5; i++) {
		connect_front(1, 0);
		exchange(&guest[0], 0);
		mock_store_write(FRONT "/state", "6");
		CU_ASSERT_FATAL(becomes(XenbusStateClosed));
		make_rings(&guest[0]);
		mock_store_write(FRONT "/state", "1");
	}
	stop();
}

static void hold_an_offer(void)
{
	start();
	attach("loop");
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	mock_hold_maps(1);
	write_offer(1, 0);
	mock_store_write(FRONT "/state", "4");
	for (unsigned i = 0; i < 20000 && !mock_maps_waiting(); i++)
		pause_ms(1);
	CU_ASSERT_EQUAL_FATAL(mock_maps_waiting(), 1);
}

/* While its rings are mapped the frontend gives up, and offers others: nothing else is told than that it wrote. */
static void offered_again_while_joining(void)
{
	struct guest_queue old;

	hold_an_offer();
	old = guest[0];
	guest[0] = guest[1];
	guest[1] = old;
	mock_store_write(FRONT "/state", "6");
	mock_store_write(FRONT "/state", "1");
	write_offer(1, 0);
	mock_store_write(FRONT "/state", "4");
	mock_hold_maps(0);
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	exchange(&guest[0], 0);
	stop();
}

static void withdrawn_while_joining(void)
{
	hold_an_offer();
	mock_store_write(FRONT "/state", "5");
	mock_hold_maps(0);
	CU_ASSERT(becomes(XenbusStateClosing));
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

static void offline_stays_closed(void)
{
	start();
	attach("loop");
	connect_front(1, 0);
	mock_store_write(BACK "/online", "0");
	mock_store_write(BACK "/state", "5"); /* as libxl detaches */
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	mock_store_write(FRONT "/state", "1");
	pause_ms(20);
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

/*
 * A backend that starts where another died finds Connected everywhere. These rings are not its
 * own; a frontend that has new ones says so by the same state, as fast as it likes.
 */
static void old_rings_of_a_dead_backend_are_not_used(void)
{
	start();
	attach("loop");
	connect_front(1, 0);
	for (unsigned i = 0; i < 20; i++) {
		stop();
		mock_store_write(BACK "/state", "4");
		mock_store_write(FRONT "/state", "4");
		start_backend(NULL);
		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
		pause_ms(5);
		CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateInitWait);
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		make_rings(&guest[0]);
		mock_store_write(FRONT "/state", "1");
		mock_store_write(FRONT "/state", "4");
		CU_ASSERT_FATAL(becomes(XenbusStateConnected));
		exchange(&guest[0], 0);
	}
	stop();
}

/* The same where there are journals: the frontend sends on, and finds nothing changed. */
static void queues_of_a_dead_backend_are_taken_over(void)
{
	char directory[] = "/tmp/pvring-test-XXXXXX", path[2][64], saved[2][64], name[64];

	CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/inflight/vif-7-0-%u", directory, i);
		snprintf(saved[i], sizeof(saved[i]), "%s/saved-%u", directory, i);
	}
	start_in(directory);
	attach("loop");
	connect_front(2, 1);
	for (unsigned round = 0; round < 10; round++) {
		exchange(&guest[0], 1);
		exchange(&guest[1], 1);
		for (unsigned i = 0; i < 2; i++)
			CU_ASSERT_EQUAL_FATAL(link(path[i], saved[i]), 0);
		stop(); /* the same as dead, once what it tidied is put back */
		for (unsigned i = 0; i < 2; i++)
			CU_ASSERT_EQUAL_FATAL(rename(saved[i], path[i]), 0);
		mock_store_write(BACK "/state", "4");
		/* Its buffers were given back unanswered; they are open in the journal. */
		start_backend(directory);
	}
	exchange(&guest[0], 1);
	exchange(&guest[1], 1);
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateConnected);
	/* With groups to be remembered it is not. */
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(link(path[i], saved[i]), 0);
	stop();
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(rename(saved[i], path[i]), 0);
	mock_store_write(BACK "/state", "4");
	mock_store_write(FRONT "/request-multicast-control", "1");
	start_backend(directory);
	CU_ASSERT(becomes(XenbusStateInitWait));
	stop();
	for (unsigned i = 0; i < 2; i++)
		unlink(path[i]);
	snprintf(name, sizeof(name), "%s/inflight", directory);
	CU_ASSERT_EQUAL(rmdir(name), 0);
	snprintf(name, sizeof(name), "%s/stats", directory);
	CU_ASSERT_EQUAL(rmdir(name), 0);
	CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* ---- what is negotiated ---- */

static void nothing_offered(void)
{
	static const char *const nodes[] = {"feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6",
		"feature-ipv6-csum-offload", "feature-multicast-control",
		"feature-dynamic-multicast-control", "feature-split-event-channels",
		"feature-ctrl-ring"};

	start();
	mock_store_write(BACK "/features", "0x3f");
	mock_store_write(BACK "/queues", "1");
	attach("loop");
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		char path[96];

		snprintf(path, sizeof(path), BACK "/%s", nodes[i]);
		CU_ASSERT(node_is(path, "0"));
	}
	CU_ASSERT(node_is(BACK "/feature-no-csum-offload", "1"));
	CU_ASSERT(node_is(BACK "/multi-queue-max-queues", "1"));
	write_offer(1, 1); /* what was not offered is not looked for */
	mock_store_write(FRONT "/state", "4");
	CU_ASSERT(becomes(XenbusStateClosed));
	mock_store_write(FRONT "/state", "1");
	connect_front(1, 0);
	exchange(&guest[0], 0);
	stop();
}

/* As Linux's netfront asks for headroom when it gets an XDP program: on the rings it has. */
static void headroom_while_running(void)
{
	struct netif_rx_response response;
	struct netif_extra_info extra;
	struct guest_queue *queue = &guest[0];

	start();
	attach("loop");
	connect_front(1, 0);
	exchange(queue, 0);
	mock_store_write(FRONT "/xdp-headroom", "256");
	mock_store_write(FRONT "/state", "7");
	CU_ASSERT_FATAL(becomes(XenbusStateReconfigured));
	mock_store_write(FRONT "/state", "4");
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	post_buffers(queue, 0);
	CU_ASSERT_EQUAL(send_to(queue, 2), NETIF_RSP_OKAY);
	CU_ASSERT_FATAL(wait_answer(&queue->rx, queue->port, 5000));
	rx_response_take(&queue->rx, &response);
	CU_ASSERT_EQUAL(response.offset, 256);
	CU_ASSERT(response.flags & NETRXF_extra_info);
	CU_ASSERT_EQUAL_FATAL(pvr_ring_pending(&queue->rx), 1);
	rx_response_take(&queue->rx, (struct netif_rx_response *)&extra);
	CU_ASSERT_EQUAL(extra.type, XEN_NETIF_EXTRA_TYPE_XDP);
	CU_ASSERT_EQUAL(extra.u.xdp.headroom, 256);
	mock_store_write(FRONT "/xdp-headroom", "0");
	mock_store_write(FRONT "/state", "7");
	CU_ASSERT_FATAL(becomes(XenbusStateReconfigured));
	mock_store_write(FRONT "/state", "4");
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	exchange(queue, 0);
	stop();
}

/* The frontend may change its mind about multicast at any time. */
static void multicast_is_filtered_on_request(void)
{
	struct guest_queue *queue = &guest[0];
	int came = 0;

	start();
	attach("loop");
	mock_store_write(FRONT "/request-multicast-control", "1");
	connect_front(1, 0);
	post_buffers(queue, 0);
	CU_ASSERT_EQUAL(send_to(queue, 3), NETIF_RSP_OKAY);
	CU_ASSERT_FALSE(receive(queue, 0, 100));
	exchange(queue, 0);
	mock_store_write(FRONT "/request-multicast-control", "0");
	for (unsigned i = 0; i < 100 && !came; i++) {
		post_buffers(queue, 0);
		CU_ASSERT_EQUAL(send_to(queue, 3), NETIF_RSP_OKAY);
		came = receive(queue, 0, 100);
	}
	CU_ASSERT(came);
	stop();
}

/* ---- what the toolstack says ---- */

static void texts(void)
{
	static const char *const bad[] = {"", "02:00:00:00:00", "02:00:00:00:00:01:02",
		"02:00:00:00:00:1", "02-00-00-00-00-01", "0g:00:00:00:00:01", "03:00:00:00:00:01",
		"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"};
	static const char *const rates[] = {"", "1", "1,", ",1", "1,2,3", "-1,5", "4294967296,1",
		"99999999999999999999,1", "1 ,2"};
	uint8_t mac[6];
	uint32_t bytes, us;

	CU_ASSERT_EQUAL(pvr_netback_mac_parse("02:AB:cd:00:fE:01", mac), 0);
	CU_ASSERT_EQUAL(memcmp(mac, "\x02\xab\xcd\x00\xfe\x01", 6), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT(pvr_netback_mac_parse(bad[i], mac) < 0);
	CU_ASSERT_EQUAL(pvr_netback_rate_parse("4294967295,50000", &bytes, &us), 0);
	CU_ASSERT_EQUAL(bytes, UINT32_MAX);
	CU_ASSERT_EQUAL(us, 50000);
	CU_ASSERT_EQUAL(pvr_netback_rate_parse("5,0", &bytes, &us), 0);
	CU_ASSERT_EQUAL(bytes, 0);
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		CU_ASSERT(pvr_netback_rate_parse(rates[i], &bytes, &us) < 0);
}

/* Each is one line that begins with the node to be mended. */
static void bad_nodes_are_told_to_the_operator(void)
{
	static const char *const rows[][2] = {
		{"mac", "03:00:00:00:00:01"},
		{"mac", "a text much longer than any address is"},
		{"mtu", "67"},
		{"mtu", "65522"},
		{"queues", "0"},
		{"queues", "17"},
		{"rate", "fast"},
		{"features", "0x40"},
		{"features", "3"},
		{"features", "0x"},
		{"type", "carrier pigeon"},
		{"type", "bridge"},
		{"vifname", "a name much longer than any"},
		{"bridge", "a name much longer than any"},
	};

	start();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[96], error[256] = "";

		attach("loop");
		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
		snprintf(path, sizeof(path), BACK "/%s", rows[i][0]);
		mock_store_write(path, "%s", rows[i][1]);
		mock_store_write(BACK "/state", "1");
		CU_ASSERT(becomes(XenbusStateClosed));
		CU_ASSERT(node_is(BACK "/hotplug-status", "error"));
		mock_store_read(BACK "/hotplug-error", error, sizeof(error));
		if (!strstr(error, rows[i][0]))
			fprintf(stderr, "%s: %s\n", rows[i][0], error);
		CU_ASSERT_PTR_NOT_NULL(strstr(error, rows[i][0]));
		mock_store_rm(path);
	}
	attach("loop");
	connect_front(1, 0);
	exchange(&guest[0], 0);
	stop();
}

/* ---- hostile ---- */

static void hostile_offers(void)
{
	static const char *const rows[][2] = {
		{"tx-ring-ref", "4294967296"},
		{"tx-ring-ref", "-1"},
		{"tx-ring-ref", ""},
		{"tx-ring-ref", "60000"}, /* not granted */
		{"rx-ring-ref", "0x8"},
		{"rx-ring-ref", "60000"},
		{"event-channel", "0"},
		{"event-channel", "4294967295"},
		{"event-channel", "60"},
		{"event-channel-tx", "7"}, /* and no -rx */
		{"event-channel-tx", "-7"},
		{"multi-queue-num-queues", "0"},
		{"multi-queue-num-queues", "2"}, /* and no queue-0 */
		{"multi-queue-num-queues", "3"},
		{"multi-queue-num-queues", "4294967295"},
		{"request-rx-copy", "0"},
		{"request-rx-copy", "2"},
		{"ctrl-ring-ref", "8"}, /* and no event channel */
		{"ctrl-ring-ref", "many"},
		{"xdp-headroom", "257"},
		{"xdp-headroom", "-1"},
	};

	start();
	attach("loop");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[128], error[256] = "";

		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
		write_offer(1, 0);
		snprintf(path, sizeof(path), FRONT "/%s", rows[i][0]);
		mock_store_write(path, "%s", rows[i][1]);
		mock_store_write(FRONT "/state", "4");
		CU_ASSERT(becomes(XenbusStateClosed));
		CU_ASSERT(mock_store_read(BACK "/error", error, sizeof(error)) > 0);
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		mock_store_rm(path);
		mock_store_rm(BACK "/error");
		mock_store_write(FRONT "/state", "1");
	}
	connect_front(1, 0);
	exchange(&guest[0], 0);
	stop();
}

/* Two queues, one of them good: neither is served. */
static void half_an_offer(void)
{
	start();
	attach("loop");
	for (unsigned i = 0; i < 20; i++) {
		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
		make_rings(&guest[0]);
		make_rings(&guest[1]);
		write_offer(2, 1);
		mock_store_write(
			i % 2 ? FRONT "/queue-1/rx-ring-ref" : FRONT "/queue-0/rx-ring-ref",
			"60000");
		mock_store_write(FRONT "/state", "4");
		CU_ASSERT(becomes(XenbusStateClosed));
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		mock_store_write(FRONT "/state", "1");
	}
	connect_front(2, 1);
	exchange(&guest[1], 1);
	stop();
}

/* A runaway index ends this connection with an error node; a new one works. */
static void overflow_ends_the_connection(void)
{
	struct pvr_sring *shared;
	char value[128];

	start();
	attach("loop");
	connect_front(1, 0);
	exchange(&guest[0], 0);
	shared = mock_page(guest[0].frame);
	atomic_store(&shared->req_prod, guest[0].tx.prod + 1000);
	mock_port_send(guest[0].port);
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT(mock_store_read(BACK "/error", value, sizeof(value)) > 0);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	make_rings(&guest[0]);
	mock_store_write(FRONT "/state", "1");
	connect_front(1, 0);
	exchange(&guest[0], 0);
	stop();
}

/* XSA-350: connect and disconnect over and over, never waiting for the backend to finish. */
static void xsa_350_connect_loop(void)
{
	unsigned rng = 1;

	start();
	attach("loop");
	for (unsigned i = 0; i < 300; i++) {
		rng = rng * 1103515245 + 12345;
		if (i % 3 == 0)
			write_offer(1 + i % 2, 0);
		mock_store_write(FRONT "/state", "%u", 1 + (rng >> 16) % 8);
		mock_port_send(guest[0].port);
	}
	mock_store_write(FRONT "/state", "6");
	pause_ms(50);
	mock_store_rm(FRONT "/multi-queue-num-queues");
	make_rings(&guest[0]);
	mock_store_write(FRONT "/state", "1");
	connect_front(1, 0);
	exchange(&guest[0], 0);
	stop();
}

PVR_SUITE(netback_device, CASE(connect_use_close), CASE(two_queues_with_split_channels),
	CASE(by_way_of_initialised), CASE(frontend_comes_back), CASE(offered_again_while_joining),
	CASE(withdrawn_while_joining), CASE(offline_stays_closed),
	CASE(old_rings_of_a_dead_backend_are_not_used),
	CASE(queues_of_a_dead_backend_are_taken_over), CASE(nothing_offered),
	CASE(headroom_while_running), CASE(multicast_is_filtered_on_request), CASE(texts),
	CASE(bad_nodes_are_told_to_the_operator), CASE(hostile_offers), CASE(half_an_offer),
	CASE(overflow_ends_the_connection), CASE(xsa_350_connect_loop))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_device_copied, netback_device, mock_copy_begin, mock_copy_end)
