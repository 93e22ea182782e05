// SPDX-License-Identifier: BSD-3-Clause
// What all commands of posternctl get (docs/control.md): a thin client of the control socket.

#ifndef POSTERN_GW_TOOLS_CTL_CLI_H
#define POSTERN_GW_TOOLS_CTL_CLI_H

#include "gw/ctl/client.h"
#include "gw/device/attribute.h"

#include <stdbool.h>
#include <stdint.h>

// Options that only some commands take.
enum cli_option {
	CLI_ALL = 1 << 0,
	CLI_WORKER = 1 << 1,
	CLI_LIMIT = 1 << 2,
	CLI_AFTER = 1 << 3,
	CLI_FORMAT = 1 << 4,
	CLI_NEVER_USED = 1 << 5,
	CLI_REPLACE = 1 << 6,
	CLI_FROM = 1 << 7,
	CLI_CONFIG = 1 << 8,
	CLI_NO_FILES = 1 << 9,
	CLI_SETTINGS = 1 << 10, // each setting of a device (gw/device/attribute.h)
	CLI_SERVER = 1 << 11,
	CLI_OUT = 1 << 12,
	CLI_DEVICE = 1 << 14,
	CLI_PORT = 1 << 15,
	CLI_COUNT = 1 << 16,
	CLI_SECONDS = 1 << 17,
	CLI_MEGABYTES = 1 << 18,
	CLI_PLAIN = 1 << 19,
	CLI_MAX_AGE = 1 << 20,
	CLI_DELETE = 1 << 21,
	CLI_STATE = 1 << 25,
	CLI_IDLE = 1 << 26,
	CLI_LIMITED = 1 << 27,
	CLI_STOP = 1 << 23,
	CLI_RETURN = 1 << 24,
	CLI_DRY_RUN = 1 << 28,
	CLI_POLICY = 1 << 30, // of a device, also as a setting
	CLI_REASON = 1 << 29,
	CLI_EFFECTIVE = 1 << 22,
	CLI_PATIENT = 1 << 13, // no option: the command waits longer than others
};

#define CLI_TIMEOUT_S         10  // without a word of the daemon
#define CLI_TIMEOUT_PATIENT_S 300 // the same while it works through the whole store, or stops

// One run of posternctl: what the command line asks for, and the connection.
struct cli {
	// Written by main.c:
	const char *socket;
	bool json;
	unsigned given; // enum cli_option
	uint64_t worker;
	uint64_t limit;
	const char *after;
	const char *state;
	const char *policy;
	uint64_t idle_ms;
	uint64_t return_ms;
	const char *format;
	const char *reason;
	const char *from;
	const char *out;
	const char *device;
	const char *port;
	uint64_t count, seconds, megabytes;
	uint64_t max_age_s;
	const char *config;
	const char
		*setting[DEVICE_ATTRIBUTES_MAX]; // by the number of the attribute; NULL: not given
	const char *second;                      // argument of the command, if it takes two
	bool timeout_given;
	uint64_t timeout_s; // without a word of the daemon; 0: for ever
	// Written by connection.c:
	struct ctl_client client; // connected by the first request
	// Written by json.c:
	bool json_open; // an array is being printed
};

// Runs a command. Returns an enum cli_exit, and has complained if it is not CLI_OK.
typedef int cli_command_fn(struct cli *cli, const char *argument);

#endif
