/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor daemon's own structures: the loop, domains, clients. One thread; whatever is
 * called from the loop runs to its end and never waits for a client.
 */
#ifndef HV_HV_H
#define HV_HV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <pvring/gnttab.h>
#include <pvring/hypervisor.h>
#include <pvring/xen/xs_wire.h>
#include <pvring/xenstored.h>

#include "evtchn.h"

/* Bounds of ours. */
#define HV_DOMAINS_DEFAULT   128u
#define HV_GRANT_FRAMES      64u
#define HV_MEMORY_MIN        (1ull << 20)
#define HV_MEMORY_MAX        (1ull << 40)
#define HV_CLIENTS_MAX       512u
#define HV_CLIENTS_GUEST_MAX 256u /* of them without privilege, so that root always finds room */
#define HV_CLIENTS_UID_MAX   64u  /* of those by one user */
#define HV_XS_CLIENTS_MAX    256u
#define HV_MAPTRACK_ENTRIES  65536u
#define HV_LOG_LINES_PER_S   20u
#define HV_RETRY_MS          500 /* destroyed domains and dead clients that hold on to something */
#define HV_FDS_RESERVED      1024u /* of RLIMIT_NOFILE: not for event channels */

/* Who holds a port or a lock in the grant books: connections are numbered from here on. */
#define HV_CLIENT_DAEMON 1u
#define HV_CLIENT_FIRST  2u

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A descriptor in the loop. The callback may free the source. */
struct hv_source {
	void (*event)(struct hv_source *source, uint32_t events);
	int fd; /* -1: not in the loop */
};

/* Something to do once the current event is handled. */
struct hv_later {
	TAILQ_ENTRY(hv_later) entry;
	void (*run)(struct hv_later *later);
	int queued;
};

struct hv;
struct hv_client;

/* The xenstore ring page of a domain, see xs_ring.c. */
struct hv_xs_ring {
	struct hv_later later; /* first the ring has something to do, then... */
	struct hv_source source;
	struct hv *hv;
	domid_t domid;
	struct xenstore_domain_interface *page; /* hostile */
	struct pvr_xs_conn *conn;
	evtchn_port_t port; /* dom0's end, held by the daemon */
	uint32_t req_cons;  /* ours: what the page says is not read back */
	uint32_t rsp_prod;
	int broken;
};

struct hv_domain {
	TAILQ_ENTRY(hv_domain) entry;
	struct hv *hv;
	domid_t domid;
	enum pvr_hv_domain_state state;
	char name[PVR_HV_NAME_MAX];
	uint64_t memory_bytes;
	uint64_t generation;
	uint64_t hypercalls;
	uid_t uid;
	uint32_t vcpus;

	/* While a process is attached. */
	struct hv_client *client;
	unsigned word_size;
	int memory;
	int books_fd;
	uint8_t *low; /* the frames below ordinary memory */
	struct pvr_grant_book *books;
	struct pvr_gnttab gnttab;
	struct hv_ports ports;
	evtchn_port_t store_port;
	struct hv_xs_ring ring;
};

enum hv_role { HV_ROLE_TOOL, HV_ROLE_GUEST, HV_ROLE_DOM0 };

struct hv_client {
	TAILQ_ENTRY(hv_client) entry;
	struct hv *hv;
	struct hv_source source;
	struct hv_source death; /* pidfd, once there is a role */
	uint32_t number;
	uid_t uid;
	pid_t pid;
	int privileged;
	enum hv_role role;
	struct hv_domain *domain; /* who we are: the guest, or dom0; NULL for a tool */
	int maptrack_fd;
	struct pvr_maptrack *maptrack;
	uint8_t opened[DOMID_FIRST_RESERVED / 8 + 1]; /* domains whose grant books it was given */
};

TAILQ_HEAD(hv_domains, hv_domain);
TAILQ_HEAD(hv_clients, hv_client);
TAILQ_HEAD(hv_laters, hv_later);

struct hv {
	struct pvr_hv_config config;
	int epoll;
	int stop;
	int directory; /* holds the lock */
	int spare;     /* given up to turn a client away when descriptors run out */
	struct hv_source control;
	struct hv_source xenstored;
	struct hv_source signals;
	struct hv_source parent;
	struct hv_laters laters;
	struct hv_domains domains; /* ascending; dom0 not among them */
	struct hv_domain dom0;
	unsigned domain_count;
	unsigned dying_count;
	uint64_t retry_ms; /* not before this time */
	domid_t last_domid;
	struct hv_clients clients;
	struct hv_clients ghosts; /* dom0 clients that are gone, with grants not yet given back */
	unsigned client_count;
	unsigned guest_client_count;
	uint32_t last_client;
	unsigned xs_client_count;
	struct hv_pair_budget pairs;
	struct pvr_xs *xs;
	struct pvr_maptrack copy_tracks[2]; /* the daemon's own, for grant copies */
};

