// SPDX-License-Identifier: BSD-3-Clause
// An eventfd that is rung only while the other side sleeps.
//
// The sleeper sets `asleep`, checks its rings once more, and only then blocks; the other side
// fills a ring, then reads `asleep`. With a full fence on both sides at least one of the two sees
// what the other wrote.

#ifndef POSTERN_DATAPLANE_SHARED_DOORBELL_H
#define POSTERN_DATAPLANE_SHARED_DOORBELL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct dp_doorbell {
	int fd;          // eventfd, non-blocking; the sleeper polls it
	uint32_t asleep; // sleeper: sets; ringer: clears
};

// Returns 0 or -errno.
static inline int dp_doorbell_init(struct dp_doorbell *bell)
{
	bell->asleep = 0;
	bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return bell->fd < 0 ? -errno : 0;
}

static inline void dp_doorbell_close(struct dp_doorbell *bell)
{
	if (bell->fd >= 0)
		close(bell->fd);
	bell->fd = -1;
}

// Sleeper: after this, check every ring once more before blocking on bell->fd.
static inline void dp_doorbell_arm(struct dp_doorbell *bell)
{
	__atomic_store_n(&bell->asleep, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// Sleeper: after waking, or when it found work after arming.
static inline void dp_doorbell_disarm(struct dp_doorbell *bell)
{
	uint64_t value;

	__atomic_store_n(&bell->asleep, 0, __ATOMIC_RELAXED);
	if (read(bell->fd, &value, sizeof(value)) < 0) {
		// EAGAIN: it was not rung.
	}
}

// The other side: after filling a ring. A system call only if the sleeper sleeps.
static inline void dp_doorbell_ring(struct dp_doorbell *bell)
{
	uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&bell->asleep, __ATOMIC_RELAXED))
		return;
	if (!__atomic_exchange_n(&bell->asleep, 0, __ATOMIC_RELAXED))
		return;
	if (write(bell->fd, &one, sizeof(one)) < 0) {
		// EAGAIN: the counter is full, so the sleeper wakes anyway.
	}
}

#endif
