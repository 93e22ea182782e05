// SPDX-License-Identifier: BSD-3-Clause
// posternctl: a thin client of the control socket (docs/control.md). connection.c talks to the
// daemon, table.c and json.c print, the other files have the commands.

#ifndef POSTERN_GW_TOOLS_CTL_CLI_H
#define POSTERN_GW_TOOLS_CTL_CLI_H

#include "gw/ctl/cbor_write.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// Exit codes, which scripts rely on.
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,        // the daemon answered with an error, or the file is bad
	CLI_USAGE = 2,         // the command line makes no sense
	CLI_NO_CONNECTION = 3, // no daemon, no permission, or the connection broke
};

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
	CLI_PATIENT = 1 << 10, // no option: the command waits longer than others
};

#define CLI_TIMEOUT_S         10  // without a word of the daemon
#define CLI_TIMEOUT_PATIENT_S 300 // the same while it works through the whole store, or stops

struct cli {
	const char *socket;
	bool json;
	unsigned given; // enum cli_option
	uint64_t worker;
	uint64_t limit;
	const char *after;
	const char *format;
	uint64_t from;
	const char *config;
	const char *second; // argument of the command, if it takes two
	bool timeout_given;
	uint64_t timeout_s; // without a word of the daemon; 0: for ever
	// The connection:
	int fd; // -1 before cli_call()
	uint64_t last_id;
	bool json_open; // an array is being printed
};

struct cli_command {
	const char *name;      // "device add"
	const char *arguments; // "FILE", "NAME FILE", or "" for none
	unsigned options;      // enum cli_option that it takes
	int (*run)(struct cli *cli, const char *argument);
	const char *help;    // one line
	const char *details; // more, or NULL
};

extern const struct cli_command cli_commands[];
extern const unsigned cli_command_count;

// Says "posternctl: ..." on stderr.
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// connection.c. These return an enum cli_exit, and have complained if it is not CLI_OK.

struct cli_reply {
	struct ctl_cbor body; // a map, in data
	uint8_t data[CTL_MESSAGE_MAX];
};

// Starts a request; put its arguments into the map that is open then.
void cli_begin(struct cli *cli, struct ctl_writer *request, const char *verb);
// Connects if need be and sends the request, with a file descriptor if fd is not negative. The
// request is wiped.
int cli_send(struct cli *cli, struct ctl_writer *request, int fd);
// Waits for the next reply to the last request.
int cli_receive(struct cli *cli, struct cli_reply *reply);
// A request without a list: sends it, waits for its reply, and prints that if --json is given.
int cli_call(struct cli *cli, struct ctl_writer *request, struct cli_reply *reply);
// From now on there is no limit to how long the daemon may be silent.
void cli_wait_for_ever(struct cli *cli);
// Waits for the next event; *name is its name, in the reply.
int cli_receive_event(struct cli *cli, struct cli_reply *reply, struct ctl_cbor *name);
// Waits until the daemon hangs up. Returns an exit code: CLI_NO_CONNECTION if it was silent for too
// long.
int cli_wait_for_end(struct cli *cli);
void cli_disconnect(struct cli *cli);

// json.c: a reply's body as JSON, byte strings in hex. Replies that belong together become an array
// with one element a line.
void cli_json(FILE *out, const struct ctl_cbor *item);
void cli_json_element(struct cli *cli, const struct ctl_cbor *item);
void cli_json_end(struct cli *cli);

// Values of a map, with what stands for a missing one.
uint64_t cli_uint(const struct ctl_cbor *map, const char *key, uint64_t missing);
bool cli_bool(const struct ctl_cbor *map, const char *key);
// The array or map at a key; an empty one if there is none.
struct ctl_cbor cli_inner(const struct ctl_cbor *map, const char *key);

// table.c: rows of aligned columns. Cells are copied; what a terminal would act on is replaced.

#define CLI_COLUMNS_MAX 8

struct cli_table {
	unsigned columns;
	const char *titles[CLI_COLUMNS_MAX];
	bool right[CLI_COLUMNS_MAX]; // aligned to the right
	unsigned width[CLI_COLUMNS_MAX];
	char **cells;
	unsigned cell_count, cell_room;
	bool titled; // the titles were printed
};

// `titles` is NULL-terminated; a title that begins with '>' makes its column right-aligned.
void cli_table_init(struct cli_table *table, const char *const *titles);
void cli_table_cell(struct cli_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
// The text, number or hex of a value; "-" if the map does not have it.
void cli_table_value(struct cli_table *table, const struct ctl_cbor *map, const char *key);
// Prints and forgets the rows; columns stay at least as wide as they are.
void cli_table_print(struct cli_table *table);
void cli_table_free(struct cli_table *table);

#define CLI_VALUE_MAX 1100 // bytes that cli_value_text() writes at most, with the 0
// The same as text. Returns `text`.
const char *cli_value_text(char text[CLI_VALUE_MAX], const struct ctl_cbor *map, const char *key);
// "2 d 3 h", "5 min", "1.5 s". Returns `text`.
const char *cli_duration_text(char text[32], uint64_t ms);

// Commands.
int cli_status(struct cli *cli, const char *argument);
int cli_stats(struct cli *cli, const char *argument);
int cli_shutdown(struct cli *cli, const char *argument);
int cli_device_add(struct cli *cli, const char *argument);
int cli_device_import(struct cli *cli, const char *argument);
int cli_device_list(struct cli *cli, const char *argument);
int cli_device_show(struct cli *cli, const char *argument);
int cli_device_remove(struct cli *cli, const char *argument);
int cli_device_resync(struct cli *cli, const char *argument);
int cli_device_rotate(struct cli *cli, const char *argument);
int cli_store_check(struct cli *cli, const char *argument);
int cli_store_backup(struct cli *cli, const char *argument);
int cli_store_adopt(struct cli *cli, const char *argument);
int cli_events(struct cli *cli, const char *argument);
int cli_check(struct cli *cli, const char *argument);
int cli_key_create(struct cli *cli, const char *argument);

#endif
