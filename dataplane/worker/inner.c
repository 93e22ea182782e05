// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/inner.h"

#include "dataplane/coap/block.h"
#include "dataplane/coap/path.h"

#include <rte_common.h>

#include <assert.h>

struct uri_path {
	bool bad;
	struct dp_path path;
};

static const struct request_verdict go_on;

static struct request_verdict refuse(uint8_t code, const char *diagnostic)
{
	return (struct request_verdict){.code = code, .diagnostic = diagnostic};
}

static struct request_verdict malformed(const char *diagnostic)
{
	return (struct request_verdict){
		.code = COAP_BAD_REQUEST, .diagnostic = diagnostic, .malformed = true};
}

// RFC 8768 section 3.
static struct request_verdict check_hop_limit(const struct coap_option *option)
{
	if (option->len != 1 || option->value[0] == 0)
		return refuse(COAP_BAD_REQUEST, "Bad Hop-Limit");
	return option->value[0] == 1 ? refuse(COAP_HOP_LIMIT_REACHED, "postern") : go_on;
}

// Options of the outer message. Class E ones and unknown ones are discarded there (RFC 8613
// section 8.2 step 1); what is left are those meant for proxies.
static struct request_verdict check_outer(const struct coap_body *body)
{
	struct request_verdict verdict;
	struct coap_option_iter iter;
	struct coap_option option;

	if (body->option_count == body->oscore_count)
		return go_on;
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		switch (option.number) {
		case COAP_OPT_PROXY_URI:
		case COAP_OPT_PROXY_SCHEME:
			return refuse(COAP_PROXYING_NOT_SUPPORTED, "No forward proxy here");
		case COAP_OPT_HOP_LIMIT:
			verdict = check_hop_limit(&option);
			if (verdict.code)
				return verdict;
			break;
		default:
			break;
		}
	}
	return go_on;
}

// An option that cannot be processed (RFC 7252 sections 5.4.1, 5.4.3 and 5.4.5): unknown, of a
// wrong length, or once too often. Elective ones are ignored.
static struct request_verdict unrecognised(const struct coap_option *option, uint8_t type)
{
	if (!COAP_OPT_IS_CRITICAL(option->number))
		return go_on;
	struct request_verdict verdict = refuse(COAP_BAD_OPTION, "Unrecognised critical option");

	verdict.silent = type == COAP_NON; // section 5.4.1: rejected
	return verdict;
}

// A block (RFC 7959): whoever has the route puts them together.
static struct request_verdict check_block(
	const struct coap_option *option, struct request_options *options)
{
	struct coap_block block;

	if (!coap_block_read(&block, option) || block.szx == COAP_SZX_RESERVED)
		return refuse(COAP_BAD_REQUEST, "Bad block size");
	if (option->number == COAP_OPT_BLOCK1) {
		options->has_block1 = true;
		options->more_blocks = block.more;
	} else {
		options->later_block = block.num > 0;
		options->szx = block.szx;
	}
	return go_on;
}

// RFC 7641 section 2: 0, which is sent without a byte or with one, registers, 1 takes back.
static uint8_t observe_of(const uint8_t *value, unsigned len)
{
	if (len > 1 || (len && *value > 1))
		return DP_OBSERVE_NONE;
	return len && *value ? DP_OBSERVE_CANCEL : DP_OBSERVE_REGISTER;
}

