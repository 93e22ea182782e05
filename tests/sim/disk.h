// SPDX-License-Identifier: BSD-3-Clause
// The disk of the gateway's machine: files below /sim, in memory. The calls of libc that the store
// and SQLite make on them are taken over, so both are what they are on a real disk; what they wrote
// and did not sync may be lost when the power is cut, in sectors of 512 bytes, each for itself. A
// name that was made, replaced or removed and not synced with its directory is as it was at some
// moment since.

#ifndef POSTERN_TESTS_SIM_DISK_H
#define POSTERN_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_TOP     "/sim"
#define DISK_STORE   DISK_TOP "/store"
#define DISK_RUNTIME DISK_TOP "/run" // lost when the power is cut
#define DISK_MACHINE DISK_TOP "/machine-id"
#define DISK_BOOT    DISK_TOP "/boot-id"
#define DISK_KEK     DISK_TOP "/kek"

enum disk_mood {
	DISK_GOOD,
	DISK_EIO,      // writes and syncs fail, at times
	DISK_FULL,     // writes fail or are short, at times
	DISK_BAD_SYNC, // syncs fail, at times; what was to be synced is lost unless it is written
		       // again
	DISK_DEAD, // the process is gone: nothing it does reaches the disk any more
};

// An empty disk with the machine's files.
void disk_format(void);
// Keeps what is on the disk, with all of it synced, and puts that back.
#define DISK_SAVED_MAX 2
void disk_save(unsigned which);
void disk_load(unsigned which);

void disk_mood(enum disk_mood mood);
enum disk_mood disk_mood_now(void);
// Call cut() at the N-th call from now that writes, syncs or changes a name, before it is done. 0:
// never.
void disk_cut_after(unsigned calls, void (*cut)(void));
// The N-th such call from now fails with EIO, whatever it is for. 0: none.
void disk_fail_after(unsigned calls);
// How many calls have failed so.
unsigned disk_failed(void);
// A file with this text, as if it had always been there.
void disk_put(const char *path, const char *text);
// All descriptors of the process are closed.
void disk_process_gone(void);
// The power was cut: what was not synced is there or not, and this is another boot.
void disk_power_cut(void);
// For tests of this file, and the oracle: bytes that are not synced.
unsigned disk_calls(void);

// Descriptors of the simulated process begin here. wait.c has those that are no files.
#define SIM_FD_FIRST 100000
#define SIM_FDS      64
enum sim_fd_kind {
	SIM_FD_FREE,
	SIM_FD_FILE,
	SIM_FD_DIRECTORY,
	SIM_FD_EVENT,
	SIM_FD_EPOLL,
	SIM_FD_OTHER
};
#define SIM_EPOLL_MAX 16

struct sim_fd {
	enum sim_fd_kind kind;
	int file;         // index
	uint64_t at;      // position
	uint64_t count;   // of an event
	unsigned watched; // places of an epoll that were used
	struct {
		int fd; // 0: none
		uint64_t data;
	} watch[SIM_EPOLL_MAX]; // of an epoll
};

extern struct sim_fd sim_fds[SIM_FDS];

// NULL: not one of the simulation.
static inline struct sim_fd *sim_fd_get(int fd)
{
	return fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FDS &&
			sim_fds[fd - SIM_FD_FIRST].kind != SIM_FD_FREE
		? &sim_fds[fd - SIM_FD_FIRST]
		: NULL;
}
int sim_fd_make(enum sim_fd_kind kind);
// How many are open.
unsigned sim_fd_count(void);

#endif
