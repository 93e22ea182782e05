// SPDX-License-Identifier: BSD-3-Clause
// An import as a job of the store thread.

#ifndef POSTERN_GW_STORE_IMPORT_JOB_H
#define POSTERN_GW_STORE_IMPORT_JOB_H

#include "gw/store/import.h"
#include "gw/store/thread.h"

#include <stdatomic.h>

#define STORE_IMPORT_CHUNK 256 // devices handed over at once

enum store_import_phase {
	STORE_IMPORT_READING,
	STORE_IMPORT_WRITING,
	STORE_IMPORT_HANDING_OUT,
	STORE_IMPORT_IN_DOUBT, // submitted again: to hand out what is there after all
};

// done() runs several times. While `count` is not 0, devices[0..count) are on the disk, and the
// submitter gives them to the data plane and submits the job again, which wipes devices[] and fills
// it with the next ones. When `count` is 0 the import is over, with this report and result. Free
// the job with store_import_job_free(), then or at any time when it is not submitted.
//
// If `in_doubt` is set then, the disk failed at the end, and the devices may be in the store or
// not. When the disk is sound, the submitter may submit the job again: done() gets those that are,
// as before, and the import is over when in_doubt is not set any more. If the result is not 0 it
// may be tried again.
//
// If the result is not 0 after devices were handed over, the store has devices that the data plane
// does not have; it gets them at the next start.
struct store_import_job {
	struct store_job job;
	char *path;                    // in: malloc()ed, freed with the job; NULL: fd
	int fd;                        // in: if path is NULL; taken over
	struct import_options options; // in
	void *arg;                     // the submitter's own
	// Set by the submitter, who calls store_thread_look() then: nobody waits for the import.
	// While it is read it ends with -ECANCELED; one that is read to its end goes on.
	atomic_bool abandoned;
	struct {
		_Atomic uint64_t bytes, bytes_total, rows, applied; // as in struct import_progress
	} progress; // may be read at any time, e.g. in note()
	struct import_report report;
	struct device_keyed *devices;
	size_t count;
	bool in_doubt;

	// Written by import_job.c:
	struct import *import;
	enum store_import_phase phase;
	uint64_t noted_ms;
};
// NULL without memory. Sets fd to -1.
struct store_import_job *store_import_job_new(void);
void store_import_job_free(struct store_import_job *job);

#endif
