// SPDX-License-Identifier: BSD-3-Clause
// Threads with the names of the daemon's, in a process of their own under its filters and without
// capabilities: each may do its work, and a call that is none of it ends the process and is named.

#include "gw/os/every_thread.h"
#include "gw/os/filter.h"
#include "gw/os/filter_calls.h"
#include "gw/os/log.h"
#include "gw/os/privileges.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What a thread of some name tries once the filters are there.
struct attempt {
	const char *thread;
	void (*try)(void);
	const char *call; // that ends the process; NULL: none does; "": it is not named
};

static void try_nothing(void)
{
}

static void try_open(void)
{
	(void)!open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void try_write(void)
{
	(void)!open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void try_socket(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void try_packet_socket(void)
{
	(void)!socket(AF_PACKET, SOCK_RAW, 0);
}

static void try_execve(void)
{
	static char *const none[] = {NULL};

	execve("/bin/true", none, none);
}

static void try_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_clone(void)
{
	(void)!fork();
}

static void try_executable(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_executable_later(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void try_kill(void)
{
	kill(1, 0);
}

static void try_kill_thread(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
}

static void try_setuid(void)
{
	syscall(SYS_setuid, 0);
}

static void try_second_filter(void)
{
	syscall(SYS_seccomp, 0, 0, NULL);
}

static void try_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)try_nothing, NULL))
		exit(3);
	pthread_join(thread, NULL);
}

static const struct attempt attempts[] = {
	{"rte-worker-1", try_nothing, NULL},
	{"rte-worker-1", try_open, "openat"},
	{"rte-worker-63", try_ptrace, "ptrace"},
	{"rte-worker-1", try_clone, "clone"},
	{"postern-http0", try_write, "openat"},
	{"rte-worker-1", try_executable, "mmap"},
	{"postern-http0", try_executable_later, "mprotect"},
	{"postern-http0", try_kill, "kill"},
	{"store", try_kill_thread, "tgkill"},
	{"postern-log", try_thread, ""}, // which blocks all signals meanwhile
	{"rte-worker-1", try_socket, "socket"},
	{"rte-worker-1", try_execve, "execve"},
	{"postern-http0", try_open, NULL},
	{"postern-http15", try_socket, NULL},
	{"postern-http0", try_packet_socket, "socket"},
	{"postern-http0", try_execve, "execve"},
	{"postern-names", try_socket, NULL},
	{"postern-names", try_execve, "execve"},
	{"postern-access", try_write, NULL},
	{"postern-web", try_socket, "socket"},
	{"store", try_write, NULL},
	{"store", try_socket, "socket"},
	{"store", try_thread, NULL},
	{"eal-intr-thread", try_packet_socket, "socket"},
	{"of a library", try_execve, "execve"},
	{"of a library", try_setuid, "setuid"},
	{"rte-worker-1", try_second_filter, "seccomp"},
};

#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

// The runtime of a sanitizer does much by itself, so that it may.
static bool sanitizer_may(const struct attempt *attempt)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	static const char *const calls[] = {
		"openat", "ptrace", "clone", "mmap", "mprotect", "kill", "tgkill", ""};

	for (size_t i = 0; attempt->call && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(attempt->call, calls[i]))
			return true;
#endif
	return false;
}

static sem_t filtered, tried;

static void *thread_run(void *arg)
{
	const struct attempt *attempt = arg;

	while (sem_wait(&filtered))
		; // a signal comes in between
	attempt->try();
	sem_post(&tried);
	poll(NULL, 0, -1);
	return NULL;
}

// The process: exits with 0 when the thread has tried, and with 2 if something else fails.
static void process(const struct attempt *attempt, enum conf_seccomp mode)
{
	struct error error;
	pthread_t thread;

	sem_init(&filtered, 0, 0);
	sem_init(&tried, 0, 0);
	if (log_start() || pthread_create(&thread, NULL, thread_run, (void *)attempt) ||
		pthread_setname_np(thread, attempt->thread) || every_thread_open(filter_trap))
		_exit(2);
	if (privileges_drop(false, &error) || filter_load(mode, &error)) {
		dprintf(STDERR_FILENO, "%s\n", error.text);
		_exit(2);
	}
	sem_post(&filtered);
	while (sem_wait(&tried))
		;
	_exit(0);
}

