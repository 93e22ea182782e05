// SPDX-License-Identifier: BSD-3-Clause
// Constant time by Valgrind: scalars and points are marked undefined, so that memcheck reports each
// branch and each address that depends on them. Linked with the ladder in plain C; run under
// valgrind
// --error-exitcode=9.

#include "crypto/x25519.h"

#include <stdlib.h>
#include <valgrind/memcheck.h>

int main(void)
{
	static uint8_t scalars[X25519_LANES][32], points[X25519_LANES][32], outs[X25519_LANES][32];
	const uint8_t *s[X25519_LANES], *p[X25519_LANES];
	uint8_t *o[X25519_LANES], sum = 0;

	for (unsigned i = 0; i < X25519_LANES; i++) {
		s[i] = scalars[i];
		p[i] = points[i];
		o[i] = outs[i];
		for (unsigned k = 0; k < 32; k++) {
			scalars[i][k] = (uint8_t)rand();
			points[i][k] = (uint8_t)rand();
		}
	}
	VALGRIND_MAKE_MEM_UNDEFINED(scalars, sizeof(scalars));
	VALGRIND_MAKE_MEM_UNDEFINED(points, sizeof(points));
	x25519_ifma(o, s, p);
	VALGRIND_MAKE_MEM_DEFINED(outs, sizeof(outs));
	for (unsigned i = 0; i < sizeof(outs); i++)
		sum |= outs[0][i % 32];
	return !sum;
}
