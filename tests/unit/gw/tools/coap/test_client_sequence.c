// SPDX-License-Identifier: BSD-3-Clause
// Sequence numbers are never given out twice: over crashes and errors at every system call, by
// several processes at once, and from files that are damaged. The calls are linked to the
// functions below (ld --wrap).

#include "gw/tools/coap/sequence.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER, FAULT_ERROR, FAULT_SHORT };

static enum fault fault;
static int fault_at, calls;
static char journal[64]; // the calls as letters

ssize_t __real_write(int fd, const void *buf, size_t len);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);

static bool fault_now(char letter)
{
	size_t n = strlen(journal);

	if (n < sizeof(journal) - 1)
		journal[n] = letter;
	return fault && ++calls == fault_at;
}

#define WRAPPED(letter, call)                           \
	do {                                            \
		bool now = fault_now(letter);           \
		if (now && fault == FAULT_CRASH_BEFORE) \
			kill(getpid(), SIGKILL);        \
		if (now && fault == FAULT_ERROR) {      \
			errno = EIO;                    \
			return -1;                      \
		}                                       \
		__typeof__(call) result = (call);       \
		if (now && fault == FAULT_CRASH_AFTER)  \
			kill(getpid(), SIGKILL);        \
		return result;                          \
	} while (0)

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fault == FAULT_SHORT && len > 1)
		len = 1;
	WRAPPED('w', __real_write(fd, buf, len));
}

int __wrap_fsync(int fd)
{
	WRAPPED('s', __real_fsync(fd));
}

int __wrap_rename(const char *from, const char *to)
{
	WRAPPED('r', __real_rename(from, to));
}

static char folder[64], path[96];

static const char *in_folder(char file[128], const char *name)
{
	snprintf(file, 128, "%s/%s", folder, name);
	return file;
}

static void make_folder(void)
{
	strcpy(folder, "/tmp/postern-sequence-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dev.json.seq", folder);
}

static void remove_folder(void)
{
	static const char *const names[] = {"dev.json", "dev.json.seq", "dev.json.seq.lock",
		"dev.json.seq.new", "link.json", "link.json.seq", "hard.json", "here"};
	char file[128];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_folder(file, names[i]));
	rmdir(folder);
}

TestSuite(client_sequence, .init = make_folder, .fini = remove_folder);

static uint64_t take(void)
{
	struct error f = {.code = 0};
	uint64_t number;
	bool started;

	cr_assert_eq(sequence_take(path, &number, &started, &f), 0, "%s", f.text);
	return number;
}

// dev.json; link.json, which is a link to it; and here, which is the folder once more.
static void make_links(void)
{
	char file[128];
	int fd = open(in_folder(file, "dev.json"), O_WRONLY | O_CREAT, 0600);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(symlink("here/dev.json", in_folder(file, "link.json")), 0);
	cr_assert_eq(symlink(".", in_folder(file, "here")), 0);
}

static void write_file(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(syscall(SYS_write, fd, text, len), (long)len);
	close(fd);
}

Test(client_sequence, numbers_rise_from_0_by_1)
{
	struct error f;
	uint64_t number;
	bool started;

	cr_assert_eq(sequence_take(path, &number, &started, &f), 0);
	cr_expect(started);
	cr_expect_eq(number, 0);
	cr_assert_eq(sequence_take(path, &number, &started, &f), 0);
	cr_expect_not(started);
	cr_expect_eq(number, 1);
	for (uint64_t i = 2; i < 20; i++)
		cr_expect_eq(take(), i);
}

Test(client_sequence, the_file_is_on_the_disk_before_the_number_is_used)
{
	take();
	cr_expect_str_eq(journal, "wsrs", "written, synced, renamed, folder synced: %s", journal);
}

// A child takes numbers until it is killed in the midst of it; what it got out, it may have used.
static uint64_t crash(enum fault kind, int at, uint64_t lowest)
{
	int pipe_fds[2], status;
	uint64_t number;

	cr_assert_eq(pipe(pipe_fds), 0);
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (!child) {
		struct error f;
		bool started;

		fault = kind;
		fault_at = at;
		for (unsigned i = 0; i < 4; i++) {
			if (!sequence_take(path, &number, &started, &f))
				syscall(SYS_write, pipe_fds[1], &number, sizeof(number));
		}
		_exit(0);
	}
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &number, sizeof(number)) == sizeof(number)) {
		cr_assert_geq(number, lowest, "a number twice, fault %d at call %d", kind, at);
		lowest = number + 1;
	}
	close(pipe_fds[0]);
	waitpid(child, &status, 0);
	if (kind == FAULT_CRASH_BEFORE || kind == FAULT_CRASH_AFTER)
		cr_assert(WIFSIGNALED(status));
	return lowest;
}

