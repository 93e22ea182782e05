// SPDX-License-Identifier: BSD-3-Clause
// A list of device ids that grows.

#include "gw/store/changed.h"

#include <stdlib.h>

void changed_add(struct changed *changed, uint64_t id)
{
	if (changed->count == changed->room) {
		size_t room = changed->room ? 2 * changed->room : 256;
		uint64_t *more = reallocarray(changed->id, room, sizeof(*more));

		if (more == NULL) {
			changed->lost = true;
			return;
		}
		changed->id = more;
		changed->room = room;
	}
	changed->id[changed->count++] = id;
	changed->fresh++;
}