static struct request_verdict check_option(const struct coap_option *option, bool again,
	uint8_t type, struct dp_inner *inner, struct uri_path *uri)
{
	if (option->number == COAP_OPT_HOP_LIMIT) // of any length
		return check_hop_limit(option);
	if (!coap_option_known(option->number) ||
		!coap_option_len_ok(option->number, option->len) ||
		(again && !coap_option_repeatable(option->number)))
		return unrecognised(option, type);
	switch (option->number) {
	case COAP_OPT_OSCORE: // RFC 8613 section 4.1.3.7
		return refuse(COAP_BAD_OPTION, "OSCORE inside OSCORE");
	case COAP_OPT_PROXY_URI:
	case COAP_OPT_PROXY_SCHEME:
		return refuse(COAP_PROXYING_NOT_SUPPORTED, "No forward proxy here");
	case COAP_OPT_BLOCK1:
	case COAP_OPT_BLOCK2:
		return check_block(option, &inner->options);
	case COAP_OPT_Q_BLOCK1:
	case COAP_OPT_Q_BLOCK2:
		return refuse(COAP_BAD_OPTION, "Q-Block is not supported");
	case COAP_OPT_EDHOC: // not inside OSCORE, and not supported (RFC 9668 section 3.1)
		return unrecognised(option, type);
	case COAP_OPT_ECHO:
		inner->options.has_echo = true;
		break;
	case COAP_OPT_OBSERVE:
		inner->options.observe = observe_of(option->value, option->len);
		break;
	case COAP_OPT_NO_RESPONSE:
		inner->options.no_response = option->len ? option->value[0] : 0;
		break;
	case COAP_OPT_CONTENT_FORMAT:
		inner->options.has_content_format =
			coap_option_uint(option, &inner->options.content_format);
		break;
	case COAP_OPT_URI_PATH:
		// A segment behind an empty one: only the last one may be empty.
		uri->bad |= !coap_segment_ok(option->value, option->len) ||
			(uri->path.count && !uri->path.segment[uri->path.count - 1].len) ||
			!dp_path_add(&uri->path, option);
		break;
	default:
		break;
	}
	return go_on;
}

// The first option that is refused decides, but all are read: No-Response comes late and holds for
// the refusal too.
static struct request_verdict check_inner(
	uint8_t type, struct dp_inner *inner, struct uri_path *uri)
{
	struct request_verdict first = go_on;
	struct coap_option_iter iter;
	struct coap_option option;
	uint32_t before = UINT32_MAX;

	coap_option_iter_init(&iter, &inner->body);
	while (coap_option_next(&iter, &option)) {
		struct request_verdict verdict =
			check_option(&option, option.number == before, type, inner, uri);

		before = option.number;
		if (!first.code)
			first = verdict;
	}
	return first;
}

static bool is_forbidden(
	const struct dp_inner_rules *rules, const struct dp_path *path, uint8_t code)
{
	return rules->closed || (rules->permit && dp_route_find(rules->permit, path, code) < 0);
}

struct request_verdict dp_inner_read(struct dp_inner *inner, const struct dp_inner_rules *rules,
	const struct coap_body *outer, uint8_t type, const uint8_t *plaintext, uint16_t len)
{
	enum coap_verdict parsed =
		coap_body_parse_max(&inner->body, plaintext + 1, len - 1, DP_INNER_OPTIONS_MAX);
	struct request_verdict verdict;
	struct uri_path uri; // spares the room of the segments

	inner->code = plaintext[0];
	inner->options = (struct request_options){.szx = DP_SZX_NONE};
	if (parsed == COAP_MANY_OPTIONS)
		return malformed("Too many options");
	if (parsed != COAP_OK || inner->code == COAP_EMPTY || COAP_CODE_CLASS(inner->code) != 0)
		return malformed("Bad inner message");
	uri.bad = false;
	uri.path.count = 0;
	verdict = check_inner(type, inner, &uri);
	if (!verdict.code)
		verdict = check_outer(outer);
	if (!verdict.code && inner->code > COAP_IPATCH)
		verdict = refuse(COAP_METHOD_NOT_ALLOWED, "Unknown method");
	if (!verdict.code && uri.bad)
		verdict = refuse(COAP_BAD_REQUEST, "Bad Uri-Path");
	if (!verdict.code) {
		inner->route = dp_route_find(rules->routes, &uri.path, inner->code);
		inner->forbidden = is_forbidden(rules, &uri.path, inner->code);
	}
	return verdict;
}

// More than these is not usual.
#define USUAL_OPTIONS  16
#define USUAL_SEGMENTS 8

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

