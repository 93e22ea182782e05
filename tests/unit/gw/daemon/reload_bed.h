// SPDX-License-Identifier: BSD-3-Clause
// Loops, workers, clients and the log as a reload sees them, in the place of the real ones, by the
// linker. Checks by itself what no order of events may break.

#ifndef POSTERN_TESTS_UNIT_GW_DAEMON_RELOAD_BED_H
#define POSTERN_TESTS_UNIT_GW_DAEMON_RELOAD_BED_H

#include "gw/conf/diff.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/identity.h"
#include "gw/daemon/reload.h"

#include <stdbool.h>

#define LOOPS     3
#define NAMES_MAX 128

// A loop as main sees it.
struct fake_loop {
	uint16_t has; // number of the configuration
	bool settled;
	bool last_pushed;
	bool switched;
};

extern struct daemon gateway;
extern struct fake_loop loops[LOOPS];
extern int fails_in;      // the loop that cannot prepare; -1: none
extern bool workers_left; // the policy of before
extern bool threads_left; // those of handshakes: the identity of before
extern bool identity_fails;
extern unsigned records; // of the access log, in the rings of the workers

// What happened.
extern unsigned prepared; // and neither installed nor discarded
extern unsigned swaps;    // of the workers' policy
extern const struct dp_policy *policy;
extern unsigned records_lost; // that were there when the loops were told, or later
extern unsigned freed;        // snapshots
extern unsigned ends, errors; // answers
extern enum ctl_error error_code;
extern char error_text[512];
extern char told[NAMES_MAX][CONF_DIFF_KEY_MAX]; // keys of the last listing
extern unsigned told_count, start_count;
extern enum conf_log_level logged_level;
extern bool logged_json;
extern unsigned identities; // that there are
extern unsigned sets;       // of identities for threads, which no thread has yet

#define FAKE_OFFERED 8 // methods

struct identity *identity_fake(void);

// ---- the file, and turns

extern char path[64]; // of the configuration
extern int a_request;
#define REQUEST ((struct ctl_request *)&a_request)

// A gateway with this configuration. Afterwards nothing that was prepared may be left.
void reload_bed_make(const char *base);
void reload_bed_free(void);
void file_write(const char *text);
// The file with one piece of it replaced.
void file_write_changed(const char *base, const char *from, const char *to);
// A client asks for a reload.
void begin(void);
void loops_take(uint16_t number);
void loops_settle(void);
// Answered once, and all is as it was.
void expect_refused(enum ctl_error error, const char *words);
// Whether a key was told, with a place in a list instead of "[]".
bool was_told(const char names[][CONF_DIFF_KEY_MAX], unsigned count, const char *key);

#endif
