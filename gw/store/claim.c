// SPDX-License-Identifier: BSD-3-Clause
// The lock in a directory does not keep a copy of that directory from being opened. So the process
// that has a store open also binds an abstract UNIX socket, whose name is made of the store's own
// key and which the kernel removes when the process ends. It is seen in this network namespace
// only, not in other containers or machines.

#include "gw/store/claim.h"

#include "gw/store/secrets.h"
#include "gw/store/state.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLAIM_PREFIX   "postern-store-"
#define CLAIM_HASH_LEN crypto_generichash_BYTES_MIN

// Whether a user that could not open this store has bound the name. In doubt it has not:
// connections are never accepted, so the queue may be full and the peer unknown.
static bool is_strangers(const struct store *store, const struct sockaddr_un *name, socklen_t len)
{
	struct ucred peer;
	socklen_t peer_len = sizeof(peer);
	struct stat st;
	bool strangers = false;

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)name, len) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) == 0 &&
		fstat(store->directory_fd, &st) == 0)
		strangers = peer.uid != 0 && peer.uid != geteuid() && peer.uid != st.st_uid;
	if (fd >= 0)
		close(fd);
	return strangers;
}

int store_claim(struct store *store, struct error *error)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	uint8_t hash[CLAIM_HASH_LEN];
	char hex[2 * CLAIM_HASH_LEN + 1];
	int code = 0;

	crypto_generichash(hash, sizeof(hash), (const uint8_t *)CLAIM_PREFIX, strlen(CLAIM_PREFIX),
		store->secrets->machine, sizeof(store->secrets->machine));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	// Behind the 0 that makes it abstract.
	int text_len =
		snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, CLAIM_PREFIX "%s", hex);
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + text_len;
	store->claim_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (store->claim_fd < 0 || bind(store->claim_fd, (struct sockaddr *)&name, len) != 0)
		code = -errno;
	else if (listen(store->claim_fd, 1) != 0)
		code = -errno;
	if (code == -EADDRINUSE)
		return is_strangers(store, &name, len)
			? 0
			: error_set(error, -EBUSY,
				  "the store %s: another process has a copy of it open, and only "
				  "one of them may ever run",
				  store->directory);
	return code == 0 ? 0
			 : error_set(error, code, "the claim on the store: %s", strerror(-code));
}
