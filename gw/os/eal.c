// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/eal.h"

#include "gw/os/log.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HUGE_PAGES_DIR "/sys/kernel/mm/hugepages"
#define TASKS_DIR      "/proc/self/task"

#define ARGS_MAX        (16 + 2 * EAL_PCI_MAX)
#define MEMORY_MB_FIXED 64   // of EAL and drivers; EAL's own default without huge pages
#define LOG_KEPT        2000 // bytes of what DPDK says before ports are open

_Static_assert(EAL_WORKERS_MAX == RTE_MAX_LCORE - 1, "lcores 1 and up are the workers");

// Arguments.

__attribute__((format(printf, 2, 3))) static int add(struct eal_args *args, const char *format, ...)
{
	char *text;
	va_list list;
	int n;

	va_start(list, format);
	n = vasprintf(&text, format, list);
	va_end(list);
	if (n < 0)
		return -ENOMEM;
	args->argv[args->argc++] = text;
	return 0;
}

// "0-3,6": the CPUs of a set.
static void cpus_print(FILE *out, const cpu_set_t *set)
{
	const char *comma = "";

	for (int first = 0; first < CPU_SETSIZE; first++) {
		int last = first;

		if (!CPU_ISSET(first, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		fprintf(out, first == last ? "%s%d" : "%s%d-%d", comma, first, last);
		comma = ",";
		first = last;
	}
}

// Main and the threads that it starts run on the CPUs without a worker, or on all if each has one:
// a worker that loses its CPU for a moment is late with a whole burst.
static void control_cpus(const struct eal_conf *conf, const cpu_set_t *allowed, cpu_set_t *control)
{
	*control = *allowed;
	for (unsigned i = 0; i < conf->count; i++)
		CPU_CLR(conf->cores[i], control);
	if (!CPU_COUNT(control))
		*control = *allowed;
}

// Each worker stays on its own CPU.
static int lcores_make(const struct eal_conf *conf, const cpu_set_t *allowed, char **text)
{
	size_t len;
	FILE *out = open_memstream(text, &len);
	cpu_set_t control;

	if (!out)
		return -ENOMEM;
	control_cpus(conf, allowed, &control);
	fprintf(out, "0@(");
	cpus_print(out, &control);
	fprintf(out, ")");
	for (unsigned i = 0; i < conf->count; i++)
		fprintf(out, ",%u@%u", i + 1, conf->cores[i]);
	return fclose(out) ? -ENOMEM : 0;
}

static int check(const struct eal_conf *conf, const cpu_set_t *allowed, struct error *error)
{
	if (!conf->count || conf->count > EAL_WORKERS_MAX || conf->pci_count > EAL_PCI_MAX)
		return error_set(error, -EINVAL, "from 1 to %d workers and up to %d PCI ports",
			EAL_WORKERS_MAX, EAL_PCI_MAX);
	for (unsigned i = 0; i < conf->count; i++) {
		char *text = NULL;
		size_t len;
		FILE *out;

		if (conf->cores[i] < CPU_SETSIZE && CPU_ISSET(conf->cores[i], allowed))
			continue;
		out = open_memstream(&text, &len);
		if (!out)
			return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
		cpus_print(out, allowed);
		fclose(out);
		error_set(error, -EINVAL, "worker %u: this process may not use CPU %u, only %s", i,
			conf->cores[i], text);
		free(text);
		return -EINVAL;
	}
	return 0;
}

int eal_args_make(const struct eal_conf *conf, struct eal_args *args, struct error *error)
{
	cpu_set_t allowed;
	char *lcores = NULL;
	int rc;

	*args = (struct eal_args){0};
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return error_set(error, -errno, "CPUs of this process: %s", strerror(errno));
	rc = check(conf, &allowed, error);
	if (rc)
		return rc;
	args->argv = calloc(ARGS_MAX + 1, sizeof(*args->argv));
	rc = args->argv ? lcores_make(conf, &allowed, &lcores) : -ENOMEM;
	if (!rc)
		rc = add(args, "postern");
	if (!rc)
		rc = add(args, "--lcores=%s", lcores);
	if (!rc)
		rc = add(args, "--main-lcore=0");
	// Nothing shared with other processes in either case: keys are in this memory. DPDK 22.11
	// refuses --in-memory together with --no-huge.
	if (!rc && conf->huge_pages)
		rc = add(args, "--in-memory");
	if (!rc && !conf->huge_pages)
		rc = add(args, "--no-huge");
	if (!rc && !conf->huge_pages)
		rc = add(args, "--no-shconf");
	if (!rc && !conf->huge_pages)
		rc = add(args, "-m");
	if (!rc && !conf->huge_pages)
		rc = add(args, "%zu", conf->memory_mb);
	if (!rc)
		rc = add(args, "--file-prefix=postern-%ld", (long)getpid());
	if (!rc)
		rc = add(args, "--no-telemetry");
	if (!rc)
		rc = add(args, "--log-level=warning");
	// They miss secondary processes and traffic classes, neither of which is used here.
	if (!rc)
		rc = add(args, "--log-level=pmd.net.tap:critical");
	if (!rc)
		rc = add(args, "--log-level=pmd.net.memif:critical");
	// Without a list DPDK would take every NIC that is bound to vfio-pci.
	if (!rc && !conf->pci_count)
		rc = add(args, "--no-pci");
	for (unsigned i = 0; i < conf->pci_count && !rc; i++)
		rc = add(args, "--allow=%s", conf->pci[i]);
	free(lcores);
	if (rc) {
		eal_args_free(args);
		return error_set(error, rc, "%s", strerror(-rc));
	}
	return 0;
}

void eal_args_free(struct eal_args *args)
{
	for (int i = 0; i < args->argc; i++)
		free(args->argv[i]);
	free(args->argv);
	*args = (struct eal_args){0};
}

size_t eal_memory_mb(size_t pool_bytes)
{
	// A mempool does not use its last pages whole, and drivers allocate beside it.
	return MEMORY_MB_FIXED + (pool_bytes + pool_bytes / 16 + (1 << 20) - 1) / (1 << 20);
}

static unsigned long read_number(const char *path)
{
	FILE *in = fopen(path, "re");
	unsigned long n = 0;

	if (!in)
		return 0;
	if (fscanf(in, "%lu", &n) != 1)
		n = 0;
	fclose(in);
	return n;
}

size_t eal_huge_pages_mb(void)
{
	DIR *dir = opendir(HUGE_PAGES_DIR);
	struct dirent *entry;
	size_t kb = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		char path[sizeof(HUGE_PAGES_DIR) + NAME_MAX + sizeof("/free_hugepages")];
		unsigned long page_kb;

		if (sscanf(entry->d_name, "hugepages-%lukB", &page_kb) != 1)
			continue;
		snprintf(path, sizeof(path), HUGE_PAGES_DIR "/%s/free_hugepages", entry->d_name);
		kb += page_kb * read_number(path);
	}
	closedir(dir);
	return kb / 1024;
}

int eal_huge_pages_check(size_t memory_mb, size_t free_mb, size_t pages, struct error *error)
{
	char some[64] = "no huge pages are free";

	if (free_mb >= memory_mb)
		return 0;
	if (free_mb)
		snprintf(some, sizeof(some), "only %zu MB of huge pages are free", free_mb);
	return error_set(error, -ENOMEM,
		"%s, and 'huge_pages: yes' needs %zu MB: 'sysctl vm.nr_hugepages=%zu', or "
		"'huge_pages: auto'",
		some, memory_mb, pages + (memory_mb - free_mb + 1) / 2);
}

size_t eal_huge_pages_count(void)
{
	return read_number(HUGE_PAGES_DIR "/hugepages-2048kB/nr_hugepages");
}

// DPDK's log. Its lines are kept until all ports are open, to explain an error of ours, and go to
// our log from then on.

static struct {
	FILE *lines; // NULL until then
	size_t len;
	size_t started; // how much of it is of EAL's start
	char kept[LOG_KEPT];
} eal_log;

static ssize_t log_write(void *cookie, const char *text, size_t size)
{
	size_t room = sizeof(eal_log.kept) - 1 - eal_log.len;

	if (eal_log.lines) {
		if (fwrite(text, 1, size, eal_log.lines) < size || fflush(eal_log.lines))
			return -1;
		return (ssize_t)size;
	}
	memcpy(eal_log.kept + eal_log.len, text, size < room ? size : room);
	eal_log.len += size < room ? size : room;
	return (ssize_t)size;
}

// In one line.
static const char *log_kept(void)
{
	while (eal_log.len && strchr(" \n", eal_log.kept[eal_log.len - 1]))
		eal_log.kept[--eal_log.len] = 0;
	for (size_t i = 0; i < eal_log.len; i++)
		if (eal_log.kept[i] == '\n')
			eal_log.kept[i] = ' ';
	return eal_log.len ? eal_log.kept : "it does not say why";
}

void eal_log_join(struct error *error)
{
	const int first = (int)strcspn(eal_log.kept, "\n");

	if (first)
		error_append(error, " (DPDK: %.*s)", first, eal_log.kept);
}

void eal_log_pass_on(void)
{
	FILE *lines = log_stream("dpdk");

	if (!lines)
		return;
	fputs(eal_log.kept + eal_log.started, lines);
	fflush(lines);
	eal_log.lines = lines;
}

// Signals.

static void realtime_signals(sigset_t *set)
{
	sigemptyset(set);
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		sigaddset(set, signal);
}

static int worker_block_signals(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	log_crash_signals_keep(&all);
	return pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static bool is_interrupt_thread(const char *tid)
{
	char path[sizeof(TASKS_DIR) + NAME_MAX + sizeof("/comm")], name[32] = "";
	FILE *in;

	snprintf(path, sizeof(path), TASKS_DIR "/%s/comm", tid);
	in = fopen(path, "re");
	if (!in)
		return false;
	if (!fgets(name, sizeof(name), in))
		name[0] = 0;
	fclose(in);
	return !strcmp(name, "eal-intr-thread\n");
}

// Gives DPDK's interrupt thread a higher priority. net_tap learns of packets by signals to it, so a
// TAP port receives nothing while the thread waits for a CPU; it never needs one for long. (An
// alarm could make the thread do this itself, but DPDK 22.11 then crashes in rte_eal_cleanup().)
static void interrupts_first(void)
{
	const struct sched_param priority = {.sched_priority = 1};
	DIR *dir = opendir(TASKS_DIR);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		// Without the privilege it waits for its turn as others do.
		if (is_interrupt_thread(entry->d_name))
			(void)sched_setscheduler(
				(pid_t)strtol(entry->d_name, NULL, 10), SCHED_FIFO, &priority);
	closedir(dir);
}

// Calls rte_eal_init() under the signal mask that its threads inherit.
static int init(const struct eal_args *args)
{
	char *argv[ARGS_MAX + 1]; // EAL moves the pointers about
	sigset_t before, realtime, others;
	int rc;

	memcpy(argv, args->argv, sizeof(argv));
	realtime_signals(&realtime);
	sigfillset(&others);
	log_crash_signals_keep(&others);
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		sigdelset(&others, signal);
	signal(SIGIO, SIG_IGN);

	pthread_sigmask(SIG_SETMASK, &others, &before);
	rc = rte_eal_init(args->argc, argv) < 0 ? -rte_errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return rc;
	pthread_sigmask(SIG_BLOCK, &realtime, NULL);
	rc = rte_eal_mp_remote_launch(worker_block_signals, NULL, SKIP_MAIN);
	rte_eal_mp_wait_lcore();
	interrupts_first();
	return rc;
}

// Removes <runtime dir>/dpdk/<prefix>, which EAL makes, and leaves empty without shared
// configuration.
static void remove_runtime_dir(void)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%s", rte_eal_get_runtime_dir());
	if (rmdir(path))
		return;
	slash = strrchr(path, '/');
	if (slash) {
		*slash = 0;
		(void)!rmdir(path); // of others, if it is not empty
	}
}

int eal_start(const struct eal_conf *conf, struct error *error)
{
	static const cookie_io_functions_t log_io = {.write = log_write};
	struct eal_args args;
	FILE *log;
	int rc;

	rc = eal_args_make(conf, &args, error);
	if (rc)
		return rc;
	log = fopencookie(NULL, "w", log_io);
	if (!log) {
		eal_args_free(&args);
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	}
	setvbuf(log, NULL, _IOLBF, BUFSIZ);
	rte_openlog_stream(log);
	rte_log_set_global_level(RTE_LOG_WARNING);

	rc = init(&args);
	eal_args_free(&args);
	fflush(log);
	remove_runtime_dir();
	if (rc)
		return error_set(
			error, rc, "DPDK does not start: %s (%s)", log_kept(), strerror(-rc));
	eal_log.started = eal_log.len;
	return 0;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
