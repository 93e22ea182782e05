// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/access_log.h"

#include "dataplane/shared/doorbell.h"
#include "gw/os/log.h"
#include "gw/os/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define RING_BYTES  (1u << 20) // of each loop, a power of two
#define CHUNK_BYTES LOG_OUT_CHUNK
#define WAIT_MS     1000 // for a reader, before the lines count as failed
#define LOOK_S      1    // between looks whether the file was moved away
#define STOP_S      2    // for what waits in the rings at the end, and for a write that hangs

_Static_assert(UP_ACCESS_LINE_MAX <= CHUNK_BYTES, "a chunk is whole lines");

// One writes (the loop), one reads (the thread).
struct ring {
	uint64_t head; // bytes written so far, atomic
	uint64_t tail; // bytes read so far, atomic
	uint64_t dropped;
	uint64_t rate;   // lines a second; main writes, atomic
	uint64_t tokens; // thousandths of lines that the rate allows now
	uint64_t tokens_ms;
	char byte[RING_BYTES];
};

struct up_access_log {
	const char *path; // NULL: stderr
	unsigned sample;  // percent; main writes, atomic
	struct log_out out;
	struct stat file;
	time_t looked_s;
	bool torn;  // the last line was not written whole
	bool stray; // the path is not what is written to, and cannot be opened
	bool failing;
	struct dp_doorbell bell;
	uint32_t stop; // atomic
	time_t stop_s; // when to give up, once stop is set
	bool started;
	pthread_t thread;
	uint64_t written, failed;
	unsigned rings; // of the loops, and main's
	struct ring ring[];
};

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED); // has one writer
}

// ---- a loop's side

bool up_access_log_wants(struct up_access_log *log, unsigned loop, uint32_t random, uint64_t now_ms)
{
	struct ring *ring = &log->ring[loop];
	const uint64_t rate = __atomic_load_n(&ring->rate, __ATOMIC_RELAXED), full = rate * 1000;

	if (random % 100 >= __atomic_load_n(&log->sample, __ATOMIC_RELAXED))
		return false;
	uint64_t more = (now_ms - ring->tokens_ms) * rate;
	// There may be more than the rate of now allows.
	ring->tokens =
		ring->tokens > full || more > full - ring->tokens ? full : ring->tokens + more;
	ring->tokens_ms = now_ms;
	if (ring->tokens < 1000) {
		count(&ring->dropped, 1);
		return false;
	}
	ring->tokens -= 1000;
	return true;
}

void up_access_log_put(struct up_access_log *log, unsigned loop, const char *line, size_t len)
{
	struct ring *ring = &log->ring[loop];
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	size_t at = ring->head % RING_BYTES;
	size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;

	if (!len || len > RING_BYTES - (ring->head - tail)) {
		count(&ring->dropped, 1);
		return;
	}
	memcpy(ring->byte + at, line, first);
	memcpy(ring->byte, line + first, len - first);
	__atomic_store_n(&ring->head, ring->head + len, __ATOMIC_RELEASE);
	dp_doorbell_ring(&log->bell);
}

// ---- the thread

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static int file_open(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
}

static void stray_tell(struct up_access_log *log, int error)
{
	if (error && !log->stray)
		log_warning("access log %s: %s; lines go on into the file that was there before",
			log->path, strerror(error));
	else if (!error && log->stray)
		log_notice("access log %s: is written again", log->path);
	log->stray = error;
}

// Nobody ever reads what is written to a file that has no name any more.
static bool nameless(const struct up_access_log *log)
{
	struct stat file;

	return log->stray && !fstat(log->out.fd, &file) && !file.st_nlink;
}

// Follows a file that was moved away, as logrotate does.
static void file_look(struct up_access_log *log)
{
	struct stat there;
	time_t now = now_s();

	if (!log->path || now < log->looked_s + LOOK_S)
		return;
	log->looked_s = now;
	if (!stat(log->path, &there) && there.st_ino == log->file.st_ino &&
		there.st_dev == log->file.st_dev) {
		stray_tell(log, 0);
		return;
	}
	int fd = file_open(log->path);
	stray_tell(log, fd < 0 ? errno : 0);
	if (fd < 0)
		return;
	close(log->out.fd);
	log->out.fd = fd;
	log->torn = false;
	fstat(fd, &log->file);
}

