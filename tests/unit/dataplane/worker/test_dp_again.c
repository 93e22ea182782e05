// SPDX-License-Identifier: BSD-3-Clause
// Answers that the request and the configuration decide are kept as a digest. A copy of the request
// is verified, and gets the same bytes, sealed again, or nothing.

#include "dataplane/shared/bucket.h"
#include "dataplane/shared/policy.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>

TestSuite(dp_again, .init = one_device_init, .fini = one_device_fini);

static struct bed_answer again;

static struct dp_context *context(void)
{
	return &dp_contexts(bed.dp)->context[device.context];
}

// Sends the last request once more, late enough for a copy of its answer.
static void send_copy(void)
{
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

static void expect_same_bytes(void)
{
	cr_assert(bed_receive(&bed, &again), "no answer to the copy");
	cr_assert_eq(again.len, answer.len);
	cr_expect_arr_eq(again.coap, answer.coap, answer.len);
	cr_expect(dp_flow_same_endpoint(&again.flow, &answer.flow));
	expect_silence();
}

static void expect_ends(enum dp_stat stat, uint64_t count)
{
	cr_expect_eq(bed_count(&bed, stat), count, "%s is %lu, not %lu", dp_stat_infos[stat].name,
		bed_count(&bed, stat), count);
}

Test(dp_again, every_algorithm_method_and_length_gives_the_same_bytes)
{
	static const char *const paths[] = {"echo", "discard", "get"};
	static const uint8_t methods[] = {COAP_GET, COAP_POST, COAP_FETCH};
	static const uint16_t lengths[] = {0, 1, 7, 8, 32, 255, 256, 257, 600, 1024};
	char payload[1025];
	unsigned asked = 0;

	for (unsigned alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		bed_device_make(&device, alg + 2, alg);
		bed_device_add(&bed, &device, true);
		for (unsigned i = 0; i < RTE_DIM(paths) * RTE_DIM(lengths); i++) {
			uint16_t len = lengths[i % RTE_DIM(lengths)];
			unsigned path = i / RTE_DIM(lengths);
			uint8_t method = path == 2 ? COAP_GET : methods[i % RTE_DIM(methods)];

			memset(payload, 'a' + i % 26, len);
			payload[len] = 0;
			exchange(COAP_CON, i, i, method, paths[path], len ? payload : NULL);
			cr_assert(bed_receive(&bed, &answer));
			cr_assert(bed_open(&device, &request, &answer));
			asked++;
			for (unsigned copy = 0; copy < 2; copy++) {
				send_copy();
				expect_same_bytes();
			}
		}
	}
	expect_ends(DP_STAT_rx_requests, asked);
	expect_ends(DP_STAT_rx_duplicates_answered, 2 * asked);
	expect_ends(DP_STAT_answers, asked);
	expect_ends(DP_STAT_answers_builtin, asked);
}

// Whatever a copy does, its device is as it was before.
Test(dp_again, nothing_of_the_device_is_touched)
{
	bed_device_add(&bed, &device, true);
	bed.policy.rate_fill = 1000 * DP_BUCKET_PER_MS;
	bed.policy.rate_cost = bed.policy.rate_fill / 3;
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "first");
	expect_answer(COAP_CHANGED);
	struct bed_request first = request;
	struct bed_answer first_answer = answer;

	exchange(COAP_CON, 2, 2, COAP_POST, "echo", "second");
	expect_answer(COAP_CHANGED);
	struct dp_context before = *context();
	struct dp_side side = dp_contexts(bed.dp)->side[device.context];
	struct bed_request second = request;

	for (unsigned copy = 0; copy < DP_ANSWER_RESENDS_MAX; copy++) {
		request = first;
		answer = first_answer;
		send_copy();
		expect_same_bytes();
		cr_expect_arr_eq(context(), &before, sizeof(before));
		cr_expect_arr_eq(&dp_contexts(bed.dp)->side[device.context], &side, sizeof(side));
	}
	// The window stands where it stood: the second one is no new request.
	second.coap[3]++; // MID
	bed_send_request(&bed, &second);
	bed_turn(&bed);
	expect_silence();
	expect_ends(DP_STAT_drop_replay, 1);
	expect_ends(DP_STAT_rx_requests, 2);
}

// The bytes of a copy may be changed wherever they do not tell it from the request.
Test(dp_again, a_forged_copy_is_verified_first)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "first");
	expect_answer(COAP_CHANGED);
	uint8_t *ciphertext = request.coap + request.len - 8 - 1; // its last byte

	*ciphertext ^= 1;
	send_copy();
	expect_silence();
	expect_ends(DP_STAT_drop_tag, 1);
	expect_ends(DP_STAT_drop_duplicate_differs, 0);
	*ciphertext ^= 1;
	send_copy();
	expect_same_bytes();
}

