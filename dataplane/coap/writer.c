// SPDX-License-Identifier: BSD-3-Clause

#include "base/bytes.h"
#include "dataplane/coap/message.h"
#include "dataplane/coap/wire.h"

void coap_writer_init(struct coap_writer *w, uint8_t *buf, size_t room)
{
	*w = (struct coap_writer){.start = buf, .at = buf, .end = buf + room};
}

// Reserves the next len bytes. Returns where they begin, or NULL and sets `failed` if they do not
// fit.
static inline uint8_t *reserve(struct coap_writer *w, size_t len)
{
	if (w->failed || (size_t)(w->end - w->at) < len) {
		w->failed = true;
		return NULL;
	}
	uint8_t *place = w->at;
	w->at += len;
	return place;
}

static inline void put(struct coap_writer *w, const void *bytes, size_t len)
{
	uint8_t *place = reserve(w, len);

	if (place)
		bytes_copy(place, bytes, len);
}

void coap_write_header(struct coap_writer *w, enum coap_type type, uint8_t code, uint16_t mid,
	const uint8_t *token, size_t token_len)
{
	uint8_t head[6];

	if (token_len > COAP_TOKEN_MAX) {
		w->failed = true;
		return;
	}
	unsigned tkl = wire_field_nibble((uint32_t)token_len);
	head[0] = (uint8_t)(COAP_VERSION << 6 | type << 4 | tkl);
	head[1] = code;
	head[2] = (uint8_t)(mid >> 8);
	head[3] = (uint8_t)mid;
	put(w, head, 4 + wire_field_ext((uint32_t)token_len, head + 4));
	put(w, token, token_len);
}

void coap_write_code(struct coap_writer *w, uint8_t code)
{
	put(w, &code, 1);
}

void coap_write_option(struct coap_writer *w, uint16_t number, const void *value, size_t len)
{
	uint8_t head[5];
	unsigned n = 1;

	if (number < w->number || len > UINT16_MAX) {
		w->failed = true;
		return;
	}
	uint32_t delta = number - w->number;
	head[0] = (uint8_t)(wire_field_nibble(delta) << 4 | wire_field_nibble((uint32_t)len));
	n += wire_field_ext(delta, head + n);
	n += wire_field_ext((uint32_t)len, head + n);
	put(w, head, n);
	put(w, value, len);
	w->number = number;
}

void coap_write_option_uint(struct coap_writer *w, uint16_t number, uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
		(uint8_t)value};
	unsigned skip = 0;

	while (skip < sizeof(bytes) && !bytes[skip])
		skip++;
	coap_write_option(w, number, bytes + skip, sizeof(bytes) - skip);
}

void coap_write_payload(struct coap_writer *w, const void *payload, size_t len)
{
	static const uint8_t mark = COAP_PAYLOAD_MARK;

	if (!len)
		return;
	put(w, &mark, 1);
	put(w, payload, len);
	w->end = w->at; // an option behind a payload would be read as payload
}

size_t coap_writer_len(const struct coap_writer *w)
{
	return w->failed ? 0 : (size_t)(w->at - w->start);
}
