// SPDX-License-Identifier: BSD-3-Clause
// Context parameters from hexadecimal test data.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_OSCORE_OSC_PARAMS_HEX_H
#define POSTERN_TESTS_UNIT_DATAPLANE_OSCORE_OSC_PARAMS_HEX_H

#include "dataplane/oscore/context.h"
#include "tests/unit/hex.h"

static inline uint8_t hex_into(uint8_t *out, const char *hex)
{
	size_t len;
	uint8_t *bytes = hex_decode(hex, &len);

	memcpy(out, bytes, len);
	free(bytes);
	return (uint8_t)len;
}

static inline struct osc_params osc_params_hex(const char *secret, const char *salt,
	const char *id_context, const char *sender_id, const char *recipient_id)
{
	struct osc_params p = {.alg = AEAD_AES_CCM_16_64_128};

	p.secret_len = hex_into(p.secret, secret);
	p.salt_len = hex_into(p.salt, salt);
	p.has_id_context = id_context;
	if (id_context)
		p.id_context_len = hex_into(p.id_context, id_context);
	p.sender_id_len = hex_into(p.sender_id, sender_id);
	p.recipient_id_len = hex_into(p.recipient_id, recipient_id);
	return p;
}

#endif
