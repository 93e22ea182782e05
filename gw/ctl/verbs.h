// SPDX-License-Identifier: BSD-3-Clause
// The verbs of the control socket, and what they need of the daemon.
//
// The daemon fills a struct ctl_ops; no CBOR is seen there. It makes the server with
//
//	struct ctl_server_conf conf = {
//		.path = .., .mode = .., .gid = .., .owner = geteuid(),
//		.verbs = ctl_verbs, .verb_count = ctl_verb_count, .arg = &ops,
//	};
//
// Each operation gets a request and answers it to the end, exactly once, at once or later, always
// on the thread that calls ctl_server_poll(). Which answer, its comment says; of the functions
// below those marked (last) end it. Instead of any last one it may be ctl_request_error() of
// request.h. ctl_request_is_alive() and ctl_request_on_gone() there report whether the client left.
// What the arguments of an operation point to is valid until it returns; secrets are wiped then.

#ifndef POSTERN_GW_CTL_VERBS_H
#define POSTERN_GW_CTL_VERBS_H

#include "gw/ctl/server.h"
#include "gw/device/device.h"
#include "gw/device/reports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct ctl_verb ctl_verbs[];
extern const size_t ctl_verb_count;

// State of a device: X(constant, word, why it is in that state, what cures it).
#define CTL_DEVICE_STATES(X)                                                                      \
	X(CTL_DEVICE_WINDOW_UNKNOWN, "window-unknown",                                            \
		"the gateway does not know which sequence numbers the device has used",           \
		"none needed: its next request is answered with an Echo challenge")               \
	X(CTL_DEVICE_ECHO_PENDING, "echo-pending",                                                \
		"the device was sent an Echo challenge and has not answered it yet",              \
		"if this lasts, the device does not support Echo (RFC 9175) and needs recovery: " \
		"floor, or it loses the answers")                                                 \
	X(CTL_DEVICE_ACTIVE, "active", "requests are accepted", "none needed")                    \
	X(CTL_DEVICE_REPLAY_LOCKED, "replay-locked",                                              \
		"the device sends sequence numbers that it has used before: it lost its counter", \
		"device rotate: it must not go on with its keys (RFC 8613 section 7.5)")          \
	X(CTL_DEVICE_REKEYING, "rekeying", "new keys are being agreed on", "none needed")         \
	X(CTL_DEVICE_LIMIT_REACHED, "limit-reached",                                              \
		"its keys have been used as often as they may be; it is served on",               \
		"device rotate, before somebody can make use of it")

#define CTL_DEVICE_STATE_ENUM(constant, word, reason, remedy) constant,
enum ctl_device_state { CTL_DEVICE_STATES(CTL_DEVICE_STATE_ENUM) CTL_DEVICE_STATE_COUNT };
#undef CTL_DEVICE_STATE_ENUM

const char *ctl_device_state_name(enum ctl_device_state state);

#define CTL_NOT_LIVE "not-live" // instead of a state: stored, but not taken by the data plane

// Which devices are wanted: those for which all that is given holds.
struct ctl_device_filter {
	bool by_state;
	enum ctl_device_state state;      // if by_state
	bool not_live;                    // stored, but not taken by the data plane
	bool limited;                     // the next request would be refused, or the keys are worn
	uint64_t idle_ms;                 // nothing was received for so long; 0: however long
	char policy[DEVICE_NAME_MAX + 1]; // they name it; "": whatever they name
};

// What an operator orders of a server of an upstream.
enum ctl_server_order {
	CTL_SERVER_READY, // gets requests if it is up
	CTL_SERVER_DRAIN, // gets no new ones
	CTL_SERVER_MAINT, // nor are its health checks made
	CTL_SERVER_ORDER_COUNT,
};

// "ready", "drain", "maint": as the verbs behind "server ".
const char *ctl_server_order_name(enum ctl_server_order order);

// What a client wants to see of packets. Empty names: of all.
struct ctl_capture {
	char device[DEVICE_NAME_MAX + 1];
	char port[CTL_PORT_MAX + 1];
	bool plain; // opened messages
	uint64_t count;
	uint64_t seconds;
};

// How to drain.
struct ctl_drain {
	uint32_t timeout_s; // for what is under way
	uint32_t return_s;  // when devices are told to come back
	bool stop;          // the daemon, afterwards
};

