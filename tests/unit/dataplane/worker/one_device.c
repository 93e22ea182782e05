// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/one_device.h"

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

struct bed bed;
struct bed_device device;
struct bed_request request;
struct bed_answer answer;

void one_device_init(void)
{
	bed_make(&bed);
	bed_stop_clock(&bed);
	bed_device_make(&device, 0, AEAD_AES_CCM_16_64_128);
}

void one_device_fini(void)
{
	bed_free(&bed);
}

void exchange(enum coap_type type, uint16_t mid, uint64_t piv, uint8_t code, const char *path,
	const char *payload)
{
	bed_seal_path(&device, &request, type, mid, piv, code, path, payload);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

void expect_answer(uint8_t code)
{
	cr_assert(bed_receive(&bed, &answer), "no answer");
	cr_assert(bed_open(&device, &request, &answer), "the answer does not verify");
	cr_expect_eq(answer.plaintext[0], code, "code %u.%02u", answer.plaintext[0] >> 5,
		answer.plaintext[0] & 31);
	cr_expect_eq(answer.msg.code, COAP_CHANGED, "the outer code tells nothing");
	cr_expect_eq(answer.msg.token_len, request.token_len);
	cr_expect_arr_eq(answer.msg.token, request.token, request.token_len);
}

void expect_silence(void)
{
	cr_expect_not(bed_receive(&bed, &answer), "an answer where silence was due");
}

struct dp_event expect_event(enum dp_event_type type)
{
	struct dp_event event = {.type = UINT32_MAX};

	cr_assert(bed_event_take(&bed, 0, &event));
	cr_expect_eq(event.type, type);
	cr_expect_eq(event.context, device.context);
	return event;
}

void no_event(void *arg, const struct dp_event *event)
{
}