Test(dp_again, copies_in_one_burst_are_one)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "discard", "first");
	expect_answer(COAP_CHANGED);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	for (unsigned i = 0; i < 5; i++)
		bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_same_bytes();
	expect_ends(DP_STAT_drop_duplicate_silent, 4);
}

static const struct dp_segment echo_segment = {"echo", 4};

// A copy of a request whose route was changed gets nothing: another answer under this nonce would
// be a second one. The routes may be put back.
static void expect_silence_after_reload(const struct dp_route *routes, unsigned count)
{
	struct dp_route_index *index = dp_route_index_create(routes, count);
	const struct dp_policy policy = bed.policy;
	dp_handle handle;

	cr_assert_not_null(index);
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "reading");
	expect_answer(COAP_CHANGED);
	bed.policy.routes = routes;
	bed.policy.route_count = count;
	bed.policy.index = index;
	send_copy();
	expect_silence();
	cr_expect_null(bed_upstream_take(&bed, &handle), "a copy goes to no backend");
	expect_ends(DP_STAT_drop_duplicate_differs, 1);
	expect_ends(DP_STAT_answers, 1);
	expect_ends(DP_STAT_answers_error, 0);
	bed.policy = policy;
	dp_route_index_free(index);
	send_copy();
	expect_same_bytes();
	expect_ends(DP_STAT_rx_requests, 1);
}

Test(dp_again, a_route_that_answers_otherwise_now)
{
	static const struct dp_route routes[] = {{.segments = &echo_segment,
		.segment_count = 1,
		.methods = 1 << COAP_POST,
		.target = DP_TARGET_DISCARD}};

	expect_silence_after_reload(routes, 1);
}

Test(dp_again, a_route_to_a_backend_now)
{
	static const struct dp_route routes[] = {{.segments = &echo_segment,
		.segment_count = 1,
		.methods = 1 << COAP_POST,
		.target = DP_TARGET_UPSTREAM,
		.timeout_ms = BED_TIMEOUT_MS}};

	expect_silence_after_reload(routes, 1);
}

Test(dp_again, a_route_that_does_not_take_the_method_now)
{
	static const struct dp_route routes[] = {{.segments = &echo_segment,
		.segment_count = 1,
		.methods = 1 << COAP_GET,
		.target = DP_TARGET_ECHO}};

	expect_silence_after_reload(routes, 1);
}

Test(dp_again, no_route_any_more)
{
	expect_silence_after_reload(NULL, 0);
}

// A device may take less than it did.
Test(dp_again, an_answer_that_would_be_too_large_now)
{
	static const uint8_t methods[] = {COAP_POST, COAP_FETCH};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(methods); i++) {
		exchange(COAP_CON, i, i, methods[i], "echo", "as long as some sentences are");
		expect_answer(methods[i] == COAP_POST ? COAP_CHANGED : COAP_CONTENT);
		for (unsigned taken = 1; taken < DP_MESSAGE_MIN; taken += DP_MESSAGE_MIN / 3) {
			uint16_t before = context()->max_message;

			context()->max_message = taken;
			send_copy();
			expect_silence();
			context()->max_message = before;
		}
		send_copy();
		expect_same_bytes();
	}
	expect_ends(DP_STAT_drop_duplicate_differs, 6);
	expect_ends(DP_STAT_answers_oversize, 0);
	expect_ends(DP_STAT_answers, 2);
}

// What was too large for the device and is not any more is another answer, too.
Test(dp_again, an_answer_that_was_too_large)
{
	bed_device_add(&bed, &device, true);
	uint16_t before = context()->max_message;

	context()->max_message = DP_MESSAGE_MIN;
	exchange(COAP_CON, 1, 1, COAP_POST, "echo",
		"a payload that this device could never take, for it is longer than all of it");
	expect_answer(COAP_CHANGED);
	cr_expect_eq(answer.plaintext_len, 1);
	send_copy();
	expect_same_bytes();
	context()->max_message = before;
	send_copy();
	expect_silence();
	expect_ends(DP_STAT_drop_duplicate_differs, 1);
	expect_ends(DP_STAT_answers_oversize, 1);
}

// An own Partial IV is a new nonce, and no copy.
Test(dp_again, a_device_that_gets_own_partial_ivs)
{
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_ALWAYS, 0);
	dp_run_grant(bed.dp, 0);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "first");
	expect_answer(COAP_CHANGED);
	cr_expect(answer.has_piv);
	send_copy();
	expect_same_bytes();
	expect_ends(DP_STAT_rx_duplicates_answered, 1);
	// It cannot be changed while it lives. If it was:
	context()->flags = 0;
	exchange(COAP_CON, 2, 2, COAP_POST, "echo", "second");
	expect_answer(COAP_CHANGED);
	cr_expect_not(answer.has_piv);
	context()->flags = DP_CONTEXT_OWN_PIV_ALWAYS;
	send_copy();
	expect_silence();
	expect_ends(DP_STAT_drop_duplicate_differs, 1);
}

