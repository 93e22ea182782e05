// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/map/bed.h"

#include "gw/map/translate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t map_bed_etag_key[MAP_ETAG_KEY_LEN] = {1};
const struct conf_server map_bed_server = {.scheme = CONF_HTTP,
	.host = "b",
	.authority = "b:8080",
	.origin = "http://b:8080",
	.base = ""};
const struct conf_route map_bed_route = {.prefix = "", .fetch = CONF_FETCH_QUERY};

struct map_bed map_bed_create(void)
{
	return (struct map_bed){
		.route = &map_bed_route,
		.server = &map_bed_server,
		.etags = map_etags_create(map_bed_etag_key),
		.room = MAP_BED_ROOM,
		.max_age_max = MAP_BED_MAX_AGE,
	};
}

const char *map_bed_answer(struct map_bed *bed, const char *coap, const char *http)
{
	static uint8_t body[TEXT_BODY_MAX], json[MAP_JSON_ROOM], scratch[MAP_JSON_ROOM];
	struct http_reply reply;
	struct map_request msg;
	uint8_t code;
	size_t n = text_request(coap, &code, body);
	uint8_t *out = malloc(bed->room);
	struct map_response mapping = {.server = bed->server,
		.etags = bed->etags,
		.now = MAP_BED_NOW,
		.retry_s = MAP_BED_RETRY,
		.max_age_max = bed->max_age_max,
		.out = out,
		.room = bed->room,
		.scratch = scratch,
		.scratch_room = sizeof(scratch)};

	cr_assert_eq(map_request_parse(&msg, bed->route, code, body, n), HTTP_ERR_none, "%s", coap);
	http_reply_init(&reply);
	http_reply_status(&reply, atoi(http));
	bed->error = map_request_translate(&msg, json, sizeof(json));
	bool refused = bed->error == HTTP_ERR_bad_cbor;
	for (http += strcspn(http, "|#"); *http == '|' && !bed->error;
		http += strcspn(http, "|#")) {
		char line[1024];
		int line_len = (int)strcspn(++http, "|#");

		line_len = snprintf(line, sizeof(line), "%.*s", line_len, http);
		for (char *c = line; *c; c++)
			*c = *c == 1 ? '#' : *c;
		bed->error = http_reply_header(&reply, line, (size_t)line_len);
	}
	if (*http == '#') {
		reply.body = (const uint8_t *)http + 1;
		reply.body_len = strlen(http + 1);
	}
	if (refused)
		mapping.len = map_fault_write(bed->error, &msg.fault, out, bed->room);
	else if (bed->error)
		mapping.len = map_error_write(bed->error, 0, out, bed->room);
	else
		bed->error = map_response_build(&reply, &msg, &mapping);
	cr_assert(mapping.len >= 1 && mapping.len <= bed->room);
	bed->body_dropped = mapping.body_dropped;
	const char *text = text_answer(out, mapping.len);
	free(out);
	return text;
}

void map_bed_check(struct map_bed bed, const struct map_bed_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *answer = map_bed_answer(&bed, rows[i].coap, rows[i].http);

		cr_expect_str_eq(answer, rows[i].answer, "%s, %s:\n%s\nnot\n%s", rows[i].coap,
			rows[i].http, answer, rows[i].answer);
	}
	map_etags_free(bed.etags);
}