#define CTL_DRAIN_TIMEOUT_S 60 // if the client does not say
#define CTL_DRAIN_RETURN_S  60
#define CTL_DRAIN_MAX_S     86400

// Whose packets are traced: of a device, or of an address.
struct ctl_trace {
	char device[DEVICE_NAME_MAX + 1];
	uint8_t source_len; // 4 or 16; 0: none
	uint8_t source[16];
	uint64_t count;
	uint64_t seconds;
};

// Whose registrations are listed.
struct ctl_observed {
	char device[DEVICE_NAME_MAX + 1]; // "": of all
	uint64_t after;                   // the key of the last one of the page before; 0: none
	unsigned limit;
};

// Whose sessions of EDHOC are listed.
struct ctl_sessions {
	char device[DEVICE_NAME_MAX + 1]; // "": of all
	uint32_t after;                   // the key of the last one of the page before; 0: none
	unsigned limit;
};

// What a service pushes.
struct ctl_pushed {
	char path[CTL_PATH_MAX + 1];      // as it stands in a URL
	char device[DEVICE_NAME_MAX + 1]; // that alone may have it; "": all
	int format;                       // Content-Format; -1: as `type` says
	char type[CTL_TYPE_MAX + 1];      // media type; "": not said
	uint32_t max_age_s;               // how long it is good; 0: until the next push
	bool gone;                        // nothing is there any more; there is no value
	const uint8_t *value;
	size_t len; // bytes
};

