// SPDX-License-Identifier: BSD-3-Clause
// Arrays [id, device, method, path, time, content-format, bytes], one behind the other.

#include "dataplane/coap/message.h"
#include "gw/batch/words.h"
#include "gw/batch/writers.h"
#include "gw/map/media.h"

#define UINT  0x00
#define BYTES 0x40
#define TEXT  0x60
#define ARRAY 0x80

#define ELEMENTS  7
#define ID_PREFIX 17 // fingerprint and hyphen
#define HEAD_MAX  5

// The longest of what is neither way nor payload.
#define FIXED_MAX ((size_t)ID_PREFIX + PIV_DIGITS + 64)

// A head in its shortest form (RFC 8949 section 4.2.1).
static uint8_t *head_put(uint8_t *at, uint8_t major, uint32_t value)
{
	if (value < 24) {
		*at++ = (uint8_t)(major | value);
		return at;
	}
	unsigned size = value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : 4;
	*at++ = (uint8_t)(major | (size == 1 ? 24 : size == 2 ? 25 : 26));
	for (unsigned i = size; i--;)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

// A text string whose length is known once it is written.
static void text_put(struct http_text *text, const char *value, bool device)
{
	uint8_t head[HEAD_MAX];
	char *start = text->at;

	if (device)
		word_device_put(text, value);
	else
		http_text_str(text, value);
	size_t len = (size_t)(text->at - start);
	size_t head_len = (size_t)(head_put(head, TEXT, (uint32_t)len) - head);
	http_text_put(text, head, head_len); // makes room, or fails
	if (text->failed)
		return;
	memmove(start + head_len, start, len);
	memcpy(start, head, head_len);
}

// The id without its number, and device, method and path, which stand behind it.
void cbor_way_put(struct http_text *text, struct batch_way *way, const struct batch_source *s)
{
	word_fingerprint_put(text, s->fingerprint);
	http_text_char(text, '-');
	way->id_len = ID_PREFIX;
	text_put(text, s->device, true);
	text_put(text, s->code == COAP_PUT ? "PUT" : "POST", false);
	text_put(text, s->subject, false);
}

// Seconds since 1970 (RFC 8949 section 3.4.2) as a double, which is exact to the microsecond.
static uint8_t *epoch_put(uint8_t *at, uint64_t unix_ms)
{
	double seconds = (double)unix_ms / 1000;
	uint64_t bits;

	memcpy(&bits, &seconds, sizeof(bits));
	bits = __builtin_bswap64(bits);
	*at++ = 0xc1;
	*at++ = 0xfb;
	return put(at, &bits, sizeof(bits));
}

enum batch_put cbor_put(const struct batch_way *way, const struct batch_reading *r, uint8_t *at,
	size_t room, size_t *len)
{
	const uint8_t *start = at;
	uint8_t digits[PIV_DIGITS];

	if (room < way->all_len + FIXED_MAX || room - way->all_len - FIXED_MAX < r->len)
		return BATCH_PUT_NO_ROOM;
	word_piv_digits(r->piv, digits);
	unsigned from = piv_start(digits);
	*at++ = ARRAY | ELEMENTS;
	at = head_put(at, TEXT, ID_PREFIX + PIV_DIGITS - from);
	at = put(at, way->bytes, ID_PREFIX);
	at = put(at, digits + from, PIV_DIGITS - from);
	at = put(at, way->bytes + ID_PREFIX, way->all_len - ID_PREFIX);
	at = epoch_put(at, r->unix_ms);
	if (way->content_format == MAP_FORMAT_NONE)
		*at++ = 0xf6; // null
	else
		at = head_put(at, UINT, (uint32_t)way->content_format);
	at = head_put(at, BYTES, (uint32_t)r->len);
	if (r->len)
		at = put(at, r->payload, r->len);
	*len = (size_t)(at - start);
	return BATCH_PUT_OK;
}
