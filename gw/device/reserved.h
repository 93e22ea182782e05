// SPDX-License-Identifier: BSD-3-Clause
// Names that no device may have, since their messages are passed through to others: main says which
// when the configuration is read, and any thread asks.

#ifndef POSTERN_GW_DEVICE_RESERVED_H
#define POSTERN_GW_DEVICE_RESERVED_H

#include "dataplane/oscore/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a message says of its context, or a device of its own.
struct device_ids {
	const uint8_t *kid;
	const uint8_t *id_context;
	uint8_t kid_len, id_context_len;
	bool has_id_context;
	bool derives; // a device whose ID Context changes: any belongs to it
};

struct device_reserved;

// Without names. NULL: no memory.
struct device_reserved *device_reserved_new(void);
// NULL is allowed.
void device_reserved_free(struct device_reserved *reserved);
// Copies so many names in the place of those before. One without id_context is of all messages with
// its kid. Returns 0, or -ENOMEM and nothing is changed.
int device_reserved_set(struct device_reserved *reserved, const struct device_ids *names,
	size_t count) __attribute__((warn_unused_result));
// Whether a message of a device with these ids would have one of the names; false if reserved is
// NULL.
bool device_reserved_has(struct device_reserved *reserved, const struct device_ids *device);

// Has `lent` asked, by any thread and under a lock, for what device_reserved_lent() says: no device
// is added with a kid that was lent to a session. NULL: there are none.
void device_reserved_lend(struct device_reserved *reserved,
	bool (*lent)(void *arg, const uint8_t *kid, uint8_t kid_len), void *arg);
// Whether a kid is lent; false if reserved is NULL.
bool device_reserved_lent(struct device_reserved *reserved, const uint8_t *kid, uint8_t kid_len);

#endif
