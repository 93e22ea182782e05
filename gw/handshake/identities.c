// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/identities.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static enum edhoc_result make(
	struct edhoc_engine *engine, const struct edhoc_own *own, struct edhoc_identity *identity)
{
	struct edhoc_credential credential;
	enum edhoc_result result = own->x509
		? edhoc_credential_from_x509(engine, own->item, &credential)
		: edhoc_credential_from_ccs(engine, own->item, &credential);

	return result == EDHOC_OK
		? edhoc_identity_init(identity, engine, &credential, &own->id_cred, own->secret)
		: result;
}

// Which methods and suites there is an identity for.
static void offer(struct edhoc_identities *set, unsigned methods, unsigned suites)
{
	for (unsigned method = 0; method < EDHOC_METHOD_COUNT; method++) {
		if (!(methods >> method & 1))
			continue;
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++)
			if (suites >> suite & 1 &&
				edhoc_identity_find(
					set->identity, set->count, method, suite, EDHOC_RESPONDER))
				set->suites_of[method] |= 1U << suite;
		set->methods |= (set->suites_of[method] != 0) << method;
	}
}

static int fill(struct edhoc_identities *set, const struct edhoc_own *own, unsigned count)
{
	struct edhoc_engine engine = {aead_engine_create(NULL), ecc_engine_create(NULL)};
	int err = engine.aead && engine.ecc ? 0 : ENOMEM;

	assert(count <= EDHOC_IDENTITIES_MAX);
	for (unsigned i = 0; !err && i < count; i++) {
		const enum edhoc_result result = make(&engine, &own[i], &set->identity[i]);

		set->count += result == EDHOC_OK;
		err = result == EDHOC_OK ? 0 : edhoc_result_is_ours(result) ? ENOMEM : EINVAL;
	}
	ecc_engine_free(engine.ecc);
	aead_engine_free(engine.aead);
	return err;
}

struct edhoc_identities *edhoc_identities_create(
	const struct edhoc_own *own, unsigned count, unsigned methods, unsigned suites)
{
	struct edhoc_identities *set = sodium_malloc(sizeof(*set));

	if (!set) {
		errno = ENOMEM;
		return NULL;
	}
	memset(set, 0, sizeof(*set));
	const int err = fill(set, own, count);

	if (err) {
		edhoc_identities_free(set);
		errno = err;
		return NULL;
	}
	offer(set, methods, suites);
	return set;
}

void edhoc_identities_free(struct edhoc_identities *set)
{
	for (unsigned i = 0; set && i < set->count; i++)
		edhoc_identity_fini(&set->identity[i]);
	sodium_free(set);
}
