// SPDX-License-Identifier: BSD-3-Clause
// The keys of routes, and of what devices may use of them.

#include "dataplane/coap/message.h"
#include "gw/conf/conf.h"
#include "gw/conf/forms.h"
#include "gw/conf/headers.h"
#include "gw/conf/schema_parts.h"

static const struct conf_word methods[] = {{"GET", 1 << COAP_GET}, {"POST", 1 << COAP_POST},
	{"PUT", 1 << COAP_PUT}, {"DELETE", 1 << COAP_DELETE}, {"FETCH", 1 << COAP_FETCH},
	{"PATCH", 1 << COAP_PATCH}, {"iPATCH", 1 << COAP_IPATCH}, {NULL, 0}};
#define CONF_METHOD_COUNT (sizeof(methods) / sizeof(methods[0]) - 1)
static const struct conf_word fetches[] = {
	{"post", CONF_FETCH_POST}, {"query", CONF_FETCH_QUERY}, {NULL, 0}};
static const struct conf_word priorities[] = {
	{"normal", CONF_PRIORITY_NORMAL}, {"low", CONF_PRIORITY_LOW}, {NULL, 0}};
static const struct conf_word idempotencies[] = {
	{"ignored", CONF_IDEMPOTENCY_IGNORED}, {"honoured", CONF_IDEMPOTENCY_HONOURED}, {NULL, 0}};
static const struct conf_word translations[] = {
	{"none", CONF_TRANSLATE_NONE}, {"cbor-json", CONF_TRANSLATE_CBOR_JSON}, {NULL, 0}};
static const struct conf_word scopes[] = {
	{"private", CONF_CACHE_PRIVATE}, {"shared", CONF_CACHE_SHARED}, {NULL, 0}};
static const struct conf_word batch_formats[] = {{"cloudevents", CONF_BATCH_CLOUDEVENTS},
	{"ndjson", CONF_BATCH_NDJSON}, {"cbor-seq", CONF_BATCH_CBOR_SEQ},
	{"es-bulk", CONF_BATCH_ES_BULK}, {"influx", CONF_BATCH_INFLUX}, {NULL, 0}};

// clang-format off
const struct conf_key conf_header_name = {
	.type = CONF_STRING, FIELD(conf_header, name), .min = 1, .max = 63,
	.form = &conf_header_name_form,
};

#define HEADER_KIND(number) \
	.choice = (number), .choice_offset = offsetof(struct conf_header, kind), \
	FIELD(conf_header, value)

static const struct conf_key header_keys[] = {
	{
		.name = "text", .type = CONF_STRING, HEADER_KIND(CONF_HEADER_TEXT),
		.min = 1, .max = CONF_HEADER_VALUE_MAX, .form = &conf_header_value_form, .hidden = true,
		.sample = "\"plant 7\"",
		.help = "Value of the header; the text may also stand in place of this map.",
	}, {
		.name = "file", .type = CONF_PATH, HEADER_KIND(CONF_HEADER_FILE),
		.min = 1, .max = PATH_LEN, .sample = "/etc/postern/ingest.token",
		.help = "File with the value, that only its owner may use; read at start and reload.",
	},
	{.name = NULL},
};

const struct conf_key conf_header_item = {
	.type = CONF_GROUP, ITEM(conf_header), .keys = header_keys, .word = "text",
};

static const struct conf_key batch_keys[] = {
	{
		.name = "path", .type = CONF_STRING, FIELD(conf_batch, path), .required = true,
		.min = 1, .max = PATH_LEN, .form = &conf_check_path_form, .sample = "/ingest",
		.help = "Where a batch goes with POST, behind the server's URL, maybe with a query.",
	}, {
		.name = "max", .type = CONF_INT, FIELD(conf_batch, max), .min = 1, .max = 4096,
		.preset = "512",
		.help = "Most readings in one request.",
	}, {
		.name = "bytes", .type = CONF_SIZE, FIELD(conf_batch, bytes), .min = 4 * KB, .max = MB,
		.preset = "64KB",
		.help = "Largest body of a request.",
	}, {
		.name = "wait", .type = CONF_DURATION, FIELD(conf_batch, wait_ms),
		.min = 1, .max = 60 * SECOND, .preset = "10ms",
		.help = "Longest time that a reading waits for others, at most half of the route's timeout.",
	}, {
		.name = "format", .type = CONF_ENUM, FIELD(conf_batch, format), .words = batch_formats,
		.preset = "cloudevents",
		.help = "How the readings stand in the body, see docs/batches.md.",
	},
	{.name = NULL},
};

static const struct conf_key cache_keys[] = {
	{
		.name = "scope", .type = CONF_ENUM, FIELD(conf_cache, scope), .words = scopes,
		.required = true, .sample = "shared",
		.help = "Whether one answer is for every device that may ask, and GET and FETCH say nothing of the device; it may stand in place of this map.",
	}, {
		.name = "default", .type = CONF_DURATION, FIELD(conf_cache, default_ms),
		.min = 1, .max = HOUR, .sample = "5s",
		.help = "How long a 200 is fresh that says nothing about it; by default it is not stored.",
	},
	{.name = NULL},
};

