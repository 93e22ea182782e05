// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/allow.h"

#include "gw/web/headers.h"

#include <microhttpd.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

void web_allow_init(struct web_allow *allow)
{
	*allow = (struct web_allow){.has_token = false};
	pthread_mutex_init(&allow->lock, NULL);
	randombytes_buf(allow->key, sizeof(allow->key));
}

void web_allow_fini(struct web_allow *allow)
{
	pthread_mutex_destroy(&allow->lock);
	sodium_memzero(allow, sizeof(*allow));
}

void web_allow_hosts(struct web_allow *allow, char *const *hosts, size_t count)
{
	pthread_mutex_lock(&allow->lock);
	allow->hosts = hosts;
	allow->host_count = count;
	pthread_mutex_unlock(&allow->lock);
}

static void token_hash(
	const struct web_allow *allow, const char *token, uint8_t hash[WEB_ALLOW_HASH])
{
	crypto_generichash(hash, WEB_ALLOW_HASH, (const uint8_t *)token, strlen(token), allow->key,
		sizeof(allow->key));
}

void web_allow_token(struct web_allow *allow, const char *token)
{
	uint8_t hash[WEB_ALLOW_HASH] = {0};

	if (token)
		token_hash(allow, token, hash);
	pthread_mutex_lock(&allow->lock);
	allow->has_token = token;
	memcpy(allow->token, hash, sizeof(hash));
	pthread_mutex_unlock(&allow->lock);
}

// Headers of one name.
struct found {
	const char *name;
	unsigned count;
	const char *first;
};

static enum MHD_Result header_take(
	void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct found *found = arg;

	if (strcasecmp(name, found->name))
		return MHD_YES;
	if (!found->count++)
		found->first = value;
	return MHD_YES;
}

// The header of this name, if there is one and not two.
static const char *only(struct MHD_Connection *connection, const char *name)
{
	struct found found = {.name = name};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, header_take, &found);
	return found.count == 1 ? found.first : NULL;
}

bool web_allow_has_host(struct web_allow *allow, struct MHD_Connection *connection)
{
	const char *host = only(connection, MHD_HTTP_HEADER_HOST);

	if (!host)
		return false;
	pthread_mutex_lock(&allow->lock);
	const bool allowed = web_host_allowed(host, allow->hosts, allow->host_count);

	pthread_mutex_unlock(&allow->lock);
	return allowed;
}

bool web_allow_has_token(struct web_allow *allow, struct MHD_Connection *connection)
{
	static const char scheme[] = "Bearer ";
	const char *said = only(connection, MHD_HTTP_HEADER_AUTHORIZATION);
	const bool bearer = said && !strncasecmp(said, scheme, strlen(scheme));
	uint8_t hash[WEB_ALLOW_HASH];

	token_hash(allow, bearer ? said + strlen(scheme) : "", hash);
	pthread_mutex_lock(&allow->lock);
	const bool has_it =
		!allow->has_token || (bearer && !sodium_memcmp(hash, allow->token, sizeof(hash)));

	pthread_mutex_unlock(&allow->lock);
	return has_it;
}
