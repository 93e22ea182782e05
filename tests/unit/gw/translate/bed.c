// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/translate/bed.h"

#include "tests/unit/guard.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *said(struct tr_bed *bed)
{
	switch (bed->verdict) {
	case TR_OK:
		return bed->out;
	case TR_REFUSED:
		cr_assert(strlen(bed->fault.place) <= TR_PLACE_MAX);
		snprintf(bed->out, sizeof(bed->out), "%s @ %s", bed->fault.what, bed->fault.place);
		return bed->out;
	case TR_TOO_LONG:
		return "too long";
	case TR_NO_MEMORY:
		break;
	}
	return "no memory";
}

const char *tr_bed_json(struct tr_bed *bed, enum tr_form form, const char *cbor_hex, size_t room)
{
	size_t len;
	uint8_t *cbor = hex_decode(cbor_hex, &len);
	struct guard in = guard_create(len), out = guard_create(room);
	uint8_t *from = guard_take(&in, len);
	char *to = (char *)guard_take(&out, room);

	memcpy(from, cbor, len);
	bed->verdict = tr_cbor_to_json(form, from, len, to, room, &bed->len, &bed->fault);
	cr_assert(guard_intact(&out) && !memcmp(from, cbor, len));
	if (bed->verdict == TR_OK) {
		cr_assert(bed->len <= room);
		memcpy(bed->out, to, bed->len);
		bed->out[bed->len] = 0;
	}
	guard_free(&in);
	guard_free(&out);
	free(cbor);
	return said(bed);
}

const char *tr_bed_cbor(
	struct tr_bed *bed, enum tr_form form, const char *json, size_t len, size_t room)
{
	struct guard in = guard_create(len), out = guard_create(room);
	uint8_t *from = guard_take(&in, len), *to = guard_take(&out, room);

	memcpy(from, json, len);
	bed->verdict =
		tr_json_to_cbor(form, (const char *)from, len, to, room, &bed->len, &bed->fault);
	cr_assert(guard_intact(&out) && !memcmp(from, json, len));
	if (bed->verdict == TR_OK) {
		cr_assert(bed->len <= room);
		bed->out[0] = 0;
		for (size_t i = 0; i < bed->len; i++)
			sprintf(bed->out + 2 * i, "%02x", to[i]);
	}
	guard_free(&in);
	guard_free(&out);
	return said(bed);
}
