// SPDX-License-Identifier: BSD-3-Clause
// Protocol rule T4: no plaintext stays behind.

#include "crypto/aead_engine.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

TestSuite(dp_wiped, .init = one_device_init, .fini = one_device_fini);

#define MARKER "what a device said in confidence"

static void expect_no_marker(struct rte_mempool *pool, void *arg, void *obj, unsigned index)
{
	struct rte_mbuf *m = obj;

	cr_expect_null(memmem(m->buf_addr, m->buf_len, MARKER, strlen(MARKER)), "buffer %u of %s",
		index, pool->name);
}

// Protocol rule T4: no plaintext stays behind, accepted or not.
Test(dp_wiped, plaintexts_are_wiped_from_packet_buffers)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "discard", MARKER);
	expect_answer(COAP_CHANGED);
	exchange(COAP_CON, 2, 2, COAP_POST, "echo", MARKER);
	expect_answer(COAP_CHANGED);
	exchange(COAP_NON, 3, 3, COAP_POST, "nowhere", MARKER);
	expect_answer(COAP_NOT_FOUND);
	// Two in one burst: the second is opened too, and refused.
	bed_seal_path(&device, &request, COAP_NON, 4, 4, COAP_POST, "discard", MARKER);
	bed_send_request(&bed, &request);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
	rte_mempool_obj_iter(bed.pool, expect_no_marker, NULL);
	rte_mempool_obj_iter(bed_worker_pool(&bed, 0), expect_no_marker, NULL);
}

// Round keys, key stream and MACs of a turn end with it.
Test(dp_wiped, what_the_engine_kept_is_wiped_after_each_turn)
{
	const struct aead_engine *engine = bed_worker_engine(&bed, 0);

	bed_device_add(&bed, &device, true);
	for (uint16_t piv = 1; piv < 10; piv++) {
		exchange(COAP_CON, piv, piv, COAP_POST, "echo", MARKER);
		expect_answer(COAP_CHANGED);
		cr_expect_eq(engine->secrets_len, 0);
		for (size_t i = 0; i < sizeof(engine->secrets); i++)
			cr_assert_eq(engine->secrets[i], 0, "byte %zu", i);
	}
}

static void expect_no_marker_in_exchanges(const char *when)
{
	const struct dp_exchange_pool *pool = bed_exchanges(&bed, 0);

	cr_expect_eq(pool->free_count, BED_EXCHANGES);
	cr_expect_null(memmem(pool->shared.shared_half, pool->shared.count * pool->shared.stride,
			       MARKER, strlen(MARKER)),
		"%s", when);
}

// Nor in an exchange that is given back, whichever way its request ended.
Test(dp_wiped, plaintexts_are_wiped_from_exchanges)
{
	static const uint8_t marked[] = "\x45\xff" MARKER;
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "up/x", MARKER);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, marked, sizeof(marked) - 1);
	bed_turn(&bed);
	expect_answer(COAP_CONTENT);
	expect_no_marker_in_exchanges("answered");
	exchange(COAP_NON, 2, 2, COAP_POST, "up/x", MARKER);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_later(&bed, BED_TIMEOUT_MS + 2 * DP_TICK_MS);
	bed_turn(&bed);
	expect_answer(COAP_GATEWAY_TIMEOUT);
	bed_upstream_answer(&bed, handle, marked, sizeof(marked) - 1);
	bed_turn(&bed);
	expect_no_marker_in_exchanges("too late");
	// The length of an answer is the loop's word: one that is too long is not believed.
	exchange(COAP_NON, 3, 3, COAP_POST, "up/x", MARKER);
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared);
	bed_upstream_answer(&bed, handle, marked, sizeof(marked) - 1);
	shared->response.len = UINT16_MAX;
	bed_turn(&bed);
	expect_answer(COAP_INTERNAL_SERVER_ERROR);
	expect_no_marker_in_exchanges("too long");
}
