// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A whole file of at most `most` bytes. The caller frees *text.
static int file_read(const char *path, size_t most, char **text, size_t *len, struct error *error)
{
	// A pipe is not waited for.
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n = 0;
	int rc = fd < 0 || fstat(fd, &st) ? -errno : 0;

	*text = NULL;
	*len = 0;
	if (!rc && !S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (!rc && (size_t)st.st_size > most)
		rc = -EFBIG;
	if (!rc) {
		*text = malloc((size_t)st.st_size + 1);
		rc = *text ? 0 : -ENOMEM;
	}
	while (!rc && *len < (size_t)st.st_size &&
		(n = read(fd, *text + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (!rc)
		return 0;
	free(*text);
	*text = NULL;
	return error_set(error, rc, "%s: %s", path, strerror(-rc));
}

static int revoked_read(const char *path, struct revoked **revoked, struct error *error)
{
	struct error why;
	char *text;
	size_t len;
	int rc = file_read(path, REVOKED_FILE_MAX, &text, &len, error);

	if (rc)
		return rc;
	*revoked = revoked_create(text, len, &why);
	free(text);
	return *revoked ? 0 : error_set(error, why.code, "%s: %s", path, why.text);
}

static int trust_read(
	const struct conf_trust *conf, size_t count, struct trust **trust, struct error *error)
{
	struct trust_rule rule[TRUST_RULES_MAX] = {0};
	char *pem[TRUST_RULES_MAX] = {NULL};
	struct error why;
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		rule[i].name = conf[i].name;
		rule[i].policy = conf[i].policy;
		rc = file_read(conf[i].ca, TRUST_FILE_MAX, &pem[i], &rule[i].pem_len, error);
		rule[i].pem = pem[i];
	}
	if (!rc) {
		*trust = trust_create(rule, count, &why);
		rc = *trust ? 0 : error_set(error, why.code, "edhoc.trust: %s", why.text);
	}
	for (size_t i = 0; i < count; i++)
		free(pem[i]);
	return rc;
}

int trusted_read(const struct conf_edhoc *edhoc, struct trusted *trusted, struct error *error)
{
	int rc = 0;

	_Static_assert(CONF_TRUST_MAX == TRUST_RULES_MAX, "all rules of a file");
	*trusted = (struct trusted){0};
	if (edhoc->trust_count)
		rc = trust_read(edhoc->trust, edhoc->trust_count, &trusted->trust, error);
	if (!rc && edhoc->revoked)
		rc = revoked_read(edhoc->revoked, &trusted->revoked, error);
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
