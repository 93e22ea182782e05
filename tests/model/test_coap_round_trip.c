// SPDX-License-Identifier: BSD-3-Clause
// Random messages are written, parsed and compared with what was meant; random bytes are parsed,
// and what is accepted must be written again as the same bytes.

#include "dataplane/coap/message.h"
#include "tests/unit/guard.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 7;

static uint32_t random_below(uint32_t limit)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(state >> 33) % limit;
}

static uint32_t random_len(void)
{
	static const uint32_t edges[] = {0, 1, 8, 12, 13, 14, 268, 269, 270, 600};

	return random_below(4) ? random_below(20) : edges[random_below(10)];
}

enum { OPTIONS_MAX = 8 };

Test(coap_round_trip, written_messages_parse_as_what_was_meant)
{
	static uint8_t bytes[2048], buf[16384];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_below(256);
	for (unsigned round = 0; round < 200000; round++) {
		struct coap_option options[OPTIONS_MAX], got;
		unsigned option_count = random_below(OPTIONS_MAX + 1);
		uint32_t token_len = random_len(), payload_len = random_len(), number = 0;
		enum coap_type type = (enum coap_type)random_below(4);
		uint8_t code = (uint8_t)(1 + random_below(255));
		uint16_t mid = (uint16_t)random_below(65536);
		const uint8_t *token = bytes + random_below(1000);
		const uint8_t *payload = bytes + random_below(1000);
		struct coap_option_iter iter;
		struct coap_writer w;
		struct coap_msg msg;

		coap_writer_init(&w, buf, sizeof(buf));
		coap_write_header(&w, type, code, mid, token, token_len);
		for (unsigned i = 0; i < option_count; i++) {
			number += random_below(8) ? random_below(16) : random_below(8000);
			options[i] = (struct coap_option){.number = (uint16_t)number,
				.len = (uint16_t)random_len(),
				.value = bytes + random_below(1000)};
			coap_write_option(&w, options[i].number, options[i].value, options[i].len);
		}
		coap_write_payload(&w, payload, payload_len);
		size_t len = coap_writer_len(&w);
		cr_assert_gt(len, 0);

		cr_assert_eq(coap_msg_parse(&msg, buf, len), COAP_OK, "round %u", round);
		cr_assert(msg.type == type && msg.code == code && msg.mid == mid);
		cr_assert(msg.token_len == token_len && !memcmp(msg.token, token, token_len));
		cr_assert_eq(msg.body.option_count, option_count);
		coap_option_iter_init(&iter, &msg.body);
		for (unsigned i = 0; i < option_count; i++) {
			cr_assert(coap_option_next(&iter, &got));
			cr_assert(got.number == options[i].number && got.len == options[i].len);
			cr_assert(!memcmp(got.value, options[i].value, got.len));
		}
		cr_assert_not(coap_option_next(&iter, &got));
		cr_assert_eq(msg.body.payload_len, payload_len);
		cr_assert(!payload_len || !memcmp(msg.body.payload, payload, payload_len));
	}
}

Test(coap_round_trip, random_bytes_that_parse_are_written_again_as_they_were)
{
	enum { LEN_MAX = 40 };
	struct guard guard = guard_create(LEN_MAX);
	unsigned long verdicts[COAP_VERDICT_COUNT] = {0};
	uint8_t copy[LEN_MAX];

	for (unsigned round = 0; round < 1000000; round++) {
		struct coap_option_iter iter;
		struct coap_option option;
		struct coap_writer w;
		struct coap_msg msg;
		uint32_t len = random_below(LEN_MAX + 1);
		uint8_t *data = guard_take(&guard, len);

		for (uint32_t i = 0; i < len; i++)
			data[i] = (uint8_t)(random_below(3) ? random_below(256)
							    : random_below(4) * 0x11);
		if (len && random_below(16))
			data[0] = (uint8_t)(0x40 | (data[0] & 0x3f));
		enum coap_verdict verdict = coap_msg_parse(&msg, data, len);
		verdicts[verdict]++;
		if (verdict != COAP_OK)
			continue;
		const unsigned options = msg.body.option_count;
		const unsigned most = random_below(8);

		verdict = coap_msg_parse_max(&msg, data, len, most);
		verdicts[verdict]++;
		cr_assert_eq(verdict, options > most ? COAP_MANY_OPTIONS : COAP_OK);
		if (verdict != COAP_OK)
			continue;
		coap_writer_init(&w, copy, sizeof(copy));
		coap_write_header(&w, msg.type, msg.code, msg.mid, msg.token, msg.token_len);
		coap_option_iter_init(&iter, &msg.body);
		while (coap_option_next(&iter, &option))
			coap_write_option(&w, option.number, option.value, option.len);
		coap_write_payload(&w, msg.body.payload, msg.body.payload_len);
		cr_assert_eq(coap_writer_len(&w), len);
		cr_assert_arr_eq(copy, data, len);
	}
	for (unsigned i = 0; i < COAP_VERDICT_COUNT; i++)
		cr_expect(i == COAP_TOO_LONG || verdicts[i] > 100, "%s was hardly met",
			coap_verdict_name((enum coap_verdict)i));
	guard_free(&guard);
}
