// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/port/steer.h"

#include <stdlib.h>
#include <string.h>

struct xdp_md;
int postern_steer(struct xdp_md *ctx);

#include "dataplane/port/xdp/steer.bpf.c"

#define QUEUE 3

const size_t steer_constants_len = sizeof(steer_port);
const size_t steer_address_len = sizeof(struct dp_xdp_address);

static long redirected(void *map, __u64 key, __u64 flags)
{
	// Where no socket is, the kernel must get it.
	if (map != &xsks_map || key != QUEUE || flags != XDP_PASS)
		abort();
	return XDP_REDIRECT;
}

// The map: 192.0.2.1 and 2001:db8::1.
static void *looked_up(void *map, const void *key)
{
	static const struct dp_xdp_address ours[] = {
		{.family = 4, .addr = {192, 0, 2, 1}},
		{.family = 6, .addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
	};
	static __u8 one = 1;

	if (map != &addresses)
		abort();
	for (unsigned i = 0; i < 2; i++)
		if (!memcmp(key, &ours[i], sizeof(ours[i])))
			return &one;
	return NULL;
}

static long loaded(struct xdp_md *ctx, __u32 offset, void *to, __u32 len)
{
	const size_t all = ctx->data_end - ctx->data;

	if (offset > all || len > all - offset)
		return -1;
	memcpy(to, (const __u8 *)(uintptr_t)ctx->data + offset, len);
	return 0;
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
	bpf_map_lookup_elem = looked_up;
	bpf_xdp_load_bytes = loaded;
	verdict = postern_steer(&ctx);
	if (verdict != XDP_PASS && verdict != XDP_REDIRECT)
		abort();
	return verdict == XDP_REDIRECT;
}
