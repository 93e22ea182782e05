// SPDX-License-Identifier: BSD-3-Clause
// The world around a simulated gateway: chance, time, trace, and what is told of a failure. All of
// it is one process and one thread, and follows from a seed. README.md says what is real.

#ifndef POSTERN_TESTS_SIM_SIM_H
#define POSTERN_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_WORKERS 2

// The end of a schedule that broke a rule; said with what was expected.
#define must(condition, ...)                                         \
	do {                                                         \
		if (!(condition))                                    \
			sim_broken(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

struct sim {
	uint64_t seed;
	unsigned event;      // of the schedule
	uint64_t ms;         // of the world, which never steps; deadlines of devices are in this
	int64_t mono_offset; // CLOCK_MONOTONIC less that; another one after a reboot
	int64_t wall_offset; // time of day in ms less that; steps
	int64_t wall_high;   // latest time of day that there was, ms
	bool trace, digested;
	void (*on_failure)(void);              // tells more, with `trace`
	bool no_faults;                        // the schedule is at its end: everybody behaves
	uint64_t digest;                       // of all that happened
	uint64_t lag_ms;                       // that the clock of a worker is behind at most
	uint64_t randoms;                      // times that the gateway asked for random bytes
	unsigned lives, crashes, stops, boots; // in this schedule
};

extern struct sim sim;

// A number below this one.
uint64_t sim_rnd(uint64_t below);
// Once in so many times.
static inline bool sim_once_in(uint64_t times)
{
	return !sim_rnd(times);
}
// Begins the world of a seed.
void sim_begin(uint64_t seed);
// What the gateway asks of libsodium follows from the seed from now on.
void sim_random_take_over(void);

// A line of the trace, and of the digest if that is wanted: two runs of a seed are alike if their
// digests are.
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void sim_broken(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// main.c: says how the seed is replayed, and ends the program.
_Noreturn void sim_seed_failed(const char *why);

// So much time passes.
void sim_pass(uint64_t ms);
// CLOCK_MONOTONIC, and the time of day in ms, as the gateway reads them.
uint64_t sim_mono_ms(void);
int64_t sim_wall_ms(void);

#endif
