// SPDX-License-Identifier: BSD-3-Clause
// The log never waits for its reader, loses nothing that the reader takes in time, and says what is
// missing.

#include "gw/os/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY       20000 // lines, more than the queue and a pipe hold
#define TEXT_MAX   (4 << 20)
#define PATIENT_MS 20000 // for what has to come on a busy machine

static int reader = -1; // of what stderr is now

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

static void setup(void)
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	unsetenv("JOURNAL_STREAM");
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
}

// Writes to stderr until nothing more fits.
static void pipe_fill(void)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	char filler[4096];

	memset(filler, '.', sizeof(filler));
	filler[sizeof(filler) - 1] = '\n';
	fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	while (write(STDERR_FILENO, filler, sizeof(filler)) > 0)
		;
	fcntl(STDERR_FILENO, F_SETFL, flags);
}

// Reads until the writers are gone, or until `last` was read.
static char *read_to(const char *last)
{
	static char text[TEXT_MAX];
	size_t len = 0;

	while (len < TEXT_MAX - 1) {
		ssize_t n = read(reader, text + len, TEXT_MAX - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = 0;
		if (last && strstr(text, last))
			break;
	}
	text[len] = 0;
	return text;
}

static void *reads(void *text)
{
	*(const char **)text = read_to(NULL);
	return NULL;
}

static void stderr_end(void)
{
	close(STDERR_FILENO);
}

TestSuite(log, .init = setup);

Test(log, lines_come_in_order)
{
	char wanted[64];

	log_notice("before the thread");
	cr_assert_eq(log_start(), 0);
	for (unsigned i = 0; i < 1000; i++)
		log_notice("line %u", i);
	log_debug("not at this level");
	log_stop();
	log_notice("after the thread");
	stderr_end();
	const char *at = read_to(NULL);

	cr_assert_eq(strncmp(at, "postern: before the thread\n", 27), 0, "%.80s", at);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(wanted, sizeof(wanted), "postern: line %u\n", i);
		at = strchr(at, '\n') + 1;
		cr_assert_eq(strncmp(at, wanted, strlen(wanted)), 0, "%.80s", at);
	}
	cr_assert_str_eq(strchr(at, '\n') + 1, "postern: after the thread\n");
	cr_assert_eq(log_written(), 1002);
	cr_assert_eq(log_lost(), 0);
}

// Such as the name of a device that does not exist.
Test(log, what_others_chose_makes_no_line_of_its_own)
{
	log_notice("device %s", "a\npostern: b\x1b[0m");
	stderr_end();
	cr_assert_str_eq(read_to(NULL), "postern: device a?postern: b?[0m\n");
}

// Number of the next line that is there, or of those that are said to be missing.
static const char *line_take(const char *at, unsigned *number, unsigned long *missing)
{
	*missing = 0;
	if (sscanf(at, "postern: line %u ", number) != 1)
		cr_assert_eq(sscanf(at, "postern: %lu log lines lost: they were not", missing), 1,
			"%.80s", at);
	return strchr(at, '\n') + 1;
}

Test(log, stalled_reader_loses_lines_and_is_told)
{
	uint64_t begin = now_ms();
	unsigned long missing, told = 0, notices = 0;
	unsigned expected = 0, number;
	const char *at;
	pthread_t thread;

	pipe_fill();
	cr_assert_eq(log_start(), 0);
	for (unsigned i = 0; i < MANY; i++)
		log_notice("line %u of many that nobody reads for a while", i);
	cr_assert_lt(now_ms() - begin, PATIENT_MS, "nobody waited");
	cr_assert_gt(log_lost(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, reads, &at), 0);
	while (log_written() + log_lost() < MANY)
		usleep(1000);
	log_stop();
	stderr_end();
	pthread_join(thread, NULL);
	at = strstr(at, "postern: ");

	while (*at) {
		at = line_take(at, &number, &missing);
		if (!missing)
			cr_assert_eq(number, expected, "%u is not %u", number, expected);
		expected += missing ? missing : 1;
		told += missing;
		notices += missing != 0;
	}
	cr_assert_eq(expected, MANY, "each is there or told: %u", expected);
	cr_assert_eq(told, log_lost());
	cr_assert_eq(log_written() + log_lost(), MANY + notices);
}

