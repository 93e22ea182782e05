// SPDX-License-Identifier: BSD-3-Clause
// osc_request_usual() beside the parsers of messages and of options, whose word it is.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_OSCORE_REQUEST_PAIR_H
#define POSTERN_TESTS_UNIT_DATAPLANE_OSCORE_REQUEST_PAIR_H

#include "dataplane/oscore/request.h"

#include <string.h>

#define REQUEST_OPTIONS_MAX 16

// Whether a worker would look for the context that the request names.
static inline bool request_parse_any(
	struct coap_msg *msg, struct osc_option *option, const uint8_t *data, size_t len)
{
	return coap_msg_parse_max(msg, data, len, REQUEST_OPTIONS_MAX) == COAP_OK &&
		(msg->type == COAP_CON || msg->type == COAP_NON) && msg->code != COAP_EMPTY &&
		COAP_CODE_CLASS(msg->code) == 0 && msg->body.oscore && !msg->body.has_edhoc &&
		msg->body.oscore_count == 1 &&
		osc_option_parse(option, msg->body.oscore, msg->body.oscore_len) == OSC_OPTION_OK &&
		option->piv_len && option->has_kid && msg->body.payload;
}

// Returns NULL if both say the same of a datagram, else what differs. *taken: as usual.
static inline const char *request_differs(const uint8_t *data, size_t len, bool *taken)
{
	struct osc_option option, option_any;
	struct coap_msg msg, any;

	memset(&msg, 0x55, sizeof(msg));
	memset(&option, 0x55, sizeof(option));
	*taken = osc_request_usual(&msg, &option, data, len);
	bool request = request_parse_any(&any, &option_any, data, len);

	if (!*taken) {
		// Nothing else may be in the way of what is usual.
		bool usual = request && any.token_len <= 8 && any.body.option_count == 1 &&
			any.body.oscore_len <= 268 && option_any.kid_len <= OSC_KID_LEN_MAX &&
			any.body.payload_len >= 8;

		return usual ? "a usual one is not taken" : NULL;
	}
	if (!request)
		return "taken, and no request";
#define SAME(field)                 \
	if (msg.field != any.field) \
		return #field;
	SAME(type)
	SAME(code)
	SAME(mid)
	SAME(token_len)
	SAME(token)
	SAME(body.options)
	SAME(body.options_len)
	SAME(body.payload)
	SAME(body.payload_len)
	SAME(body.option_count)
	SAME(body.oscore)
	SAME(body.oscore_len)
	SAME(body.oscore_count)
	SAME(body.has_edhoc)
	SAME(body.has_block)
#undef SAME
#define SAME(field)                           \
	if (option.field != option_any.field) \
		return "option." #field;
	SAME(piv)
	SAME(piv_len)
	SAME(kid)
	SAME(kid_len)
	SAME(kid_context)
	SAME(kid_context_len)
	SAME(has_kid)
	SAME(has_kid_context)
#undef SAME
	// What reads a kid in one word relies on it.
	if (option.kid + 8 > data + len || option.kid_len > OSC_KID_LEN_MAX)
		return "no eight bytes from the kid on";
	return NULL;
}

#endif