/* The answer to a request, built by whoever handles it. Descriptors stay the daemon's. */
struct hv_reply {
	size_t length;
	unsigned fds_count;
	int fds[PVR_HV_FDS_MAX];
	uint8_t *data; /* room for PVR_HV_DATA_MAX bytes, aligned for anything */
};

/* core.c: NULL when there is no memory; 0 or a negative errno; everything. */
struct hv *hv_core_new(const struct pvr_hv_config *config);
int hv_core_open(struct hv *hv);
void hv_core_free(struct hv *hv);

/* loop.c */
int hv_source_add(struct hv *hv, struct hv_source *source, int fd, uint32_t events);
void hv_source_arm(struct hv *hv, struct hv_source *source, uint32_t events);
/* Out of the loop; returns the descriptor, which is the caller's again. */
int hv_source_remove(struct hv *hv, struct hv_source *source);
void hv_later_queue(struct hv *hv, struct hv_later *later);
void hv_later_cancel(struct hv *hv, struct hv_later *later);
void hv_loop_run(struct hv *hv);
/* One line to stderr, at most HV_LOG_LINES_PER_S a second; never blocks. */
void hv_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* server.c: sockets and their directory. 0 or a negative errno, said in one line. */
int hv_server_open(struct hv *hv);
void hv_server_close(struct hv *hv);
/* Out of descriptors: take the next connection of this socket with the spare one, and close it. */
void hv_spare_turn_away(struct hv *hv, int listener);

/* confine.c */
int hv_confine(void);

/* memory.c: sealed memory files. The descriptor, or a negative errno. */
int hv_memory_new(const char *name, uint64_t bytes);

/* Take a connection waiting on `fd` and hand it to `make`, which owns it unless it fails; `what` is for the log. */
void hv_accept(struct hv *hv, int fd, const char *what, int (*make)(struct hv *hv, int fd));

/* client.c */
/* Take the connection `fd` over; on error it stays the caller's. */
int hv_client_new(struct hv *hv, int fd);
void hv_client_accept(struct hv_source *source, uint32_t events);
void hv_client_drop(struct hv_client *client);
/* The same, and its process is killed. */
void hv_client_kill(struct hv_client *client);
/* Begin to watch for the death of the client's process. */
int hv_client_watch(struct hv_client *client);
/* Go on with what dead dom0 clients had mapped. */
void hv_ghosts_retry(struct hv *hv);
/* Their maptracks, without a look: the daemon ends. */
void hv_ghosts_free(struct hv *hv);
/* How often dom0 has mapped pages of this domain, of any generation. */
uint32_t hv_clients_mapped(struct hv *hv, domid_t domid);

/* control.c: one request; its result goes back with *reply. */
int64_t hv_control_request(struct hv_client *client, uint32_t op, const uint8_t *data,
	size_t length, struct hv_reply *reply);

/* domain.c */
int hv_domain_dom0_init(struct hv *hv);
int hv_domain_create(struct hv *hv, const struct pvr_hv_create *create);
int hv_domain_destroy(struct hv *hv, struct hv_domain *domain);
struct hv_domain *hv_domain_find(struct hv *hv, uint32_t domid);
int hv_domain_attach(struct hv_domain *domain, struct hv_client *client, unsigned word_size);
/* The process is gone: release everything of this generation. */
void hv_domain_down(struct hv_domain *domain);
/* Free domains that were destroyed and of which nothing is mapped any more. */
void hv_domains_reap(struct hv *hv);
/* All domains, without ceremony: the daemon ends. */
void hv_domains_free(struct hv *hv);

/* nodes.c: what the store says about domains. */
int hv_nodes_dom0(struct hv *hv);
int hv_nodes_create(struct hv_domain *domain);
int hv_nodes_attach(struct hv_domain *domain);
/* Frontends of a dead domain say Closed, so that their backends let go. */
void hv_nodes_close_devices(struct hv_domain *domain);

/* xs_socket.c, xs_ring.c: the ways to the store. */
void hv_xs_accept(struct hv_source *source, uint32_t events);
void hv_xs_clients_free(struct hv *hv);
int hv_xs_ring_open(struct hv_domain *domain, struct hv_xs_ring *ring, evtchn_port_t port);
void hv_xs_ring_close(struct hv_xs_ring *ring);

#endif
