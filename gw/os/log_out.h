// SPDX-License-Identifier: BSD-3-Clause
// Writes log lines to a descriptor, and waits for its reader no longer than it is asked to.

#ifndef POSTERN_GW_OS_LOG_OUT_H
#define POSTERN_GW_OS_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_OUT_CHUNK 4096 // PIPE_BUF: what a pipe takes whole or not at all

struct log_out {
	int fd;
	bool socket; // written to by send() with MSG_DONTWAIT
	bool own;    // log_out_close() closes fd
	int journal; // a socket to systemd's journal, which gets the lines instead; -1: none
};

// Starts to write to fd, usually stderr. A pipe or terminal is opened a second time, so that
// O_NONBLOCK does not affect other users of fd; if it cannot be opened, fd is used as it is.
void log_out_open(struct log_out *out, int fd);
// Starts to write to a file that log_out_close() closes. -1: there is none.
void log_out_file(struct log_out *out, int fd);
// Where the journal listens.
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"
// Sends lines to the journal at this path from now on, with fields; does nothing if nobody listens.
void log_out_to_journal(struct log_out *out, const char *path);
// Closes the descriptor if log_out_open() opened it or it is a file's.
void log_out_close(struct log_out *out);
// Writes len <= LOG_OUT_CHUNK bytes, and waits for the reader at most wait_ms. Returns how many
// bytes were written; if fewer than len, errno says why: EAGAIN if the reader took none in time. To
// the journal they are whole lines; when it is gone, they go to fd again. May be called in a signal
// handler.
size_t log_out_write(struct log_out *out, const char *text, size_t len, int wait_ms);

#endif
