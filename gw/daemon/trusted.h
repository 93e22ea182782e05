// SPDX-License-Identifier: BSD-3-Clause
// The files that edhoc.trust and edhoc.revoked name: read at the start, and again with each reload,
// which takes all of them or stays with what it has. A reload reads the second one in slices
// (revoked_file.h).

#ifndef POSTERN_GW_DAEMON_TRUSTED_H
#define POSTERN_GW_DAEMON_TRUSTED_H

#include "base/error.h"
#include "gw/conf/conf.h"
#include "gw/handshake/credentials.h"

// What credentials_trust() takes over; both may be NULL.
struct trusted {
	struct trust *trust;
	struct revoked *revoked;
};

// Reads them. Returns 0, or -errno with a line in *error and nothing to free.
int trusted_read(const struct conf_edhoc *edhoc, struct trusted *trusted, struct error *error)
	__attribute__((warn_unused_result));
// Reads the authorities of edhoc.trust only.
int trusted_read_rules(const struct conf_edhoc *edhoc, struct trusted *trusted, struct error *error)
	__attribute__((warn_unused_result));
// Frees what nobody took over.
void trusted_free(struct trusted *trusted);
// From now on only what these let pass is accepted, and what was agreed on with other credentials
// ends when credentials_sift() comes to it. Takes them over. credentials NULL: EDHOC is not served.
void trusted_use(struct trusted *trusted, struct credentials *credentials);

#endif
