// SPDX-License-Identifier: BSD-3-Clause
// The configuration file: one YAML document, which is checked as a whole before any of it is used.
// gw/conf/schema.c has all keys in one table, with types, ranges, defaults and help.
//
// conf_load() writes a struct conf, and nothing changes it later. It owns all that it points to,
// and conf_free() frees it. Strings end with 0 and are UTF-8 without control characters. An
// optional string that is not given is NULL; an empty list has a count of 0.

#ifndef POSTERN_GW_CONF_CONF_H
#define POSTERN_GW_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#define CONF_PATH_DEFAULT "/etc/postern/postern.yaml"

#define CONF_FILE_MAX       (1 << 20) // bytes
#define CONF_DEPTH_MAX      16        // lists and maps inside each other
#define CONF_VALUES_MAX     65536     // words, lists and maps in a file
#define CONF_ERRORS_MAX     20        // mistakes shown of one file
#define CONF_PORTS_MAX      16
#define CONF_ADDRESSES_MAX  16 // of a port
#define CONF_WORKERS_MAX    64
#define CONF_LOOPS_MAX      16
#define CONF_CPU_MAX        1023 // highest number of a CPU
#define CONF_UPSTREAMS_MAX  1024
#define CONF_SERVERS_MAX    64 // of an upstream
#define CONF_ROUTES_MAX     4096
#define CONF_SEGMENTS_MAX   32 // of a path pattern
#define CONF_FORMATS_MAX    16 // of a route
#define CONF_STATUSES_MAX   32 // of a route
#define CONF_POLICIES_MAX   256
#define CONF_PERMITS_MAX    64 // of a policy
#define CONF_HEADERS_MAX    8  // of an upstream or a route
#define CONF_PASSES_MAX     1024
#define CONF_KID_MAX        7   // bytes of a kid that is passed through
#define CONF_CONTEXT_MAX    255 // of a kid context
#define CONF_HOSTS_MAX      16  // of metrics, and of push
#define CONF_TRUST_MAX      16
#define CONF_IDENTITIES_MAX 8
#define CONF_METHODS_ALL    0xfe

// An address of ours and the network it is in: 192.0.2.1/24, 2001:db8::1/64.
struct conf_prefix {
	sa_family_t family; // AF_INET or AF_INET6
	uint8_t addr[16];   // network order; the first 4 bytes for AF_INET
	uint8_t len;        // bits of the network's prefix
	unsigned line;
};

enum conf_port_kind {
	CONF_PORT_PCI = 1,   // device: "0000:01:00.0"
	CONF_PORT_TAP,       // device: name of the netdev that is made
	CONF_PORT_AF_PACKET, // device: name of a netdev that is there
	CONF_PORT_AF_XDP,    // device: name of a netdev that is there
	CONF_PORT_MEMIF,     // device: path of the UNIX socket
};

enum conf_memif_role { CONF_MEMIF_SERVER, CONF_MEMIF_CLIENT };

struct conf_port {
	char *name; // unique; [a-z][a-z0-9_-]{0,14}
	enum conf_port_kind kind;
	char *device;                    // what it is depends on the kind
	enum conf_memif_role memif_role; // for CONF_PORT_MEMIF
	struct conf_prefix *addresses;   // at least one; each address once in a file
	size_t address_count;
	uint16_t coap; // UDP port
	char *kernel; // name of the kernel TAP, unique; NULL for CONF_PORT_AF_XDP, which needs none
	uint16_t mtu; // bytes
	unsigned line;
};

enum conf_worker_mode { CONF_MODE_ADAPTIVE, CONF_MODE_POLL };
enum conf_affinity { CONF_AFFINITY_RSS, CONF_AFFINITY_KID };
enum conf_huge_pages { CONF_HUGE_AUTO, CONF_HUGE_YES, CONF_HUGE_NO };

struct conf_workers {
	uint16_t *cores; // CPU numbers, one worker each, in the order of the file
	size_t core_count;
	bool share_cpus; // a CPU may be there more than once
	enum conf_worker_mode mode;
	enum conf_affinity affinity; // kid: for ports that cannot spread packets over queues
	uint8_t loops;               // threads that speak HTTP
	uint32_t exchanges;          // requests in flight a worker
	uint64_t answers;            // bytes of the answer index of a worker
	enum conf_huge_pages huge_pages;
	char *isa; // name for aead_engine_create(), NULL for its own choice
	unsigned line;
};

