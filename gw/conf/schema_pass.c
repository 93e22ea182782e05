// SPDX-License-Identifier: BSD-3-Clause
// The keys of what is passed through.

#include "gw/conf/conf.h"
#include "gw/conf/forms.h"
#include "gw/conf/schema_parts.h"

static const struct conf_word echoes[] = {
	{"always", CONF_PASS_ECHO_ALWAYS}, {"large", CONF_PASS_ECHO_LARGE}, {NULL, 0}};

// clang-format off
const struct conf_key conf_pass_keys[] = {
	{
		.name = "kid", .type = CONF_STRING, FIELD(conf_pass, kid), .required = true,
		.min = 0, .max = 2 * CONF_KID_MAX, .form = &conf_hex_form, .sample = "\"0a0b\"",
		.help = "Kid of the messages, in hex; no device of the store may have it.",
	}, {
		.name = "kid_context", .type = CONF_STRING, FIELD(conf_pass, kid_context),
		.min = 0, .max = 2 * CONF_CONTEXT_MAX, .form = &conf_hex_form, .sample = "\"37cbf3210017a2d3\"",
		.help = "Kid context of the messages, in hex; by default they may have any, or none.",
	}, {
		.name = "to", .type = CONF_STRING, FIELD(conf_pass, route.to), .required = true,
		.min = 1, .max = 63, .sample = "telemetry",
		.help = "Name of an upstream.",
	}, {
		.name = "path", .type = CONF_BASE, FIELD(conf_pass, route.prefix), .preset = "/",
		.help = "Path that all of them are sent to, behind the server's URL.",
	}, {
		.name = "timeout", .type = CONF_DURATION, FIELD(conf_pass, route.timeout_ms),
		.min = 1, .max = HOUR, .sample = "3s",
		.help = "Longest time from a message to its whole answer, by default the upstream's.",
	}, {
		.name = "host", .type = CONF_STRING, FIELD(conf_pass, route.host),
		.min = 1, .max = 260, .form = &conf_authority_form, .sample = "backend.example",
		.help = "Host header, by default host and port of the server.",
	}, {
		.name = "rate", .type = CONF_INT, FIELD(conf_pass, rate), .min = 1, .max = 1000000,
		.preset = "100",
		.help = "Messages a second that a worker passes through.",
	}, {
		.name = "prefix_rate", .type = CONF_INT, FIELD(conf_pass, prefix_rate),
		.min = 1, .max = 1000000, .preset = "10",
		.help = "The same of those that come from one /24, or one /56 of IPv6.",
	}, {
		.name = "max_in_flight", .type = CONF_INT, FIELD(conf_pass, max_in_flight),
		.min = 1, .max = 65535, .preset = "16",
		.help = "Messages that may wait for their answers at a time, at each worker.",
	}, {
		.name = "echo", .type = CONF_ENUM, FIELD(conf_pass, echo), .words = echoes,
		.preset = "always",
		.help = "Whether a sender proves its address before anything is passed through, or before an answer of more than three times its message.",
	},
	{.name = NULL},
};
// clang-format on