Test(client_sequence, a_crash_at_any_call_repeats_no_number)
{
	uint64_t lowest = 0;

	for (int at = 1; at <= 12; at++) {
		lowest = crash(FAULT_CRASH_BEFORE, at, lowest);
		lowest = crash(FAULT_CRASH_AFTER, at, lowest);
		uint64_t number = take();
		cr_assert_geq(number, lowest);
		lowest = number + 1;
	}
}

Test(client_sequence, an_error_at_any_call_gives_out_no_number_twice)
{
	uint64_t lowest = 0;

	for (int at = 1; at <= 12; at++)
		lowest = crash(FAULT_ERROR, at, lowest);
	cr_expect_geq(take(), lowest);
}

Test(client_sequence, an_error_of_the_disk_is_a_failure)
{
	for (fault_at = 1; fault_at <= 4; fault_at++) {
		struct error f = {.code = 0};
		uint64_t number;
		bool started;

		fault = FAULT_ERROR;
		calls = 0;
		cr_expect_eq(sequence_take(path, &number, &started, &f), -EIO, "call %d", fault_at);
		cr_expect(strstr(f.text, folder), "%s", f.text);
	}
}

Test(client_sequence, short_writes_are_continued)
{
	fault = FAULT_SHORT;
	cr_expect_eq(take(), 0);
	cr_expect_eq(take(), 1);
}

Test(client_sequence, a_damaged_file_is_never_taken_for_a_new_one)
{
	static const char *const damaged[] = {"", "\n", "oscore-sequence next 5",
		"oscore-sequence next \n", "oscore-sequence next -1\n",
		"oscore-sequence next 5\n\n", "oscore-sequence next 5x\n",
		"oscore-sequence next 1099511627777\n", "5\n"};
	struct error f;
	uint64_t number;
	bool started;

	for (unsigned i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		write_file(damaged[i], strlen(damaged[i]));
		cr_expect_eq(
			sequence_take(path, &number, &started, &f), -EBADMSG, "\"%s\"", damaged[i]);
	}
	write_file("oscore-sequence next 5\n", 23);
	cr_expect_eq(take(), 5);
}

Test(client_sequence, after_2_to_the_40_minus_1_there_is_none)
{
	struct error f;
	uint64_t number;
	bool started;

	write_file("oscore-sequence next 1099511627775\n", 35);
	cr_expect_eq(take(), (UINT64_C(1) << 40) - 1);
	cr_expect_eq(sequence_take(path, &number, &started, &f), -EOVERFLOW);
	cr_expect_eq(sequence_take(path, &number, &started, &f), -EOVERFLOW);
}

// Keys that are reached in several ways are still the same keys.
Test(client_sequence, keys_have_one_file_by_whatever_link_they_are_reached)
{
	static const char *const names[] = {
		"dev.json", "link.json", "here/dev.json", "here/link.json"};
	char file[128], other[128], *state;
	struct error f;

	make_links();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_assert_eq(sequence_path(in_folder(file, names[i]), &state, &f), 0, "%s", f.text);
		cr_expect_str_eq(state, path, "%s", names[i]);
		free(state);
		take(); // with the state file there, too
	}
	// Numbers that were used by way of the link, when it had a file of its own.
	cr_assert_eq(link(path, in_folder(other, "link.json.seq")), 0);
	cr_assert_eq(sequence_path(in_folder(file, "link.json"), &state, &f), 0, "that is it");
	free(state);
	unlink(other);
	cr_assert_eq(rename(path, other), 0);
	cr_expect_eq(sequence_path(file, &state, &f), -EEXIST);
	cr_expect_null(state);
	cr_expect_not_null(strstr(f.text, "link.json.seq is not the sequence file"), "%s", f.text);
	unlink(other);
	// A hard link cannot be told from the keys, nor can its folder be found.
	cr_assert_eq(link(in_folder(file, "dev.json"), in_folder(other, "hard.json")), 0);
	cr_expect_eq(sequence_path(file, &state, &f), -EMLINK);
	cr_expect_eq(sequence_path(other, &state, &f), -EMLINK);
	cr_expect_eq(sequence_path(folder, &state, &f), -EINVAL);
	cr_expect_eq(sequence_path("/nowhere", &state, &f), -ENOENT);
}