enum conf_scheme { CONF_HTTP, CONF_HTTPS };

// Where requests are sent, split and checked. The URL of a request is origin, base and the path.
struct conf_server {
	char *text; // as it stands in the file
	char *name; // of its upstream, a dot and its place in the list, from 0: "telemetry.0"
	enum conf_scheme scheme;
	bool http2;
	char *host; // name or address, an IPv6 address without brackets; "localhost" for a socket
	uint16_t port;   // the scheme's default if not given; 0 for a socket
	char *authority; // the Host header: host, IPv6 in brackets, and the port if not the default
	char *origin;    // "http://" or "https://" and the authority
	char *base;      // path in front of every request's path: "" or "/a/b", no slash at the end
	char *unix_path; // path of a UNIX socket, else NULL
	uint16_t weight; // its share of the requests beside the others; 0: none
	unsigned line;
};

enum conf_balance { CONF_BALANCE_RR, CONF_BALANCE_LEAST, CONF_BALANCE_HASH };

// How often a failed request is sent to another server.
struct conf_retries {
	uint8_t max;    // of one request
	uint8_t budget; // percent of all requests that may be repeated although a server saw them
};

// A server that fails this often in a row is left out for a time (0: never).
struct conf_eject {
	uint32_t errors;
	uint32_t for_ms;     // doubled each time in a row
	uint8_t max_percent; // of the servers that may be out at once
};

struct conf_check {
	char *path; // asked with GET behind the server's URL; NULL: servers are not checked
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint16_t rise; // checks in a row that bring a server up
	uint16_t fall; // checks in a row that take it down
	unsigned line; // 0: no check map in the file
};

struct conf_tls {
	char *ca;          // PEM file of the only authorities; NULL: those of the system
	char *cert;        // PEM file of the client certificate or NULL
	char *key;         // PEM file of its key; there if and only if cert is
	bool verify;       // the server's certificate
	char *server_name; // for SNI and the check of the certificate; NULL: host of the server
	unsigned line;     // 0: there is no tls map in the file
};

enum conf_header_kind {
	CONF_HEADER_TEXT = 1, // value: of the header
	CONF_HEADER_FILE,     // value: path of the file that has it, which is a secret
};

// A header of every request, beside those that postern makes.
struct conf_header {
	char *name; // as it is sent; each once in its list, in whatever case
	enum conf_header_kind kind;
	char *value; // what it is depends on the kind
	unsigned line;
};

struct conf_upstream {
	char *name;                  // [A-Za-z0-9_.-]{1,63}
	struct conf_server *servers; // at least one, no two the same
	size_t server_count;
	enum conf_balance balance;
	uint32_t timeout_ms;      // from request to whole answer, for routes that name none
	uint32_t queue_ms;        // longest wait for a connection
	uint32_t max_inflight;    // requests
	uint32_t max_connections; // to all its servers together
	uint32_t keepalive_ms;    // of an idle HTTP/1.1 connection
	uint64_t max_body;        // bytes of the largest answer body that is read
	uint32_t max_age_ms;      // longest Max-Age that a device gets; rounded down to seconds
	struct conf_retries retries;
	struct conf_eject eject;
	struct conf_check check;
	struct conf_tls tls;
	struct conf_header *headers; // of all its requests, health checks too
	size_t header_count;
	unsigned line;
};

// One segment of a path pattern, percent-decoded.
struct conf_segment {
	char *text; // "" if any
	bool any;   // matches every segment
};

// A path matches if it has as many segments as the pattern and each one matches; with `rest` it may
// have any number more (also none). Comparison is by bytes.
struct conf_pattern {
	struct conf_segment *segments;
	size_t count;
	bool rest;  // the pattern ends in a `*` of its own
	char *text; // as it stands in the file
};

enum conf_target { CONF_TO_UPSTREAM, CONF_TO_DISCARD, CONF_TO_ECHO, CONF_TO_CORE };
enum conf_fetch { CONF_FETCH_POST, CONF_FETCH_QUERY };
enum conf_priority { CONF_PRIORITY_NORMAL, CONF_PRIORITY_LOW };
enum conf_translate { CONF_TRANSLATE_NONE, CONF_TRANSLATE_CBOR_JSON };
enum conf_idempotency { CONF_IDEMPOTENCY_IGNORED, CONF_IDEMPOTENCY_HONOURED };

