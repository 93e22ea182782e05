// SPDX-License-Identifier: BSD-3-Clause

#include "gw/translate/cbor_write.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define HALF   0xf9
#define SINGLE 0xfa
#define DOUBLE 0xfb

void tr_cbor_put(struct tr_cbor *out, const void *bytes, size_t len)
{
	if (out->full || (size_t)(out->end - out->at) < len) {
		out->full = true;
		return;
	}
	if (len)
		memcpy(out->at, bytes, len);
	out->at += len;
}

void tr_cbor_byte(struct tr_cbor *out, uint8_t byte)
{
	tr_cbor_put(out, &byte, 1);
}

// An initial byte and the low bytes of a value, the highest first.
static void initial_put(struct tr_cbor *out, uint8_t initial, uint64_t value, unsigned bytes)
{
	uint8_t item[9] = {initial};

	for (unsigned i = 0; i < bytes; i++)
		item[1 + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	tr_cbor_put(out, item, 1 + bytes);
}

void tr_cbor_head(struct tr_cbor *out, unsigned major, uint64_t argument)
{
	uint8_t initial = (uint8_t)(major << 5);

	if (argument < 24)
		initial_put(out, initial | (uint8_t)argument, 0, 0);
	else if (argument <= UINT8_MAX)
		initial_put(out, initial | 24, argument, 1);
	else if (argument <= UINT16_MAX)
		initial_put(out, initial | 25, argument, 2);
	else if (argument <= UINT32_MAX)
		initial_put(out, initial | 26, argument, 4);
	else
		initial_put(out, initial | 27, argument, 8);
}

void tr_cbor_integer(struct tr_cbor *out, int64_t value)
{
	if (value < 0)
		tr_cbor_head(out, TR_CBOR_NEGINT, (uint64_t)(-1 - value));
	else
		tr_cbor_head(out, TR_CBOR_UINT, (uint64_t)value);
}

// The bits of a half that is a finite single with these bits, if there is one (IEEE 754 binary16
// and binary32).
static bool half_of(uint32_t single, uint16_t *half)
{
	uint16_t sign = (uint16_t)(single >> 16 & 0x8000);
	int exponent = (int)(single >> 23 & 0xff) - 127;
	uint32_t fraction = single & 0x7fffff;

	if (!(single & 0x7fffffff)) {
		*half = sign;
		return true;
	}
	if (exponent >= -14 && exponent <= 15 && !(fraction & 0x1fff)) {
		*half = (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | fraction >> 13);
		return true;
	}
	// A subnormal half counts in 2^-24.
	if (exponent < -24 || exponent >= -14)
		return false;
	unsigned shift = (unsigned)(-1 - exponent);
	uint32_t whole = fraction | 0x800000;
	if (whole & ((1u << shift) - 1))
		return false;
	*half = (uint16_t)(sign | whole >> shift);
	return true;
}

void tr_cbor_double(struct tr_cbor *out, double value)
{
	uint64_t bits;

	// A double beyond FLT_MAX must not be converted.
	if (fabs(value) <= (double)FLT_MAX && (double)(float)value == value) {
		float single = (float)value;
		uint32_t single_bits;
		uint16_t half;

		memcpy(&single_bits, &single, sizeof(single_bits));
		if (half_of(single_bits, &half))
			initial_put(out, HALF, half, 2);
		else
			initial_put(out, SINGLE, single_bits, 4);
		return;
	}
	memcpy(&bits, &value, sizeof(bits));
	initial_put(out, DOUBLE, bits, 8);
}
