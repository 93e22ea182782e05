// SPDX-License-Identifier: BSD-3-Clause
// Whatever happens in whatever order: what is charged is what is there, and in the end nothing is.

#include "gw/body/table.h"
#include "tests/unit/gw/body/bed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define MEMORY     (128u << 10)
#define PER_DEVICE 3
#define DEVICES    12
#define CLAIMS     8
#define ASKING     16
#define STEPS      100000

static struct bed bed;
static struct body *asking[ASKING];
static struct body_claim claims[CLAIMS];
static uint64_t seed = 1;
static unsigned walks, claimings;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(seed >> 33) % below;
}

// ---- what must hold

static void holder_check(const struct body_holder *holder)
{
	size_t charged = 0, loose = 0, claimed = 0;
	unsigned count = 0, claim_count = 0;
	const struct body *body;

	TAILQ_FOREACH(body, &holder->bodies, of_holder)
	{
		cr_assert(body->holder == holder);
		cr_assert(not(body->listed && body->state == BODY_ASKING));
		cr_assert(body->listed || body->state == BODY_ASKING);
		cr_assert(body->findable || body->state == BODY_ASKING);
		cr_assert(ge(sz, body->charged, body->bytes.room + body->kept.options_len));
		cr_assert(le(sz, body->bytes.len, body->bytes.room));
		charged += body->charged;
		loose += body->listed ? body->charged : 0;
		count++;
	}
	for (unsigned i = 0; i < CLAIMS; i++) {
		bool here = claims[i].bytes && claims[i].holder == holder;

		claimed += here ? claims[i].bytes : 0;
		claim_count += here;
	}
	cr_assert(eq(sz, holder->bytes, charged + claimed));
	cr_assert(eq(sz, holder->loose, loose));
	cr_assert(eq(uint, holder->count, count));
	cr_assert(eq(uint, holder->claims, claim_count));
	cr_assert(le(uint, count, PER_DEVICE));
	cr_assert(count || claim_count);
	cr_assert(le(sz, holder->bytes, MEMORY / 2));
}

static void table_check(void)
{
	const struct body_table *table = bed.table;
	const struct body_holder *holder;
	size_t used = 0, bodies = 0, listed = 0;

	for (size_t i = 0; i <= table->mask; i++)
		LIST_FOREACH (holder, &table->holders[i], chain) {
			holder_check(holder);
			used += holder->bytes;
			bodies += holder->count;
		}
	cr_assert(eq(sz, table->used, used));
	cr_assert(le(sz, used, MEMORY));
	cr_assert(eq(u64, body_stat(table, BODY_STAT_bytes), used));
	cr_assert(eq(u64, body_stat(table, BODY_STAT_bodies), bodies));

	const struct body_list *lists[] = {&table->delivered, &table->idle};
	for (unsigned i = 0; i < 2; i++) {
		const struct body *body;
		uint64_t used_ms = 0;

		TAILQ_FOREACH(body, lists[i], by_use)
		{
			cr_assert(body->listed && body->delivered == !i);
			cr_assert(ge(u64, body->used_ms, used_ms));
			used_ms = body->used_ms;
			listed++;
		}
	}
	for (unsigned i = 0; i < ASKING; i++)
		listed += asking[i] != NULL;
	cr_assert(eq(sz, bodies, listed));
}

// ---- what happens

static void end_asking(unsigned i, size_t len)
{
	uint8_t options[] = {0xc1, 50};
	const struct body_answer answer = {.code = COAP_CHANGED,
		.payload = bytes_of_body,
		.payload_len = len,
		.options = options,
		.options_len = any(2) ? sizeof(options) : 0};
	struct body *body = asking[i];

	if (!body)
		return;
	asking[i] = NULL;
	(void)body_answered(bed.table, body, &answer, bed.now_ms);
	for (uint32_t waiters = any(3); waiters; waiters--) {
		struct ask ask = {.code = COAP_POST, .block1 = true, .num1 = 3};

		cr_assert(bed_read(&bed, &ask));
		bed_serve(&bed, body);
	}
	body_release(bed.table, body);
}

