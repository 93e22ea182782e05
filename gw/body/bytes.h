// SPDX-License-Identifier: BSD-3-Clause
// The bytes of a body, which grow at their end. Whatever memory they leave is wiped, or goes back
// to the kernel, which clears it.

#ifndef POSTERN_GW_BODY_BYTES_H
#define POSTERN_GW_BODY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_BYTES_LEAST  1024          // bytes of the smallest room
#define BODY_BYTES_MAPPED (128u * 1024) // from here on pages of their own, which move uncopied

// All zeros: no bytes.
struct body_bytes {
	uint8_t *at;
	size_t len;
	size_t room; // bytes of memory at `at`
};

// The room that so many bytes will have if they grow from what they are.
size_t body_bytes_room(const struct body_bytes *bytes, size_t len);
// The most bytes whose room takes no more than `memory`, together with so many beside it.
size_t body_bytes_most(size_t memory, size_t beside);
// Grows the room to body_bytes_room(len). false: there is no memory, and nothing has changed.
bool body_bytes_grow(struct body_bytes *bytes, size_t len) __attribute__((warn_unused_result));
// Adds bytes, for which there is room.
void body_bytes_add(struct body_bytes *bytes, const void *data, size_t len);
void body_bytes_free(struct body_bytes *bytes);

#endif
