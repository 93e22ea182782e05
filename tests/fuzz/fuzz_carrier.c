// SPDX-License-Identifier: BSD-3-Clause
// CoAP messages that carry EDHOC, as a thread of handshakes takes them: what is read points into
// the datagram, and what is left of a combined request is an OSCORE request.

#include "gw/handshake/carrier.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_ROOM 2048

static void check_inside(struct edhoc_bytes bytes, const uint8_t *data, size_t len)
{
	FUZZ_CHECK(bytes.len && bytes.data >= data && bytes.data + bytes.len <= data + len);
}

static void strip(const struct carrier *carrier, size_t len)
{
	uint8_t *out = malloc(len);
	const size_t left = carrier_strip(carrier, out, len);
	struct coap_msg msg;

	FUZZ_CHECK(out && left && left < len);
	FUZZ_CHECK(coap_msg_parse(&msg, out, left) == COAP_OK);
	FUZZ_CHECK(!msg.body.has_edhoc && msg.body.oscore_count == 1);
	FUZZ_CHECK(msg.mid == carrier->msg.mid && msg.token_len == carrier->msg.token_len);
	FUZZ_CHECK(msg.body.payload_len == carrier->ciphertext.len &&
		!memcmp(msg.body.payload, carrier->ciphertext.data, msg.body.payload_len));
	free(out);
}

static void answer(const struct coap_msg *request)
{
	static const uint8_t payload[100], echo[12];
	const struct coap_block block = {.num = COAP_BLOCK_NUM_MAX, .more = true, .szx = 6};
	uint8_t out[ANSWER_ROOM];
	const size_t len = carrier_answer(request,
		&(struct carrier_answer){.code = COAP_CHANGED,
			.edhoc = true,
			.max_age_s = UINT32_MAX,
			.size_max = UINT32_MAX,
			.block = &block,
			.size = UINT32_MAX,
			.echo = echo,
			.echo_len = sizeof(echo),
			.payload = {payload, sizeof(payload)}},
		out, sizeof(out));
	struct coap_msg msg;

	FUZZ_CHECK(len && len <= CARRIER_ANSWER_HEAD + sizeof(payload));
	FUZZ_CHECK(coap_msg_parse(&msg, out, len) == COAP_OK);
	FUZZ_CHECK(msg.token_len == request->token_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct carrier carrier;
	int code;

	if (!len)
		return 0;
	uint8_t *datagram = malloc(len);

	FUZZ_CHECK(datagram);
	memcpy(datagram, data, len);
	code = carrier_read(&carrier, datagram, len);
	if (!code && carrier.fetches)
		FUZZ_CHECK(carrier.asks && !carrier.part && !carrier.message.len);
	else if (!code)
		check_inside(carrier.message, datagram, len);
	if (!code && carrier.asks)
		FUZZ_CHECK(carrier.asked.szx <= COAP_SZX_MAX);
	if (code >= 0)
		answer(&carrier.msg);
	code = carrier_read_combined(&carrier, datagram, len);
	if (!code) {
		check_inside(carrier.message, datagram, len);
		check_inside(carrier.ciphertext, datagram, len);
		// Without option 21 nobody reads it as one.
		if (carrier.msg.body.has_edhoc)
			strip(&carrier, len);
	}
	if (code >= 0)
		answer(&carrier.msg);
	free(datagram);
	return 0;
}
