// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/hostile.h"

#include "bench/load/malformed.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 1024 // the last requests of devices
#define TRIES   8    // to find one that was answered
#define AHEAD   32   // Partial IVs that a forger takes: beyond the device's, and not far
#define CUT_MAX 24   // bytes that are left of a cut request: within its options
#define KID_LEN 7    // bytes of a kid that no device has: by chance it is not one's

struct hostile_record {
	uint8_t token[LOAD_FLIGHT_TOKEN_LEN];
	uint16_t len;
	bool answered;
};

int hostile_create(struct hostile *hostile, unsigned percent, const struct load_devices *devices,
	const struct request_form *form, uint16_t len_max)
{
	*hostile = (struct hostile){
		.percent = percent,
		.devices = devices,
		.form = form,
		.random_used = HOSTILE_RANDOM,
		.record = calloc(RECORDS, sizeof(*hostile->record)),
		.bytes = malloc((size_t)RECORDS * len_max),
		.len_max = len_max,
	};
	return hostile->record && hostile->bytes ? 0 : -ENOMEM;
}

void hostile_free(struct hostile *hostile)
{
	free(hostile->record);
	free(hostile->bytes);
}

// A system call for each would be most of the work.
static void draw(struct hostile *hostile, void *to, size_t len)
{
	if (len > sizeof(hostile->random) - hostile->random_used) {
		randombytes_buf(hostile->random, sizeof(hostile->random));
		hostile->random_used = 0;
	}
	memcpy(to, hostile->random + hostile->random_used, len);
	hostile->random_used += len;
}

static uint32_t draw_below(struct hostile *hostile, uint32_t bound)
{
	uint32_t number;

	draw(hostile, &number, sizeof(number));
	return (uint32_t)((uint64_t)number * bound >> 32);
}

// Where a request is kept that has this token: a slot's next one is kept elsewhere.
static uint32_t record_of(const uint8_t token[LOAD_FLIGHT_TOKEN_LEN])
{
	uint32_t index, generation;

	memcpy(&index, token, sizeof(index));
	memcpy(&generation, token + sizeof(index), sizeof(generation));
	return (index * 2654435761u + generation) % RECORDS;
}

void hostile_see_request(struct hostile *hostile, const struct request_item *item)
{
	uint32_t at = record_of(item->token);
	struct hostile_record *record = &hostile->record[at];

	memcpy(record->token, item->token, sizeof(record->token));
	record->len = item->len;
	record->answered = false;
	memcpy(hostile->bytes + (size_t)at * hostile->len_max, item->out, item->len);
}

void hostile_see_answer(struct hostile *hostile, const uint8_t token[LOAD_FLIGHT_TOKEN_LEN])
{
	struct hostile_record *record = &hostile->record[record_of(token)];

	if (record->len && !memcmp(record->token, token, sizeof(record->token)))
		record->answered = true;
}

// A request that was answered: one that was not may be news to the server. NULL if none is found.
static const struct hostile_record *find_answered(struct hostile *hostile)
{
	for (unsigned i = 0; i < TRIES; i++) {
		const struct hostile_record *record =
			&hostile->record[draw_below(hostile, RECORDS)];

		if (record->answered)
			return record;
	}
	return NULL;
}

static const uint8_t *bytes_of(const struct hostile *hostile, const struct hostile_record *record)
{
	return hostile->bytes + (size_t)(record - hostile->record) * hostile->len_max;
}

// Looks like a request of this device; nothing in it is sealed.
static uint16_t forge(
	struct hostile *hostile, struct load_device *device, uint64_t piv, uint8_t *out)
{
	struct request_item item = {
		.device = device,
		.piv = piv,
		.mid = (uint16_t)draw_below(hostile, UINT16_MAX + 1),
		.out = out,
	};

	draw(hostile, item.token, sizeof(item.token));
	size_t head = request_write_head(hostile->form, &item);
	size_t len = hostile->form->plaintext_len + aead_algs[device->alg].tag_len;

	if (len > hostile->len_max - head)
		len = hostile->len_max - head;
	if (len > sizeof(hostile->random))
		len = sizeof(hostile->random);
	draw(hostile, out + head, len);
	return (uint16_t)(head + len);
}

static uint16_t make_unknown(struct hostile *hostile, uint64_t piv, uint8_t *out)
{
	struct load_device nobody = {.kid_len = KID_LEN, .alg = hostile->devices->device[0].alg};

	draw(hostile, nobody.kid, KID_LEN);
	return forge(hostile, &nobody, piv, out);
}

static uint16_t make_bad_tag(struct hostile *hostile, uint64_t piv, uint8_t *out)
{
	uint32_t index = draw_below(hostile, (uint32_t)hostile->devices->count);

	return forge(hostile, &hostile->devices->device[index],
		piv + 1 + draw_below(hostile, AHEAD), out);
}

static uint16_t make_malformed(struct hostile *hostile, uint8_t *out)
{
	uint32_t which = draw_below(hostile, MALFORMED + 1);
	const struct hostile_record *record;

	if (which == MALFORMED && (record = find_answered(hostile)) && record->len > CUT_MAX) {
		uint32_t left = 1 + draw_below(hostile, CUT_MAX);

		memcpy(out, bytes_of(hostile, record), left);
		return (uint16_t)left;
	}
	which %= MALFORMED;
	memcpy(out, malformed[which].bytes, malformed[which].len);
	return malformed[which].len;
}

uint16_t hostile_make(struct hostile *hostile, uint64_t piv, uint8_t *out)
{
	enum hostile_kind kind = (enum hostile_kind)(hostile->made++ % HOSTILE_KINDS);
	const struct hostile_record *record = NULL;
	uint16_t len;

	if (kind == HOSTILE_REPLAY) {
		record = find_answered(hostile);
		kind = record ? kind : HOSTILE_UNKNOWN_KID;
	}
	if (record) {
		len = record->len;
		memcpy(out, bytes_of(hostile, record), len);
	} else if (kind == HOSTILE_UNKNOWN_KID) {
		len = make_unknown(hostile, piv, out);
	} else if (kind == HOSTILE_BAD_TAG) {
		len = make_bad_tag(hostile, piv, out);
	} else {
		len = make_malformed(hostile, out);
	}
	hostile->counts.sent[kind]++;
	hostile->counts.bytes_sent += len;
	return len;
}
