// SPDX-License-Identifier: BSD-3-Clause
// The keys of the daemon itself: its control socket, its metrics, who pushes, its logs, its
// handshakes.

#include "gw/conf/conf.h"
#include "gw/conf/forms.h"
#include "gw/conf/listen.h"
#include "gw/conf/schema_parts.h"

static const struct conf_word log_levels[] = {{"error", CONF_LOG_ERROR},
	{"warning", CONF_LOG_WARNING}, {"notice", CONF_LOG_NOTICE}, {"info", CONF_LOG_INFO},
	{"debug", CONF_LOG_DEBUG}, {NULL, 0}};

static const struct conf_word log_formats[] = {
	{"text", CONF_LOG_TEXT}, {"json", CONF_LOG_JSON}, {NULL, 0}};

// clang-format off
const struct conf_key conf_control_keys[] = {
	{
		.name = "socket", .type = CONF_PATH, FIELD(conf_control, socket),
		.min = 1, .max = SOCKET_LEN, .preset = "/run/postern/control.sock",
		.help = "UNIX socket that posternctl speaks to.",
	}, {
		.name = "mode", .type = CONF_MODE, FIELD(conf_control, mode), .min = 0, .max = 0777,
		.preset = "0660",
		.help = "Permissions of the socket.",
	}, {
		.name = "group", .type = CONF_STRING, FIELD(conf_control, group),
		.min = 1, .max = 32, .form = &conf_group_form, .sample = "postern",
		.help = "Group of the socket, by default the daemon's; members of a named one operate.",
	},
	{.name = NULL},
};

static const struct conf_key host_item = {
	.type = CONF_STRING, .size = sizeof(char *), .min = 1, .max = 253, .form = &conf_host_form};

