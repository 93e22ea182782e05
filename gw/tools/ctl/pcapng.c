// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/pcapng.h"

#include <string.h>

#define BLOCK_SECTION    0x0a0d0d0a
#define BLOCK_INTERFACE  1
#define BLOCK_STATISTICS 5
#define BLOCK_PACKET     6
#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define AROUND           12 // type and two lengths
#define SNAP_LEN         262144

#define OPTION_END        0
#define OPTION_NAME       2
#define OPTION_RESOLUTION 9 // of an interface's times
#define OPTION_FLAGS      2 // of a packet
#define OPTION_DROPPED    5 // of statistics
#define OPTION_USER       4 // the application
#define NANOSECONDS       9 // 10^-9
#define FLAG_IN           1
#define FLAG_OUT          2

// Numbers are in the order of this machine, which the magic tells.
static void put16(FILE *out, uint16_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

static void put32(FILE *out, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

static size_t padded(size_t len)
{
	return (len + 3) / 4 * 4;
}

static void put_bytes(FILE *out, const void *bytes, size_t len)
{
	static const uint8_t zeros[4];

	fwrite(bytes, 1, len, out);
	fwrite(zeros, 1, padded(len) - len, out);
}

static size_t option_len(size_t len)
{
	return 4 + padded(len);
}

static void put_option(FILE *out, uint16_t code, const void *bytes, size_t len)
{
	put16(out, code);
	put16(out, len);
	put_bytes(out, bytes, len);
}

static size_t block_begin(FILE *out, uint32_t type, size_t len)
{
	put32(out, type);
	put32(out, AROUND + len);
	return AROUND + len;
}

size_t pcapng_section(FILE *out)
{
	static const char user[] = "posternctl " POSTERN_VERSION;
	static const uint64_t unknown_len = UINT64_MAX;
	const size_t options = option_len(sizeof(user) - 1) + 4;
	size_t len = block_begin(out, BLOCK_SECTION, 16 + options);

	put32(out, BYTE_ORDER_MAGIC);
	put16(out, 1); // version 1.0
	put16(out, 0);
	fwrite(&unknown_len, sizeof(unknown_len), 1, out);
	put_option(out, OPTION_USER, user, sizeof(user) - 1);
	put32(out, OPTION_END);
	put32(out, len);
	return len;
}

size_t pcapng_interface(FILE *out, enum pcapng_link link, const char *name, size_t name_len)
{
	static const uint8_t resolution = NANOSECONDS;
	const size_t options = option_len(name_len) + option_len(1) + 4;
	size_t len = block_begin(out, BLOCK_INTERFACE, 8 + options);

	put16(out, link);
	put16(out, 0);
	put32(out, SNAP_LEN);
	put_option(out, OPTION_NAME, name, name_len);
	put_option(out, OPTION_RESOLUTION, &resolution, 1);
	put32(out, OPTION_END);
	put32(out, len);
	return len;
}

size_t pcapng_packet(FILE *out, const struct pcapng_frame *frame)
{
	const uint32_t flags = frame->out ? FLAG_OUT : FLAG_IN;
	const size_t options = option_len(sizeof(flags)) + 4;
	size_t len = block_begin(out, BLOCK_PACKET, 20 + padded(frame->len) + options);

	put32(out, frame->interface);
	put32(out, frame->time_ns >> 32);
	put32(out, (uint32_t)frame->time_ns);
	put32(out, frame->len);
	put32(out, frame->wire_len);
	put_bytes(out, frame->bytes, frame->len);
	put_option(out, OPTION_FLAGS, &flags, sizeof(flags));
	put32(out, OPTION_END);
	put32(out, len);
	return len;
}

size_t pcapng_lost(FILE *out, uint64_t lost)
{
	const size_t options = option_len(sizeof(lost)) + 4;
	size_t len = block_begin(out, BLOCK_STATISTICS, 12 + options);

	put32(out, 0);
	put32(out, 0); // no time
	put32(out, 0);
	put_option(out, OPTION_DROPPED, &lost, sizeof(lost));
	put32(out, OPTION_END);
	put32(out, len);
	return len;
}
