// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/schema.h"

#include "gw/conf/conf.h"
#include "gw/conf/forms.h"
#include "gw/conf/schema_parts.h"

#define NETDEV_MAX 15 // bytes of a netdev's name

static const struct conf_word memif_roles[] = {
	{"server", CONF_MEMIF_SERVER}, {"client", CONF_MEMIF_CLIENT}, {NULL, 0}};
static const struct conf_word worker_modes[] = {
	{"adaptive", CONF_MODE_ADAPTIVE}, {"poll", CONF_MODE_POLL}, {NULL, 0}};
static const struct conf_word affinities[] = {
	{"rss", CONF_AFFINITY_RSS}, {"kid", CONF_AFFINITY_KID}, {NULL, 0}};
static const struct conf_word huge_pages[] = {
	{"auto", CONF_HUGE_AUTO}, {"yes", CONF_HUGE_YES}, {"no", CONF_HUGE_NO}, {NULL, 0}};
static const struct conf_word seccomp_words[] = {{"enforce", CONF_SECCOMP_ENFORCE},
	{"log", CONF_SECCOMP_LOG}, {"off", CONF_SECCOMP_OFF}, {NULL, 0}};
static const struct conf_word balances[] = {{"rr", CONF_BALANCE_RR}, {"least", CONF_BALANCE_LEAST},
	{"hash", CONF_BALANCE_HASH}, {NULL, 0}};
static const struct conf_word error_policies[] = {
	{"silent", CONF_ERRORS_SILENT}, {"verbose", CONF_ERRORS_VERBOSE}, {NULL, 0}};
static const struct conf_word replay_policies[] = {
	{"silent", CONF_REPLAY_SILENT}, {"4.01", CONF_REPLAY_UNAUTHORIZED}, {NULL, 0}};

// clang-format off
static const struct conf_key prefix_item = {
	.type = CONF_PREFIX, ITEM(conf_prefix),
};

#define PORT_KIND(number) \
	.choice = (number), .choice_offset = offsetof(struct conf_port, kind), FIELD(conf_port, device)

static const struct conf_key port_keys[] = {
	{
		.name = "name", .type = CONF_STRING, FIELD(conf_port, name), .required = true,
		.min = 1, .max = NETDEV_MAX, .form = &conf_port_name_form, .sample = "wan0",
		.help = "Name of the port in statistics and messages, unique in the file.",
	}, {
		.name = "pci", .type = CONF_STRING, PORT_KIND(CONF_PORT_PCI),
		.min = 1, .max = 12, .form = &conf_pci_form, .sample = "\"0000:01:00.0\"",
		.help = "A NIC that is bound to vfio-pci.",
	}, {
		.name = "tap", .type = CONF_STRING, PORT_KIND(CONF_PORT_TAP),
		.min = 1, .max = NETDEV_MAX, .form = &conf_netdev_form, .sample = "dtap0",
		.help = "A TAP device, made at start, whose kernel side is the devices' side.",
	}, {
		.name = "af_packet", .type = CONF_STRING, PORT_KIND(CONF_PORT_AF_PACKET),
		.min = 1, .max = NETDEV_MAX, .form = &conf_netdev_form, .sample = "eth0",
		.help = "A network device of the kernel, through AF_PACKET; the kernel sees each packet too.",
	}, {
		.name = "af_xdp", .type = CONF_STRING, PORT_KIND(CONF_PORT_AF_XDP),
		.min = 1, .max = NETDEV_MAX, .form = &conf_netdev_form, .sample = "eth0",
		.help = "A network device of the kernel, through AF_XDP; the kernel keeps all but CoAP.",
	}, {
		.name = "memif", .type = CONF_STRING, PORT_KIND(CONF_PORT_MEMIF),
		.min = 2, .max = SOCKET_LEN, .form = &conf_memif_form, .sample = "/run/postern/memif.sock",
		.help = "Shared memory with a trusted process on the same machine, by the path of its socket.",
	}, {
		.name = "memif_role", .type = CONF_ENUM, FIELD(conf_port, memif_role),
		.words = memif_roles, .preset = "server",
		.help = "Which end of the memif socket this is.",
	}, {
		.name = "addresses", .type = CONF_LIST, ITEMS(conf_port, addresses, address_count),
		.required = true, .min = 1, .max = CONF_ADDRESSES_MAX, .item = &prefix_item,
		.sample = "[192.0.2.1/24, \"2001:db8::1/64\"]",
		.help = "Addresses of the gateway on this port, each with the length of its network's prefix.",
	}, {
		.name = "coap", .type = CONF_INT, FIELD(conf_port, coap), .min = 1, .max = 65535,
		.preset = "5683",
		.help = "UDP port of CoAP.",
	}, {
		.name = "kernel", .type = CONF_STRING, FIELD(conf_port, kernel),
		.min = 1, .max = NETDEV_MAX, .form = &conf_netdev_form, .sample = "pn-wan0",
		.help = "TAP device to the kernel for all that is not CoAP, by default pn- and the port's name; none for af_xdp.",
	}, {
		.name = "mtu", .type = CONF_INT, FIELD(conf_port, mtu), .min = 1280, .max = 9000,
		.preset = "1500",
		.help = "Bytes of the largest IP packet.",
	},
	{.name = NULL},
};