static const struct conf_key stream_keys[] = {
	{
		.name = "format", .type = CONF_INT, FIELD(conf_stream, format), .required = true,
		.min = 0, .max = 65534, .sample = "50",
		.help = "Content-Format of its events: their data is text, or else Base64.",
	}, {
		.name = "event", .type = CONF_STRING, FIELD(conf_stream, event),
		.min = 1, .max = 63, .sample = "update",
		.help = "Type of the events that are told, by default those without one.",
	}, {
		.name = "max", .type = CONF_INT, FIELD(conf_stream, max), .min = 1, .max = 4096,
		.preset = "64",
		.help = "Most streams of the route at a time, each of a path and query that is observed and on a connection of its own; others are polled.",
	}, {
		.name = "quiet", .type = CONF_DURATION, FIELD(conf_stream, quiet_ms),
		.min = 10 * SECOND, .max = 24 * HOUR, .preset = "5m",
		.help = "How long a stream may tell nothing, not even a comment, before it is asked for again.",
	},
	{.name = NULL},
};

static const struct conf_key observe_keys[] = {
	{
		.name = "poll", .type = CONF_DURATION, FIELD(conf_observe, poll_ms),
		.min = SECOND, .max = HOUR, .sample = "5s",
		.help = "How often the service is asked while somebody observes; by default before its answer is stale. Needs cache: shared.",
	}, {
		.name = "push", .type = CONF_BOOL, FIELD(conf_observe, push), .preset = "false",
		.help = "Whether the service says by itself what is there, through push.listen or posternctl observe push.",
	}, {
		.name = "stream", .type = CONF_GROUP, FIELD(conf_observe, stream), .keys = stream_keys,
		.line_offset = offsetof(struct conf_stream, line),
		.help = "The service tells what is there in a stream of events, which is asked for while somebody observes. Needs cache: shared.",
	},
	{.name = NULL},
};

static const struct conf_key method_item = {
	.type = CONF_ENUM, .size = sizeof(uint64_t), .words = methods,
};

static const struct conf_key format_item = {
	.type = CONF_INT, .size = sizeof(uint16_t), .min = 0, .max = 65535,
};

static const struct conf_key status_name = {
	.type = CONF_STRING, FIELD(conf_status, name), .min = 3, .max = 3,
	.form = &conf_status_form,
};

static const struct conf_key status_keys[] = {
	{
		.name = "code", .type = CONF_STRING, FIELD(conf_status, text), .required = true,
		.min = 4, .max = 4, .form = &conf_code_form, .sample = "4.00",
		.help = "Code of CoAP; it may also stand in place of this map.",
	},
	{.name = NULL},
};

static const struct conf_key status_item = {
	.type = CONF_GROUP, ITEM(conf_status), .keys = status_keys, .word = "code",
};

