// SPDX-License-Identifier: BSD-3-Clause
// Log lines to stderr: one line a change of state, with the priority prefix that systemd reads when
// it is the one who listens. Never a key, never a payload. From any thread but the workers.
//
// Nobody waits for the reader of the log: lines go through a queue of LOG_QUEUE_BYTES to a thread,
// and what finds no room is dropped and counted. A line with their number stands where they are
// missing. Before log_start() and after log_stop() a line is written at once, or dropped when the
// reader does not take it within a second.

#ifndef POSTERN_GW_OS_LOG_H
#define POSTERN_GW_OS_LOG_H

#include "gw/conf/conf.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_QUEUE_BYTES 262144
#define LOG_STOP_MS     1000 // for what waits in the queue when the process ends

// Lines above this level are not written.
void log_level_set(enum conf_log_level level);

// Starts the thread, before any other thread runs. From now on a crash (SIGSEGV, abort() ...) waits
// up to LOG_STOP_MS until the queue is written. Returns 0 or -errno.
int log_start(void) __attribute__((warn_unused_result));
// Lets the thread run on the CPUs of the caller only: EAL takes the workers' CPUs from main after
// the thread was started.
void log_keep_to_my_cpus(void);
// Writes what the queue has, for at most LOG_STOP_MS, and ends the thread. Nothing if it never ran.
void log_stop(void);
// Takes the signals of a crash out of a set that a thread is going to block.
void log_crash_signals_keep(sigset_t *set);

void log_line(enum conf_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
// A stream whose lines become log lines, whatever the level is: of a library, with `who` in front,
// or of ours if who is NULL. NULL without memory.
FILE *log_stream(const char *who);

// Any thread: lines that were written, and lines that nobody took.
uint64_t log_written(void);
uint64_t log_lost(void);

#define log_error(...)   log_line(CONF_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(CONF_LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(CONF_LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(CONF_LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(CONF_LOG_DEBUG, __VA_ARGS__)

#endif
