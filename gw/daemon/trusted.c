// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/trusted.h"

#include "base/whole_file.h"
#include "gw/daemon/revoked_file.h"

#include <errno.h>
#include <string.h>

// The caller wipes *file, also after a failure.
static int file_read(struct whole_file *file, const char *path, size_t most, struct error *error)
{
	const int rc = whole_file_read(file, path, most);

	return rc ? error_set(error, rc, "%s: %s", path,
			    rc == -EBUSY ? "it changes while it is read" : strerror(-rc))
		  : 0;
}

static int trust_read(
	const struct conf_trust *conf, size_t count, struct trust **trust, struct error *error)
{
	struct trust_rule rule[TRUST_RULES_MAX] = {0};
	struct whole_file file[TRUST_RULES_MAX] = {0};
	struct error why;
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		rule[i].name = conf[i].name;
		rule[i].policy = conf[i].policy;
		rc = file_read(&file[i], conf[i].ca, TRUST_FILE_MAX, error);
		rule[i].pem = file[i].bytes;
		rule[i].pem_len = file[i].len;
	}
	if (!rc) {
		*trust = trust_create(rule, count, &why);
		rc = *trust ? 0 : error_set(error, why.code, "edhoc.trust: %s", why.text);
	}
	for (size_t i = 0; i < count; i++)
		whole_file_wipe(&file[i]);
	return rc;
}

int trusted_read_rules(const struct conf_edhoc *edhoc, struct trusted *trusted, struct error *error)
{
	_Static_assert(CONF_TRUST_MAX == TRUST_RULES_MAX, "all rules of a file");
	*trusted = (struct trusted){0};
	return edhoc->trust_count
		? trust_read(edhoc->trust, edhoc->trust_count, &trusted->trust, error)
		: 0;
}

int trusted_read(const struct conf_edhoc *edhoc, struct trusted *trusted, struct error *error)
{
	int rc = trusted_read_rules(edhoc, trusted, error);

	if (!rc && edhoc->revoked)
		rc = revoked_file_whole(edhoc->revoked, &trusted->revoked, error);
	if (rc)
		trusted_free(trusted);
	return rc;
}

void trusted_free(struct trusted *trusted)
{
	trust_free(trusted->trust);
	revoked_free(trusted->revoked);
	*trusted = (struct trusted){0};
}

void trusted_use(struct trusted *trusted, struct credentials *credentials)
{
	if (credentials) {
		credentials_trust(credentials, trusted->trust, trusted->revoked);
		*trusted = (struct trusted){0};
	}
	trusted_free(trusted);
}
