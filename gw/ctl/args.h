// SPDX-License-Identifier: BSD-3-Clause
// Arguments of a request, read by a table.

#ifndef POSTERN_GW_CTL_ARGS_H
#define POSTERN_GW_CTL_ARGS_H

#include "gw/ctl/server.h"
#include "gw/device/device.h"

struct ctl_arg {
	// What is expected:
	const char *key;
	enum ctl_cbor_type type; // BYTES, TEXT, UINT or BOOL
	bool required;
	uint64_t min, max; // of the value, or of the length of a string in bytes
	// What came:
	bool given;
	struct ctl_cbor item; // if given
};

// Reads the map into args[]. False if an argument is missing, unknown, or not what is expected;
// the request is answered then, and gone.
bool ctl_args_read(struct ctl_request *req, const struct ctl_cbor *map, struct ctl_arg *args,
	size_t count) __attribute__((warn_unused_result));

// Copies a device's name; "" if none was given. The store judges it; only a 0 inside is refused
// here: false then, and the request is answered and gone.
bool ctl_arg_name(struct ctl_request *req, const struct ctl_arg *arg,
	char name[DEVICE_NAME_MAX + 1]) __attribute__((warn_unused_result));
// Copies a text that was given, whose length was looked at, with a 0 at the end. False if there is
// one inside; the request is answered then, and gone.
bool ctl_arg_text(struct ctl_request *req, const struct ctl_arg *arg, char *text)
	__attribute__((warn_unused_result));
// False if it was not given.
bool ctl_arg_bool(const struct ctl_arg *arg);

// Answers a verb for which the daemon has no function.
void ctl_unsupported(struct ctl_request *req);

#endif
