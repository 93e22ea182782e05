// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/inner_both.h"

#include <ctype.h>

#define ALL (uint8_t)0xfe
#define GET (1 << COAP_GET)
#define ANY             \
	{               \
		NULL, 0 \
	}

struct dp_route_index *inner_routes_create(void)
{
	static const struct dp_segment tv1[] = {{"tv1", 3}}, devices[] = {{"devices", 7}},
				       one[] = {{"devices", 7}, ANY},
				       state[] = {{"devices", 7}, ANY, {"state", 5}},
				       set[] = {{"devices", 7}, {"set-all_", 8}},
				       far[] = {{"temperature1", 12}, {"twelve-bytes", 12}},
				       device[] = {{"00124b0014b5d4a9", 16}}, dot[] = {{"a.b", 3}},
				       empty[] = {{"a", 1}, {"", 0}};
	static const struct dp_route routes[] = {
		{.segments = set, .segment_count = 2, .methods = 1 << COAP_POST},
		{.segments = state, .segment_count = 3, .methods = GET},
		{.segments = one, .segment_count = 2, .rest = true, .methods = ALL & ~GET},
		{.segments = devices, .segment_count = 1, .methods = GET},
		{.segments = tv1, .segment_count = 1, .methods = ALL},
		{.segments = far, .segment_count = 2, .methods = ALL},
		{.segments = far, .segment_count = 1, .rest = true, .methods = GET},
		{.segments = device, .segment_count = 1, .rest = true, .methods = ALL},
		{.segments = dot, .segment_count = 1, .methods = ALL},
		{.segments = empty, .segment_count = 2, .methods = ALL},
		{.segment_count = 0, .methods = GET},
	};

	return dp_route_index_create(routes, sizeof(routes) / sizeof(routes[0]));
}

struct dp_route_index *inner_permits_create(void)
{
	static const struct dp_segment devices[] = {{"devices", 7}},
				       state[] = {ANY, ANY, {"state", 5}}, tv1[] = {{"tv1", 3}},
				       dot[] = {{"a.b", 3}};
	static const struct dp_route permits[] = {
		{.segments = devices, .segment_count = 1, .rest = true, .methods = 1 << COAP_POST},
		{.segments = state, .segment_count = 3, .methods = ALL},
		{.segments = tv1, .segment_count = 1, .methods = GET | 1 << COAP_PUT},
		{.segments = dot, .segment_count = 1, .methods = GET},
	};

	return dp_route_index_create(permits, sizeof(permits) / sizeof(permits[0]));
}

static bool path_segment_is_usual(const struct coap_option *option)
{
	for (unsigned i = 0; i < option->len; i++) {
		uint8_t c = option->value[i];

		if (!(c < 0x80 && isalnum(c)) && c != '-' && c != '_')
			return false;
	}
	return option->len >= 1 && option->len <= 12;
}

static bool option_is_usual(const struct coap_option *option, unsigned before)
{
	bool again = option->number == before;

	switch (option->number) {
	case COAP_OPT_URI_PATH:
		return path_segment_is_usual(option);
	case COAP_OPT_IF_MATCH:
		return option->len <= 8;
	case COAP_OPT_ETAG:
		return option->len >= 1 && option->len <= 8;
	case COAP_OPT_IF_NONE_MATCH:
		return !again && !option->len;
	case COAP_OPT_OBSERVE:
		return !again && option->len <= 3;
	case COAP_OPT_CONTENT_FORMAT:
	case COAP_OPT_ACCEPT:
		return !again && option->len <= 2;
	case COAP_OPT_URI_QUERY:
		return option->len <= 12;
	default:
		return false;
	}
}

static bool is_usual(const struct coap_body *outer, const uint8_t *plaintext, uint16_t len)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	unsigned before = 0, segments = 0;

	if (coap_body_parse(&body, plaintext + 1, len - 1) != COAP_OK || body.option_count > 16 ||
		plaintext[0] < COAP_GET || plaintext[0] > COAP_IPATCH ||
		outer->option_count != outer->oscore_count)
		return false;
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		if (option.number - before > 12 || !option_is_usual(&option, before))
			return false;
		segments += option.number == COAP_OPT_URI_PATH;
		before = option.number;
	}
	return segments <= 8;
}

void inner_both_read(struct inner_both *both, const struct dp_inner_rules *rules,
	const struct coap_body *outer, const uint8_t *plaintext, uint16_t len)
{
	both->taken = dp_inner_read_usual(&both->usual, rules, outer, plaintext, len);
	both->verdict = dp_inner_read(&both->slow, rules, outer, COAP_CON, plaintext, len);
	both->is_usual = is_usual(outer, plaintext, len);
}

static bool bodies_agree(const struct coap_body *a, const struct coap_body *b)
{
	return a->options == b->options && a->options_len == b->options_len &&
		a->option_count == b->option_count && a->payload == b->payload &&
		a->payload_len == b->payload_len && a->oscore == b->oscore &&
		a->oscore_count == b->oscore_count && a->oscore_len == b->oscore_len &&
		a->has_edhoc == b->has_edhoc && a->has_block == b->has_block;
}

bool inner_both_agree(const struct inner_both *both)
{
	const struct dp_inner *a = &both->usual, *b = &both->slow;

	if (both->taken != both->is_usual)
		return false;
	return !both->taken ||
		(!both->verdict.code && !both->verdict.silent && !both->verdict.malformed &&
			a->code == b->code && a->route == b->route &&
			a->forbidden == b->forbidden &&
			a->options.no_response == b->options.no_response &&
			a->options.has_content_format == b->options.has_content_format &&
			a->options.content_format == b->options.content_format &&
			a->options.has_block1 == b->options.has_block1 &&
			a->options.later_block == b->options.later_block &&
			a->options.szx == b->options.szx && bodies_agree(&a->body, &b->body));
}
