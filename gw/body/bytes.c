// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/bytes.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

size_t body_bytes_room(const struct body_bytes *bytes, size_t len)
{
	size_t room = bytes->room ? bytes->room : BODY_BYTES_LEAST;

	while (room < len && room < BODY_BYTES_MAPPED)
		room *= 2;
	// Pages move without a copy, so that a quarter at a time is enough.
	while (room < len)
		room += room / 4 / BODY_BYTES_LEAST / 4 * (BODY_BYTES_LEAST * 4);
	return room;
}

size_t body_bytes_most(size_t memory, size_t beside)
{
	struct body_bytes bytes = {0};
	size_t next = body_bytes_room(&bytes, 1);

	while (next + beside <= memory) {
		bytes.room = next;
		next = body_bytes_room(&bytes, next + 1);
	}
	return bytes.room;
}

static bool mapped(size_t room)
{
	return room >= BODY_BYTES_MAPPED;
}

static uint8_t *room_take(size_t room)
{
	if (!mapped(room))
		return malloc(room);
	void *at = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void room_give(uint8_t *at, size_t room, size_t used)
{
	if (mapped(room)) {
		munmap(at, room);
		return;
	}
	if (used)
		sodium_memzero(at, used);
	free(at);
}

bool body_bytes_grow(struct body_bytes *bytes, size_t len)
{
	size_t room = body_bytes_room(bytes, len);
	uint8_t *at;

	if (room == bytes->room)
		return true;
	if (mapped(bytes->room)) {
		at = mremap(bytes->at, bytes->room, room, MREMAP_MAYMOVE);
		if (at == MAP_FAILED)
			return false;
	} else {
		at = room_take(room);
		if (!at)
			return false;
		if (bytes->at) {
			memcpy(at, bytes->at, bytes->len);
			room_give(bytes->at, bytes->room, bytes->len);
		}
	}
	bytes->at = at;
	bytes->room = room;
	return true;
}

void body_bytes_add(struct body_bytes *bytes, const void *data, size_t len)
{
	assert(len <= bytes->room - bytes->len);
	if (len)
		memcpy(bytes->at + bytes->len, data, len);
	bytes->len += len;
}

void body_bytes_free(struct body_bytes *bytes)
{
	if (bytes->at)
		room_give(bytes->at, bytes->room, bytes->len);
	*bytes = (struct body_bytes){0};
}
