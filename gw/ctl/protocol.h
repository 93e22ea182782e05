// SPDX-License-Identifier: BSD-3-Clause
// What the client and the server of the control socket agree on (docs/control.md,
// docs/control.cddl): a UNIX SOCK_SEQPACKET socket, one CBOR item a datagram.

#ifndef POSTERN_GW_CTL_PROTOCOL_H
#define POSTERN_GW_CTL_PROTOCOL_H

#define CTL_PROTOCOL              1 // raised when an old client would misunderstand
#define CTL_SOCKET_DEFAULT        "/run/postern/control.sock"
#define CTL_MESSAGE_MAX           65536      // bytes of a datagram
#define CTL_TEXT_MAX              1024       // bytes of an error's message
#define CTL_LIST_MAX              256        // devices in one answer to "device list"
#define CTL_PATH_MAX              4000       // bytes of a path
#define CTL_FORMAT_MAX            65534      // the largest Content-Format
#define CTL_TYPE_MAX              255        // bytes of a media type
#define CTL_PUSH_MAX              49152      // bytes of a value in "observe push"
#define CTL_MAX_AGE_MAX           2147483647 // seconds, as RFC 9111 section 1.2.2 has it
#define CTL_UPSTREAM_MAX          63         // bytes of an upstream's name
#define CTL_PORT_MAX              63         // bytes of a port's name
#define CTL_CAPTURE_COUNT         1000000000 // frames of a capture, at most
#define CTL_CAPTURE_TIME          86400      // seconds of one, at most
#define CTL_CAPTURE_TIME_DEFAULT  60
#define CTL_TRACE_COUNT           100 // packets of a trace, at most
#define CTL_TRACE_COUNT_DEFAULT   10
#define CTL_TRACE_TIME            3600 // seconds of one, at most
#define CTL_TRACE_TIME_DEFAULT    60
#define CTL_SERVER_MAX            2048 // bytes of a server's URL
#define CTL_WORD_MAX              31   // bytes of a word of a fixed set
#define CTL_TOMBSTONE_KEY         16   // bytes
#define CTL_REASON_MAX            63   // bytes of a counter's name
#define CTL_REFUSED_COUNT         1000 // packets of "show refused", at most
#define CTL_REFUSED_COUNT_DEFAULT 20

// Limits of the server.
#define CTL_CLIENTS_MAX     64            // connections
#define CTL_CLIENTS_OTHERS  48            // of them for peers that are not admin
#define CTL_REQUESTS_MAX    16            // unanswered ones of a client; more are not read yet
#define CTL_QUEUE_MAX       (1024 * 1024) // bytes that a client may leave unread in our memory
#define CTL_IDLE_TIMEOUT_MS 300000        // without a message, with nothing to answer

// What a peer may do. Each level includes those before it.
enum ctl_level { CTL_VIEW, CTL_OPERATE, CTL_ADMIN };

const char *ctl_level_name(enum ctl_level level);

// Stable codes of the status of a reply: X(constant, code). Clients rely on them; the text
// in "message" is for people and may change.
#define CTL_ERRORS(X)                                                                              \
	X(CTL_BAD_REQUEST, "bad-request")       /* not the form that the schema asks for */        \
	X(CTL_UNKNOWN_VERB, "unknown-verb")     /* */                                              \
	X(CTL_DENIED, "denied")                 /* the peer's level is too low */                  \
	X(CTL_BUSY, "busy")                     /* try again later */                              \
	X(CTL_UNSUPPORTED, "unsupported")       /* well formed, but this build does not have it */ \
	X(CTL_TOO_LARGE, "too-large")           /* the answer does not fit a datagram */           \
	X(CTL_NO_SUCH_DEVICE, "no-such-device") /* */                                              \
	X(CTL_NO_SUCH_SERVER, "no-such-server") /* or no such upstream */                          \
	X(CTL_EXISTS, "exists")                 /* that name or those ids are taken */             \
	X(CTL_KEYS_IN_USE, "keys-in-use")       /* another device derives the same keys */         \
	X(CTL_KEYS_USED, "keys-used")           /* never_used, but these keys were used before */  \
	X(CTL_FULL, "full")                     /* as many devices as the gateway takes */         \
	X(CTL_BAD_ROWS, "bad-rows")             /* an import with mistakes; nothing was changed */ \
	X(CTL_PIV_USED_UP, "piv-used-up")       /* the keys, or runs, have no numbers left */      \
	X(CTL_STORE_FAILED, "store-failed")     /* disk full, read-only, broken */                 \
	X(CTL_BAD_CONFIG, "bad-config")         /* it has mistakes, or cannot be used */           \
	X(CTL_NEEDS_START, "needs-start")       /* keys that take effect at a start differ */      \
	X(CTL_CANCELED, "canceled")             /* ended before it was done; nothing changed */    \
	X(CTL_STOPPING, "stopping")             /* the daemon is shutting down */                  \
	X(CTL_INTERNAL, "internal")             /* a mistake of ours */

#define CTL_ERROR_ENUM(constant, code) constant,
enum ctl_error { CTL_ERRORS(CTL_ERROR_ENUM) CTL_ERROR_COUNT };
#undef CTL_ERROR_ENUM

const char *ctl_error_code(enum ctl_error error);

#endif