// Whether the lowest `count` bytes of a word, at most 8, are letters, digits, "-" or "_", which
// coap_segment_ok() lets pass wherever they stand. The bytes above them are 0. Each comparison is
// an addition that reaches the highest bit of its byte, and never the next byte as long as all are
// ASCII; if one is not, whatever comes out is not looked at.
static inline bool is_plain(uint64_t word, unsigned count)
{
	uint64_t lower = word | EACH(0x20);
	uint64_t letter = (lower + EACH(0x80 - 'a')) & ~(lower + EACH(0x7f - 'z'));
	uint64_t digit = (word + EACH(0x80 - '0')) & ~(word + EACH(0x7f - '9'));
	uint64_t mark = (EACH(0x80) - (word ^ EACH('-'))) | (EACH(0x80) - (word ^ EACH('_')));
	uint64_t good = (letter | digit | mark) & ~word & EACH(0x80);

	return good == (EACH(0x80) & UINT64_MAX >> (64 - 8 * count));
}

// Whether an option asks nothing of the worker, and may stand here.
static bool is_passed_on(uint16_t number, uint16_t len, bool again)
{
	const uint32_t passed_on = 1 << COAP_OPT_IF_MATCH | 1 << COAP_OPT_ETAG |
		1 << COAP_OPT_IF_NONE_MATCH | 1 << COAP_OPT_OBSERVE | 1 << COAP_OPT_URI_QUERY |
		1 << COAP_OPT_ACCEPT;

	return number < 32 && passed_on >> number & 1 && coap_option_len_ok(number, len) &&
		(!again || coap_option_repeatable(number));
}

bool dp_inner_read_usual(struct dp_inner *inner, const struct dp_inner_rules *rules,
	const struct coap_body *outer, const uint8_t *plaintext, uint16_t len)
{
	const uint8_t *at = plaintext + 1, *end = plaintext + len, *payload = NULL;
	struct dp_segment_key path[USUAL_SEGMENTS];
	unsigned number = 0, options = 0, segments = 0;

	inner->code = plaintext[0];
	inner->options = (struct request_options){.szx = DP_SZX_NONE};
	if (inner->code - 1u >= COAP_IPATCH || outer->option_count != outer->oscore_count)
		return false;
	for (; at < end; options++) {
		unsigned delta = *at >> 4, value_len = *at & 0xf;

		if (*at == COAP_PAYLOAD_MARK) {
			payload = at + 1;
			break;
		}
		at++;
		if (delta > COAP_OPT_NIBBLE_PLAIN || value_len > COAP_OPT_NIBBLE_PLAIN ||
			value_len > (size_t)(end - at) || options == USUAL_OPTIONS)
			return false;
		number += delta;
		if (number == COAP_OPT_URI_PATH) {
			if (!value_len || segments == USUAL_SEGMENTS)
				return false;
			struct dp_segment_key key = dp_segment_key_read(at, value_len);

			if (!is_plain(key.word[0], RTE_MIN(value_len, 8u)) ||
				(value_len > 8 && !is_plain(key.word[1] << 8 >> 8, value_len - 8)))
				return false;
			path[segments++] = key;
		} else if (number == COAP_OPT_CONTENT_FORMAT) {
			if (!delta || value_len > 2)
				return false;
			inner->options.has_content_format = true;
			for (unsigned i = 0; i < value_len; i++)
				inner->options.content_format =
					inner->options.content_format << 8 | at[i];
		} else if (!is_passed_on(number, value_len, !delta)) {
			return false;
		} else if (number == COAP_OPT_OBSERVE) {
			inner->options.observe = observe_of(at, value_len);
		}
		at += value_len;
	}
	if (payload == end)
		return false;
	inner->body = (struct coap_body){
		.options = plaintext + 1,
		.options_len = (uint16_t)(at - plaintext - 1),
		.option_count = (uint16_t)options,
		.payload = payload,
		.payload_len = payload ? (uint16_t)(end - payload) : 0,
	};
	inner->route = dp_route_find_short(rules->routes, path, segments, inner->code);
	inner->forbidden = unlikely(rules->closed) ||
		(unlikely(rules->permit != NULL) &&
			dp_route_find_short(rules->permit, path, segments, inner->code) < 0);
	return true;
}
