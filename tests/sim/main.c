// SPDX-License-Identifier: BSD-3-Clause
// Runs schedules: those of a time, so many, or one that is replayed.

#include "tests/sim/gateway.h"
#include "tests/sim/schedule.h"
#include "tests/sim/sim.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 60 // of a run in CI

static struct {
	uint64_t seed, count, seconds;
	bool has_seed, trace, twice;
} asked = {.seconds = SECONDS};

static double now_s(void)
{
	struct timespec now;

	// Past the clock of the simulation.
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sim_seed_failed(const char *why)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
		"not ok - sim::schedules seed %lu: %s\n"
		"# again: build/tests/test_sim --seed %lu --trace, of commit:\n",
		sim.seed, why, sim.seed);
	ssize_t written __attribute__((unused)) = write(STDOUT_FILENO, text, len);
	pid_t git = fork();

	if (!git) {
		dup2(STDOUT_FILENO, STDERR_FILENO);
		execlp("git", "git", "-C", SIM_SOURCE, "rev-parse", "--short", "HEAD", NULL);
		_exit(1);
	}
	waitpid(git, NULL, 0);
	_exit(1);
}

static void on_signal(int signo)
{
	sim_seed_failed(signo == SIGABRT ? "aborted" : "a fault of memory");
}

static void catch_signals(void)
{
	static uint8_t stack[64 << 10];
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

	sigaltstack(&alternate, NULL);
	sigaction(SIGABRT, &action, NULL);
#ifndef __SANITIZE_ADDRESS__
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
#endif
}

static void read_arguments(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";

		if (!strcmp(argv[i], "--trace"))
			asked.trace = true;
		else if (!strcmp(argv[i], "--twice"))
			asked.twice = true;
		else if (!strcmp(argv[i], "--seed") && ++i)
			asked.has_seed = true, asked.seed = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--count") && ++i)
			asked.count = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--seconds") && ++i)
			asked.seconds = strtoull(value, NULL, 0);
		else if (strncmp(argv[i], "--tap=", 6) && strncmp(argv[i], "--jobs=", 7)) {
			fprintf(stderr,
				"usage: test_sim [--seed N [--trace]] [--count N] "
				"[--seconds N] [--twice]\n");
			exit(2);
		}
	}
	if (asked.has_seed && !asked.count)
		asked.count = 1;
}

// A schedule that differs when it is run again cannot be replayed.
static void run_one(uint64_t seed)
{
	uint64_t digest;

	sim.trace = asked.trace;
	schedule_run(seed);
	digest = sim.digest;
	if (!asked.twice)
		return;
	schedule_run(seed);
	must(sim.digest == digest, "the second run of the seed is another");
}

static void tell(double seconds)
{
	const struct schedule_totals *t = &schedule_totals;

	printf("# %lu schedules, %lu events, %lu with a fault, in %.1f s: %.2f ms each\n",
		t->schedules, t->events, t->with_fault, seconds,
		1000 * seconds / (double)t->schedules);
	printf("# %lu lives, %lu crashes, of them %lu by the power, %lu clean stops, %lu "
	       "requests\n",
		gateway.lives, t->crashes, t->power_cuts, t->stops, t->asks);
	printf("# %zu kB allocated\n", mallinfo2().uordblks / 1024);
}

int main(int argc, char *argv[])
{
	struct timespec now;

	read_arguments(argc, argv);
	// Memory stays with the process: each life of the gateway takes the same.
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	gateway_init();
	catch_signals();
	sim_random_take_over();
	schedule_prepare();
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	uint64_t seed = asked.has_seed
		? asked.seed
		: (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	double begun = now_s();
	uint64_t done = 0;

	while (asked.count ? done < asked.count : now_s() - begun < (double)asked.seconds) {
		run_one(seed + done);
		done++;
	}
	tell(now_s() - begun);
	printf("ok - sim::schedules\n1..1\n");
	return 0;
}