static const struct conf_key workers_keys[] = {
	{
		.name = "cores", .type = CONF_CORES, ITEMS(conf_workers, cores, core_count),
		.min = 1, .max = CONF_WORKERS_MAX, .sample = "[2-5, 7]",
		.help = "CPUs that run a worker each, by default the last one only.",
	}, {
		.name = "share_cpus", .type = CONF_BOOL, FIELD(conf_workers, share_cpus),
		.preset = "false",
		.help = "Whether a CPU may stand in cores more than once, for machines that have few.",
	}, {
		.name = "mode", .type = CONF_ENUM, FIELD(conf_workers, mode), .words = worker_modes,
		.preset = "adaptive",
		.help = "Whether an idle worker sleeps for moments or polls without end.",
	}, {
		.name = "affinity", .type = CONF_ENUM, FIELD(conf_workers, affinity),
		.words = affinities, .preset = "rss",
		.help = "The worker a new device goes to: where its packets arrive, or by its kid.",
	}, {
		.name = "loops", .type = CONF_INT, FIELD(conf_workers, loops),
		.min = 1, .max = CONF_LOOPS_MAX, .preset = "1",
		.help = "Threads that speak HTTP; each has its part of the devices and of an upstream's limits.",
	}, {
		.name = "exchanges", .type = CONF_INT, FIELD(conf_workers, exchanges),
		.min = 64, .max = 1048576, .preset = "8192",
		.help = "Requests in flight a worker, and separate answers that wait for their ACK.",
	}, {
		.name = "answers", .type = CONF_SIZE, FIELD(conf_workers, answers),
		.min = MB, .max = 16 * GB, .preset = "64MB",
		.help = "Memory a worker keeps for answers, which it sends again when a request is retransmitted.",
	}, {
		.name = "huge_pages", .type = CONF_ENUM, FIELD(conf_workers, huge_pages),
		.words = huge_pages, .preset = "auto",
		.help = "Whether packet memory is in huge pages; auto uses them if the system has some free.",
	}, {
		.name = "isa", .type = CONF_STRING, FIELD(conf_workers, isa),
		.min = 1, .max = 31, .form = &conf_isa_form, .sample = "auto",
		.help = "Engine of the AEAD, by default the fastest that the CPU has.",
	},
	{.name = NULL},
};