Test(log, stop_is_bounded)
{
	pipe_fill();
	log_notice("this one is lost");
	cr_assert_eq(log_lost(), 1);
	cr_assert_eq(log_start(), 0);
	for (unsigned i = 0; i < MANY; i++)
		log_notice("line %u", i);
	uint64_t begin = now_ms();

	log_stop();
	cr_assert_lt(now_ms() - begin, LOG_STOP_MS + PATIENT_MS / 4);
}

Test(log, reader_that_is_gone_costs_no_cpu)
{
	struct rusage usage;

	close(reader);
	cr_assert_eq(log_start(), 0);
	for (unsigned i = 0; i < 100; i++)
		log_notice("line %u", i);
	while (log_lost() < 100)
		usleep(1000);
	getrusage(RUSAGE_SELF, &usage);
	uint64_t before = usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000;

	usleep(300000); // in which a thread that spins would use a CPU
	getrusage(RUSAGE_SELF, &usage);
	cr_assert_lt(usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 - before, 100);
	log_stop();
	cr_assert_eq(log_written(), 0);
}

Test(log, lines_of_a_library)
{
	FILE *lines;

	cr_assert_eq(log_start(), 0);
	lines = log_stream("dpdk");
	fputs("one\ntwo\n", lines);
	fputs("three\n", lines);
	fclose(lines);
	log_stop();
	stderr_end();
	cr_assert_str_eq(read_to(NULL), "dpdk: one\ndpdk: two\ndpdk: three\n");
}

// The variable comes to whoever is started below a service, wherever stderr goes then.
Test(log, levels_are_for_the_journal)
{
	char stream[64];
	struct stat st;

	cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
		(unsigned long)st.st_ino);
	cr_assert_eq(log_start(), 0);
	setenv("JOURNAL_STREAM", stream, 1);
	log_error("with its level");
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_error("to somebody else");
	unsetenv("JOURNAL_STREAM");
	log_stop();
	stderr_end();
	cr_assert_str_eq(read_to(NULL), "<3>postern: with its level\npostern: to somebody else\n");
}

static void file_room_set(rlim_t bytes)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

// As on a full disk, on which there is room again later.
Test(log, full_file_has_whole_lines_and_tells_what_is_missing)
{
	FILE *file = tmpfile();
	char text[4096] = "";

	cr_assert_not_null(file);
	cr_assert_eq(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	signal(SIGXFSZ, SIG_IGN);
	file_room_set(40);
	cr_assert_eq(log_start(), 0);
	log_notice("line 0 is here"); // 24 bytes
	while (log_written() < 1)
		usleep(1000);
	for (unsigned i = 1; i < 4; i++) {
		log_notice("line %u is lost", i);
		while (log_lost() < i)
			usleep(1000);
	}
	file_room_set(RLIM_INFINITY);
	log_notice("line 4 is here");
	log_stop();
	cr_assert_gt(pread(fileno(file), text, sizeof(text) - 1, 0), 0);
	cr_assert_str_eq(text,
		"postern: line 0 is here\npostern: line 1 \n"
		"postern: 3 log lines lost: they were not taken in time\npostern: line 4 is "
		"here\n");
	cr_assert_eq(log_written(), 3);
	cr_assert_eq(log_lost(), 3);
}

// What waits in the queue is written before a crash ends the process.
Test(log, crash_writes_the_queue)
{
	int status;

	pipe_fill();
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL); // the test runner has a handler
		if (log_start())
			_exit(1);
		for (unsigned i = 0; i < 1000; i++)
			log_notice("line %u", i);
		abort();
	}
	stderr_end();
	const char *text = read_to(NULL);

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%x", status);
	for (unsigned i = 0; i < 1000; i++) {
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "postern: line %u\n", i);
		cr_assert_not_null(strstr(text, wanted), "%s", wanted);
	}
}
