// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/worker/separate.h"

#include <criterion/criterion.h>

struct bed_answer first;
dp_handle handle;

const uint8_t late[6] = {COAP_CONTENT, 0xff, 'l', 'a', 't', 'e'};

void separate_init(void)
{
	one_device_init();
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

void later(uint64_t ms)
{
	bed_later(&bed, ms);
	bed_turn(&bed);
}

void expect_empty_ack(uint16_t mid)
{
	cr_assert(bed_receive(&bed, &answer), "no empty ACK");
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_eq(answer.msg.code, COAP_EMPTY);
	cr_expect_eq(answer.msg.mid, mid);
	cr_expect_eq(answer.flow.local_port, bed.flow.remote_port);
	expect_silence();
}

void ask(enum coap_type type, uint16_t mid, uint64_t piv)
{
	bed_seal_path(&device, &request, type, mid, piv, COAP_GET, "up/slow", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	expect_silence();
}

void ask_and_get_ack(uint16_t mid, uint64_t piv)
{
	ask(COAP_CON, mid, piv);
	later(ACK_LATER);
	expect_empty_ack(mid);
}

void backend_answers(void)
{
	bed_upstream_answer(&bed, handle, late, sizeof(late));
	bed_turn(&bed);
}

void expect_separate(uint8_t code)
{
	cr_assert(bed_receive(&bed, &first), "no answer");
	cr_expect_eq(first.msg.type, COAP_CON);
	cr_expect_eq(first.msg.token_len, request.token_len);
	cr_expect_arr_eq(first.msg.token, request.token, request.token_len);
	cr_expect_eq(first.flow.local_port, bed.flow.remote_port, "to where it was asked");
	cr_assert(bed_open(&device, &request, &first));
	cr_expect_eq(first.plaintext[0], code);
	expect_silence();
}

void expect_same_bytes(void)
{
	cr_assert(bed_receive(&bed, &answer), "no retransmission");
	cr_expect_eq(answer.len, first.len);
	cr_expect_arr_eq(answer.coap, first.coap, first.len, "the same bytes, not sealed again");
	expect_silence();
}

void device_sends_empty(enum coap_type type, uint16_t mid)
{
	bed_send_empty(&bed, &bed.flow, type, mid);
	bed_turn(&bed);
}

void expect_all_exchanges_free(void)
{
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), 0);
}
