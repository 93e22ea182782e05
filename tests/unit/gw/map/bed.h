// SPDX-License-Identifier: BSD-3-Clause
// Maps HTTP answers to CoAP answers, both written as text.

#ifndef POSTERN_TESTS_UNIT_GW_MAP_BED_H
#define POSTERN_TESTS_UNIT_GW_MAP_BED_H

#include "gw/map/response.h"
#include "tests/unit/gw/map/text.h"

#include <criterion/criterion.h>

#define MAP_BED_ROOM    1024
#define MAP_BED_NOW     784111777 // Sun, 06 Nov 1994 08:49:37 GMT
#define MAP_BED_RETRY   8         // seconds
#define MAP_BED_MAX_AGE 86400     // seconds

extern const uint8_t map_bed_etag_key[MAP_ETAG_KEY_LEN];
extern const struct conf_server map_bed_server;
extern const struct conf_route map_bed_route;

struct map_bed {
	const struct conf_route *route;
	const struct conf_server *server;
	struct map_etags *etags;
	size_t room;
	uint32_t max_age_max;
	// Of the last answer:
	enum http_error error;
	bool body_dropped;
};

// The caller frees etags.
struct map_bed map_bed_create(void);

// Maps an answer given as "200|Header: value|Header: value#body" (a `#` in a header is written \1)
// and renders the plaintext. An error on the way is rendered as the device would see it.
const char *map_bed_answer(struct map_bed *bed, const char *coap, const char *http);

#define EXPECT(coap, http, want)                                         \
	do {                                                             \
		const char *got_ = map_bed_answer(&bed, coap, http);     \
		cr_expect_str_eq(got_, want, "%s\nnot\n%s", got_, want); \
	} while (0)

struct map_bed_row {
	const char *coap, *http, *answer;
};

// Expects the answer of each row, and frees etags.
void map_bed_check(struct map_bed bed, const struct map_bed_row *rows, size_t count);

#define CHECK(rows) map_bed_check(map_bed_create(), rows, sizeof(rows) / sizeof(rows[0]))

#endif