// How the readings of a batch stand in its body; gw/batch/ writes them.
enum conf_batch_format {
	CONF_BATCH_CLOUDEVENTS,
	CONF_BATCH_NDJSON,
	CONF_BATCH_CBOR_SEQ,
	CONF_BATCH_ES_BULK,
	CONF_BATCH_INFLUX,
};

// Many readings in one request: POST and PUT of a route are collected.
struct conf_batch {
	char *path;       // asked with POST behind the server's URL; NULL: each goes by itself
	uint32_t max;     // readings
	uint32_t bytes;   // of the body
	uint32_t wait_ms; // from the first reading until it is sent at the latest
	enum conf_batch_format format;
	unsigned line; // 0: no batch map in the file
};

// What an HTTP status is for the devices of a route, instead of what it is for others.
struct conf_status {
	char *name; // of the status: "404"
	char *text; // of the code: "4.00"
	uint16_t status;
	uint8_t code; // CoAP's
	unsigned line;
};

// Whose a stored answer is: any device's that may ask, or only that of the device that asked.
enum conf_cache_scope { CONF_CACHE_NONE, CONF_CACHE_PRIVATE, CONF_CACHE_SHARED };

// Answers to GET and FETCH of a route are stored as its backend allows.
struct conf_cache {
	enum conf_cache_scope scope; // CONF_CACHE_NONE: no cache in the file
	uint32_t default_ms;         // freshness of answers that say nothing about it; 0: none
	unsigned line;
	// Made of these and of all that an answer follows from: the same in another configuration
	// if that is.
	uint64_t id;
};

// The backend tells what is there in a stream of events, for as long as somebody observes it.
struct conf_stream {
	uint16_t format;   // Content-Format of the events
	char *event;       // their type; NULL: those without
	uint32_t max;      // streams of the route at a time
	uint32_t quiet_ms; // after which one is asked for again that tells nothing
	unsigned line;     // 0: none
};

// Devices may observe what GET and FETCH of a route give, which has `cache`, too.
struct conf_observe {
	uint32_t poll_ms; // how often the backend is asked while somebody observes; 0: as it says
	bool push;        // the backend may say by itself what is there
	struct conf_stream stream;
	unsigned line; // 0: no observe in the file
};

// Routes are in the order of the file, and the first whose path and method match is taken.
struct conf_route {
	struct conf_pattern path;
	uint8_t methods; // bit n: CoAP method code 0.0n; CONF_METHODS_ALL if none were named
	char *to;        // name of the upstream or of the builtin
	enum conf_target target;
	const struct conf_upstream *upstream; // NULL for a builtin
	uint32_t timeout_ms;                  // 0 for a builtin
	uint32_t fresh_ms;                 // age of the Echo that requests need; 0: they need none
	enum conf_priority priority;       // low: refused first under overload
	enum conf_fetch fetch;             // HTTP method that FETCH becomes
	enum conf_idempotency idempotency; // whether the backend heeds Idempotency-Key
	enum conf_translate translate;     // between the formats of devices and of the service
	uint64_t max_body;                 // bytes of a request or an answer in blocks
	char *host;                        // Host header; NULL: authority of the server
	uint8_t strip;                     // segments cut off in front; there are always as many
	char *prefix;                      // put in front then: "" or "/v1", no slash at the end
	struct conf_header *headers;       // of its requests, before those of the upstream
	size_t header_count;
	bool listed;       // in what builtin:core says, with these three; NULL: unsaid
	char *description; // title
	char *rt;          // resource types, with blanks between them
	char *interface;   // interfaces, the same
	uint16_t *formats; // Content-Formats of payloads; none: any
	size_t format_count;
	struct conf_status *statuses;
	size_t status_count;
	struct conf_batch batch;
	struct conf_cache cache;
	struct conf_observe observe;
	uint8_t home;     // which loop has all its requests, and 1; 0: that of the device
	bool invalidates; // what it changes may be stored by it or another route
	// Made of what says which requests it takes and where they go: the same in another
	// configuration if that is.
	uint64_t id;
	unsigned line;
};

// Requests that a device may make.
struct conf_permit {
	struct conf_pattern path;
	uint8_t methods; // as of a route
	unsigned line;
};