// Functions of the daemon. A NULL one makes its verb "unsupported".
struct ctl_ops {
	// ctl_reply_status()
	void (*status)(void *arg, struct ctl_request *req);
	// ctl_list_counter() for each, then ctl_request_end()
	void (*stats)(void *arg, struct ctl_request *req);
	// ctl_reply_added() when the device is durable and answered
	void (*device_add)(
		void *arg, struct ctl_request *req, const struct device_spec *spec, bool replace);
	// ctl_import_progress() now and then, then ctl_reply_imported(), or ctl_reply_failed()
	// without a report. The descriptor is open for reading, no directory, and the operation's
	// to close; the client may share its file offset.
	void (*device_import)(
		void *arg, struct ctl_request *req, int fd, const struct import_options *options);
	// ctl_list_device() for at most `limit` devices of the filter behind `after`, in the order
	// of store_list(), then ctl_request_end()
	void (*device_list)(void *arg, struct ctl_request *req, const char *after, unsigned limit,
		const struct ctl_device_filter *filter);
	// ctl_reply_device()
	void (*device_show)(void *arg, struct ctl_request *req, const char *name);
	// ctl_request_end() when no new request is taken under the device's keys
	void (*device_remove)(void *arg, struct ctl_request *req, const char *name);
	// ctl_reply_resynced() when it is durable and on its way to the device's worker
	void (*device_resync)(
		void *arg, struct ctl_request *req, const char *name, bool has_from, uint64_t from);
	// ctl_reply_added() when the new keys are durable and answered. spec->name is empty.
	void (*device_rotate)(void *arg, struct ctl_request *req, const char *name,
		const struct device_spec *spec);
	// ctl_reply_checked()
	void (*store_check)(void *arg, struct ctl_request *req);
	// ctl_request_end() when the copy is complete and durable. The path is absolute.
	void (*store_backup)(void *arg, struct ctl_request *req, const char *path);
	// A reply for each of at most `limit` tombstones behind a key of CTL_TOMBSTONE_KEY bytes,
	// NULL: the first ones, in the order of keys; then ctl_request_end()
	void (*tombstone_list)(
		void *arg, struct ctl_request *req, const uint8_t *after, unsigned limit);
	// ctl_request_end() when the store is sealed under the newest key of the file, durably. The
	// descriptor is open for reading, no directory, and the operation's to close.
	void (*key_rotate)(void *arg, struct ctl_request *req, int fd);
	// ctl_list_server() for each of an upstream's servers, then ctl_request_end()
	void (*upstream_show)(void *arg, struct ctl_request *req, const char *upstream);
	// ctl_request_end() when it is on its way to the loops. server: its URL, or its name.
	void (*server_order)(void *arg, struct ctl_request *req, const char *upstream,
		const char *server, enum ctl_server_order order);
	// A reply with the ports, replies with copies of frames, and a last one with why it ended.
	void (*capture)(void *arg, struct ctl_request *req, const struct ctl_capture *asked);
	// ctl_list_line() for each mistake in the file, ctl_list_change() for each key that
	// differs, then ctl_request_end() when it is used, or would be (dry_run)
	void (*reload)(void *arg, struct ctl_request *req, bool dry_run);
	// The same of any file, which is only read. The path is absolute.
	void (*config_diff)(void *arg, struct ctl_request *req, const char *path);
	// A reply for each key of the configuration in use that the file gives, or with `effective`
	// for each that has a value; then ctl_request_end()
	void (*config_show)(void *arg, struct ctl_request *req, bool effective);
	// A reply with the level; word: the one that holds from now on, "": it stays
	void (*log_level)(void *arg, struct ctl_request *req, const char *word);
	// (last) ctl_request_reply() with what is stored, and what became of requests by that. With
	// a path as it stands in a URL instead: a reply for each thing that is stored of it, then
	// ctl_request_end()
	void (*cache_show)(void *arg, struct ctl_request *req, const char *path);
	// (last) ctl_request_reply() when nothing that is stored of the path is served any more,
	// and how many observers that ends; path: as it stands in a URL, "" for all
	void (*cache_purge)(void *arg, struct ctl_request *req, const char *path);
	// A reply for each, at most so many; then ctl_request_end()
	void (*observe_list)(void *arg, struct ctl_request *req, const struct ctl_observed *asked);
	// (last) ctl_request_reply() with how many ended; path: as it stands in a URL, "" for all
	void (*observe_cancel)(
		void *arg, struct ctl_request *req, const char *device, const char *path);
	// (last) ctl_request_reply() with whether nothing was there before, when it is published or
	// taken away
	void (*observe_push)(void *arg, struct ctl_request *req, const struct ctl_pushed *pushed);
	// A reply for each credential that the gateway has, then ctl_request_end()
	void (*edhoc_identity)(void *arg, struct ctl_request *req);
	// A reply for each, at most so many; then ctl_request_end()
	void (*edhoc_sessions)(
		void *arg, struct ctl_request *req, const struct ctl_sessions *asked);
	// (last) ctl_request_reply() with how many ended
	void (*edhoc_end)(void *arg, struct ctl_request *req, const char *device);
	// ctl_reply_drained() when nothing is under way any more, or the time is over
	void (*drain)(void *arg, struct ctl_request *req, const struct ctl_drain *drain);
	// ctl_request_end()
	void (*undrain)(void *arg, struct ctl_request *req);
	// A reply for each step of a packet, and a last one with why it ended.
	void (*trace)(void *arg, struct ctl_request *req, const struct ctl_trace *asked);
	// A reply for each of the last packets refused for this reason, or with "" for any, at most
	// `limit`; then ctl_request_end()
	void (*show_refused)(
		void *arg, struct ctl_request *req, const char *reason, unsigned limit);
	// ctl_request_end(), and only then stop
	void (*shutdown)(void *arg, struct ctl_request *req);
	void *arg;
};

// The code of what a function of the store returned.
enum ctl_error ctl_error_of_store(int ret);
// (last) What a function of the store returned (-errno), and what it said.
void ctl_reply_failed(struct ctl_request *req, int ret, const struct error *error);

// In all structs below strings end with 0, NULL leaves the field out unless said otherwise, and
// everything is read before the function returns.

struct ctl_port_status {
	const char *name;
	const char *kind; // "pci", "tap", ..
	const char *device;
	bool link_up;
	const char *const *addresses; // "192.0.2.1/24"
	size_t address_count;
	uint16_t coap; // UDP port
};

struct ctl_worker_status {
	unsigned core;
	unsigned busy_permille; // share of time spent on packets
	uint64_t devices;       // contexts it owns
	uint64_t exchanges;     // requests in flight
	const char *overload;   // "none", "low", "non" or "con"
	uint64_t answers_kept_ms;
};

struct ctl_upstream_status {
	const char *name;
	unsigned servers;
	unsigned servers_up;
	uint64_t in_flight;
	uint64_t queued;
};

