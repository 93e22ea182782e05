// SPDX-License-Identifier: BSD-3-Clause
// The log on stderr: one line for each change of state, never with a key or a payload in it. Where
// stderr is systemd's journal, lines go there with fields (log_form.h); if its socket cannot be
// used, to stderr, each with its priority in front as sd-daemon(3) says. All threads but the
// workers may log.
//
// A call never waits for the reader: it puts its line into a queue of LOG_QUEUE_BYTES, which a
// thread writes out. A line for which the queue has no room is dropped and counted, and where lines
// are missing a line says how many. Before log_start() and after log_stop() the caller writes the
// line itself, and drops it if the reader does not take it within a second.

#ifndef POSTERN_GW_OS_LOG_H
#define POSTERN_GW_OS_LOG_H

#include "gw/conf/conf.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_QUEUE_BYTES 262144
#define LOG_STOP_MS     1000 // the longest that the end of the process waits for the queue

// Sets, and returns, the least urgent level that is written. Any time, any thread, like the next
// two.
void log_level_set(enum conf_log_level level);
enum conf_log_level log_level_get(void);
// Whether each line is a JSON object (log_form.h), instead of text.
void log_json_set(bool json);
// Whether lines that repeat are counted instead, and only so many of a kind are written
// (log_thin.h).
void log_thin_set(bool thins);

// Starts the thread that writes; called before any other thread runs. From then on a crash
// (SIGSEGV, abort() and the like) waits up to LOG_STOP_MS for the queue. Returns 0 or -errno.
int log_start(void) __attribute__((warn_unused_result));
// Restricts the log's thread to the CPUs of the caller. Main calls it after eal_start(), which
// takes the workers' CPUs from main, but not from threads that run already.
void log_keep_to_my_cpus(void);
// Waits up to LOG_STOP_MS until the queue is written, and ends the thread. Does nothing if it does
// not run.
void log_stop(void);
// Removes the signals of a crash, and SIGSYS, from a set that a thread is about to block.
void log_crash_signals_keep(sigset_t *set);

// Before the process ends itself by a signal: waits up to LOG_STOP_MS for the queue, and writes one
// line more, an error, unless len is 0. Async-signal-safe; nothing is logged any more.
void log_last_words(const char *line, size_t len);

// Logs one line. Callers use log_error() .. log_debug().
void log_line(enum conf_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
// Opens a stream for a library to write to. Each of its lines is logged whatever the level is, with
// "who: " in front unless who is NULL. The caller closes it. Returns NULL without memory.
FILE *log_stream(const char *who);

// Return how many lines were written, and how many were dropped, since the start. Any thread.
uint64_t log_written(void);
uint64_t log_lost(void);
// The same of those that log_thin.h keeps back.
uint64_t log_kept_back(void);

#define log_error(...)   log_line(CONF_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(CONF_LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(CONF_LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(CONF_LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(CONF_LOG_DEBUG, __VA_ARGS__)

#endif
