// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/oscore/option.h"

#include "dataplane/coap/cursor.h"

#include <string.h>

enum osc_option_verdict osc_option_parse(struct osc_option *option, const uint8_t *data, size_t len)
{
	struct coap_cursor c;
	const uint8_t *piv;
	uint8_t flags;

	*option = (struct osc_option){0};
	cursor_init(&c, data, len);
	if (!cursor_u8(&c, &flags))
		return OSC_OPTION_OK; // an empty value stands for a flag byte of 0
	option->piv_len = flags & OSC_FLAG_PIV_LEN;
	if (flags & OSC_FLAG_RESERVED || option->piv_len > OSC_PIV_LEN_MAX)
		return OSC_OPTION_RESERVED;
	if (!flags)
		return OSC_OPTION_TRAILING;

	if (!cursor_take(&c, option->piv_len, &piv))
		return OSC_OPTION_TRUNCATED;
	if (option->piv_len > 1 && !piv[0])
		return OSC_OPTION_PIV_PADDED;
	for (unsigned i = 0; i < option->piv_len; i++)
		option->piv = option->piv << 8 | piv[i];

	if (flags & OSC_FLAG_KID_CONTEXT) {
		option->has_kid_context = true;
		if (!cursor_u8(&c, &option->kid_context_len) ||
			!cursor_take(&c, option->kid_context_len, &option->kid_context))
			return OSC_OPTION_TRUNCATED;
	}
	if (!(flags & OSC_FLAG_KID))
		return cursor_left(&c) ? OSC_OPTION_TRAILING : OSC_OPTION_OK;
	if (cursor_left(&c) > UINT8_MAX)
		return OSC_OPTION_TRAILING; // an option value has at most 255 bytes (section 2)
	option->has_kid = true;
	option->kid_len = (uint8_t)cursor_left(&c);
	option->kid = c.at;
	return OSC_OPTION_OK;
}

size_t osc_option_bad_at(const uint8_t *data, size_t len)
{
	struct osc_option option;
	const enum osc_option_verdict verdict = osc_option_parse(&option, data, len);
	const size_t behind_piv = 1u + option.piv_len;

	if (verdict == OSC_OPTION_RESERVED || !len || !data[0])
		return 0;
	if (verdict == OSC_OPTION_PIV_PADDED || len < behind_piv)
		return 1;
	if (verdict == OSC_OPTION_TRAILING && option.has_kid_context)
		return behind_piv + 1u + option.kid_context_len;
	return behind_piv;
}

int osc_option_encode(const struct osc_option *option, uint8_t *buf, size_t room)
{
	uint8_t piv[OSC_PIV_LEN_MAX];
	unsigned piv_len = option->piv_len ? osc_piv_encode(option->piv, piv) : 0;
	size_t len = 1 + piv_len + (option->has_kid_context ? 1u + option->kid_context_len : 0) +
		(option->has_kid ? option->kid_len : 0);

	if (!piv_len && !option->has_kid_context && !option->has_kid)
		return 0;
	if (len > room || option->piv > OSC_PIV_MAX)
		return -1;
	*buf++ = (uint8_t)((option->has_kid_context ? OSC_FLAG_KID_CONTEXT : 0) |
		(option->has_kid ? OSC_FLAG_KID : 0) | piv_len);
	memcpy(buf, piv, piv_len);
	buf += piv_len;
	if (option->has_kid_context) {
		*buf++ = option->kid_context_len;
		if (option->kid_context_len)
			memcpy(buf, option->kid_context, option->kid_context_len);
		buf += option->kid_context_len;
	}
	if (option->has_kid && option->kid_len)
		memcpy(buf, option->kid, option->kid_len);
	return (int)len;
}

unsigned osc_piv_encode(uint64_t piv, uint8_t buf[OSC_PIV_LEN_MAX])
{
	unsigned len = 1;

	while (len < OSC_PIV_LEN_MAX && piv >> 8 * len)
		len++;
	for (unsigned i = 0; i < len; i++)
		buf[i] = (uint8_t)(piv >> 8 * (len - 1 - i));
	return len;
}