Test(client_sequence, processes_at_the_same_time_get_different_numbers)
{
	enum { CHILDREN = 4, EACH = 25 };
	bool seen[CHILDREN * EACH] = {false};
	int pipe_fds[2];
	uint64_t number;
	unsigned count = 0;

	make_links();
	cr_assert_eq(pipe(pipe_fds), 0);
	for (unsigned i = 0; i < CHILDREN; i++) {
		static const char *const names[CHILDREN] = {
			"dev.json", "link.json", "here/dev.json", "here/link.json"};
		char keys[128], *state;
		struct error f;

		if (fork())
			continue;
		if (sequence_path(in_folder(keys, names[i]), &state, &f))
			_exit(1);
		for (unsigned j = 0; j < EACH; j++) {
			bool started;

			if (sequence_take(state, &number, &started, &f))
				_exit(1);
			syscall(SYS_write, pipe_fds[1], &number, sizeof(number));
		}
		_exit(0);
	}
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &number, sizeof(number)) == sizeof(number)) {
		cr_assert_lt(number, CHILDREN * EACH);
		cr_assert_not(seen[number], "%llu twice", (unsigned long long)number);
		seen[number] = true;
		count++;
	}
	cr_expect_eq(count, CHILDREN * EACH);
	while (wait(NULL) > 0)
		;
}

static uint64_t take_of(struct sequence_stock *stock)
{
	struct error f = {.code = 0};
	uint64_t number;
	bool started;

	cr_assert_eq(sequence_stock_take(path, stock, &number, &started, &f), 0, "%s", f.text);
	return number;
}

Test(client_sequence, a_stock_grows_and_gives_back_what_is_left)
{
	struct sequence_stock stock = {0};
	struct error f;

	for (uint64_t i = 0; i < 200; i++) {
		cr_assert_eq(take_of(&stock), i);
		cr_expect_leq(stock.end - stock.next, SEQUENCE_STOCK_MAX - 1);
	}
	cr_expect_lt(strlen(journal), 63, "the disk is not asked for each");
	cr_assert_eq(sequence_stock_return(path, &stock, &f), 0);
	cr_expect_eq(take(), 200);
	cr_assert_eq(sequence_stock_return(path, &stock, &f), 0);
	cr_expect_eq(take(), 201);
}

// A number below those that another process has sent since may be out of the replay window.
Test(client_sequence, a_stock_is_left_when_others_have_taken_since)
{
	struct sequence_stock stock = {0};
	struct error f;

	for (uint64_t i = 0; i < 5; i++)
		take_of(&stock);
	uint64_t other = take();
	cr_expect_gt(take_of(&stock), other);
	other = take();
	cr_expect_gt(take_of(&stock), other);
	other = take();
	cr_assert_eq(sequence_stock_return(path, &stock, &f), 0);
	cr_expect_gt(take(), other, "nothing is given back from under it");
}

Test(client_sequence, a_stock_notices_an_older_file_and_takes_the_last_numbers)
{
	struct sequence_stock stock = {0};
	struct error f;
	uint64_t number;
	bool started;

	for (uint64_t i = 0; i < 5; i++)
		take_of(&stock);
	cr_assert_lt(stock.next, stock.end);
	write_file("oscore-sequence next 5\n", 23);
	cr_expect_eq(sequence_stock_take(path, &stock, &number, &started, &f), -EBADMSG);
	unlink(path);
	cr_expect_eq(sequence_stock_take(path, &stock, &number, &started, &f), -EBADMSG);
	stock = (struct sequence_stock){.taken = 32};
	write_file("oscore-sequence next 1099511627775\n", 35);
	cr_expect_eq(take_of(&stock), (UINT64_C(1) << 40) - 1);
	cr_expect_eq(sequence_stock_take(path, &stock, &number, &started, &f), -EOVERFLOW);
}
