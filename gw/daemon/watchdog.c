// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/watchdog.h"

#include "base/clock.h"
#include "base/fault_signals.h"
#include "gw/os/log.h"
#include "gw/os/notify.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS   1000
#define EXTEND_MS 10000 // between requests for more time
#define EXTENSION "EXTEND_TIMEOUT_USEC=60000000"

enum phase { PHASE_START, PHASE_RUN, PHASE_STOP };

struct watchdog {
	const struct daemon *daemon;
	pthread_t thread;
	int end_fd;       // readable: the thread ends
	enum phase phase; // atomic; main's
	uint64_t feed_ms; // the service manager wants a sign in this time; 0: it has no watchdog
	// The thread's, but health.stuck and health.thread[].stuck, which others read (atomic):
	struct health health;
	uint64_t extended_ms; // when more time was last asked for
	uint64_t turns;       // main's progress in a start or a stop ...
	uint64_t turned_ms;   // ... and when it last changed
};

// What the service manager wants: 0 if nothing, or not of this process.
static uint64_t feed_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 1000;
}

// In a start or a stop: asks for more time as long as its steps end.
static void extend(struct watchdog *watchdog, uint64_t now_ms)
{
	const uint64_t turns = __atomic_load_n(&watchdog->daemon->turns, __ATOMIC_RELAXED);

	if (turns != watchdog->turns)
		watchdog->turned_ms = now_ms;
	watchdog->turns = turns;
	if (now_ms - watchdog->turned_ms >= WATCHDOG_STEP_MS)
		return;
	if (watchdog->feed_ms)
		notify_systemd("WATCHDOG=1");
	if (now_ms - watchdog->extended_ms < EXTEND_MS)
		return;
	watchdog->extended_ms = now_ms;
	notify_systemd(EXTENSION);
}

static void look(struct watchdog *watchdog, uint64_t now_ms)
{
	struct health_sign signs[HEALTH_THREADS_MAX];
	const unsigned count = health_read(watchdog->daemon, signs);
	struct health *health = &watchdog->health;
	bool was[HEALTH_THREADS_MAX];
	char name[HEALTH_NAME_MAX];

	for (unsigned i = 0; i < count; i++)
		was[i] = health->thread[i].stuck;
	health_look(health, signs, count, now_ms);
	for (unsigned i = 0; i < count; i++) {
		if (was[i] == health->thread[i].stuck)
			continue;
		health_name(watchdog->daemon, i, name);
		if (was[i])
			log_notice("%s goes on", name);
		else
			log_error("%s is stuck: it has work, and made no progress for %u s%s", name,
				(unsigned)(health->stuck_ms / 1000),
				watchdog->feed_ms ? "; the service manager will end the daemon"
						  : "");
	}
	if (!health->stuck && watchdog->feed_ms)
		notify_systemd("WATCHDOG=1");
}

static void *run(void *arg)
{
	struct watchdog *watchdog = arg;
	struct pollfd end = {.fd = watchdog->end_fd, .events = POLLIN};
	const uint64_t quarter_ms = watchdog->feed_ms / 4;
	const int pause_ms = quarter_ms && quarter_ms < LOOK_MS ? (int)quarter_ms : LOOK_MS;

	while (poll(&end, 1, pause_ms) <= 0) {
		if (__atomic_load_n(&watchdog->phase, __ATOMIC_ACQUIRE) == PHASE_RUN)
			look(watchdog, clock_ms());
		else
			extend(watchdog, clock_ms());
	}
	return NULL;
}

static int thread_start(struct watchdog *watchdog)
{
	sigset_t blocked, before;

	sigfillset(&blocked);
	fault_signals_keep(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int rc = pthread_create(&watchdog->thread, NULL, run, watchdog);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		pthread_setname_np(watchdog->thread, "postern-watch");
	return -rc;
}

int watchdog_start(struct daemon *daemon)
{
	struct watchdog *watchdog = calloc(1, sizeof(*watchdog));

	if (!watchdog)
		return -ENOMEM;
	watchdog->daemon = daemon;
	watchdog->feed_ms = feed_ms();
	watchdog->turned_ms = watchdog->extended_ms = clock_ms();
	// It is to be named before the service manager ends the daemon.
	watchdog->health.stuck_ms = watchdog->feed_ms && watchdog->feed_ms / 2 < HEALTH_STUCK_MS
		? watchdog->feed_ms / 2
		: HEALTH_STUCK_MS;
	watchdog->end_fd = eventfd(0, EFD_CLOEXEC);
	int rc = watchdog->end_fd < 0 ? -errno : thread_start(watchdog);

	if (rc) {
		if (watchdog->end_fd >= 0)
			close(watchdog->end_fd);
		free(watchdog);
		return rc;
	}
	daemon->watchdog = watchdog;
	return 0;
}

void watchdog_keep_to_my_cpus(struct watchdog *watchdog)
{
	cpu_set_t cpus;

	if (!pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus))
		(void)pthread_setaffinity_np(watchdog->thread, sizeof(cpus), &cpus);
}

void watchdog_run(struct watchdog *watchdog)
{
	__atomic_store_n(&watchdog->phase, PHASE_RUN, __ATOMIC_RELEASE);
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (watchdog)
		__atomic_store_n(&watchdog->phase, PHASE_STOP, __ATOMIC_RELEASE);
}

void watchdog_free(struct watchdog *watchdog)
{
	const uint64_t one = 1;

	if (!watchdog)
		return;
	while (write(watchdog->end_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(watchdog->thread, NULL);
	close(watchdog->end_fd);
	free(watchdog);
}

unsigned watchdog_stuck(const struct watchdog *watchdog)
{
	return watchdog ? __atomic_load_n(&watchdog->health.stuck, __ATOMIC_RELAXED) : 0;
}

bool watchdog_is_stuck(const struct watchdog *watchdog, unsigned thread)
{
	return watchdog &&
		__atomic_load_n(&watchdog->health.thread[thread].stuck, __ATOMIC_RELAXED);
}
