// SPDX-License-Identifier: BSD-3-Clause
// The options that postern knows: legal lengths of their values, and whether they may be repeated.

#include "dataplane/coap/message.h"

struct option_def {
	bool known;
	bool repeatable;
	uint16_t min, max; // bytes
};

#define ONCE(min, max)                \
	{                             \
		true, false, min, max \
	}
#define MANY(min, max)               \
	{                            \
		true, true, min, max \
	}

// Indexed by number. RFC 7252 table 4, where no other is named.
static const struct option_def defs[COAP_OPT_REQUEST_TAG + 1] = {
	[COAP_OPT_IF_MATCH] = MANY(0, 8),
	[COAP_OPT_URI_HOST] = ONCE(1, 255),
	[COAP_OPT_ETAG] = MANY(1, 8), // in a response once (section 5.10.6.1)
	[COAP_OPT_IF_NONE_MATCH] = ONCE(0, 0),
	[COAP_OPT_OBSERVE] = ONCE(0, 3), // RFC 7641 section 2
	[COAP_OPT_URI_PORT] = ONCE(0, 2),
	[COAP_OPT_LOCATION_PATH] = MANY(0, 255),
	[COAP_OPT_OSCORE] = ONCE(0, 255), // RFC 8613 section 2
	[COAP_OPT_URI_PATH] = MANY(0, 255),
	[COAP_OPT_CONTENT_FORMAT] = ONCE(0, 2),
	[COAP_OPT_MAX_AGE] = ONCE(0, 4),
	[COAP_OPT_URI_QUERY] = MANY(0, 255),
	[COAP_OPT_HOP_LIMIT] = ONCE(1, 1), // RFC 8768 section 3
	[COAP_OPT_ACCEPT] = ONCE(0, 2),
	[COAP_OPT_Q_BLOCK1] = ONCE(0, 3), // RFC 9177 section 4.1
	[COAP_OPT_LOCATION_QUERY] = MANY(0, 255),
	[COAP_OPT_EDHOC] = ONCE(0, UINT16_MAX), // RFC 9668 section 3.1: empty, any value is ignored
	[COAP_OPT_BLOCK2] = ONCE(0, 3),         // RFC 7959 section 2.1
	[COAP_OPT_BLOCK1] = ONCE(0, 3),
	[COAP_OPT_SIZE2] = ONCE(0, 4),    // RFC 7959 section 4
	[COAP_OPT_Q_BLOCK2] = MANY(0, 3), // RFC 9177 section 4.1
	[COAP_OPT_PROXY_URI] = ONCE(1, 1034),
	[COAP_OPT_PROXY_SCHEME] = ONCE(1, 255),
	[COAP_OPT_SIZE1] = ONCE(0, 4),
	[COAP_OPT_ECHO] = ONCE(1, 40),       // RFC 9175 section 2.2.1
	[COAP_OPT_NO_RESPONSE] = ONCE(0, 1), // RFC 7967 section 2
	[COAP_OPT_REQUEST_TAG] = MANY(0, 8), // RFC 9175 section 3.2.1
};

static const struct option_def *def_of(uint16_t number)
{
	static const struct option_def unknown;

	return number < sizeof(defs) / sizeof(defs[0]) ? &defs[number] : &unknown;
}

bool coap_option_known(uint16_t number)
{
	return def_of(number)->known;
}

bool coap_option_len_ok(uint16_t number, uint16_t len)
{
	const struct option_def *def = def_of(number);

	return def->known && len >= def->min && len <= def->max;
}

bool coap_option_repeatable(uint16_t number)
{
	return def_of(number)->repeatable;
}