static const struct conf_key tls_keys[] = {
	{
		.name = "ca", .type = CONF_PATH, FIELD(conf_tls, ca), .min = 1, .max = PATH_LEN,
		.sample = "/etc/postern/ca.pem",
		.help = "The only authorities that servers are checked against; by default the system's (PEM).",
	}, {
		.name = "cert", .type = CONF_PATH, FIELD(conf_tls, cert), .min = 1, .max = PATH_LEN,
		.sample = "/etc/postern/client.pem",
		.help = "Certificate that is shown to servers (PEM); needs key.",
	}, {
		.name = "key", .type = CONF_PATH, FIELD(conf_tls, key), .min = 1, .max = PATH_LEN,
		.sample = "/etc/postern/client.key",
		.help = "Private key of cert (PEM).",
	}, {
		.name = "verify", .type = CONF_BOOL, FIELD(conf_tls, verify), .preset = "true",
		.help = "Whether a server's certificate is checked; never switch it off outside of tests.",
	}, {
		.name = "server_name", .type = CONF_STRING, FIELD(conf_tls, server_name),
		.min = 1, .max = 253, .form = &conf_host_form, .sample = "backend.example",
		.help = "Name that the server's certificate must have, by default the host in its URL.",
	},
	{.name = NULL},
};

static const struct conf_key retries_keys[] = {
	{
		.name = "max", .type = CONF_INT, FIELD(conf_retries, max), .min = 0, .max = 63,
		.preset = "2",
		.help = "Most retries of one request.",
	}, {
		.name = "budget", .type = CONF_PERCENT, FIELD(conf_retries, budget),
		.min = 0, .max = 100, .preset = "20%",
		.help = "Share of the requests that may be sent again although a server may have seen them.",
	},
	{.name = NULL},
};

static const struct conf_key eject_keys[] = {
	{
		.name = "errors", .type = CONF_INT, FIELD(conf_eject, errors), .min = 0, .max = 1000000,
		.preset = "5",
		.help = "Failures in a row by which a server is left out; 0: it never is.",
	}, {
		.name = "for", .type = CONF_DURATION, FIELD(conf_eject, for_ms),
		.min = 1, .max = HOUR, .preset = "30s",
		.help = "How long it is left out the first time; each time in a row doubles it, up to 16 times.",
	}, {
		.name = "max_percent", .type = CONF_PERCENT, FIELD(conf_eject, max_percent),
		.min = 0, .max = 100, .preset = "50%",
		.help = "Share of the servers that may be left out at once; one always stays.",
	},
	{.name = NULL},
};

static const struct conf_key check_keys[] = {
	{
		.name = "path", .type = CONF_STRING, FIELD(conf_check, path), .required = true,
		.min = 1, .max = PATH_LEN, .form = &conf_check_path_form, .sample = "/healthz",
		.help = "What is asked with GET, behind the server's URL; any 2xx is good.",
	}, {
		.name = "interval", .type = CONF_DURATION, FIELD(conf_check, interval_ms),
		.min = 10, .max = HOUR, .preset = "2s",
		.help = "Time between the starts of two checks.",
	}, {
		.name = "timeout", .type = CONF_DURATION, FIELD(conf_check, timeout_ms),
		.min = 1, .max = HOUR, .preset = "1s",
		.help = "Longest time for the whole answer; the next check waits for it.",
	}, {
		.name = "rise", .type = CONF_INT, FIELD(conf_check, rise), .min = 1, .max = 1000,
		.preset = "2",
		.help = "Good checks in a row that bring a server up.",
	}, {
		.name = "fall", .type = CONF_INT, FIELD(conf_check, fall), .min = 1, .max = 1000,
		.preset = "3",
		.help = "Failed checks in a row that take it down; the very first one does so alone.",
	},
	{.name = NULL},
};

static const struct conf_key upstream_name = {
	.type = CONF_STRING, FIELD(conf_upstream, name), .min = 1, .max = 63,
	.form = &conf_upstream_name_form,
};

static const struct conf_key server_keys[] = {
	{
		.name = "url", .type = CONF_URL, .size = sizeof(struct conf_server), .required = true,
		.line_offset = offsetof(struct conf_server, line), .sample = "\"http://10.0.0.5:8080\"",
		.help = "Where requests go.",
	}, {
		.name = "weight", .type = CONF_INT, FIELD(conf_server, weight), .min = 0, .max = 256,
		.preset = "1",
		.help = "Its share of the requests, beside those of the others; 0: none.",
	},
	{.name = NULL},
};

