// SPDX-License-Identifier: BSD-3-Clause
// No request costs more because there are many devices or bodies, whatever those have in common.

#include "base/clock.h"
#include "tests/unit/gw/body/bed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define FEW    16
#define MANY   30000
#define ROUNDS 9
#define COSTLY \
	100 // times as long: what is out of the caches takes ten times, a list of all a thousand

static struct ask of(uint32_t context)
{
	return (struct ask){.context = context, .generation = 1, .code = COAP_GET, .path = "x"};
}

// The shortest time of a thousand calls, of devices at random.
static uint64_t cost(struct bed *bed, uint32_t devices, void (*call)(struct bed *bed, uint32_t at))
{
	uint64_t least = UINT64_MAX;
	uint32_t at = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = clock_ns();

		for (unsigned i = 0; i < 1000; i++) {
			at = at * 1664525 + 1013904223;
			call(bed, (at >> 8) % devices);
		}
		uint64_t took = clock_ns() - start;

		least = took < least ? took : least;
	}
	return least;
}

static void ratio_check(void (*prepare)(struct bed *bed, uint32_t devices),
	void (*call)(struct bed *bed, uint32_t at))
{
	uint64_t took[2];

	for (unsigned many = 0; many < 2; many++) {
		uint32_t devices = many ? MANY : FEW;
		struct bed bed;

		bed_init(&bed, (size_t)devices * 4096, 4);
		prepare(&bed, devices);
		took[many] = cost(&bed, devices, call);
		bed_fini(&bed);
	}
	cr_assert(took[1] < COSTLY * took[0]);
}

// ---- each device gets the same large answer

static void answers_keep(struct bed *bed, uint32_t devices)
{
	for (uint32_t i = 0; i < devices; i++) {
		struct ask ask = of(i);

		cr_assert(eq(int, bed_ask(bed, &ask), BODY_FORWARD));
		cr_assert(ne(ptr, bed_keep(bed, COAP_CONTENT, bytes_of_body, 2000), NULL));
	}
}

static void block_ask(struct bed *bed, uint32_t at)
{
	struct ask ask = of(at);

	ask.block2 = true;
	ask.num2 = 1;
	ask.szx2 = 5;
	cr_assert(eq(int, bed_ask(bed, &ask), BODY_SERVE));
	bed_serve(bed, bed->body);
}

Test(body_cost, a_block_of_an_answer_that_many_devices_get)
{
	ratio_check(answers_keep, block_ask);
}

// ---- each device begins the same upload

static void upload_begin(struct bed *bed, uint32_t at)
{
	struct ask ask = of(at);

	ask.code = COAP_PUT;
	bed_block(bed, ask, bytes_of_body, BODY_MOST, 0, 6);
	cr_assert(eq(u8, bed->reply.code, COAP_CONTINUE));
}

static void uploads_begin(struct bed *bed, uint32_t devices)
{
	for (uint32_t i = 0; i < devices; i++)
		upload_begin(bed, i);
}

// Opens the body again, and goes on.
static void upload_go_on(struct bed *bed, uint32_t at)
{
	struct ask ask = of(at);

	upload_begin(bed, at);
	ask.code = COAP_PUT;
	bed_block(bed, ask, bytes_of_body, BODY_MOST, 1, 6);
	cr_assert(eq(u8, bed->reply.code, COAP_CONTINUE));
}

Test(body_cost, a_block_of_an_upload_that_many_devices_send)
{
	ratio_check(uploads_begin, upload_go_on);
}

// ---- the memory is full, and somebody gives way

// Until no more is taken.
static void memory_fill(struct bed *bed, uint32_t devices)
{
	for (uint32_t i = 0; !body_stat(bed->table, BODY_STAT_no_memory); i++) {
		struct ask ask = of(i);

		ask.code = COAP_PUT;
		bed_block(bed, ask, bytes_of_body, BODY_MOST, 0, 6);
	}
	cr_assert(body_stat(bed->table, BODY_STAT_bodies) >= devices);
	bed->now_ms += KEEP_MS;
}

static void newcomer_begin(struct bed *bed, uint32_t at)
{
	static uint32_t next = 1u << 20;
	struct ask ask = of(next++);

	ask.code = COAP_PUT;
	bed_block(bed, ask, bytes_of_body, BODY_MOST, 0, 6);
	cr_assert(eq(u8, bed->reply.code, COAP_CONTINUE));
	bed->now_ms += KEEP_MS; // all others are idle
}

Test(body_cost, an_idle_body_gives_way)
{
	ratio_check(memory_fill, newcomer_begin);
}
