// SPDX-License-Identifier: BSD-3-Clause
// What workers tell of the requests that they answer by themselves.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static struct dp_access_record record;

static void init(void)
{
	bed_make(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_access, .init = init, .fini = fini);

static void ask(uint64_t piv, uint8_t code, const char *path, const char *payload)
{
	bed_seal_path(&device, &request, COAP_NON, piv, piv, code, path, payload);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

static void expect_record(uint8_t method, const char *path, size_t payload_len, uint8_t code)
{
	struct coap_body body;
	struct coap_option option;

	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_assert(dp_access_take(bed.dp, 0, &record), "no record of %s", path);
	cr_expect_eq(record.context, device.context);
	cr_expect_eq(record.generation, device.generation);
	cr_expect_eq(record.method, method);
	cr_expect_eq(record.code, code);
	cr_expect_eq(record.out, answer.plaintext_len);
	cr_expect_eq(record.in, 1 + strlen(path) + payload_len);
	cr_expect_eq(record.answered_ms, bed_now_ms(&bed));
	cr_assert_eq(coap_body_parse(&body, record.path, record.path_len), COAP_OK);
	cr_assert(coap_option_find(&body, COAP_OPT_URI_PATH, &option));
	cr_expect_eq(option.len, strlen(path));
	cr_expect_arr_eq(option.value, path, option.len);
	cr_expect_eq(body.payload_len, 0, "no payload of a device");
	cr_expect_not(dp_access_take(bed.dp, 0, &record), "once");
}

Test(dp_access, each_answer_of_the_worker_has_a_record)
{
	dp_handle handle;

	bed_stop_clock(&bed);
	ask(1, COAP_POST, "echo", "written over by its answer");
	expect_record(COAP_POST, "echo", 27, COAP_CHANGED);
	ask(2, COAP_FETCH, "discard", NULL);
	expect_record(COAP_FETCH, "discard", 0, COAP_CHANGED);
	ask(3, COAP_GET, "nowhere", "secret");
	expect_record(COAP_GET, "nowhere", 7, COAP_NOT_FOUND);
	ask(4, COAP_POST, "get", NULL);
	expect_record(COAP_POST, "get", 0, COAP_METHOD_NOT_ALLOWED);
	// What an upstream loop has is the loop's to tell of, and a copy is no request.
	ask(5, COAP_GET, "tv1", NULL);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	ask(4, COAP_POST, "get", NULL);
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_not(dp_access_take(bed.dp, 0, &record));
}

// No path stops a record, however long it is or malformed the message.
Test(dp_access, of_a_long_path_it_has_the_beginning)
{
	static const uint8_t malformed[] = {COAP_GET, 0xf0};
	uint8_t plaintext[1 + 8 * 70];
	struct coap_writer writer;
	struct coap_body body;
	char segment[60];

	memset(segment, 's', sizeof(segment));
	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_GET);
	for (unsigned i = 0; i < 8; i++)
		coap_write_option(&writer, COAP_OPT_URI_PATH, segment, sizeof(segment));
	bed_seal(&device, &request, COAP_NON, 1, 1, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(dp_access_take(bed.dp, 0, &record));
	cr_expect(record.path_cut);
	cr_expect_gt(record.path_len, DP_ACCESS_PATH_MAX / 2);
	cr_expect_eq(coap_body_parse(&body, record.path, record.path_len), COAP_OK);
	bed_seal(&device, &request, COAP_NON, 2, 2, malformed, sizeof(malformed));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(dp_access_take(bed.dp, 0, &record));
	cr_expect_eq(record.code, COAP_BAD_REQUEST);
	cr_expect_eq(record.path_len, 0);
	cr_expect_not(record.path_cut);
}

// A reader that does not come costs records, which are counted, and no answers.
Test(dp_access, a_full_ring_is_counted)
{
	enum { REQUESTS = 1100 };
	unsigned records = 0;

	for (unsigned i = 0; i < REQUESTS; i++) {
		ask(i, COAP_GET, "echo", NULL);
		cr_assert(bed_receive(&bed, &answer));
	}
	while (dp_access_take(bed.dp, 0, &record))
		records++;
	cr_expect_gt(bed_count(&bed, DP_STAT_access_lost), 0);
	cr_expect_eq(records + bed_count(&bed, DP_STAT_access_lost), REQUESTS);
}

// The worker picks: what is not picked costs no room.
Test(dp_access, a_sample_is_a_share)
{
	enum { REQUESTS = 1000 };
	unsigned records = 0;

	bed_set_access_percent(&bed, 20);
	for (unsigned i = 0; i < REQUESTS; i++) {
		ask(i, COAP_GET, "echo", NULL);
		cr_assert(bed_receive(&bed, &answer));
		records += dp_access_take(bed.dp, 0, &record);
	}
	cr_expect_gt(records, REQUESTS / 10);
	cr_expect_lt(records, REQUESTS * 3 / 10);
}