// What the devices of a policy may do: what one of its entries takes, and nothing else.
struct conf_policy {
	char *name;                // [A-Za-z0-9_.-]{1,63}
	struct conf_permit *allow; // none: nothing
	size_t allow_count;
	uint16_t number; // of dp_context.permit; 0 until main gives it one
	unsigned line;
};

// When an endpoint that asks must have shown that it receives what is sent to its address.
enum conf_pass_echo {
	CONF_PASS_ECHO_ALWAYS, // before its first message is passed through
	CONF_PASS_ECHO_LARGE,  // before it gets more than three times as much as it sent
};

// Messages of a kid that are passed through as they are (RFC 8613 section 11.2): postern does not
// have its keys.
struct conf_pass {
	char *kid;         // hex
	char *kid_context; // hex; NULL: any, and none
	// Where its messages go, as if it was a route: of the file are to, prefix, timeout_ms and
	// host. Its path is how counters and logs name it: "passthrough:", kid, "/", kid context.
	struct conf_route route;
	uint32_t rate, prefix_rate; // messages a second, of all networks and of each
	uint32_t max_in_flight;
	enum conf_pass_echo echo;
	unsigned line;
	// Of kid and kid_context, decoded.
	uint8_t kid_len, kid_context_len;
	uint8_t kid_bytes[CONF_KID_MAX];
	uint8_t kid_context_bytes[CONF_CONTEXT_MAX];
};

// Bodies of more than one block (RFC 7959).
struct conf_bodies {
	uint64_t memory;     // bytes, of all loops
	uint32_t per_device; // bodies at a time
	uint32_t keep_ms;    // after all of it was sent
	uint32_t idle_ms;    // after the last block
};

// What is stored for the routes with `cache`.
struct conf_store_limits {
	uint64_t memory; // bytes, of all loops
	uint32_t entries;
};

// Of those who observe.
struct conf_observers {
	uint32_t per_device; // registrations of a device
	uint32_t entries;    // registrations of a worker
	uint32_t confirm;    // one notification of so many is confirmable
	uint32_t burst;      // notifications in a turn of a worker
	uint32_t max_age_ms; // of notifications whose backend says nothing
};

enum conf_errors { CONF_ERRORS_SILENT, CONF_ERRORS_VERBOSE };
enum conf_replay { CONF_REPLAY_SILENT, CONF_REPLAY_UNAUTHORIZED };

struct conf_devices {
	char *store; // directory
	char *kek;   // file with the key-encryption key; NULL: the systemd credential postern.kek
	uint32_t max;
	enum conf_errors errors; // RFC 8613 section 8.2: whether peers that fail get an answer
	enum conf_replay replay; // whether a verified replay is dropped or gets 4.01
	uint32_t ack_timeout_ms; // of the devices (RFC 7252 section 4.8)
	uint32_t max_in_flight;  // of a device
	uint32_t max_message;    // bytes of CoAP to a device
	uint32_t rate;           // requests a second of a device; 0: no limit
	uint32_t burst;          // requests that may come at once, within `rate`
	unsigned line;
};

struct conf_control {
	char *socket; // path, short enough for sun_path
	mode_t mode;
	char *group; // NULL: that of the process
	unsigned line;
};

// Figures and health over HTTP, for those who watch the daemon.
struct conf_metrics {
	char *listen; // as conf_listen_parse() takes it
	char **hosts; // names that a Host header may have, beside addresses and localhost
	size_t host_count;
	bool server_urls; // shown on the page though others than this machine may read it
	unsigned line;
};

// Where services push what is there for the routes with `observe: {push: true}`, over HTTP.
struct conf_push {
	char *listen; // as conf_listen_parse() takes it
	char *token;  // file with what who pushes has to know; NULL: nothing
	char **hosts; // as those of metrics
	size_t host_count;
	uint64_t max_body; // bytes of a push
	unsigned line;
};

enum conf_log_level {
	CONF_LOG_ERROR = 3, // as in syslog
	CONF_LOG_WARNING,
	CONF_LOG_NOTICE,
	CONF_LOG_INFO,
	CONF_LOG_DEBUG,
};

enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };

#define CONF_ACCESS_STDERR "stderr"

struct conf_log {
	enum conf_log_level level;
	enum conf_log_format format;
	char *access;   // path of the access log's file, or CONF_ACCESS_STDERR; NULL: none
	uint8_t sample; // percent of the requests in it
	uint32_t rate;  // most lines a second
};

enum conf_echo { CONF_ECHO_AUTO, CONF_ECHO_ALWAYS, CONF_ECHO_NEVER };

