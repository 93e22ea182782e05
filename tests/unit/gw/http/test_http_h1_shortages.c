// SPDX-License-Identifier: BSD-3-Clause
// The HTTP/1.1 engine on a machine that lacks memory: no server is blamed for it.

#include "tests/unit/gw/http/alone.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

// A request that waits for memory until its time is up, and one over TLS, which cannot wait.
Test(http_h1_shortages, no_server_is_blamed_for_want_of_memory)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	alone_first(a, KEPT);
	alone_send_errno = ENOBUFS;
	alone_ask(a, &asker, "POST");
	for (unsigned i = 0; i < 3; i++)
		alone_turn(a);
	cr_expect_not(asker.done);
	a->later_ms = ALONE_LONG_MS;
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_local);
	cr_expect_eq(asker.transfer.local_errno, ENOBUFS);
	a->later_ms = 0;
	alone_send_errno = 0;
	alone_ask(a, &asker, "POST");
	alone_accept(a);
	alone_send_errno = ENOMEM;
	alone_turn(a);
	alone_send_errno = 0;
	cr_assert(alone_read(a, ALONE_BODY)); // it goes on
	alone_say(a, KEPT);
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_none);
	alone_end(a);
}

// OpenSSL cannot go on then, in a handshake or behind it.
Test(http_h1_shortages, nor_for_what_tls_lacks)
{
	struct alone *a = alone_make(true);
	struct asker asker;

	alone_send_errno = ENOBUFS;
	alone_ask(a, &asker, "POST");
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_local);
	cr_expect_eq(asker.transfer.local_errno, ENOBUFS);
	alone_send_errno = 0;
	int dead = accept(a->listener, NULL, NULL);
	alone_first(a, KEPT);
	alone_send_errno = ENOMEM;
	alone_ask(a, &asker, "POST");
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_local);
	cr_expect_eq(asker.transfer.local_errno, ENOMEM);
	cr_expect_not(asker.transfer.sent);
	alone_send_errno = 0;
	close(dead);
	alone_end(a);
}

// Nor in a read, which keeps a ticket that comes before an answer. A handshake whose memory lacks
// deep inside OpenSSL may fail as if the server was at fault: it does not tell us.
Test(http_h1_shortages, nor_for_what_a_ticket_lacks)
{
	struct alone *a = alone_make(true);
	struct asker asker;

	alone_first(a, KEPT);
	alone_ask(a, &asker, "POST");
	cr_assert(alone_read(a, ALONE_BODY));
	cr_assert_eq(SSL_new_session_ticket(a->peer.tls), 1);
	cr_assert_eq(SSL_do_handshake(a->peer.tls), 1);
	alone_say(a, KEPT);
	alone_no_memory = true;
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_local);
	alone_no_memory = false;
	cr_expect_eq(asker.transfer.local_errno, ENOMEM);
	alone_end(a);
}
