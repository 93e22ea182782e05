// SPDX-License-Identifier: BSD-3-Clause
// Runs schedules: those of a time, so many, or one that is replayed.

#include "tests/sim/gateway.h"
#include "tests/sim/reuse.h"
#include "tests/sim/schedule.h"
#include "tests/sim/sim.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS  60 // of a run
#define JOBS     2  // .. and its processes
#define JOBS_MAX 64

static struct {
	uint64_t seed, count, seconds, least;
	unsigned jobs;
	bool has_seed, trace, twice;
} asked = {.seconds = SECONDS, .jobs = JOBS};

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
		else if (!strcmp(argv[i], "--least") && ++i)
			asked.least = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--processes") && ++i)
			asked.jobs = strtoul(value, NULL, 0);
		else if (strncmp(argv[i], "--tap=", 6) && strncmp(argv[i], "--jobs=", 7)) {
			fprintf(stderr,
				"usage: test_sim [--seed N [--trace]] [--count N] "
				"[--seconds N [--least N]] [--processes N] [--twice]\n");
			exit(2);
		}
	}
	if (asked.has_seed && !asked.count)
		asked.count = 1;
	if (asked.jobs > JOBS_MAX)
		asked.jobs = JOBS_MAX;
	if (asked.count == 1 || !asked.jobs)
		asked.jobs = 1;
}

// A schedule that differs when it is run again cannot be replayed.
static void run_one(uint64_t seed)
{
	uint64_t digest;

	sim.trace = asked.trace;
	sim.digested = asked.twice;
	schedule_run(seed);
	digest = sim.digest;
	if (!asked.twice)
		return;
	schedule_run(seed);
	must(sim.digest == digest, "the second run of the seed is another");
}

// --- processes --------------------------------------------------------------------------------

static struct schedule_totals *totals; // of each process, in memory that they share

static void sum_up(struct schedule_totals *sum)
{
	*sum = (struct schedule_totals){0};
	for (unsigned job = 0; job < asked.jobs; job++)
		for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
			((uint64_t *)sum)[i] += ((const uint64_t *)&totals[job])[i];
}

static double cpu_s(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void tell(double seconds)
{
	struct schedule_totals t;

	sum_up(&t);
	printf("# %lu schedules, %lu events, %lu with a fault, in %.1f s by %u processes: %.2f ms "
	       "of CPU each\n",
		t.schedules, t.events, t.with_fault, seconds, asked.jobs,
		1000 * (cpu_s(RUSAGE_SELF) + cpu_s(RUSAGE_CHILDREN)) / (double)t.schedules);
	printf("# %lu lives, %lu crashes, of them %lu by the power, %lu clean stops, %lu "
	       "requests\n",
		t.lives, t.crashes, t.power_cuts, t.stops, t.asks);
}

// Whether another schedule is due, after `done` by all processes.
static bool is_due(uint64_t done, double begun)
{
	return asked.count ? done < asked.count
			   : done < asked.least || now_s() - begun < (double)asked.seconds;
}

// Every so manieth of the numbers from this one on.
static void run_job(unsigned job, uint64_t seed, double begun)
{
	// EAL's memory is shared with who is forked: so each has its own.
	reuse_init();
	gateway_init();
	catch_signals();
	sim_random_take_over();
	schedule_prepare();
	for (uint64_t done = job; is_due(done, begun); done += asked.jobs) {
		run_one(seed + done);
		totals[job] = schedule_totals;
	}
}

// Waits for all of them. false: one has found a failure, which it has told, and the others are
// ended.
static bool jobs_end(const pid_t pid[])
{
	bool good = true;
	int status;

	for (unsigned left = asked.jobs; left; left--) {
		if (wait(&status) < 0 || (WIFEXITED(status) && !WEXITSTATUS(status)))
			continue;
		for (unsigned i = 0; good && i < asked.jobs; i++)
			kill(pid[i], SIGKILL);
		good = false;
	}
	return good;
}

static bool run_jobs(uint64_t seed, double begun)
{
	pid_t pid[JOBS_MAX];

	for (unsigned job = 0; job < asked.jobs; job++) {
		pid[job] = fork();
		if (pid[job] < 0)
			abort();
		if (!pid[job]) {
			run_job(job, seed, begun);
			fflush(stdout);
			_exit(0);
		}
	}
	return jobs_end(pid);
}

int main(int argc, char *argv[])
{
	struct timespec now;

	read_arguments(argc, argv);
	// Memory stays with the process: each life of the gateway takes the same.
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	totals = mmap(NULL, JOBS_MAX * sizeof(*totals), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (totals == MAP_FAILED)
		abort();
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	uint64_t seed = asked.has_seed
		? asked.seed
		: (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	double begun = now_s();

	if (asked.jobs == 1)
		run_job(0, seed, begun);
	else if (!run_jobs(seed, begun))
		return 1;
	tell(now_s() - begun);
	printf("ok - sim::schedules\n1..1\n");
	return 0;
}
