// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/filter.h"

#include "gw/os/every_thread.h"
#include "gw/os/filter_calls.h"
#include "gw/os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 512 // numbers of system calls that may get names
#define UNION     FILTER_ROLES
#define EXIT_CODE (128 + SIGSYS) // if the signal does not end the process

// A program for each kind of thread, and the union.
struct programs {
	struct sock_fprog program[FILTER_ROLES + 1];
};

// For filter_trap(): names of calls, made before any filter is loaded, and the thread's own.
static char *call_names[CALLS_MAX];
static _Thread_local char thread_name[FILTER_NAME_MAX];

// ---- making programs

static int allow_if(scmp_filter_ctx filter, int number, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition);
}

static int allow_sockets(scmp_filter_ctx filter, int number, enum filter_when when)
{
	static const int internet[] = {AF_UNIX, AF_INET, AF_INET6};
	int rc = 0;

	if (when == FILTER_NETLINK)
		return allow_if(filter, number, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
	for (size_t i = 0; !rc && i < (when == FILTER_UNIX ? 1 : 3); i++)
		rc = allow_if(filter, number, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)internet[i]));
	return rc;
}

static int allow(scmp_filter_ctx filter, int number, enum filter_when when)
{
	switch (when) {
	case FILTER_ALWAYS:
		break;
	case FILTER_NO_EXEC:
		return allow_if(filter, number, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	case FILTER_READ:
		return allow_if(filter, number,
			SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	case FILTER_OWN:
		return allow_if(filter, number, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	case FILTER_LOOK:
		return allow_if(filter, number, SCMP_A2(SCMP_CMP_EQ, 0));
	case FILTER_SLACK:
		return allow_if(filter, number, SCMP_A0(SCMP_CMP_EQ, PR_SET_TIMERSLACK));
	case FILTER_THREAD:
		return allow_if(filter, number,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM,
				CLONE_THREAD | CLONE_VM));
	case FILTER_NO_SYS:
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
	case FILTER_INTERNET:
	case FILTER_NETLINK:
	case FILTER_UNIX:
		return allow_sockets(filter, number, when);
	}
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

// Adds the calls of the roles. A call may stand in several lines, the widest of which counts.
static int add_calls(scmp_filter_ctx filter, unsigned roles, struct error *error)
{
	for (size_t i = 0; i < filter_call_count; i++) {
		const struct filter_call *call = &filter_calls[i];
		const int number = seccomp_syscall_resolve_name(call->name);

		if (!(call->roles & roles))
			continue;
		if (number == __NR_SCMP_ERROR)
			return error_set(error, -EINVAL, "no system call is named %s", call->name);
		int rc = allow(filter, number, call->when);

		if (rc && rc != -EEXIST)
			return error_set(error, rc, "filter for %s: %s", call->name, strerror(-rc));
	}
	return 0;
}

// Compiles a filter. The caller frees program->filter.
static int compile(scmp_filter_ctx filter, struct sock_fprog *program)
{
	const int fd = memfd_create("filter", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = seccomp_export_bpf(filter, fd);
	const off_t bytes = rc ? 0 : lseek(fd, 0, SEEK_END);

	if (!rc && (bytes <= 0 || bytes / (off_t)sizeof(*program->filter) > BPF_MAXINSNS))
		rc = -E2BIG;
	if (!rc)
		program->filter = malloc((size_t)bytes);
	if (!rc && !program->filter)
		rc = -ENOMEM;
	if (!rc && pread(fd, program->filter, (size_t)bytes, 0) != bytes)
		rc = -EIO;
	if (!rc)
		program->len = (unsigned short)((size_t)bytes / sizeof(*program->filter));
	close(fd);
	return rc;
}

static int program_make(
	unsigned roles, enum conf_seccomp mode, struct sock_fprog *program, struct error *error)
{
	scmp_filter_ctx filter =
		seccomp_init(mode == CONF_SECCOMP_LOG ? SCMP_ACT_LOG : SCMP_ACT_TRAP);

	if (!filter)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	// A tree of comparisons: workers move frames by system calls.
	if (!rc)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc)
		(void)error_set(error, rc, "%s", strerror(-rc));
	else
		rc = add_calls(filter, roles, error);
	// Each thread adds a filter to the union.
	if (!rc && roles == FILTER_ALL)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_seccomp, 0);
	if (!rc) {
		rc = compile(filter, program);
		if (rc)
			(void)error_set(error, rc, "%s", strerror(-rc));
	}
	seccomp_release(filter);
	return rc;
}

static void names_make(void)
{
	for (int i = 0; i < CALLS_MAX; i++)
		if (!call_names[i])
			call_names[i] = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), i);
}

// ---- loading them

// Runs in each thread, see gw/os/every_thread.h.
static int narrow(const char *name, void *arg)
{
	struct programs *programs = arg;
	unsigned role = 0;

	memcpy(thread_name, name, strnlen(name, sizeof(thread_name) - 1) + 1);
	if (syscall(SYS_gettid) != getpid())
		for (role = 1; role < FILTER_ROLES; role++)
			if (!strncmp(filter_thread_names[role], name,
				    strlen(filter_thread_names[role])))
				break;
	if (role == FILTER_ROLES)
		return 0; // the union is all
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &programs->program[role]) ? -errno
											  : 0;
}

static int load(struct programs *programs, struct error *error)
{
	long rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;

	if (!rc)
		rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			&programs->program[UNION]);
	if (rc < 0)
		return error_set(error, -errno, "%s", strerror(errno));
	if (rc > 0)
		return error_set(error, -EBUSY, "thread %ld has a filter of its own", rc);
	return every_thread(narrow, programs, error);
}

int filter_load(enum conf_seccomp mode, struct error *error)
{
	struct programs programs = {0};
	int rc = 0;

	if (mode == CONF_SECCOMP_OFF)
		return 0;
	names_make();
	for (unsigned i = 0; !rc && i < FILTER_ROLES; i++)
		rc = program_make(1U << i, mode, &programs.program[i], error);
	if (!rc)
		rc = program_make(FILTER_ALL, mode, &programs.program[UNION], error);
	if (!rc)
		rc = load(&programs, error);
	for (unsigned i = 0; i <= FILTER_ROLES; i++)
		free(programs.program[i].filter);
	return rc;
}

// ---- a call that is not allowed

static size_t text_put(char *line, size_t at, size_t room, const char *text)
{
	for (; *text && at < room; text++)
		line[at++] = *text;
	return at;
}

static size_t number_put(char *line, size_t at, size_t room, unsigned number)
{
	char digits[12];
	size_t i = sizeof(digits) - 1;

	digits[i] = 0;
	do
		digits[--i] = (char)('0' + number % 10);
	while (number /= 10);
	return text_put(line, at, room, digits + i);
}

void filter_trap(const siginfo_t *info)
{
	const unsigned number = (unsigned)info->si_syscall;
	const char *call = number < CALLS_MAX ? call_names[number] : NULL;
	char line[256];
	const size_t room = sizeof(line) - 1;
	sigset_t set;
	size_t at = 0;

	at = text_put(line, at, room, "thread ");
	at = text_put(line, at, room, thread_name[0] ? thread_name : "of unknown name");
	at = text_put(line, at, room, " made the system call ");
	at = text_put(line, at, room, call ? call : "of unknown name");
	at = text_put(line, at, room, " (");
	at = number_put(line, at, room, number);
	at = text_put(line, at, room, "), which its filter forbids: the gateway ends");
	log_last_words(line, at);
	// A death by SIGSYS is what service managers know.
	signal(SIGSYS, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	raise(SIGSYS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(EXIT_CODE);
}
