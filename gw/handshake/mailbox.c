// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/mailbox.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int handshake_mailbox_init(struct handshake_mailbox *box)
{
	box->first = NULL;
	box->end = &box->first;
	box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->fd < 0)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	return 0;
}

void handshake_born_free(struct handshake_born *born)
{
	if (born->session) {
		sodium_memzero(born->session, sizeof(*born->session));
		free(born->session);
	}
	sodium_memzero(born, sizeof(*born));
	free(born);
}

void handshake_mailbox_fini(struct handshake_mailbox *box)
{
	struct handshake_born *next;

	if (box->fd < 0)
		return;
	for (struct handshake_born *born = box->first; born; born = next) {
		next = born->next;
		handshake_born_free(born);
	}
	box->first = NULL;
	close(box->fd);
	box->fd = -1;
	pthread_mutex_destroy(&box->lock);
}

void handshake_mailbox_wake(struct handshake_mailbox *box)
{
	const uint64_t one = 1;

	if (write(box->fd, &one, sizeof(one)) < 0) {
		// EAGAIN: the counter is full, so main wakes anyway.
	}
}

void handshake_mailbox_put(struct handshake_mailbox *box, struct handshake_born *born)
{
	born->next = NULL;
	pthread_mutex_lock(&box->lock);
	*box->end = born;
	box->end = &born->next;
	pthread_mutex_unlock(&box->lock);
	handshake_mailbox_wake(box);
}

struct handshake_born *handshake_mailbox_take(struct handshake_mailbox *box)
{
	uint64_t value;

	if (read(box->fd, &value, sizeof(value)) < 0)
		return NULL; // EAGAIN: nothing came
	pthread_mutex_lock(&box->lock);
	struct handshake_born *first = box->first;

	box->first = NULL;
	box->end = &box->first;
	pthread_mutex_unlock(&box->lock);
	return first;
}
