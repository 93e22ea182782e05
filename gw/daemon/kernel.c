// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/kernel.h"

#include "gw/os/kernel_tap.h"

#include <stddef.h>

#define KERNEL_BURST 64 // frames of one TAP or worker in one turn

static struct daemon_port *port_of(struct daemon *daemon, uint16_t port_id)
{
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].port_id == port_id)
			return &daemon->port[i];
	return NULL;
}

void kernel_put_frames(struct daemon *daemon)
{
	for (unsigned w = 0; w < dp_worker_count(daemon->dp); w++) {
		struct dp_frame_ring *ring = dp_to_kernel(daemon->dp, w);
		const uint8_t *frame;
		uint16_t port_id;
		uint16_t len;

		for (unsigned n = 0; n < KERNEL_BURST; n++) {
			frame = dp_frame_ring_peek(ring, &port_id, &len);
			if (!frame)
				break;
			struct daemon_port *port = port_of(daemon, port_id);

			if (port && port->tap_fd >= 0 && kernel_tap_write(port->tap_fd, frame, len))
				port->to_kernel_failed++;
			dp_frame_ring_pop(ring);
		}
	}
}

void kernel_take_frames(struct daemon *daemon, struct daemon_port *port)
{
	for (unsigned n = 0; n < KERNEL_BURST; n++) {
		int len = kernel_tap_read(port->tap_fd, daemon->frame, daemon->frame_max);

		if (len <= 0)
			return;
		// All to one worker, so that they stay in order. With its ring full the frame is
		// lost, as on any wire.
		if (!dp_frame_ring_push(
			    dp_from_kernel(daemon->dp, 0), port->port_id, daemon->frame, len))
			port->from_kernel_full++;
	}
}
