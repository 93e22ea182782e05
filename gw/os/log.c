// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/log.h"

#include "base/clock.h"
#include "base/fault_signals.h"
#include "gw/os/log_form.h"
#include "gw/os/log_out.h"
#include "gw/os/log_thin.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECT_MS   1000 // for a reader while there is no thread
#define LOOK_MS     100  // between looks of a waiting thread whether it is to stop
#define JOIN_MS     500  // for a thread that a write holds
#define CRASH_TRIES 100  // 1 ms each, for a lock that a crashed thread may hold

_Static_assert(LOG_LINE_MAX <= LOG_OUT_CHUNK, "a chunk is whole lines");

static const int crash_signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

static enum conf_log_level log_level = CONF_LOG_INFO; // atomic
static bool log_json;                                 // atomic

// A ring of bytes, which are numbered from the start of the process on: byte n is at
// n % LOG_QUEUE_BYTES. It has whole lines only.
static struct {
	pthread_mutex_t lock; // of all below but the atomics; never held over a write
	pthread_cond_t wake;
	pthread_t thread;
	bool started;
	bool stop;          // atomic
	uint64_t head;      // behind the last byte put in
	uint64_t tail;      // the first byte not taken yet
	uint64_t gap;       // lines dropped since the last that was put in
	bool failing;       // the last write failed
	bool journal;       // stderr is the journal; written by log_start()
	bool cut;           // the thread's: the last byte that was written ends no line
	bool writing;       // atomic: the thread has a chunk
	uint64_t stop_ms;   // when to give up, once stop is set
	uint64_t written;   // atomic
	uint64_t lost;      // atomic
	uint64_t kept_back; // atomic
	bool thins;         // lines that repeat are counted, and so on
	struct log_thin thin;
	struct log_out out; // the thread's
	char byte[LOG_QUEUE_BYTES];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

void log_level_set(enum conf_log_level level)
{
	__atomic_store_n(&log_level, level, __ATOMIC_RELAXED);
}

enum conf_log_level log_level_get(void)
{
	return __atomic_load_n(&log_level, __ATOMIC_RELAXED);
}

void log_json_set(bool json)
{
	__atomic_store_n(&log_json, json, __ATOMIC_RELAXED);
}

void log_thin_set(bool thins)
{
	pthread_mutex_lock(&queue.lock);
	queue.thins = thins;
	pthread_mutex_unlock(&queue.lock);
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint64_t lines_in(const char *text, size_t len)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

// ---- putting lines in

// Under the lock.
static void gap_add(uint64_t lines)
{
	queue.gap += lines;
	count(&queue.lost, lines);
}

static void direct_write(const char *line, size_t len)
{
	struct log_out out = {.fd = STDERR_FILENO, .journal = -1};

	if (log_out_write(&out, line, len, DIRECT_MS) == len)
		count(&queue.written, 1);
	else
		count(&queue.lost, 1);
}

// Whether stderr is the journal. $JOURNAL_STREAM alone does not say so: a parent may have had the
// journal, and given us another stderr.
static bool journal_reads(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
		!fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

static size_t line_print(char line[LOG_LINE_MAX], enum conf_log_level level, const char *who,
	const char *text, size_t len)
{
	struct timespec now;

	if (!__atomic_load_n(&log_json, __ATOMIC_RELAXED))
		return log_form_text(line, journal_reads(), level, who, text, len);
	clock_gettime(CLOCK_REALTIME, &now);
	return log_form_json(line, journal_reads(), level, who, text, len,
		(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

// Makes the line that says how many are missing.
static size_t notice_print(char notice[LOG_LINE_MAX], uint64_t lines)
{
	char text[80];
	int len = snprintf(
		text, sizeof(text), "%lu log lines lost: they were not taken in time", lines);

	return line_print(notice, CONF_LOG_WARNING, "postern", text, (size_t)len);
}

// Under the lock, with room.
static void bytes_put(const char *line, size_t len)
{
	size_t at = queue.head % LOG_QUEUE_BYTES;
	size_t first = len < LOG_QUEUE_BYTES - at ? len : LOG_QUEUE_BYTES - at;

	memcpy(queue.byte + at, line, first);
	memcpy(queue.byte, line + first, len - first);
	queue.head += len;
}

static bool has_room(size_t len)
{
	return len <= LOG_QUEUE_BYTES - (queue.head - queue.tail);
}

// Under the lock: puts in the line that says how many lines are missing here, if there is room for
// it and for `more` bytes, and returns whether there is. While writes fail, that line waits.
static bool gap_close(size_t more)
{
	char notice[LOG_LINE_MAX];
	size_t len;

	if (!queue.gap || queue.failing)
		return has_room(more);
	len = notice_print(notice, queue.gap);
	if (!has_room(len + more))
		return false;
	bytes_put(notice, len);
	queue.gap = 0;
	return true;
}

// Under the lock.
static void line_queue(enum conf_log_level level, const char *who, const char *text, size_t len)
{
	char line[LOG_LINE_MAX];
	size_t bytes = line_print(line, level, who, text, len);

	if (gap_close(bytes))
		bytes_put(line, bytes);
	else
		gap_add(1);
}

// Under the lock: of the lines that were kept back.
static void thin_write(enum conf_log_level level, const char *text, size_t len)
{
	line_queue(level, "postern", text, len);
}

// Takes one line. kind: what it has in common with others, NULL: nothing.
static void line_put(
	const void *kind, enum conf_log_level level, const char *who, const char *text, size_t len)
{
	pthread_mutex_lock(&queue.lock);
	bool started = queue.started;

	if (started && queue.thins &&
		!log_thin_take(&queue.thin, kind, level, text, len, clock_ms(), thin_write))
		count(&queue.kept_back, 1);
	else if (started)
		line_queue(level, who, text, len);
	pthread_cond_signal(&queue.wake);
	pthread_mutex_unlock(&queue.lock);
	if (started)
		return;
	char line[LOG_LINE_MAX];

	direct_write(line, line_print(line, level, who, text, len));
}

void log_line(enum conf_log_level level, const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	va_list args;
	int n;

	if (level > __atomic_load_n(&log_level, __ATOMIC_RELAXED))
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > (int)sizeof(text) - 1)
		n = sizeof(text) - 1;
	// What somebody else chose, such as a name, begins no line of its own.
	for (int i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	// Who asks for debugging wants all of it.
	line_put(level == CONF_LOG_DEBUG ? NULL : format, level, "postern", text, (size_t)n);
}

static ssize_t stream_write(void *who, const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t len = end ? (size_t)(end - text) - at : size - at;

		line_put(NULL, CONF_LOG_WARNING, who, text + at,
			len < LOG_TEXT_MAX ? len : LOG_TEXT_MAX);
		at += len + 1;
	}
	return (ssize_t)size;
}

FILE *log_stream(const char *who)
{
	static const cookie_io_functions_t functions = {.write = stream_write};
	FILE *stream = fopencookie((void *)who, "w", functions);

	if (stream)
		setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	return stream;
}

// ---- the thread

// Under the lock: copies whole lines out. Returns their bytes, 0 if there are none.
static size_t chunk_take(char chunk[LOG_OUT_CHUNK])
{
	if (queue.head == queue.tail && !gap_close(0))
		return 0;
	size_t len = queue.head - queue.tail;

	if (len > LOG_OUT_CHUNK)
		len = LOG_OUT_CHUNK;
	for (size_t i = 0; i < len; i++)
		chunk[i] = queue.byte[(queue.tail + i) % LOG_QUEUE_BYTES];
	while (len && chunk[len - 1] != '\n')
		len--;
	queue.tail += len;
	return len;
}

// Waits until the reader takes more; once the process ends, only until stop_ms.
static size_t chunk_write(const char *chunk, size_t len)
{
	size_t done = 0;

	for (;;) {
		done += log_out_write(&queue.out, chunk + done, len - done, LOOK_MS);
		if (done == len || errno != EAGAIN)
			break;
		if (__atomic_load_n(&queue.stop, __ATOMIC_ACQUIRE) && clock_ms() >= queue.stop_ms)
			break;
	}
	if (done)
		queue.cut = chunk[done - 1] != '\n';
	return done;
}

// Writes what comes first after a failed write: the end of the line that it cut off, and the number
// of lines that are missing. Returns whether all of it was written.
static bool gap_write(uint64_t lines)
{
	char text[1 + LOG_LINE_MAX];
	size_t len = 0;

	if (queue.cut)
		text[len++] = '\n';
	len += notice_print(text + len, lines);
	return chunk_write(text, len) == len;
}

// Writes a chunk; holds the lock at the start and at the end, but not while it writes. Returns how
// many bytes were written.
static size_t chunk_write_next(const char *chunk, size_t len)
{
	uint64_t gap = queue.failing ? queue.gap : 0;
	size_t done = 0;

	__atomic_store_n(&queue.writing, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&queue.lock);
	bool told = !gap || gap_write(gap);

	if (told)
		done = chunk_write(chunk, len);
	__atomic_store_n(&queue.writing, false, __ATOMIC_RELEASE);
	pthread_mutex_lock(&queue.lock);
	if (gap && told) {
		queue.gap -= gap;
		count(&queue.written, 1);
	}
	return done;
}

// Under the lock: waits for a line, or until there is something to say of those kept back.
static void wake_wait(void)
{
	uint64_t next_ms = log_thin_next_ms(&queue.thin);

	if (next_ms == UINT64_MAX) {
		pthread_cond_wait(&queue.wake, &queue.lock);
		return;
	}
	const struct timespec until = {
		.tv_sec = (time_t)(next_ms / 1000), .tv_nsec = (long)(next_ms % 1000) * 1000000};

	pthread_cond_clockwait(&queue.wake, &queue.lock, CLOCK_MONOTONIC, &until);
}

static void *run(void *arg)
{
	char chunk[LOG_OUT_CHUNK];

	pthread_mutex_lock(&queue.lock);
	for (;;) {
		log_thin_turn(&queue.thin, clock_ms(), queue.stop, thin_write);
		size_t len = chunk_take(chunk);

		if (!len && queue.stop)
			break;
		if (!len) {
			wake_wait();
			continue;
		}
		size_t done = chunk_write_next(chunk, len);

		queue.failing = done < len;
		count(&queue.written, lines_in(chunk, done));
		gap_add(lines_in(chunk + done, len - done));
		if (queue.failing && queue.stop)
			break;
	}
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

// ---- crashes

void log_crash_signals_keep(sigset_t *set)
{
	fault_signals_keep(set);
}

// Locks, if it can soon, so that the thread takes no further chunk, waits for the chunk that it
// has, and writes the rest of the queue itself. The lock is not given back.
void log_last_words(const char *line, size_t line_len)
{
	uint64_t until = clock_ms() + LOG_STOP_MS;
	char chunk[LOG_OUT_CHUNK];
	bool locked = false;
	size_t len;

	for (unsigned i = 0; i < CRASH_TRIES && !locked; i++) {
		locked = !pthread_mutex_trylock(&queue.lock);
		if (!locked)
			poll(NULL, 0, 1);
	}
	while (clock_ms() < until && __atomic_load_n(&queue.writing, __ATOMIC_ACQUIRE))
		poll(NULL, 0, 1);
	while (clock_ms() < until && (len = chunk_take(chunk)))
		if (log_out_write(&queue.out, chunk, len, (int)(until - clock_ms())) < len)
			break;
	if (line_len) {
		const int n = snprintf(chunk, sizeof(chunk), "%spostern: %.*s\n",
			queue.journal ? "<3>" : "", (int)line_len, line);

		(void)!log_out_write(&queue.out, chunk, (size_t)n, DIRECT_MS);
	}
}

static void on_crash(int signo)
{
	log_last_words(NULL, 0);
	raise(signo); // whose handler is the default one again
}

// Handles a signal unless a sanitizer or debugger handles it already.
static void crash_watch(void)
{
	const struct sigaction ours = {
		.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};
	struct sigaction before;

	for (size_t i = 0; i < CRASH_SIGNALS; i++)
		if (!sigaction(crash_signals[i], NULL, &before) && before.sa_handler == SIG_DFL)
			sigaction(crash_signals[i], &ours, NULL);
}

// ---- start and end

int log_start(void)
{
	sigset_t all, before;

	log_out_open(&queue.out, STDERR_FILENO);
	queue.stop = queue.failing = queue.cut = false;
	queue.journal = journal_reads();
	if (queue.journal)
		log_out_to_journal(&queue.out, LOG_JOURNAL_SOCKET);
	sigfillset(&all);
	log_crash_signals_keep(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&queue.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		log_out_close(&queue.out);
		return -rc;
	}
	pthread_setname_np(queue.thread, "postern-log");
	pthread_mutex_lock(&queue.lock);
	queue.started = true;
	pthread_mutex_unlock(&queue.lock);
	crash_watch();
	return 0;
}

void log_keep_to_my_cpus(void)
{
	cpu_set_t cpus;

	// Without the right to, the thread works where the kernel puts it.
	if (queue.started && !pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus))
		(void)pthread_setaffinity_np(queue.thread, sizeof(cpus), &cpus);
}

void log_stop(void)
{
	struct timespec until;

	pthread_mutex_lock(&queue.lock);
	bool started = queue.started;

	queue.stop_ms = clock_ms() + LOG_STOP_MS;
	__atomic_store_n(&queue.stop, true, __ATOMIC_RELEASE);
	pthread_cond_signal(&queue.wake);
	pthread_mutex_unlock(&queue.lock);
	if (!started)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (LOG_STOP_MS + JOIN_MS) / 1000;
	until.tv_nsec += (LOG_STOP_MS + JOIN_MS) % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	// A write that hangs (a dead network file system) ends with the process; the thread then
	// needs nothing that is freed.
	if (!pthread_timedjoin_np(queue.thread, NULL, &until))
		log_out_close(&queue.out);
	pthread_mutex_lock(&queue.lock);
	queue.started = false;
	pthread_mutex_unlock(&queue.lock);
}

uint64_t log_written(void)
{
	return __atomic_load_n(&queue.written, __ATOMIC_RELAXED);
}

uint64_t log_lost(void)
{
	return __atomic_load_n(&queue.lost, __ATOMIC_RELAXED);
}

uint64_t log_kept_back(void)
{
	return __atomic_load_n(&queue.kept_back, __ATOMIC_RELAXED);
}
