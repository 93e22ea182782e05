// SPDX-License-Identifier: BSD-3-Clause
// Which system calls each kind of thread makes once the daemon runs. Found by tracing all smoke
// tests, and by reading what the kinds of ports and name services do that no test has.

#ifndef POSTERN_GW_OS_FILTER_CALLS_H
#define POSTERN_GW_OS_FILTER_CALLS_H

#include <stddef.h>

// The kinds of threads, as bits. What has none of these names (a library's thread) may make all
// calls of the union.
enum filter_role {
	FILTER_MAIN = 1 << 0,
	FILTER_WORKER = 1 << 1, // "rte-worker-N"
	FILTER_LOOP = 1 << 2,   // "postern-httpN"
	FILTER_STORE = 1 << 3,
	FILTER_ACCESS = 1 << 4,
	FILTER_LOG = 1 << 5,
	FILTER_WEB = 1 << 6,
	FILTER_NAMES = 1 << 7,      // look-ups of names
	FILTER_WATCH = 1 << 8,      // the watchdog
	FILTER_EAL = 1 << 9,        // EAL's interrupt thread
	FILTER_HANDSHAKE = 1 << 10, // "postern-hsN"
};

#define FILTER_ROLES    11
#define FILTER_ALL      ((1 << FILTER_ROLES) - 1)
#define FILTER_NAME_MAX 16

// What else must hold for a call to be allowed.
enum filter_when {
	FILTER_ALWAYS,
	FILTER_NO_EXEC,  // mmap, mprotect: the memory does not become executable
	FILTER_READ,     // openat: nothing is made or written
	FILTER_OWN,      // tgkill: a thread of this process
	FILTER_LOOK,     // prlimit64: no limit is set
	FILTER_SLACK,    // prctl: PR_SET_TIMERSLACK
	FILTER_THREAD,   // clone: a thread, no process
	FILTER_NO_SYS,   // clone3: "no such call", so that glibc takes clone
	FILTER_INTERNET, // socket: UNIX, IPv4, IPv6
	FILTER_NETLINK,  // socket: netlink
	FILTER_UNIX,     // socket: UNIX
};

struct filter_call {
	const char *name;
	unsigned roles;
	enum filter_when when;
};

extern const struct filter_call filter_calls[];
extern const size_t filter_call_count;

// The names of the threads of each kind, in the order of the bits; of some it is the beginning.
extern const char *const filter_thread_names[FILTER_ROLES];

#endif