static const struct conf_key server_item = {
	.type = CONF_GROUP, ITEM(conf_server), .keys = server_keys, .word = "url",
};

static const struct conf_key upstream_keys[] = {
	{
		.name = "servers", .type = CONF_LIST, ITEMS(conf_upstream, servers, server_count),
		.required = true, .min = 1, .max = CONF_SERVERS_MAX, .item = &server_item,
		.sample = "[\"http://10.0.0.5:8080\", {url: \"https://10.0.0.6:8443/base\", weight: 2}]",
		.help = "Where requests go: http://HOST:PORT/BASE, the same with https, h2c or h2 (HTTP/2 without and with TLS), or http+unix: or h2c+unix:/PATH/OF/SOCKET.",
	}, {
		.name = "balance", .type = CONF_ENUM, FIELD(conf_upstream, balance), .words = balances,
		.preset = "rr",
		.help = "How a server is picked: in turn, the less busy of two at random, or always the same for a device.",
	}, {
		.name = "timeout", .type = CONF_DURATION, FIELD(conf_upstream, timeout_ms),
		.min = 1, .max = HOUR, .preset = "3s",
		.help = "Longest time from a request to its whole answer, for routes that name none.",
	}, {
		.name = "queue", .type = CONF_DURATION, FIELD(conf_upstream, queue_ms),
		.min = 0, .max = HOUR, .preset = "200ms",
		.help = "Longest wait of a request for a free connection.",
	}, {
		.name = "max_inflight", .type = CONF_INT, FIELD(conf_upstream, max_inflight),
		.min = 1, .max = 1048576, .preset = "1024",
		.help = "Requests in flight, and as many may wait for a place; one more is answered with 5.03.",
	}, {
		.name = "max_connections", .type = CONF_INT, FIELD(conf_upstream, max_connections),
		.min = 1, .max = 65535, .preset = "64",
		.help = "Connections to all servers together.",
	}, {
		.name = "keepalive", .type = CONF_DURATION, FIELD(conf_upstream, keepalive_ms),
		.min = 0, .max = HOUR, .preset = "4s",
		.help = "How long an idle HTTP/1.1 connection is kept, if its server's Keep-Alive does not say; 0ms: it is closed after each answer.",
	}, {
		.name = "max_body", .type = CONF_SIZE, FIELD(conf_upstream, max_body),
		.min = 1, .max = 64 * MB, .preset = "1MB",
		.help = "Largest body of an answer that is read.",
	}, {
		.name = "max_age", .type = CONF_DURATION, FIELD(conf_upstream, max_age_ms),
		.min = 1000, .max = 168 * HOUR, .preset = "24h",
		.help = "Longest Max-Age that devices get, whatever Cache-Control or Retry-After say.",
	}, {
		.name = "retries", .type = CONF_GROUP, FIELD(conf_upstream, retries), .keys = retries_keys,
		.help = "When a failed request is sent to another server.",
	}, {
		.name = "eject", .type = CONF_GROUP, FIELD(conf_upstream, eject), .keys = eject_keys,
		.help = "When a server that fails requests is left out for a time.",
	}, {
		.name = "check", .type = CONF_GROUP, FIELD(conf_upstream, check), .keys = check_keys,
		.line_offset = offsetof(struct conf_check, line),
		.help = "Health checks; a server that fails them gets no requests.",
	}, {
		.name = "tls", .type = CONF_GROUP, FIELD(conf_upstream, tls), .keys = tls_keys,
		.line_offset = offsetof(struct conf_tls, line),
		.help = "TLS towards https and h2 servers.",
	}, {
		.name = "headers", .type = CONF_MAP, ITEMS(conf_upstream, headers, header_count),
		.min = 1, .max = CONF_HEADERS_MAX, .map_key = &conf_header_name, .item = &conf_header_item,
		.sample = "{Authorization: {file: /etc/postern/ingest.token}, X-Site: \"plant 7\"}",
		.help = "Headers of all requests and health checks; values are texts, or in files that only their owner may use.",
	},
	{.name = NULL},
};

