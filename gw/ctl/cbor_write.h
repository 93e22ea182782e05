// SPDX-License-Identifier: BSD-3-Clause
// Writes one message of the control socket, in the shortest encoding, without allocation.
//
// Nothing is checked while writing: what does not fit sets `failed`, and ctl_writer_done() reports
// it.

#ifndef POSTERN_GW_CTL_CBOR_WRITE_H
#define POSTERN_GW_CTL_CBOR_WRITE_H

#include "gw/ctl/cbor_walk.h"
#include "gw/ctl/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_writer {
	size_t len; // bytes in data
	bool failed;
	unsigned depth;
	struct {
		size_t head;    // where the array or map starts in data
		uint64_t items; // in it so far, keys counted too
		bool map;
	} open[CTL_CBOR_DEPTH_MAX];
	uint8_t data[CTL_MESSAGE_MAX];
};

void ctl_writer_init(struct ctl_writer *writer);
// Whether the message fits and all arrays and maps are closed.
bool ctl_writer_done(const struct ctl_writer *writer) __attribute__((warn_unused_result));

// Items; inside a map keys and values in turn.
void ctl_write_array(struct ctl_writer *writer);
void ctl_write_map(struct ctl_writer *writer);
void ctl_write_close(struct ctl_writer *writer); // the innermost open array or map
void ctl_write_uint(struct ctl_writer *writer, uint64_t value);
void ctl_write_bool(struct ctl_writer *writer, bool value);
void ctl_write_bytes(struct ctl_writer *writer, const void *data, size_t len);
// The text must be UTF-8; bytes that are not become '?'.
void ctl_write_text(struct ctl_writer *writer, const char *text);
// Copies a whole item.
void ctl_write_raw(struct ctl_writer *writer, const uint8_t *item, size_t len);

// A key and its value. A text that is NULL leaves the pair out.
void ctl_put_uint(struct ctl_writer *writer, const char *key, uint64_t value);
void ctl_put_bool(struct ctl_writer *writer, const char *key, bool value);
void ctl_put_bytes(struct ctl_writer *writer, const char *key, const void *data, size_t len);
void ctl_put_text(struct ctl_writer *writer, const char *key, const char *text);

#endif