// Runs it. Returns what waitpid() says, and what it wrote to stderr.
static int process_run(
	const struct attempt *attempt, enum conf_seccomp mode, char *text, size_t room)
{
	int pipe_fds[2], status = -1;
	size_t len = 0;
	ssize_t n;

	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	const pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		dup2(pipe_fds[1], STDERR_FILENO);
		signal(SIGSYS, SIG_DFL);
		process(attempt, mode);
	}
	close(pipe_fds[1]);
	while (len < room - 1 && (n = read(pipe_fds[0], text + len, room - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(pipe_fds[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(filter, calls_of_threads)
{
	for (size_t i = 0; i < ATTEMPTS; i++) {
		const struct attempt *attempt = &attempts[i];
		char text[4096], wanted[128];

		if (sanitizer_may(attempt))
			continue;
		int status = process_run(attempt, CONF_SECCOMP_ENFORCE, text, sizeof(text));

		if (!attempt->call) {
			cr_expect(WIFEXITED(status) && !WEXITSTATUS(status), "%zu, %s: %x %s", i,
				attempt->thread, status, text);
			continue;
		}
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%zu, %s: %x %s", i,
			attempt->thread, status, text);
		if (!attempt->call[0])
			continue;
		snprintf(wanted, sizeof(wanted), "postern: thread %s made the system call %s (",
			attempt->thread, attempt->call);
		cr_expect(strstr(text, wanted), "%zu: \"%s\", not \"%s\"", i, wanted, text);
	}
}

// With "log" and with "off" nothing ends.
Test(filter, modes)
{
	static const struct attempt attempt = {"rte-worker-1", try_packet_socket, NULL};
	char text[4096];

	for (enum conf_seccomp mode = CONF_SECCOMP_LOG; mode <= CONF_SECCOMP_OFF; mode++) {
		int status = process_run(&attempt, mode, text, sizeof(text));

		cr_expect(
			WIFEXITED(status) && !WEXITSTATUS(status), "%d: %x %s", mode, status, text);
	}
}

// For ever.
static void *wait_run(void *arg)
{
	while (!arg)
		pause();
	return NULL;
}

// A thread that blocks SIGSYS would keep its capabilities.
static void *deaf_run(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	sem_post(arg);
	return wait_run(NULL);
}

static int count_run(const char *name, void *arg)
{
	const struct timespec a_while = {.tv_nsec = 400000000};

	if (!strcmp(name, "slow"))
		nanosleep(&a_while, NULL);
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
	return strcmp(name, "refuses") ? 0 : -EPERM;
}

// Exits with the number of the line that does not hold, or 0.
#define MUST(condition)                        \
	do {                                   \
		if (!(condition))              \
			_exit(__LINE__ % 256); \
	} while (0)

static void every_thread_process(void)
{
	unsigned runs = 0;
	pthread_t thread[3];
	struct error error;
	sem_t ready;

	sem_init(&ready, 0, 0);
	MUST(!every_thread_open(NULL));
	MUST(!every_thread(count_run, &runs, &error));
	const unsigned alone = runs; // one, and a sanitizer's

	for (unsigned i = 0; i < 2; i++)
		MUST(!pthread_create(&thread[i], NULL, wait_run, NULL));
	runs = 0;
	MUST(!every_thread(count_run, &runs, &error));
	MUST(runs == alone + 2);
	// The signal is blocked while a thread runs it, which may take as long as it likes.
	pthread_setname_np(thread[0], "slow");
	runs = 0;
	MUST(!every_thread(count_run, &runs, &error));
	MUST(runs == alone + 2);
	pthread_setname_np(thread[1], "refuses");
	MUST(every_thread(count_run, &runs, &error) == -EPERM);
	MUST(strstr(error.text, "refuses"));
	pthread_setname_np(thread[1], "good");
	MUST(!pthread_create(&thread[2], NULL, deaf_run, &ready));
	pthread_setname_np(thread[2], "deaf");
	while (sem_wait(&ready))
		;
	MUST(every_thread(count_run, &runs, &error) == -ETIMEDOUT);
	MUST(strstr(error.text, "deaf"));
	_exit(0);
}

// In a process of its own, for the threads of the test runner take no signals.
Test(filter, every_thread)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		every_thread_process();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && !WEXITSTATUS(status), "%x", status);
}
