// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/sim.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sim sim;
static uint64_t state;

static uint64_t next(uint64_t *from)
{
	// splitmix64
	uint64_t z = *from += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t sim_rnd(uint64_t below)
{
	return (unsigned __int128)next(&state) * below >> 64;
}

void sim_begin(uint64_t seed)
{
	const struct sim before = sim;

	state = seed;
	sim = (struct sim){.seed = seed,
		.ms = 1000000,
		.trace = before.trace,
		.digested = before.digested,
		.on_failure = before.on_failure};
	// At times just before 2^32 ms.
	sim.mono_offset = sim_rnd(4) ? (int64_t)sim_rnd(UINT64_C(1) << 34)
				     : (INT64_C(1) << 32) - 1000000 - (int64_t)sim_rnd(1 << 18);
	// The disks that schedules begin with are made earlier.
	sim.wall_offset =
		INT64_C(1790000000000) + (seed ? (int64_t)sim_rnd(1000000000) : -100000000);
	sim.wall_high = sim_wall_ms();
}

void sim_pass(uint64_t ms)
{
	sim.ms += ms;
	if (sim_wall_ms() > sim.wall_high)
		sim.wall_high = sim_wall_ms();
}

uint64_t sim_mono_ms(void)
{
	return sim.ms + sim.mono_offset;
}

int64_t sim_wall_ms(void)
{
	return (int64_t)sim.ms + sim.wall_offset;
}

// --- what the gateway reads -------------------------------------------------------------------

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int64_t ms = clock == CLOCK_REALTIME ? sim_wall_ms() : (int64_t)sim_mono_ms();

	now->tv_sec = ms / 1000;
	now->tv_nsec = ms % 1000 * 1000000;
	return 0;
}

time_t __wrap_time(time_t *now);
time_t __wrap_time(time_t *now)
{
	time_t seconds = sim_wall_ms() / 1000;

	if (now)
		*now = seconds;
	return seconds;
}

static const char *random_name(void)
{
	return "simulated";
}

static void random_buf(void *const buf, const size_t len)
{
	uint8_t *to = buf;
	uint64_t from = sim.seed ^ ++sim.randoms * UINT64_C(0xd1342543de82ef95), word;

	for (size_t at = 0; at < len; at += sizeof(word)) {
		word = next(&from);
		memcpy(to + at, &word, len - at < sizeof(word) ? len - at : sizeof(word));
	}
}

static uint32_t random_word(void)
{
	uint32_t word;

	random_buf(&word, sizeof(word));
	return word;
}

void sim_random_take_over(void)
{
	static struct randombytes_implementation simulated = {
		.implementation_name = random_name, .random = random_word, .buf = random_buf};

	if (randombytes_set_implementation(&simulated) || sodium_init() < 0)
		abort();
}

// --- trace and failure ------------------------------------------------------------------------

static void digest(const char *text)
{
	for (; *text; text++)
		sim.digest = (sim.digest ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
}

void sim_trace(const char *format, ...)
{
	char text[256];
	va_list args;

	if (!sim.trace && !sim.digested)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	digest(text);
	if (sim.trace)
		printf("# %u %.3f %s\n", sim.event, (double)sim.ms / 1000, text);
}

void sim_broken(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (sim.trace && sim.on_failure)
		sim.on_failure();
	fflush(stdout);
	fprintf(stderr, "seed %lu, event %u, %s:%d: %s\n", sim.seed, sim.event, file, line, text);
	sim_seed_failed(text);
}
