// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/filter_calls.h"

#define MAIN   FILTER_MAIN
#define WORKER FILTER_WORKER
#define LOOP   FILTER_LOOP
#define STORE  FILTER_STORE
#define ACCESS FILTER_ACCESS
#define LOG    FILTER_LOG
#define WEB    FILTER_WEB
#define NAMES  FILTER_NAMES
#define WATCH  FILTER_WATCH
#define EAL    FILTER_EAL
#define ALL    FILTER_ALL
// All but those that only read and write what is open.
#define OTHERS (FILTER_ALL & ~FILTER_WORKER & ~FILTER_HANDSHAKE)

#define CALL_IF(call, who, condition)                         \
	{                                                     \
		.name = call, .roles = who, .when = condition \
	}
#define CALL(call, who) CALL_IF(call, who, FILTER_ALWAYS)

const char *const filter_thread_names[FILTER_ROLES] = {
	"postern", // main, but found by its thread id
	"rte-worker-",
	"postern-http",
	"store",
	"postern-access",
	"postern-log",
	"postern-web",
	"postern-names",
	"postern-watch",
	"eal-intr-thread",
	"postern-hs",
};

// clang-format off
const struct filter_call filter_calls[] = {
	// Memory, time, locks, the end of a thread: what the C library does anywhere, also while it
	// reports a failed assertion.
	CALL("brk", ALL), CALL("munmap", ALL), CALL("madvise", ALL), CALL("mremap", ALL),
	CALL_IF("mmap", ALL, FILTER_NO_EXEC), CALL_IF("mprotect", ALL, FILTER_NO_EXEC),
	CALL("futex", ALL), CALL("sched_yield", ALL), CALL("restart_syscall", ALL),
	CALL("clock_gettime", ALL), CALL("clock_getres", ALL), CALL("gettimeofday", ALL),
	CALL("time", ALL),
	CALL("clock_nanosleep", ALL), CALL("nanosleep", ALL),
	CALL("poll", ALL), CALL("ppoll", ALL),
	CALL("getpid", ALL), CALL("gettid", ALL), CALL("getcpu", ALL), CALL("getrandom", ALL),
	CALL("sched_getaffinity", ALL), CALL("sysinfo", ALL),
	CALL_IF("prlimit64", ALL, FILTER_LOOK),
	CALL("rt_sigreturn", ALL), CALL("rt_sigprocmask", ALL), CALL("rt_sigaction", ALL),
	CALL("sigaltstack", ALL), CALL_IF("tgkill", ALL, FILTER_OWN),
	CALL("rseq", ALL), CALL("set_robust_list", ALL),
	CALL("exit", ALL), CALL("exit_group", ALL),

	// Descriptors that are open. Workers move frames by them (TAP, AF_XDP and so on);
	// whoever logs asks whether stderr is the journal.
	CALL("read", ALL), CALL("write", ALL), CALL("readv", ALL), CALL("writev", ALL),
	CALL("sendto", ALL), CALL("recvfrom", ALL), CALL("getsockopt", ALL),
	CALL("fstat", ALL), CALL("newfstatat", ALL),
	CALL_IF("prctl", WORKER, FILTER_SLACK),
	CALL("epoll_wait", OTHERS), CALL("epoll_pwait", OTHERS),
	CALL("epoll_ctl", OTHERS),
	CALL("close", OTHERS), CALL("lseek", OTHERS), CALL("fcntl", OTHERS),
	CALL("eventfd2", OTHERS), CALL("sendmsg", OTHERS),
	CALL("recvmsg", OTHERS),
	CALL("shutdown", OTHERS), CALL("setsockopt", OTHERS),
	CALL("timerfd_settime", MAIN | EAL), CALL("timerfd_create", MAIN | NAMES),
	CALL("epoll_create1", MAIN | NAMES | EAL), CALL("epoll_create", MAIN | EAL),
	CALL("uname", OTHERS), CALL("getuid", OTHERS), CALL("geteuid", OTHERS),
	CALL("getgid", OTHERS), CALL("getegid", OTHERS),

	// Files. OpenSSL reads authorities of a folder when it needs them, in a loop; the resolver
	// reads its files, and the journal of the access log and the store's files are written.
	CALL_IF("openat", LOOP | NAMES | WEB | LOG | WATCH | EAL, FILTER_READ),
	CALL("openat", MAIN | STORE | ACCESS),
	CALL("access", MAIN | LOOP | NAMES | STORE | ACCESS),
	CALL("faccessat", MAIN | NAMES | STORE), CALL("faccessat2", MAIN | NAMES | STORE),
	CALL("readlink", MAIN | LOOP | NAMES | STORE),
	CALL("readlinkat", MAIN | LOOP | NAMES | STORE),
	CALL("stat", MAIN | LOOP | NAMES | STORE | ACCESS),
	CALL("lstat", MAIN | LOOP | NAMES | STORE | ACCESS),
	CALL("statx", MAIN | LOOP | NAMES | STORE | ACCESS),
	CALL("getdents64", MAIN | LOOP | NAMES | STORE), CALL("getcwd", MAIN | STORE),
	CALL("pread64", MAIN | STORE | LOOP | NAMES), CALL("pwrite64", MAIN | STORE),
	CALL("fsync", MAIN | STORE | ACCESS), CALL("fdatasync", MAIN | STORE | ACCESS),
	CALL("sync_file_range", MAIN | STORE), CALL("fallocate", MAIN | STORE),
	CALL("fadvise64", MAIN | STORE),
	CALL("ftruncate", MAIN | STORE | EAL), CALL("flock", MAIN | STORE),
	CALL("rename", MAIN | STORE | ACCESS), CALL("renameat", MAIN | STORE | ACCESS),
	CALL("renameat2", MAIN | STORE | ACCESS), CALL("linkat", MAIN | STORE),
	CALL("link", MAIN | STORE),
	CALL("unlink", MAIN | STORE | EAL), CALL("unlinkat", MAIN | STORE),
	CALL("mkdir", MAIN | STORE), CALL("mkdirat", MAIN | STORE), CALL("rmdir", MAIN | STORE),
	CALL("fchown", MAIN | STORE), CALL("fchmod", MAIN | STORE), CALL("fchmodat", MAIN | STORE),
	CALL("fchownat", MAIN | STORE), CALL("umask", MAIN | STORE),
	CALL("utimensat", MAIN | STORE),
	CALL("statfs", MAIN | STORE | ACCESS), CALL("fstatfs", MAIN | STORE | ACCESS),
	CALL("dup", MAIN | STORE | NAMES | EAL), CALL("copy_file_range", MAIN | STORE),
	CALL("sendfile", STORE | WEB),

	// Secrets: libsodium locks their pages.
	CALL("mlock", MAIN | STORE), CALL("mlock2", MAIN | STORE), CALL("munlock", MAIN | STORE),

	// The store closes a large file in a thread of its own.
	CALL_IF("clone", STORE, FILTER_THREAD), CALL_IF("clone3", STORE, FILTER_NO_SYS),

	// Connections: loops to backends, the resolver to name servers, main's control socket and
	// netlink, the watchdog's and main's messages to systemd, the web server, memif's peers.
	CALL_IF("socket", MAIN | LOOP | NAMES, FILTER_INTERNET),
	CALL_IF("socket", MAIN | NAMES, FILTER_NETLINK),
	CALL_IF("socket", WATCH | EAL, FILTER_UNIX),
	CALL("connect", MAIN | LOOP | NAMES | WATCH | EAL), CALL("bind", MAIN | NAMES | EAL),
	CALL("accept", MAIN | EAL | WEB), CALL("accept4", MAIN | WEB), CALL("listen", MAIN | EAL),
	CALL("getsockname", MAIN | LOOP | NAMES | WEB),
	CALL("getpeername", MAIN | LOOP | NAMES | WEB),
	CALL("sendmmsg", NAMES), CALL("recvmmsg", NAMES), CALL("pipe2", NAMES),
	CALL("ioctl", MAIN | NAMES | EAL), CALL("memfd_create", MAIN | EAL),

	// The end: DPDK gives its drivers' things back.
	CALL("bpf", MAIN), CALL("timer_delete", MAIN), CALL("rt_sigtimedwait", MAIN),

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	// What the runtime of a sanitizer does to report, and to look for leaks at the end.
	CALL("openat", ALL), CALL("close", ALL), CALL("readlink", ALL), CALL("lseek", ALL),
	CALL("fcntl", ALL),
	CALL("stat", ALL), CALL("lstat", ALL), CALL("access", ALL), CALL("pread64", ALL),
	CALL("getdents64", ALL),
	CALL("mmap", ALL), CALL("mprotect", ALL), CALL("prctl", ALL), CALL("clone", ALL),
	CALL("clone3", ALL),
	CALL("open", ALL), CALL("getdents", ALL), CALL("getrlimit", ALL), CALL("pipe", ALL),
	CALL("ptrace", ALL), CALL("wait4", ALL), CALL("pipe2", ALL), CALL("dup", ALL),
	CALL("dup2", ALL),
	CALL("kill", ALL), CALL("getppid", ALL), CALL("getuid", ALL), CALL("geteuid", ALL),
	CALL("personality", ALL),
	CALL("uname", ALL), CALL("ioctl", ALL), CALL("arch_prctl", ALL), CALL("mincore", ALL),
	CALL("msync", ALL),
	CALL("setrlimit", ALL), CALL("prlimit64", ALL), CALL("tgkill", ALL),
	CALL("process_vm_readv", ALL),
#endif
};
// clang-format on
const size_t filter_call_count = sizeof(filter_calls) / sizeof(filter_calls[0]);