static uint32_t generation_of(uint32_t context)
{
	static uint32_t generations[DEVICES];

	if (!any(300))
		generations[context]++;
	return generations[context] - (generations[context] && !any(50)); // late
}

static void upload(struct ask ask, size_t len)
{
	uint32_t blocks = (uint32_t)(len + 1023) / 1024, from = any(8) ? 0 : any(blocks);
	bool last_again = !any(3);

	if (any(3))
		blocks = any(blocks + 1);
	for (uint32_t num = from; num < blocks + last_again; num++) {
		bool again = num == blocks;
		enum body_action action = BODY_REFUSE;

		if (!again || num)
			action = bed_block(&bed, ask, bytes_of_body, len, num - again, 6);
		if (action == BODY_SERVE)
			bed_serve(&bed, bed.body);
		if (action != BODY_ASK)
			continue;
		unsigned i = 0;

		while (i < ASKING && asking[i])
			i++;
		if (i == ASKING)
			end_asking(i = any(ASKING), 10);
		asking[i] = bed.body;
		if (any(2))
			body_copied(bed.table, bed.body);
	}
}

static void download(struct ask ask, size_t len)
{
	ask.block2 = any(2);
	ask.num2 = any(3);
	ask.szx2 = (uint8_t)any(7);
	enum body_action action = bed_ask(&bed, &ask);

	if (action == BODY_SERVE) {
		bed_serve(&bed, bed.body);
	} else if (action != BODY_REFUSE) {
		struct body *body = bed_keep(&bed, COAP_CONTENT, bytes_of_body, len + 2000);

		if (body)
			bed_serve(&bed, body);
	}
}

static void request(void)
{
	static const char *const tags[] = {"a", "b", "c", "d", NULL};
	static const uint8_t codes[] = {COAP_PUT, COAP_POST, COAP_FETCH, COAP_GET};
	struct ask ask = {.context = any(DEVICES),
		.code = codes[any(4)],
		.path = "p",
		.tag = tags[any(5)],
		.route = any(3)};
	size_t len = 1 + any(any(10) ? 3000 : 60000);

	ask.generation = generation_of(ask.context);
	if (any(2) && ask.code != COAP_GET)
		upload(ask, len);
	else
		download(ask, len);
}

static bool is_dead(void *arg, const struct body *body)
{
	(void)arg;
	return body->route == 2;
}

static void step(void)
{
	struct body_claim *claim = &claims[any(CLAIMS)];
	size_t at = any(64);

	switch (any(16)) {
	case 0:
		bed.now_ms += any(KEEP_MS);
		(void)body_table_turn(bed.table, bed.now_ms);
		break;
	case 1:
		if (!any(4))
			body_device_gone(bed.table, any(DEVICES), any(20));
		break;
	case 2:
		if (!any(20))
			walks += body_walk(bed.table, &at, 16, is_dead, NULL);
		break;
	case 3:
		end_asking(any(ASKING), any(any(10) ? 2000 : 70000));
		break;
	case 4:
		if (claim->bytes)
			body_unclaim(bed.table, claim);
		else
			claimings += body_claim(bed.table, claim, any(DEVICES), any(20), any(5000));
		break;
	case 5:
		if (claim->bytes)
			claimings += body_claim(bed.table, claim, claim->holder->context,
				claim->holder->generation, claim->bytes + any(20000));
		break;
	default:
		request();
	}
}

Test(body_drift, what_is_charged_is_what_is_there)
{
	bed_init(&bed, MEMORY, PER_DEVICE);
	bed.limits.max_body = 20000;
	for (unsigned i = 0; i < STEPS; i++) {
		step();
		table_check();
	}
	// Each way in which bodies end was gone.
	for (unsigned i = 0; i < BODY_STAT_bodies; i++)
		cr_assert(body_stat(bed.table, i) > 0, "statistic %u", i);
	cr_assert(walks && claimings);
	for (unsigned i = 0; i < ASKING; i++)
		end_asking(i, 10);
	for (unsigned i = 0; i < CLAIMS; i++)
		body_unclaim(bed.table, &claims[i]);
	bed.now_ms += IDLE_MS;
	while (body_table_turn(bed.table, bed.now_ms) != UINT64_MAX)
		;
	table_check();
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 0));
	bed_fini(&bed);
}
