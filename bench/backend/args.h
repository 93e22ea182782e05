// SPDX-License-Identifier: BSD-3-Clause
// The command line.

#ifndef POSTERN_BENCH_BACKEND_ARGS_H
#define POSTERN_BENCH_BACKEND_ARGS_H

#include "bench/backend/listen.h"
#include "bench/backend/server.h"

struct be_args {
	const char *listen[BE_LISTEN_MAX];
	unsigned listens;
	struct be_tls_options tls;
	struct be_behaviour behaviour;
	const char *name, *log;
	unsigned long threads, idle_ms, rekey_ms, max_requests, seed;
	int ready_fd; // -1: standard output
	bool discard, count, until_eof;
};

// Ends the program if the command line makes no sense, or asks for help.
void be_args_parse(struct be_args *args, int argc, char **argv);

#endif
