// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/process.h"

#include "gw/os/log.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const struct {
	int signal;
	enum process_signal means;
	const char *sentence;
} signals[] = {
	{SIGTERM, PROCESS_SIGNAL_STOP, "SIGTERM: stopping"},
	{SIGINT, PROCESS_SIGNAL_STOP, "SIGINT: stopping"},
	{SIGHUP, PROCESS_SIGNAL_RELOAD, "SIGHUP: reading the configuration again"},
	{SIGUSR1, PROCESS_SIGNAL_IGNORED,
		"SIGUSR1: nothing to do; the access log follows a file that is moved away"},
	{SIGUSR2, PROCESS_SIGNAL_IGNORED, "SIGUSR2: nothing to do"},
};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

int process_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&set, signals[i].signal);
	sigprocmask(SIG_BLOCK, &set, NULL);
	// A closed pipe and a full file then are errors of write() only.
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

enum process_signal process_signal_take(int signal_fd)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return PROCESS_SIGNAL_NONE;
	for (size_t i = 0; i < SIGNALS; i++) {
		if ((uint32_t)signals[i].signal != info.ssi_signo)
			continue;
		log_notice("%s", signals[i].sentence);
		return signals[i].means;
	}
	return PROCESS_SIGNAL_IGNORED;
}

void process_guard(void)
{
	const struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit locked;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	// A sanitizer looks for leaks by ptrace, which without capabilities wants this.
	prctl(PR_SET_DUMPABLE, 0);
#endif
	setrlimit(RLIMIT_CORE, &none);
	// Root may lift the hard limit as well, and must, before it gives up the right to ignore
	// it.
	if (!setrlimit(RLIMIT_MEMLOCK, &all) || getrlimit(RLIMIT_MEMLOCK, &locked) ||
		locked.rlim_cur == locked.rlim_max)
		return;
	locked.rlim_cur = locked.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &locked);
}