static unsigned lines_in(const char *text, size_t len)
{
	unsigned lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

// Writes whole lines. Returns how many bytes were taken.
static size_t lines_write(struct up_access_log *log, const char *text, size_t len)
{
	if (log->torn && log_out_write(&log->out, "\n", 1, WAIT_MS) == 1)
		log->torn = false;
	size_t done = log_out_write(&log->out, text, len, WAIT_MS);

	log->torn |= done && text[done - 1] != '\n';
	return done;
}

// Writes a chunk of one ring. false if there was nothing.
static bool ring_write(struct up_access_log *log, struct ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	size_t len = head - ring->tail < CHUNK_BYTES ? head - ring->tail : CHUNK_BYTES;
	char chunk[CHUNK_BYTES];

	for (size_t i = 0; i < len; i++)
		chunk[i] = ring->byte[(ring->tail + i) % RING_BYTES];
	while (len && chunk[len - 1] != '\n')
		len--;
	if (!len)
		return false;
	__atomic_store_n(&ring->tail, ring->tail + len, __ATOMIC_RELEASE);
	file_look(log);
	const bool vain = nameless(log);
	size_t done = vain ? 0 : lines_write(log, chunk, len);
	unsigned lost = lines_in(chunk + done, len - done);

	count(&log->written, lines_in(chunk, done));
	count(&log->failed, lost);
	if (lost && !log->failing)
		log_warning("access log: lines are lost: %s",
			vain ? "their file was removed" : strerror(errno));
	log->failing = lost;
	return true;
}

static bool rings_write(struct up_access_log *log)
{
	bool any = false;

	for (unsigned i = 0; i < log->rings; i++)
		any |= ring_write(log, &log->ring[i]);
	return any;
}

static void *run(void *arg)
{
	struct up_access_log *log = arg;
	struct pollfd bell = {.fd = log->bell.fd, .events = POLLIN};

	while (!__atomic_load_n(&log->stop, __ATOMIC_ACQUIRE)) {
		if (rings_write(log))
			continue;
		dp_doorbell_arm(&log->bell);
		if (!rings_write(log) && !__atomic_load_n(&log->stop, __ATOMIC_ACQUIRE))
			poll(&bell, 1, -1);
		dp_doorbell_disarm(&log->bell);
	}
	while (rings_write(log) && !log->failing && now_s() < log->stop_s)
		;
	return NULL;
}

// ---- making

static int thread_start(struct up_access_log *log)
{
	sigset_t all, before;

	sigfillset(&all);
	log_crash_signals_keep(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return -rc;
	pthread_setname_np(log->thread, "postern-access");
	log->started = true;
	return 0;
}

void up_access_log_set(struct up_access_log *log, const struct conf_log *conf)
{
	const unsigned loops = log->rings - 1;

	__atomic_store_n(&log->sample, conf->sample, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < loops; i++)
		__atomic_store_n(
			&log->ring[i].rate, (conf->rate + loops - 1) / loops, __ATOMIC_RELAXED);
	__atomic_store_n(&log->ring[loops].rate, conf->rate, __ATOMIC_RELAXED);
}

int up_access_log_create(const struct conf_log *conf, unsigned loops, struct up_access_log **out,
	struct error *error)
{
	struct up_access_log *log = calloc(1, sizeof(*log) + (loops + 1) * sizeof(log->ring[0]));
	int rc = log ? 0 : -ENOMEM;

	if (log) {
		log->path = strcmp(conf->access, CONF_ACCESS_STDERR) ? conf->access : NULL;
		log->rings = loops + 1;
		up_access_log_set(log, conf);
		if (log->path)
			log_out_file(&log->out, file_open(log->path));
		else
			log_out_open(&log->out, STDERR_FILENO);
		log->bell.fd = -1;
		if (log->out.fd < 0 || fstat(log->out.fd, &log->file))
			rc = -errno;
	}
	if (!rc)
		rc = dp_doorbell_init(&log->bell);
	if (!rc)
		rc = thread_start(log);
	if (rc) {
		error_set(error, rc, "access log %s: %s", conf->access, strerror(-rc));
		up_access_log_free(log);
		return rc;
	}
	*out = log;
	return 0;
}

// Returns whether the thread has ended.
static bool thread_end(struct up_access_log *log)
{
	struct timespec until;
	uint64_t one = 1;

	log->stop_s = now_s() + STOP_S;
	__atomic_store_n(&log->stop, 1, __ATOMIC_RELEASE);
	while (write(log->bell.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2 * STOP_S;
	return !pthread_timedjoin_np(log->thread, NULL, &until);
}

void up_access_log_free(struct up_access_log *log)
{
	if (!log)
		return;
	if (log->started && !thread_end(log)) {
		log_warning("access log: %s hangs in a write", log->path ? log->path : "stderr");
		return; // with the memory, which the thread still uses
	}
	if (log->out.fd >= 0)
		log_out_close(&log->out);
	dp_doorbell_close(&log->bell);
	free(log);
}

uint64_t up_access_log_written(const struct up_access_log *log)
{
	return __atomic_load_n(&log->written, __ATOMIC_RELAXED);
}

uint64_t up_access_log_dropped(const struct up_access_log *log)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < log->rings; i++)
		sum += __atomic_load_n(&log->ring[i].dropped, __ATOMIC_RELAXED);
	return sum;
}

uint64_t up_access_log_failed(const struct up_access_log *log)
{
	return __atomic_load_n(&log->failed, __ATOMIC_RELAXED);
}
