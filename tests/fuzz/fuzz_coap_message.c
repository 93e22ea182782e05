// SPDX-License-Identifier: BSD-3-Clause
// Datagrams: what parses is written again as the same bytes, and of what does not, all in front of
// where it is said to be malformed does.

#include "dataplane/coap/message.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer w;
	struct coap_msg msg;
	unsigned count = 0, oscore_count = 0;

	if (coap_msg_parse(&msg, data, len) != COAP_OK) {
		const size_t at = coap_msg_bad_at(data, len, UINT16_MAX);

		FUZZ_CHECK(at <= len);
		FUZZ_CHECK(at <= 4 || coap_msg_parse(&msg, data, at) == COAP_OK);
		return 0;
	}
	uint8_t *copy = malloc(len);
	coap_writer_init(&w, copy, len);
	coap_write_header(&w, msg.type, msg.code, msg.mid, msg.token, msg.token_len);
	coap_option_iter_init(&iter, &msg.body);
	while (coap_option_next(&iter, &option)) {
		count++;
		oscore_count += option.number == COAP_OPT_OSCORE;
		coap_write_option(&w, option.number, option.value, option.len);
	}
	coap_write_payload(&w, msg.body.payload, msg.body.payload_len);
	FUZZ_CHECK(coap_writer_len(&w) == len && !memcmp(copy, data, len));
	FUZZ_CHECK(count == msg.body.option_count);
	FUZZ_CHECK(oscore_count > UINT8_MAX || oscore_count == msg.body.oscore_count);
	FUZZ_CHECK(!msg.body.oscore == !oscore_count);
	free(copy);
	return 0;
}
