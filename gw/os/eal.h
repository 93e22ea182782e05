// SPDX-License-Identifier: BSD-3-Clause
// Starts and stops DPDK's environment layer (EAL): its threads, its memory, its log. Main calls all
// of this.

#ifndef POSTERN_GW_OS_EAL_H
#define POSTERN_GW_OS_EAL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define EAL_WORKERS_MAX 127 // lcores of DPDK but the one of main
#define EAL_PCI_MAX     16

struct eal_conf {
	const unsigned *cores;  // CPU of each worker; several may share one
	unsigned count;         // of cores
	bool huge_pages;        // DPDK's memory comes from huge pages
	size_t memory_mb;       // what is reserved without huge pages, see eal_memory_mb()
	const char *const *pci; // addresses of the PCI ports
	unsigned pci_count;
};

// The command line for rte_eal_init(). argv[argc] is NULL.
struct eal_args {
	int argc;
	char **argv;
};

// Makes the command line for a configuration; the caller frees it with eal_args_free(). Returns 0,
// or -EINVAL for a CPU that this process may not use, or -ENOMEM, with a line in *error.
int eal_args_make(const struct eal_conf *conf, struct eal_args *args, struct error *error)
	__attribute__((warn_unused_result));
void eal_args_free(struct eal_args *args);

// Starts EAL, once in a process. Returns 0 or -errno with a line in *error.
//
// CPUs: lcore 1 + i is the worker on cores[i]. lcore 0 is the calling thread; it, and every thread
// that it starts later, runs on those CPUs of the process that have no worker, or on all of them if
// each has one. DPDK's interrupt thread has a higher priority than the others there.
//
// Signals: workers block all of them. Real-time signals, by which net_tap learns of packets, go to
// DPDK's interrupt thread, which blocks all others; the caller blocks them and keeps its other
// signals as they are. SIGIO, which the kernel sends if a queue of real-time signals is full, is
// ignored.
//
// Warnings and errors that DPDK logs are kept until eal_log_pass_on(). DPDK's runtime directory is
// removed at once, so that even a killed process leaves nothing there.
int eal_start(const struct eal_conf *conf, struct error *error) __attribute__((warn_unused_result));
// Stops EAL. The caller has stopped all workers and closed all ports before.
void eal_stop(void);

// Appends the first line that DPDK has logged since eal_start() began, if any, to the error of a
// port that cannot be opened. It has the driver's reason: EAL probes PCI devices while it starts.
void eal_log_join(struct error *error);
// Writes the lines that DPDK has logged since eal_start() returned to our log, as "dpdk: ...", and
// all later ones as they come. Called when all ports are open.
void eal_log_pass_on(void);

// Returns eal_conf.memory_mb for mempools of pool_bytes: these, and what drivers and EAL need.
size_t eal_memory_mb(size_t pool_bytes);

// Returns the free huge pages of all sizes together, in MB.
size_t eal_huge_pages_mb(void);
// Returns the number of huge pages of 2 MB that the kernel has reserved, free or used.
size_t eal_huge_pages_count(void);
// Checks that free_mb of huge pages hold memory_mb. Returns 0, or -ENOMEM with a line in *error
// that says how many pages of 2 MB to reserve instead of the present `pages`.
int eal_huge_pages_check(size_t memory_mb, size_t free_mb, size_t pages, struct error *error)
	__attribute__((warn_unused_result));

#endif
