// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/keyed_hash.h"

#include <sodium.h>

void keyed_hash_init(struct keyed_hash *key)
{
	randombytes_buf(key, sizeof(*key));
}
