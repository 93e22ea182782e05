// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/steer.h"

#include <stdlib.h>

struct xdp_md;
int postern_steer(struct xdp_md *ctx);

#include "dataplane/xdp/steer.bpf.c"

#define QUEUE 3

const size_t steer_constants_len = sizeof(steer_port);

static long redirected(void *map, __u64 key, __u64 flags)
{
	// Where no socket is, the kernel must get it.
	if (map != &xsks_map || key != QUEUE || flags != XDP_PASS)
		abort();
	return XDP_REDIRECT;
}

bool steer_takes(const uint8_t *packet, size_t len)
{
	struct xdp_md ctx = {
		.data = (__u32)(uintptr_t)packet,
		.data_end = (__u32)((uintptr_t)packet + len),
		.rx_queue_index = QUEUE,
	};
	int verdict;

	bpf_redirect_map = (void *)redirected;
	verdict = postern_steer(&ctx);
	if (verdict != XDP_PASS && verdict != XDP_REDIRECT)
		abort();
	return verdict == XDP_REDIRECT;
}