// Bodies of more than one block in an HTTP thread.
struct ctl_bodies_status {
	uint64_t bodies;
	uint64_t bytes;  // that they have, answers still arriving included
	uint64_t memory; // most bytes
};

struct ctl_device_count {
	enum ctl_device_state state;
	uint64_t devices;
};

#define CTL_STATUS_UPSTREAMS_MAX 200 // in a status; more are counted as left out
#define CTL_STATUS_ALARMS_MAX    32

struct ctl_status {
	const char *state; // "starting", "serving", "degraded" or "stopping"
	uint64_t uptime_ms;
	uint64_t devices; // in the table
	uint64_t devices_max;
	const struct ctl_device_count *device_states; // in any order; may be none
	size_t device_state_count;
	const struct ctl_port_status *ports;
	size_t port_count;
	const struct ctl_worker_status *workers; // by number
	size_t worker_count;
	const struct ctl_bodies_status *bodies; // of each HTTP thread, by number
	size_t bodies_count;
	const struct ctl_upstream_status *upstreams;
	size_t upstream_count;
	const char *const *alarms; // one sentence each
	size_t alarm_count;
};

// (last)
void ctl_reply_status(struct ctl_request *req, const struct ctl_status *status);

struct ctl_server_status {
	const char *name; // "telemetry.0"
	const char *url;
	unsigned weight;
	enum ctl_server_order order;
	const char *health; // "up", "down" or "ejected"
	uint64_t in_flight;
	uint64_t attempts, answers, failures;
	uint64_t latency_p50_us, latency_p99_us; // bounds; 0: no answers; UINT64_MAX: beyond all
};

void ctl_list_server(struct ctl_request *req, const struct ctl_server_status *server);

// A line about a mistake in a file.
void ctl_list_line(struct ctl_request *req, const char *line);
// A key that differs; change: "changed", "added" or "removed".
void ctl_list_change(
	struct ctl_request *req, const char *key, const char *change, bool needs_start);

struct ctl_counter {
	const char *name; // "drop.bad-tag"
	const char *help;
	const char *unit; // NULL: a count of events since the start; else "bytes", "cycles", ..
	bool gauge;       // goes up and down
	uint64_t total;
	const uint64_t *workers; // one value for each worker, or NULL
	size_t worker_count;
};

void ctl_list_counter(struct ctl_request *req, const struct ctl_counter *counter);

struct ctl_device_info {
	const struct device_info *stored;
	const char *reason; // NULL: the words of the state
	const char *remedy; // NULL: the words of the state
	bool live;          // in the table of the data plane; false leaves out all that follows
	enum ctl_device_state state;
	bool has_highest_piv;
	uint64_t highest_piv; // of verified requests
	bool has_own_piv;
	uint64_t own_piv; // last one of ours
	bool seen;
	uint64_t last_seen_ms; // milliseconds since its last verified request
	int worker;            // that owns its context; -1: none yet
	uint64_t requests;     // accepted since the start
	uint64_t in_flight;
	bool has_mark;
	uint64_t mark; // no number from here on is accepted yet
	uint64_t uses, uses_limit;
	uint64_t forgeries, forgeries_limit; // wrong tags since the start
};

// One of several. A list leaves reason and remedy out.
void ctl_list_device(struct ctl_request *req, const struct ctl_device_info *device);
// (last)
void ctl_reply_device(struct ctl_request *req, const struct ctl_device_info *device);

// (last) `name` as the store has it.
void ctl_reply_added(struct ctl_request *req, enum device_outcome outcome, const char *name);

// (last) `mark` if it has one.
void ctl_reply_resynced(struct ctl_request *req, const char *name, bool has_mark, uint64_t mark);
// (last) What was under way when the drain began, and what of all was not finished at its end.
void ctl_reply_drained(struct ctl_request *req, uint64_t under_way, uint64_t left);
// (last) Each problem of the report is a reply before the last one.
void ctl_reply_checked(struct ctl_request *req, const struct check_report *check);

// Call it at most some times a second.
void ctl_import_progress(struct ctl_request *req, const struct import_progress *progress);
// (last) Bad rows make it the error CTL_BAD_ROWS.
void ctl_reply_imported(struct ctl_request *req, const struct import_report *report);

#endif
