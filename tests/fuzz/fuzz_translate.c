// SPDX-License-Identifier: BSD-3-Clause
// Translation, both ways: whatever a device or a backend sends, it is read and written within its
// bounds; what is written reads back; what is refused has a name and a place.
//
// The input is a byte, whose bit 0 is the direction and bit 1 the form, two bytes of room for the
// result, then CBOR or JSON.

#include "base/utf8.h"
#include "gw/translate/translate.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

#define ROOM 65536

// A text or an item of its very length, from malloc().
struct result {
	enum tr_verdict verdict;
	struct tr_fault fault;
	uint8_t *bytes;
	size_t len;
};

static void fault_check(const struct tr_fault *fault)
{
	size_t len = strlen(fault->place);

	FUZZ_CHECK(fault->what && *fault->what && len && len <= TR_PLACE_MAX);
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len((const uint8_t *)fault->place + i, len - i);
		FUZZ_CHECK(n && (n > 1 || (fault->place[i] >= 0x20 && fault->place[i] != 0x7f)));
	}
}

static struct result translate(
	bool to_json, enum tr_form form, const uint8_t *data, size_t len, size_t room)
{
	struct result r = {.len = SIZE_MAX};
	uint8_t *in = malloc(len), *out = malloc(room);

	memcpy(in, data, len);
	r.verdict = to_json ? tr_cbor_to_json(form, in, len, (char *)out, room, &r.len, &r.fault)
			    : tr_json_to_cbor(form, (char *)in, len, out, room, &r.len, &r.fault);
	FUZZ_CHECK(!memcmp(in, data, len));
	if (r.verdict == TR_OK) {
		FUZZ_CHECK(r.len && r.len <= room);
		r.bytes = malloc(r.len);
		memcpy(r.bytes, out, r.len);
	} else if (r.verdict == TR_REFUSED) {
		fault_check(&r.fault);
	}
	free(in);
	free(out);
	return r;
}

// CBOR of ours becomes JSON, and that the same CBOR.
static void round_check(enum tr_form form, const struct result *cbor)
{
	struct result json = translate(true, form, cbor->bytes, cbor->len, ROOM * 8);
	FUZZ_CHECK(json.verdict == TR_OK);
	struct result again = translate(false, form, json.bytes, json.len, ROOM);

	FUZZ_CHECK(again.verdict == TR_OK && again.len == cbor->len &&
		!memcmp(again.bytes, cbor->bytes, cbor->len));
	free(json.bytes);
	free(again.bytes);
}

// JSON of ours is JSON. What may be refused then is what jansson or SenML does not take: a key with
// a NUL, and text that stood where bytes should.
static void json_check(enum tr_form form, const struct result *json)
{
	struct result cbor = translate(false, form, json->bytes, json->len, ROOM);

	if (cbor.verdict == TR_OK)
		round_check(form, &cbor);
	else
		FUZZ_CHECK(cbor.verdict == TR_REFUSED &&
			(!strcmp(cbor.fault.what, "a key with a NUL") ||
				!strcmp(cbor.fault.what, "no base64url")));
	free(cbor.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 3 || len > ROOM)
		return 0;
	bool to_json = data[0] & 1;
	enum tr_form form = data[0] & 2 ? TR_SENML : TR_PLAIN;
	size_t small = (size_t)data[1] << 8 | data[2];
	struct result r = translate(to_json, form, data + 3, len - 3, ROOM * 8);

	FUZZ_CHECK(r.verdict == TR_OK || r.verdict == TR_REFUSED);
	struct result cut = translate(to_json, form, data + 3, len - 3, small);
	// A smaller room changes nothing but that the result may not fit.
	FUZZ_CHECK(cut.verdict == r.verdict || cut.verdict == TR_TOO_LONG);
	FUZZ_CHECK(r.verdict != TR_OK || (cut.verdict == TR_OK) == (r.len <= small));
	if (r.verdict == TR_OK && to_json)
		json_check(form, &r);
	else if (r.verdict == TR_OK)
		round_check(form, &r);
	free(r.bytes);
	free(cut.bytes);
	return 0;
}
