// SPDX-License-Identifier: BSD-3-Clause
// Starts DPDK's environment layer (EAL) for the threads and the memory of a configuration.

#ifndef POSTERN_GW_OS_EAL_H
#define POSTERN_GW_OS_EAL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define EAL_WORKERS_MAX 127 // lcores of DPDK but the one of main
#define EAL_PCI_MAX     16

struct eal_conf {
	const unsigned *cores; // CPU of each worker; several may share one
	unsigned count;
	bool huge_pages;
	size_t memory_mb;       // without huge pages: of all mempools together, see eal_memory_mb()
	const char *const *pci; // addresses of the PCI ports
	unsigned pci_count;
};

// What EAL is given. argv[argc] is NULL.
struct eal_args {
	int argc;
	char **argv;
};

// Makes the arguments; to be freed with eal_args_free(). Returns 0 or -errno with a line in *error:
// -EINVAL for a CPU that this process may not use, -ENOMEM.
int eal_args_make(const struct eal_conf *conf, struct eal_args *args, struct error *error)
	__attribute__((warn_unused_result));
void eal_args_free(struct eal_args *args);

// Starts EAL, once in a process. lcore 1 + i is the worker on cores[i]. lcore 0 is the calling
// thread; it, and all threads it starts from then on, run on the CPUs of the process that no worker
// has, or on all of them if there is none. DPDK's interrupt thread goes before the others there.
//
// Signals: afterwards the workers block all, and the real-time signals (by which net_tap learns
// that there are packets) go to DPDK's interrupt thread only, which blocks all others. The caller
// has the real-time signals blocked and its other signals as before. SIGIO, which the kernel sends
// where a queue of real-time signals is full, is ignored.
//
// What DPDK logs, warnings and worse, is kept until eal_log_pass_on(). Nothing is left in the
// runtime directory, whatever becomes of the process.
// Returns 0 or -errno with a line in *error.
int eal_start(const struct eal_conf *conf, struct error *error) __attribute__((warn_unused_result));
// After the last worker stopped and all ports are closed.
void eal_stop(void);

// Appends the first line that DPDK logged since eal_start() began, if there is one, to the error of
// a port that does not open: drivers say there why they do not take a device, and EAL probes the
// PCI devices when it starts.
void eal_log_join(struct error *error);
// When the ports are open: what DPDK logged since eal_start() returned goes to the log, as
// "dpdk: ...", and so does what it logs from now on.
void eal_log_pass_on(void);

// Memory in MB for eal_conf.memory_mb that holds mempools of this many bytes and what drivers and
// EAL take themselves.
size_t eal_memory_mb(size_t pool_bytes);

// Free huge pages of all sizes, in MB.
size_t eal_huge_pages_mb(void);
// Pages of 2 MB that are set aside, free or not.
size_t eal_huge_pages_count(void);
// Whether free_mb are enough: 0, or -ENOMEM with a line in *error that says how many pages there
// must be where there are `pages` of 2 MB now.
int eal_huge_pages_check(size_t memory_mb, size_t free_mb, size_t pages, struct error *error)
	__attribute__((warn_unused_result));

#endif
