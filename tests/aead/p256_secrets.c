// SPDX-License-Identifier: BSD-3-Clause
// Constant time by Valgrind: scalars and points are marked undefined, so that memcheck reports each
// branch and each address that depends on them. Linked with P-256 in plain C; run under valgrind
// --error-exitcode=9.

#include "crypto/p256.h"

#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

static uint8_t scalars[P256_LANES][32], xs[P256_LANES][32], ys[P256_LANES][32];
static uint8_t out_xs[P256_LANES][32], out_ys[P256_LANES][32];

int main(void)
{
	const uint8_t *s[P256_LANES], *x[P256_LANES], *y[P256_LANES];
	uint8_t *ox[P256_LANES], *oy[P256_LANES], good[3];
	struct p256_base *base = p256_base_create();

	for (unsigned i = 0; i < P256_LANES; i++) {
		s[i] = scalars[i];
		x[i] = xs[i];
		y[i] = ys[i];
		ox[i] = out_xs[i];
		oy[i] = out_ys[i];
		for (unsigned k = 0; k < 32; k++)
			scalars[i][k] = (uint8_t)rand();
	}
	VALGRIND_MAKE_MEM_UNDEFINED(scalars, sizeof(scalars));
	good[0] = p256_ifma_public(base, ox, oy, s);
	// What is public is computed from secrets, so still undefined.
	memcpy(xs, out_xs, sizeof(xs));
	memcpy(ys, out_ys, sizeof(ys));
	good[1] = p256_ifma_shared(ox, s, x, y);
	good[2] = p256_ifma_y(oy, x, good[0]);
	p256_base_free(base);
	VALGRIND_MAKE_MEM_DEFINED(good, sizeof(good));
	return good[0] != 0xff || good[1] != 0xff || good[2] != 0xff;
}