#define BLOCK 16

static void block_encrypt(EVP_CIPHER_CTX *aes, uint8_t block[BLOCK], const uint8_t *with)
{
	int len;

	for (unsigned i = 0; i < BLOCK; i++)
		block[i] ^= with[i];
	cr_assert(EVP_EncryptUpdate(aes, block, &len, block, BLOCK) && len == BLOCK);
}

// Changes the second block of a plaintext of three, and then the third one so that the tag is the
// same: who has the key can do that to CBC-MAC (RFC 3610 section 2.2).
static void change_under_same_tag(uint8_t plaintext[3 * BLOCK], uint64_t piv)
{
	const struct osc_params *params = &device.params;
	const struct osc_id_piv made = {params->sender_id, params->sender_id_len, piv};
	const struct osc_op_input input = {.alg = AEAD_AES_CCM_16_64_128,
		.key = device.keys.sender_key,
		.common_iv = device.keys.common_iv,
		.request = made,
		.nonce = made};
	EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
	uint8_t aad[OSC_AAD_ROOM], mac[BLOCK] = {0}, other[BLOCK];
	uint8_t first[BLOCK] = {0x59, [BLOCK - 1] = 3 * BLOCK};
	uint16_t aad_len = osc_aad(aad, AEAD_AES_CCM_16_64_128, made.id, made.id_len, piv);
	struct aead_op op;

	osc_op_prepare(&op, aad, &input);
	osc_nonce(first + 1, AEAD_AES_CCM_16_64_128, input.common_iv, made.id, made.id_len, piv);
	cr_assert(aes &&
		EVP_EncryptInit_ex(aes, EVP_aes_128_ecb(), NULL, device.keys.sender_key, NULL));
	block_encrypt(aes, mac, first);
	for (unsigned at = 0; at < 2u + aad_len; at += BLOCK)
		block_encrypt(aes, mac, aad + at);
	block_encrypt(aes, mac, plaintext);
	memcpy(other, mac, BLOCK);
	block_encrypt(aes, mac, plaintext + BLOCK);
	plaintext[BLOCK] ^= 1;
	block_encrypt(aes, other, plaintext + BLOCK);
	for (unsigned i = 0; i < BLOCK; i++)
		plaintext[2 * BLOCK + i] ^= mac[i] ^ other[i];
	EVP_CIPHER_CTX_free(aes);
}

// A device that makes two requests of one number and one tag, which only it can, gets one answer.
Test(dp_again, another_request_with_the_same_tag_gets_nothing)
{
	uint8_t plaintext[3 * BLOCK] = "\x02\xb4"
				       "echo\xff"
				       "forty-two bytes, all that there is";
	struct bed_request first;

	bed_device_add(&bed, &device, true);
	bed_seal(&device, &first, COAP_CON, 1, 1, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	request = first;
	expect_answer(COAP_CHANGED);
	change_under_same_tag(plaintext, 1);
	bed_seal(&device, &request, COAP_CON, 1, 1, plaintext, sizeof(plaintext));
	cr_assert_eq(request.len, first.len);
	cr_assert_arr_eq(request.coap + request.len - 8, first.coap + first.len - 8, 8, "the tag");
	cr_assert_arr_neq(request.coap, first.coap, first.len);
	send_copy();
	expect_silence();
	expect_ends(DP_STAT_drop_duplicate_differs, 1);
	request = first;
	send_copy();
	expect_same_bytes();
	expect_ends(DP_STAT_rx_requests, 1);
}

Test(dp_again, no_buffer_for_the_copy)
{
	struct rte_mbuf *all[8192];

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "first");
	expect_answer(COAP_CHANGED);
	unsigned n = bed_mbufs_take(&bed, all, RTE_DIM(all));

	send_copy();
	expect_silence();
	rte_pktmbuf_free_bulk(all, n);
	expect_ends(DP_STAT_drop_no_mbuf, 1);
	send_copy();
	expect_same_bytes();
}

Test(dp_again, a_copy_is_not_logged)
{
	struct dp_access_record record;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "first");
	expect_answer(COAP_CHANGED);
	cr_expect(dp_access_take(bed.dp, 0, &record));
	send_copy();
	expect_same_bytes();
	cr_expect_not(dp_access_take(bed.dp, 0, &record));
}