static const struct conf_key devices_keys[] = {
	{
		.name = "store", .type = CONF_PATH, FIELD(conf_devices, store), .min = 1, .max = PATH_LEN,
		.effect = CONF_AT_START,
		.preset = "/var/lib/postern",
		.help = "Directory of the device store.",
	}, {
		.name = "kek", .type = CONF_STRING, FIELD(conf_devices, kek), .min = 1, .max = PATH_LEN,
		.effect = CONF_AT_START,
		.form = &conf_kek_form, .preset = CONF_KEK_CREDENTIAL,
		.help = "File with the key that seals the store, or credential: the systemd credential postern.kek.",
	}, {
		.name = "max", .type = CONF_INT, FIELD(conf_devices, max), .min = 16, .max = 16777216,
		.effect = CONF_AT_START,
		.preset = "1048576",
		.help = "Most devices there can be; memory for them is taken at start.",
	}, {
		.name = "errors", .type = CONF_ENUM, FIELD(conf_devices, errors), .words = error_policies,
		.effect = CONF_AT_RELOAD,
		.preset = "silent",
		.help = "Whether a request that is not verified gets an error (RFC 8613 section 8.2) or nothing.",
	}, {
		.name = "replay", .type = CONF_ENUM, FIELD(conf_devices, replay), .words = replay_policies,
		.effect = CONF_AT_RELOAD,
		.preset = "silent",
		.help = "What a replayed request gets: nothing, or 4.01.",
	}, {
		.name = "ack_timeout", .type = CONF_DURATION, FIELD(conf_devices, ack_timeout_ms),
		.effect = CONF_AT_START,
		.min = 1000, .max = 60000, .preset = "2s",
		.help = "ACK_TIMEOUT of the devices (RFC 7252): after a quarter of it a slow backend is acknowledged.",
	}, {
		.name = "max_in_flight", .type = CONF_INT, FIELD(conf_devices, max_in_flight),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = 255, .preset = "16",
		.help = "Requests of a device at backends, and separate answers that it has not acknowledged; beyond: 4.29.",
	}, {
		.name = "max_message", .type = CONF_INT, FIELD(conf_devices, max_message),
		.effect = CONF_AT_RELOAD,
		.min = 64, .max = 9216, .preset = "1152",
		.help = "Bytes of the largest CoAP message to a device; eight ninths may be payload, and blocks are no larger.",
	}, {
		.name = "rate", .type = CONF_INT, FIELD(conf_devices, rate), .min = 0, .max = 1000,
		.effect = CONF_AT_RELOAD,
		.preset = "0",
		.help = "Requests a second of each device, beyond: 4.29; 0: no limit.",
	}, {
		.name = "burst", .type = CONF_INT, FIELD(conf_devices, burst), .min = 1, .max = 10000,
		.effect = CONF_AT_RELOAD,
		.preset = "64",
		.help = "Requests that a device within its rate may send at once.",
	},
	{.name = NULL},
};

static const struct conf_key bodies_keys[] = {
	{.name = "memory", .type = CONF_SIZE, FIELD(conf_bodies, memory), .min = MB, .max = 64 * GB, .preset = "256MB",
		.help = "Bytes of all bodies; each of workers.loops has its part, and a device half of that."},
	{.name = "per_device", .type = CONF_INT, FIELD(conf_bodies, per_device), .min = 1, .max = 64, .preset = "4",
		.help = "Bodies of a device at a time; its oldest gives way to one more."},
	{.name = "keep", .type = CONF_DURATION, FIELD(conf_bodies, keep_ms), .min = 1000, .max = HOUR, .preset = "30s",
		.help = "How long an answer is kept after its last block was sent."},
	{.name = "idle", .type = CONF_DURATION, FIELD(conf_bodies, idle_ms), .min = 1000, .max = HOUR, .preset = "100s",
		.help = "How long a body is kept whose next block does not come, or is not asked for."},
	{.name = NULL},
};

