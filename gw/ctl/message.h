// SPDX-License-Identifier: BSD-3-Clause
// The form that all messages of the control socket have: an array of an id, a text and a map.
//
//	[id, verb, {arguments}]          a request; the id is above 0
//	[id, "ok", {body}]               a reply to it
//	[id, code, {"message": ..}]      the last reply, an error; id 0: of the whole connection
//	[0, name, {body}]                an event

#ifndef POSTERN_GW_CTL_MESSAGE_H
#define POSTERN_GW_CTL_MESSAGE_H

#include "gw/ctl/cbor_walk.h"
#include "gw/ctl/cbor_write.h"
#include "gw/ctl/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_message {
	uint64_t id;
	struct ctl_cbor word; // the text
	struct ctl_cbor map;
};

// Reads a message that passed ctl_cbor_walk(), in place. False if it has another form; more items
// behind the map are allowed only if `open` is true.
bool ctl_message_read(struct ctl_message *message, const uint8_t *data, size_t len, bool open)
	__attribute__((warn_unused_result));

// Writes [id, word, body]; body is one whole item.
void ctl_message_write(struct ctl_writer *out, uint64_t id, const char *word, const uint8_t *body,
	size_t body_len);
// Writes [id, code of the error, {"message": text}].
void ctl_message_write_error(
	struct ctl_writer *out, uint64_t id, enum ctl_error error, const char *text);

#endif