const struct conf_key conf_metrics_keys[] = {
	{
		.name = "listen", .type = CONF_STRING, FIELD(conf_metrics, listen),
		.effect = CONF_AT_START,
		.min = 1, .max = SOCKET_LEN, .form = &conf_listen_form, .preset = "127.0.0.1:9683",
		.help = "Where a page, /metrics, /healthz and /readyz are served over HTTP.",
	}, {
		.name = "hosts", .type = CONF_LIST, ITEMS(conf_metrics, hosts, host_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_HOSTS_MAX, .item = &host_item, .sample = "[gateway.example]",
		.help = "Names that a request's Host may have, beside addresses and localhost.",
	}, {
		.name = "server_urls", .type = CONF_BOOL, FIELD(conf_metrics, server_urls),
		.effect = CONF_AT_START,
		.preset = "false",
		.help = "Whether the page shows the URLs of servers also beyond loopback and a UNIX socket.",
	},
	{.name = NULL},
};

static const struct conf_word echoes[] = {{"auto", CONF_ECHO_AUTO}, {"always", CONF_ECHO_ALWAYS},
	{"never", CONF_ECHO_NEVER}, {NULL, 0}};
static const struct conf_word numbers[] = {
	{"0", 1 << 0}, {"1", 1 << 1}, {"2", 1 << 2}, {"3", 1 << 3}, {NULL, 0}};

static const struct conf_key number_item = {
	.type = CONF_ENUM, .size = sizeof(uint64_t), .words = numbers,
};

static const struct conf_key trust_keys[] = {
	{
		.name = "ca", .type = CONF_PATH, FIELD(conf_trust, ca), .required = true,
		.min = 1, .max = PATH_LEN, .sample = "/etc/postern/devices-ca.pem",
		.help = "File with the certificates of an authority, in PEM.",
	}, {
		.name = "name", .type = CONF_STRING, FIELD(conf_trust, name), .required = true,
		.min = 1, .max = 63, .form = &conf_trust_name_form, .sample = "\"factory-{cn}\"",
		.help = "How a device is named that has a certificate of it; no prefix begins with another one.",
	}, {
		.name = "policy", .type = CONF_STRING, FIELD(conf_trust, policy),
		.min = 1, .max = 63, .form = &conf_policy_name_form, .sample = "meters",
		.help = "Policy of these devices.",
	},
	{.name = NULL},
};
static const struct conf_key trust_item = {
	.type = CONF_GROUP, ITEM(conf_trust), .keys = trust_keys};

static const struct conf_key identity_item = {
	.type = CONF_STRING, .size = sizeof(char *), .min = 1, .max = PATH_LEN,
	.form = &conf_identity_form};

const struct conf_key conf_edhoc_keys[] = {
	{
		.name = "identity", .type = CONF_LIST, ITEMS(conf_edhoc, identity, identity_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_IDENTITIES_MAX, .item = &identity_item, .alone = true,
		.sample = "/etc/postern/edhoc.json",
		.help = "Files with the gateway's private keys and credentials, the one that is used first at the front; without one EDHOC is not served.",
	}, {
		.name = "trust", .type = CONF_LIST, ITEMS(conf_edhoc, trust, trust_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_TRUST_MAX, .item = &trust_item,
		.help = "Authorities whose certificates are devices, beside the credentials of the store.",
	}, {
		.name = "revoked", .type = CONF_PATH, FIELD(conf_edhoc, revoked),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = PATH_LEN, .sample = "/etc/postern/edhoc-revoked",
		.help = "File with the fingerprints and serial numbers of credentials that are not accepted any more.",
	}, {
		.name = "methods", .type = CONF_SET, FIELD(conf_edhoc, methods), .item = &number_item,
		.effect = CONF_AT_START,
		.min = 1, .max = 4, .sample = "[3, 0]",
		.help = "Methods that are allowed, by default all that the identity is good for.",
	}, {
		.name = "suites", .type = CONF_SET, FIELD(conf_edhoc, suites), .item = &number_item,
		.effect = CONF_AT_START,
		.min = 1, .max = 4, .sample = "[2, 3]",
		.help = "Cipher suites that are allowed, by default all that the identity is good for.",
	}, {
		.name = "c_r_length", .type = CONF_INT, FIELD(conf_edhoc, c_r_length),
		.effect = CONF_AT_START,
		.min = 2, .max = 4, .preset = "3",
		.help = "Bytes of the connection identifiers that the gateway gives to devices.",
	}, {
		.name = "tell_unknown", .type = CONF_BOOL, FIELD(conf_edhoc, tell_unknown),
		.effect = CONF_AT_START,
		.preset = "false",
		.help = "Whether a device learns that its credential is unknown, and not only that it failed.",
	}, {
		.name = "message_4", .type = CONF_BOOL, FIELD(conf_edhoc, message_4),
		.effect = CONF_AT_START,
		.preset = "false",
		.help = "Whether message_3 is answered with message_4; then it never comes with the first request.",
	},
	{.name = NULL},
};

const struct conf_key conf_push_keys[] = {
	{
		.name = "listen", .type = CONF_STRING, FIELD(conf_push, listen),
		.effect = CONF_AT_START,
		.min = 1, .max = SOCKET_LEN, .form = &conf_listen_form, .preset = CONF_LISTEN_OFF,
		.help = "Where services push, with PUT and DELETE of /v1/resources/PATH: a UNIX socket, an address, or off.",
	}, {
		.name = "token", .type = CONF_PATH, FIELD(conf_push, token),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = PATH_LEN, .sample = "/etc/postern/push.token",
		.help = "File with what they send as \"Authorization: Bearer ..\", that only its owner may use; needed beyond loopback and a UNIX socket.",
	}, {
		.name = "hosts", .type = CONF_LIST, ITEMS(conf_push, hosts, host_count),
		.effect = CONF_AT_RELOAD,
		.min = 1, .max = CONF_HOSTS_MAX, .item = &host_item, .sample = "[gateway.example]",
		.help = "Names that a request's Host may have, beside addresses and localhost.",
	}, {
		.name = "max_body", .type = CONF_SIZE, FIELD(conf_push, max_body),
		.effect = CONF_AT_START,
		.min = 1, .max = 64 * MB, .preset = "1MB",
		.help = "Largest body of a push.",
	},
	{.name = NULL},
};

const struct conf_key conf_handshakes_keys[] = {
	{
		.name = "threads", .type = CONF_INT, FIELD(conf_handshakes, threads), .min = 1, .max = 8,
		.preset = "1",
		.help = "Threads that verify the messages by which devices derive contexts.",
	}, {
		.name = "rate", .type = CONF_INT, FIELD(conf_handshakes, rate), .min = 1, .max = 1000000,
		.preset = "10000",
		.help = "Such messages a second that a worker takes, and verified ones that a thread answers.",
	}, {
		.name = "prefix_rate", .type = CONF_INT, FIELD(conf_handshakes, prefix_rate),
		.min = 1, .max = 1000000, .preset = "2000",
		.help = "Such messages a second that a worker takes from one /24 or /56.",
	}, {
		.name = "device_rate", .type = CONF_INT, FIELD(conf_handshakes, device_rate),
		.min = 2, .max = 1000, .preset = "4",
		.help = "Verified ones a second of one device and one such network.",
	}, {
		.name = "sessions", .type = CONF_INT, FIELD(conf_handshakes, sessions),
		.min = 1, .max = 10000000, .preset = "10000",
		.help = "Contexts that devices have agreed on by EDHOC, beside those of devices.max.",
	}, {
		.name = "keep", .type = CONF_DURATION, FIELD(conf_handshakes, keep_ms),
		.min = 1000, .max = 604800000, .preset = "1h",
		.help = "How long such a context stays unused before it gives way to another when there are too many.",
	}, {
		.name = "max_age", .type = CONF_DURATION, FIELD(conf_handshakes, max_age_ms),
		.min = 60000, .max = 2592000000, .preset = "24h",
		.help = "How long such a context is good for.",
	}, {
		.name = "echo", .type = CONF_ENUM, FIELD(conf_handshakes, echo), .words = echoes,
		.preset = "auto",
		.help = "Whether a device must show that it receives at its address before EDHOC begins: auto, when many wait or the answer would be large.",
	},
	{.name = NULL},
};

const struct conf_key conf_log_keys[] = {
	{
		.name = "level", .type = CONF_ENUM, FIELD(conf_log, level), .words = log_levels,
		.effect = CONF_AT_RELOAD,
		.preset = "info",
		.help = "Least level that is logged.",
	}, {
		.name = "format", .type = CONF_ENUM, FIELD(conf_log, format), .words = log_formats,
		.effect = CONF_AT_RELOAD,
		.preset = "text",
		.help = "Each line as text, or as a JSON object with time, level, source and message.",
	}, {
		.name = "access", .type = CONF_STRING, FIELD(conf_log, access), .min = 1, .max = PATH_LEN,
		.effect = CONF_AT_START,
		.form = &conf_access_form, .sample = "/var/log/postern/access.json",
		.help = "Where a line of JSON for each verified request that was answered is written, by default nowhere.",
	}, {
		.name = "sample", .type = CONF_PERCENT, FIELD(conf_log, sample), .min = 0, .max = 100,
		.effect = CONF_AT_RELOAD,
		.preset = "100%",
		.help = "Share of the requests that get a line, picked at random.",
	}, {
		.name = "rate", .type = CONF_INT, FIELD(conf_log, rate), .min = 1, .max = 1000000,
		.effect = CONF_AT_RELOAD,
		.preset = "1000",
		.help = "Most lines a second; the others are dropped and counted.",
	},
	{.name = NULL},
};
// clang-format on