const struct conf_key conf_route_keys[] = {
	{
		.name = "path", .type = CONF_PATTERN, FIELD(conf_route, path), .required = true,
		.sample = "/t/*",
		.help = "Path of the requests; a * segment stands for any segment, at the end for any rest.",
	}, {
		.name = "methods", .type = CONF_SET, FIELD(conf_route, methods), .item = &method_item,
		.min = 1, .max = CONF_METHOD_COUNT,
		.sample = "[GET, POST]",
		.help = "Methods of the requests, by default all.",
	}, {
		.name = "content_formats", .type = CONF_LIST,
		ITEMS(conf_route, formats, format_count), .item = &format_item,
		.min = 1, .max = CONF_FORMATS_MAX, .sample = "[60, 112]",
		.help = "Content-Formats that payloads may have, by their numbers, by default any; others get 4.15.",
	}, {
		.name = "to", .type = CONF_STRING, FIELD(conf_route, to), .required = true,
		.min = 1, .max = 63, .sample = "telemetry",
		.help = "Name of an upstream, or builtin:discard, builtin:echo, or builtin:core, the list of routes.",
	}, {
		.name = "timeout", .type = CONF_DURATION, FIELD(conf_route, timeout_ms),
		.min = 1, .max = HOUR, .sample = "3s",
		.help = "Longest time from a request to its whole answer, by default the upstream's.",
	}, {
		.name = "fresh", .type = CONF_DURATION, FIELD(conf_route, fresh_ms),
		.min = SECOND, .max = HOUR, .sample = "10s",
		.help = "How old the Echo in a request may be; a request without gets 4.01 with one. By default none is asked for.",
	}, {
		.name = "priority", .type = CONF_ENUM, FIELD(conf_route, priority), .words = priorities,
		.preset = "normal",
		.help = "Whether its requests are the first to be refused, with 5.03, when a worker is overloaded.",
	}, {
		.name = "fetch", .type = CONF_ENUM, FIELD(conf_route, fetch), .words = fetches,
		.preset = "post",
		.help = "HTTP method that FETCH becomes: POST or QUERY.",
	}, {
		.name = "idempotency", .type = CONF_ENUM, FIELD(conf_route, idempotency),
		.words = idempotencies, .preset = "ignored",
		.help = "Whether the service heeds Idempotency-Key, so that every method may be sent again.",
	}, {
		.name = "translate", .type = CONF_ENUM, FIELD(conf_route, translate),
		.words = translations, .preset = "none",
		.help = "Whether CBOR of devices becomes JSON for the service, and its JSON CBOR, SenML included.",
	}, {
		.name = "max_body", .type = CONF_SIZE, FIELD(conf_route, max_body),
		.min = 1, .max = 64 * MB, .preset = "1MB",
		.help = "Largest body, of a request and of an answer, that is put together from blocks.",
	}, {
		.name = "host", .type = CONF_STRING, FIELD(conf_route, host),
		.min = 1, .max = 260, .form = &conf_authority_form, .sample = "backend.example",
		.help = "Host header, by default host and port of the server.",
	}, {
		.name = "strip", .type = CONF_INT, FIELD(conf_route, strip),
		.min = 0, .max = CONF_SEGMENTS_MAX, .preset = "0",
		.help = "Segments of the path that are cut off in front.",
	}, {
		.name = "prefix", .type = CONF_BASE, FIELD(conf_route, prefix), .preset = "/",
		.help = "Path that is put in front of what strip leaves.",
	}, {
		.name = "headers", .type = CONF_MAP, ITEMS(conf_route, headers, header_count),
		.min = 1, .max = CONF_HEADERS_MAX, .map_key = &conf_header_name, .item = &conf_header_item,
		.sample = "{X-Site: \"plant 7\"}",
		.help = "Headers of its requests, beside and before those of its upstream.",
	}, {
		.name = "listed", .type = CONF_BOOL, FIELD(conf_route, listed), .preset = "true",
		.help = "Whether devices find it in the list of builtin:core.",
	}, {
		.name = "description", .type = CONF_STRING, FIELD(conf_route, description),
		.min = 1, .max = 120, .form = &conf_quotable_form, .sample = "Readings",
		.help = "Its title there.",
	}, {
		.name = "rt", .type = CONF_STRING, FIELD(conf_route, rt),
		.min = 1, .max = 120, .form = &conf_words_form, .sample = "core.dns",
		.help = "Its resource types there (RFC 6690), with blanks between them.",
	}, {
		.name = "if", .type = CONF_STRING, FIELD(conf_route, interface),
		.min = 1, .max = 120, .form = &conf_words_form, .sample = "core.s",
		.help = "Its interfaces there, likewise.",
	}, {
		.name = "status", .type = CONF_MAP, ITEMS(conf_route, statuses, status_count),
		.min = 1, .max = CONF_STATUSES_MAX, .map_key = &status_name, .item = &status_item,
		.sample = "{404: 4.00, 418: 4.03}",
		.help = "Codes for HTTP statuses from 300 on, instead of those in docs/http.md.",
	}, {
		.name = "batch", .type = CONF_GROUP, FIELD(conf_route, batch), .keys = batch_keys,
		.line_offset = offsetof(struct conf_batch, line),
		.help = "Many readings, one request: POST and PUT are collected and sent together.",
	}, {
		.name = "cache", .type = CONF_GROUP, FIELD(conf_route, cache), .keys = cache_keys,
		.word = "scope", .line_offset = offsetof(struct conf_cache, line),
		.help = "Answers to GET and FETCH are stored as the service allows, and served again, see docs/cache.md.",
	}, {
		.name = "observe", .type = CONF_GROUP, FIELD(conf_route, observe), .keys = observe_keys,
		.line_offset = offsetof(struct conf_observe, line),
		.help = "Devices may observe what GET and FETCH give, see docs/observe.md. Needs cache.",
	},
	{.name = NULL},
};

static const struct conf_key permit_keys[] = {
	{
		.name = "path", .type = CONF_PATTERN, FIELD(conf_permit, path), .required = true,
		.sample = "/t/*",
		.help = "Path of the requests, as in routes.",
	}, {
		.name = "methods", .type = CONF_SET, FIELD(conf_permit, methods), .item = &method_item,
		.min = 1, .max = CONF_METHOD_COUNT,
		.sample = "[POST]",
		.help = "Methods of the requests, by default all.",
	},
	{.name = NULL},
};

static const struct conf_key permit_item = {
	.type = CONF_GROUP, ITEM(conf_permit), .keys = permit_keys,
};

const struct conf_key conf_policy_keys[] = {
	{
		.name = "allow", .type = CONF_LIST, ITEMS(conf_policy, allow, allow_count),
		.required = true, .min = 0, .max = CONF_PERMITS_MAX, .item = &permit_item,
		.help = "What devices of the policy may do: all that one entry takes; with none, nothing.",
	},
	{.name = NULL},
};
// clang-format on
