// SPDX-License-Identifier: BSD-3-Clause
// Where log lines go, written without waiting for a reader who does not come.

#ifndef POSTERN_GW_OS_LOG_OUT_H
#define POSTERN_GW_OS_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_OUT_CHUNK 4096 // PIPE_BUF: what a pipe takes whole or not at all

struct log_out {
	int fd;
	bool socket; // each write says that it does not wait
	bool own;    // fd is ours to close
};

// Uses an open descriptor, stderr usually. A pipe or terminal is opened a second time, so that
// O_NONBLOCK is set for this use only; where that is not allowed, it is used as it is.
void log_out_open(struct log_out *out, int fd);
void log_out_close(struct log_out *out);
// Writes at most LOG_OUT_CHUNK bytes, and waits for the reader at most wait_ms. Returns how many
// bytes were taken; errno says why it is not all of them: EAGAIN if the reader did not come. Safe
// in a signal handler.
size_t log_out_write(const struct log_out *out, const char *text, size_t len, int wait_ms);

#endif
