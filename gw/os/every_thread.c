// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/every_thread.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TASKS_DIR "/proc/self/task"
#define COMM_MAX  16   // bytes of a thread's name with the 0
#define TASKS_MAX 1024 // far more than workers, loops and EAL make
#define LOOK_MS   100  // between looks whether a thread that does not answer still exists
#define DEAF_MS   5000 // after which one that blocks the signal all the time takes none

// What main asks of the thread that it signals. Main writes it before the signal; the thread writes
// rc before it posts `done`.
static struct {
	void (*trap)(const siginfo_t *info);
	every_thread_run *run;
	void *arg;
	char name[COMM_MAX];
	pid_t tid; // atomic; 0: nobody is asked
	int rc;
	sem_t done;
} asked;

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	pid_t me = (pid_t)syscall(SYS_gettid);
	const int before = errno;

	if (info->si_code > 0) { // from the kernel: SYS_SECCOMP
		if (asked.trap)
			asked.trap(info);
		return;
	}
	if (info->si_pid != getpid() ||
		!__atomic_compare_exchange_n(
			&asked.tid, &me, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	asked.rc = asked.run(asked.name, asked.arg);
	sem_post(&asked.done);
	errno = before;
}

int every_thread_open(void (*trap)(const siginfo_t *info))
{
	struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_RESTART};

	if (!asked.trap && sem_init(&asked.done, 0, 0))
		return -errno;
	asked.trap = trap;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}

// Reads a file of a thread into text, which ends with 0; "" if there is none.
static void task_read(pid_t tid, const char *file, char *text, size_t room)
{
	char path[sizeof(TASKS_DIR) + 32];

	snprintf(path, sizeof(path), TASKS_DIR "/%d/%s", (int)tid, file);
	FILE *in = fopen(path, "re");
	const size_t len = in ? fread(text, 1, room - 1, in) : 0;

	text[len] = 0;
	if (in)
		fclose(in);
}

// The signals that a thread blocks, as the kernel shows them: bit N - 1 is signal N.
static uint64_t blocked_by(pid_t tid)
{
	static const char line[] = "\nSigBlk:";
	char status[4096];

	task_read(tid, "status", status, sizeof(status));
	const char *mask = strstr(status, line);

	return mask ? strtoull(mask + sizeof(line) - 1, NULL, 16) : 0;
}

static bool blocks_sigsys(pid_t tid)
{
	return blocked_by(tid) >> (SIGSYS - 1) & 1;
}

// The thread sanitizer has a thread of its own, which blocks the signals of a crash as well. It
// keeps its capabilities, and has the union of the filters.
static bool is_sanitizers(pid_t tid)
{
#ifdef __SANITIZE_THREAD__
	return blocked_by(tid) >> (SIGSEGV - 1) & 1;
#else
	return false;
#endif
}

static void name_read(pid_t tid, char name[COMM_MAX])
{
	task_read(tid, "comm", name, COMM_MAX);
	name[strcspn(name, "\n")] = 0;
}

// Returns whether the thread ran it, or has ended; false if it takes no signals.
static bool answered(pid_t tid)
{
	const uint64_t until = clock_ms() + EVERY_THREAD_WAIT_MS;
	uint64_t deaf_since = clock_ms();

	while (clock_ms() < until) {
		struct timespec at;

		clock_gettime(CLOCK_REALTIME, &at);
		at.tv_nsec += LOOK_MS * 1000000L;
		at.tv_sec += at.tv_nsec / 1000000000L;
		at.tv_nsec %= 1000000000L;
		if (!sem_timedwait(&asked.done, &at))
			return true;
		if (syscall(SYS_tgkill, getpid(), tid, 0) && errno == ESRCH)
			return true;
		// While it runs what was asked the signal is blocked, and so it is for a moment in
		// a thread that is new.
		if (!__atomic_load_n(&asked.tid, __ATOMIC_ACQUIRE) || !blocks_sigsys(tid))
			deaf_since = clock_ms();
		else if (clock_ms() - deaf_since >= DEAF_MS)
			return false;
	}
	return false;
}

static int ask(pid_t tid, struct error *error)
{
	if (is_sanitizers(tid))
		return 0;
	name_read(tid, asked.name);
	asked.rc = 0;
	__atomic_store_n(&asked.tid, tid, __ATOMIC_RELEASE);
	if (syscall(SYS_tgkill, getpid(), tid, SIGSYS)) {
		asked.tid = 0;
		return errno == ESRCH ? 0 : -errno; // it has ended
	}
	if (!answered(tid))
		return error_set(
			error, -ETIMEDOUT, "thread %s (%d) takes no signal", asked.name, (int)tid);
	return asked.rc
		? error_set(error, asked.rc, "thread %s: %s", asked.name, strerror(-asked.rc))
		: 0;
}

static bool is_in(const pid_t *tids, size_t count, pid_t tid)
{
	for (size_t i = 0; i < count; i++)
		if (tids[i] == tid)
			return true;
	return false;
}

// Asks those that have not been asked. Sets how many that were.
static int ask_new(pid_t *tids, size_t *count, size_t *fresh, struct error *error)
{
	DIR *dir = opendir(TASKS_DIR);
	struct dirent *entry;
	int rc = 0;

	*fresh = 0;
	if (!dir)
		return error_set(error, -errno, "%s: %s", TASKS_DIR, strerror(errno));
	while (!rc && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || is_in(tids, *count, tid))
			continue;
		if (*count == TASKS_MAX) {
			rc = error_set(error, -E2BIG, "more than %d threads", TASKS_MAX);
			break;
		}
		tids[(*count)++] = tid;
		(*fresh)++;
		rc = ask(tid, error);
	}
	closedir(dir);
	return rc;
}

int every_thread(every_thread_run *run, void *arg, struct error *error)
{
	pid_t me = (pid_t)syscall(SYS_gettid);
	pid_t *tids = calloc(TASKS_MAX, sizeof(*tids));
	size_t count = 0, fresh = 1;
	int rc = 0;

	if (!tids)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	tids[count++] = me;
	asked.run = run;
	asked.arg = arg;
	// Again until a look finds none: one that ran meanwhile may have started another.
	while (!rc && fresh)
		rc = ask_new(tids, &count, &fresh, error);
	free(tids);
	if (rc)
		return rc;
	name_read(me, asked.name);
	rc = run(asked.name, arg);
	return rc ? error_set(error, rc, "thread %s: %s", asked.name, strerror(-rc)) : 0;
}