static const struct conf_key cache_keys[] = {
	{.name = "memory", .type = CONF_SIZE, FIELD(conf_store_limits, memory), .min = MB, .max = 64 * GB, .preset = "64MB",
		.help = "Bytes of all stored answers; each of workers.loops has its part, and a device a tenth of that."},
	{.name = "entries", .type = CONF_INT, FIELD(conf_store_limits, entries), .min = 1024, .max = 16777216, .preset = "65536",
		.help = "Stored answers; each of workers.loops has its part, and a device a tenth of that."},
	{.name = NULL},
};

static const struct conf_key observe_keys[] = {
	{.name = "per_device", .type = CONF_INT, FIELD(conf_observers, per_device), .min = 1, .max = 255, .preset = "16", .effect = CONF_AT_RELOAD,
		.help = "Registrations that a device may have at once; others get plain answers."},
	{.name = "entries", .type = CONF_INT, FIELD(conf_observers, entries), .min = 16, .max = 4194304, .preset = "65536", .effect = CONF_AT_START,
		.help = "Registrations of a worker; of 160 bytes each, when they are used."},
	{.name = "confirm", .type = CONF_INT, FIELD(conf_observers, confirm), .min = 1, .max = 200, .preset = "16", .effect = CONF_AT_RELOAD,
		.help = "One notification of so many is confirmable, so that a device that is gone is noticed."},
	{.name = "burst", .type = CONF_INT, FIELD(conf_observers, burst), .min = 4, .max = 64, .preset = "64", .effect = CONF_AT_RELOAD,
		.help = "Notifications that a worker makes between two bursts of packets."},
	{.name = "max_age", .type = CONF_DURATION, FIELD(conf_observers, max_age_ms), .min = 5 * SECOND, .max = 24 * HOUR, .preset = "60s", .effect = CONF_AT_RELOAD,
		.help = "Max-Age of notifications where the service says nothing, or that each answer is to be validated."},
	{.name = NULL},
};

static const struct conf_key port_item = {.type = CONF_GROUP, ITEM(conf_port), .keys = port_keys};
static const struct conf_key upstream_item = {
	.type = CONF_GROUP, ITEM(conf_upstream), .keys = upstream_keys};
static const struct conf_key policy_name = {
	.type = CONF_STRING, FIELD(conf_policy, name), .min = 1, .max = 63,
	.form = &conf_policy_name_form,
};
static const struct conf_key policy_item = {
	.type = CONF_GROUP, ITEM(conf_policy), .keys = conf_policy_keys};
static const struct conf_key pass_item = {
	.type = CONF_GROUP, ITEM(conf_pass), .keys = conf_pass_keys};
static const struct conf_key route_item = {.type = CONF_GROUP, ITEM(conf_route), .keys = conf_route_keys};

