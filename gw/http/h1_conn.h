// SPDX-License-Identifier: BSD-3-Clause
// A connection of the HTTP/1.1 engine. It reports to its exchange (h1_exchange.h), and calls
// nothing of the engine, which decides which exchange uses which connection.

#ifndef POSTERN_GW_HTTP_H1_CONN_H
#define POSTERN_GW_HTTP_H1_CONN_H

#include "gw/http/h1.h"

// Opens a connection for an exchange. Returns 0 or -ENOMEM.
int h1_conn_open(struct h1_exchange *exchange) __attribute__((warn_unused_result));
// Takes an idle connection to a server that nothing waits on, closing those that are of no use any
// more. NULL: there is none.
struct h1_conn *h1_conn_take_idle(struct h1_target *target);
// Sends the request of an exchange on an open connection that has none.
void h1_conn_send(struct h1_conn *conn, struct h1_exchange *exchange);
// Closes it. Its exchange, if it has one, is the caller's.
void h1_conn_end(struct h1_conn *conn);

#endif
