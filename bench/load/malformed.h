// SPDX-License-Identifier: BSD-3-Clause
// What is no request for a device, whatever follows: for hostile load of any kind.

#ifndef POSTERN_BENCH_LOAD_MALFORMED_H
#define POSTERN_BENCH_LOAD_MALFORMED_H

#include <stdint.h>

static const struct {
	uint8_t len, bytes[7];
} malformed[] = {
	{4, {0x80, 0x02, 0x12, 0x34}},                   // version 2
	{4, {0x4f, 0x02, 0x12, 0x34}},                   // reserved token length
	{3, {0x40, 0x02, 0x12}},                         // shorter than a header
	{6, {0x40, 0x02, 0x12, 0x34, 0xff, 'x'}},        // no OSCORE
	{5, {0x40, 0x02, 0x12, 0x34, 0xff}},             // marker without payload
	{6, {0x40, 0x45, 0x12, 0x34, 0xff, 'x'}},        // a response
	{7, {0x40, 0x02, 0x12, 0x34, 0x91, 0xe0, 0xff}}, // reserved flags in OSCORE
	{6, {0x40, 0x02, 0x12, 0x34, 0x9e, 0xff}},       // an option longer than the message
	{4, {0x40, 0x00, 0x12, 0x34}},                   // a ping: a RST is as long
	{4, {0x60, 0x00, 0x12, 0x34}},                   // an ACK of nothing
	{4, {0x70, 0x00, 0x12, 0x34}},                   // a RST of nothing
};
#define MALFORMED (sizeof(malformed) / sizeof(malformed[0]))

#endif