static const struct conf_key file_keys[] = {
	{
		.name = "ports", .type = CONF_LIST, ITEMS(conf, ports, port_count), .required = true,
		.effect = CONF_AT_START,
		.min = 1, .max = CONF_PORTS_MAX, .item = &port_item,
		.help = "Ports that devices are reached through; each has exactly one of pci, tap, af_packet, af_xdp and memif.",
	}, {
		.name = "workers", .type = CONF_GROUP, FIELD(conf, workers), .keys = workers_keys,
		.effect = CONF_AT_START,
		.line_offset = offsetof(struct conf_workers, line),
		.help = "The threads that handle packets.",
	}, {
		.name = "upstreams", .type = CONF_MAP, ITEMS(conf, upstreams, upstream_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_UPSTREAMS_MAX, .item = &upstream_item, .map_key = &upstream_name,
		.sample = "telemetry",
		.help = "HTTP services behind the gateway, by names of your own.",
	}, {
		.name = "routes", .type = CONF_LIST, ITEMS(conf, routes, route_count), .required = true,
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_ROUTES_MAX, .item = &route_item,
		.help = "Which request goes where; the first route whose path and method match is taken.",
	}, {
		.name = "policies", .type = CONF_MAP, ITEMS(conf, policies, policy_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_POLICIES_MAX, .item = &policy_item, .map_key = &policy_name,
		.sample = "meters",
		.help = "What devices may use, by names of your own; a device with the policy NAME may do nothing else.",
	}, {
		.name = "passthrough", .type = CONF_LIST, ITEMS(conf, passes, pass_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_PASSES_MAX, .item = &pass_item,
		.help = "Kids whose keys postern does not have: their messages go to a service as they are, see docs/passthrough.md.",
	}, {
		.name = "bodies", .type = CONF_GROUP, FIELD(conf, bodies), .keys = bodies_keys,
		.effect = CONF_AT_START,
		.help = "Bodies of requests and answers that take more than one block.",
	}, {
		.name = "cache", .type = CONF_GROUP, FIELD(conf, cache), .keys = cache_keys,
		.effect = CONF_AT_START,
		.help = "Answers that are stored for the routes with cache.",
	}, {
		.name = "observe", .type = CONF_GROUP, FIELD(conf, observe), .keys = observe_keys,
		.help = "Limits of devices that observe routes with observe.",
	}, {
		.name = "devices", .type = CONF_GROUP, FIELD(conf, devices), .keys = devices_keys,
		.line_offset = offsetof(struct conf_devices, line),
		.help = "The devices' security contexts.",
	}, {
		.name = "handshakes", .type = CONF_GROUP, FIELD(conf, handshakes), .keys = conf_handshakes_keys,
		.effect = CONF_AT_START,
		.help = "Contexts that devices derive or agree on while they are in service, see docs/handshakes.md.",
	}, {
		.name = "edhoc", .type = CONF_GROUP, FIELD(conf, edhoc), .keys = conf_edhoc_keys,
		.help = "Devices that bring public keys (RFC 9528), see docs/handshakes.md.",
	}, {
		.name = "control", .type = CONF_GROUP, FIELD(conf, control), .keys = conf_control_keys,
		.effect = CONF_AT_START,
		.line_offset = offsetof(struct conf_control, line),
		.help = "The socket that manages the daemon.",
	}, {
		.name = "metrics", .type = CONF_GROUP, FIELD(conf, metrics), .keys = conf_metrics_keys,
		.line_offset = offsetof(struct conf_metrics, line),
		.help = "Figures for Prometheus, and health, see docs/metrics.md.",
	}, {
		.name = "push", .type = CONF_GROUP, FIELD(conf, push), .keys = conf_push_keys,
		.line_offset = offsetof(struct conf_push, line),
		.help = "Where services push what is there for routes with observe: {push: true}, see docs/observe.md.",
	}, {
		.name = "runtime", .type = CONF_PATH, FIELD(conf, runtime), .min = 1, .max = PATH_LEN,
		.effect = CONF_AT_START,
		.preset = "/run/postern",
		.help = "Directory of the run token, which must survive a restart of the service but no reboot.",
	}, {
		.name = "seccomp", .type = CONF_ENUM, FIELD(conf, seccomp), .words = seccomp_words,
		.effect = CONF_AT_START,
		.preset = "enforce",
		.help = "System calls that no part of the daemon makes: they end it, are only logged by the kernel, or are not looked at.",
	}, {
		.name = "log", .type = CONF_GROUP, FIELD(conf, log), .keys = conf_log_keys,
		.help = "Log messages.",
	},
	{.name = NULL},
};
// clang-format on

const struct conf_key conf_schema = {
	.type = CONF_GROUP, .size = sizeof(struct conf), .keys = file_keys};

_Static_assert(offsetof(struct conf_status, name) == 0, "a map's struct begins with its key");
_Static_assert(offsetof(struct conf_policy, name) == 0, "a map's struct begins with its key");
_Static_assert(offsetof(struct conf_upstream, name) == 0, "a map's struct begins with its key");