struct conf_handshakes {
	uint32_t threads;
	uint32_t rate, prefix_rate, device_rate; // messages a second
	uint32_t sessions;                       // of EDHOC
	uint32_t keep_ms, max_age_ms;
	enum conf_echo echo;
};

// Certificates of an authority are devices.
struct conf_trust {
	char *ca;     // path of its certificates in PEM
	char *name;   // conf_trust_name_split()
	char *policy; // of the devices; NULL: none
	unsigned line;
};

#define CONF_CREDENTIAL "credential:"

struct conf_edhoc {
	// Paths, or CONF_CREDENTIAL and the name of a systemd credential; the first one goes before
	// the others. None: EDHOC is not served.
	char **identity;
	size_t identity_count;
	struct conf_trust *trust;
	size_t trust_count;
	char *revoked;    // path; NULL: nothing was revoked
	uint64_t methods; // bit i: method i; 0: all
	uint64_t suites;  // the same
	uint32_t c_r_length;
	bool tell_unknown;
	bool message_4; // is sent, and message_3 never comes with a request
	// Not of the file: what the identities are good for of these, when they were loaded.
	uint64_t offered_methods, offered_suites;
};

struct conf_marks;

enum conf_seccomp { CONF_SECCOMP_ENFORCE, CONF_SECCOMP_LOG, CONF_SECCOMP_OFF };

struct conf {
	char *path; // of the file, for messages
	struct conf_port *ports;
	size_t port_count;
	struct conf_workers workers;
	struct conf_upstream *upstreams; // in the order of the file
	size_t upstream_count;
	struct conf_route *routes;
	size_t route_count;
	struct conf_policy *policies; // in the order of the file
	size_t policy_count;
	struct conf_pass *passes;
	size_t pass_count;
	struct conf_bodies bodies;
	struct conf_store_limits cache;
	struct conf_observers observe;
	struct conf_devices devices;
	struct conf_control control;
	struct conf_metrics metrics;
	struct conf_push push;
	char *runtime; // directory of the run token
	enum conf_seccomp seccomp;
	struct conf_log log;
	struct conf_handshakes handshakes;
	struct conf_edhoc edhoc;
	struct conf_marks *marks; // where each value stands
};

// Reads and checks the file. On success the caller frees *conf with conf_free(). On failure *conf
// is NULL, and `errors` gets a line "file:line:column: key: what is wrong" for each mistake, in the
// order of the file, at most CONF_ERRORS_MAX of them, or one line if the file cannot be read.
// Returns 0, -EINVAL if the file has mistakes, -EFBIG above CONF_FILE_MAX, -ENOMEM, or the -errno
// of reading.
int conf_load(const char *path, struct conf **conf, FILE *errors)
	__attribute__((warn_unused_result));
// The same for who must not wait: -EBADF if it is no regular file, as a FIFO may never end.
int conf_load_regular(const char *path, struct conf **conf, FILE *errors)
	__attribute__((warn_unused_result));
// The same for len bytes of text in memory; messages have `name` for the file.
int conf_parse(const char *name, const char *text, size_t len, struct conf **conf, FILE *errors)
	__attribute__((warn_unused_result));
// Checks that this process can use the files, directories and groups that a configuration names,
// and writes a line to `errors` for each that it cannot, like conf_load(). Returns 0, -EINVAL if
// there was one, or -ENOMEM.
int conf_check_files(const struct conf *conf, FILE *errors) __attribute__((warn_unused_result));
// The same for those files alone that are only read.
int conf_check_reads(const struct conf *conf, FILE *errors) __attribute__((warn_unused_result));
// Frees a configuration; NULL is allowed.
void conf_free(struct conf *conf);

// Returns the line of the file that gives a field its value, 0 if the field has its default.
// `field` points to a member of *conf or of what it points to, e.g. &conf->devices.kek.
unsigned conf_line(const struct conf *conf, const void *field);

// Writes a reference of all keys with types, ranges, defaults and help, in the form of a
// configuration file that can be loaded and consists mostly of comments.
void conf_describe(FILE *out);

// Prints the file of a configuration that was loaded, without comments and without the values of
// headers, which are its only secrets. Returns 0 or -errno, with a part of it printed.
int conf_print_redacted(const struct conf *conf, FILE *out) __attribute__((warn_unused_result));

#endif
