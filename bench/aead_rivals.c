// SPDX-License-Identifier: BSD-3-Clause

#include "bench/aead_rivals.h"

#include <openssl/evp.h>
#include <string.h>

// OpenSSL has ChaCha20/Poly1305, which postern takes from libsodium. The other algorithms of
// OpenSSL are measured as postern's own engine "openssl".
struct openssl_chacha {
	EVP_CIPHER_CTX *open, *seal;
};

static bool openssl_chacha_can(const struct rival *rival, const struct work *work)
{
	return work->alg == AEAD_CHACHA20_POLY1305;
}

static size_t openssl_chacha_run(struct rival *rival, const struct work *work)
{
	const struct openssl_chacha *state = rival->state;
	EVP_CIPHER_CTX *ctx = work->sealing ? state->seal : state->open;
	uint8_t none[16];
	size_t good = 0;
	int n;

	for (size_t i = 0; i < work->count; i++) {
		const struct aead_op *op = work_op(work, i);

		if (i % work->batch == 0)
			batch_prefetch(work, i, work->contexts, CONTEXT_SIZE, 1);
		good += EVP_CipherInit_ex2(ctx, NULL, op->key, op->b0 + 1, -1, NULL) == 1 &&
			EVP_CipherUpdate(ctx, NULL, &n, op->aad + 2, op->aad_len) == 1 &&
			EVP_CipherUpdate(ctx, op->out, &n, op->in, op->len) == 1 &&
			(work->sealing ||
				EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16,
					(void *)(op->in + op->len)) == 1) &&
			EVP_CipherFinal_ex(ctx, none, &n) == 1 &&
			(!work->sealing ||
				EVP_CIPHER_CTX_ctrl(
					ctx, EVP_CTRL_AEAD_GET_TAG, 16, op->out + op->len) == 1);
	}
	return good;
}

static EVP_CIPHER_CTX *chacha_ctx_create(bool sealing)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (cipher && ctx && EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, sealing, NULL) == 1) {
		EVP_CIPHER_free(cipher);
		return ctx;
	}
	abort();
}

#ifdef HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>

#define TAG_ROOM 16

static IMB_MGR *key_manager;

bool rival_key_expand(uint8_t *schedule, const uint8_t *key)
{
	_Alignas(64) uint8_t unused[SCHEDULE_SIZE];

	IMB_AES_KEYEXP_128(key_manager, key, schedule, unused);
	return true;
}

static bool ccm_can(const struct rival *rival, const struct work *work)
{
	// A burst that is not flushed makes messages wait for lanes to fill, which suits no
	// gateway; it is let pass where a batch fills all of ipsec-mb's lanes by itself.
	return (work->alg == AEAD_AES_CCM_16_64_128 || work->alg == AEAD_AES_CCM_16_128_128) &&
		(rival->flushed || work->batch >= 16);
}

static void job_fill(IMB_JOB *job, const struct work *work, const struct aead_op *op, uint8_t *tag)
{
	const size_t index = (size_t)(op->key - work->contexts) / CONTEXT_SIZE;

	job->cipher_mode = IMB_CIPHER_CCM;
	job->cipher_direction = work->sealing ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = work->sealing ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
	job->hash_alg = IMB_AUTH_AES_CCM;
	job->enc_keys = job->dec_keys = work->schedules + index * SCHEDULE_SIZE;
	job->key_len_in_bytes = 16;
	job->iv = op->b0 + 1;
	job->iv_len_in_bytes = 13;
	job->src = op->in;
	job->dst = op->out;
	job->cipher_start_src_offset_in_bytes = 0;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->msg_len_to_hash_in_bytes = op->len;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = aead_algs[work->alg].tag_len;
	job->u.CCM.aad = op->aad + 2;
	job->u.CCM.aad_len_in_bytes = op->aad_len;
	job->user_data = (void *)op;
}

// The library gives a tag; comparing it is the caller's part of opening.
static bool job_good(const IMB_JOB *job, const struct work *work)
{
	const struct aead_op *op = job->user_data;

	return job->status == IMB_STATUS_COMPLETED &&
		(work->sealing ||
			memcmp(job->auth_tag_output, op->in + op->len,
				aead_algs[work->alg].tag_len) == 0);
}

static size_t jobs_good(IMB_JOB **jobs, unsigned n, const struct work *work)
{
	size_t good = 0;

	for (unsigned i = 0; i < n; i++)
		good += job_good(jobs[i], work);
	return good;
}

static uint8_t *tag_place(const struct work *work, const struct aead_op *op, uint8_t (*tags)[16])
{
	// Jobs that are not flushed live on for some batches.
	return work->sealing ? op->out + op->len
			     : tags[(size_t)(op - work->ops) % (4 * IMB_MAX_JOBS)];
}

// Completes what is pending. The library must not be asked for more: in 1.3 it then gives jobs a
// second time once its ring has wrapped.
static size_t burst_flush(IMB_MGR *manager, const struct work *work, unsigned *pending)
{
	IMB_JOB *jobs[IMB_MAX_BURST_SIZE];
	size_t good = 0;

	while (*pending) {
		unsigned done = IMB_FLUSH_BURST(manager, *pending, jobs);

		good += jobs_good(jobs, done, work);
		*pending -= done;
	}
	return good;
}

static size_t burst_run(struct rival *rival, const struct work *work)
{
	static uint8_t tags[4 * IMB_MAX_JOBS][TAG_ROOM];
	IMB_MGR *manager = rival->state;
	IMB_JOB *jobs[IMB_MAX_BURST_SIZE];
	unsigned done, pending = 0;
	size_t good = 0;

	for (size_t first = 0; first < work->count; first += work->batch) {
		batch_prefetch(work, first, work->schedules, SCHEDULE_SIZE, 3);
		while (IMB_GET_NEXT_BURST(manager, work->batch, jobs) < work->batch)
			good += burst_flush(manager, work, &pending);
		for (unsigned i = 0; i < work->batch; i++) {
			const struct aead_op *op = work_op(work, first + i);

			job_fill(jobs[i], work, op, tag_place(work, op, tags));
		}
		done = rival->checked ? IMB_SUBMIT_BURST(manager, work->batch, jobs)
				      : IMB_SUBMIT_BURST_NOCHECK(manager, work->batch, jobs);
		good += jobs_good(jobs, done, work);
		pending += work->batch - done;
		if (rival->flushed)
			good += burst_flush(manager, work, &pending);
	}
	return good + burst_flush(manager, work, &pending);
}

static size_t job_run(struct rival *rival, const struct work *work)
{
	static uint8_t tags[4 * IMB_MAX_JOBS][TAG_ROOM];
	IMB_MGR *manager = rival->state;
	IMB_JOB *job;
	size_t good = 0;

	for (size_t first = 0; first < work->count; first += work->batch) {
		batch_prefetch(work, first, work->schedules, SCHEDULE_SIZE, 3);
		for (unsigned i = 0; i < work->batch; i++) {
			const struct aead_op *op = work_op(work, first + i);

			job = IMB_GET_NEXT_JOB(manager);
			job_fill(job, work, op, tag_place(work, op, tags));
			job = rival->checked ? IMB_SUBMIT_JOB(manager)
					     : IMB_SUBMIT_JOB_NOCHECK(manager);
			for (; job; job = IMB_GET_COMPLETED_JOB(manager))
				good += job_good(job, work);
		}
		while (rival->flushed && (job = IMB_FLUSH_JOB(manager)))
			good += job_good(job, work);
	}
	while ((job = IMB_FLUSH_JOB(manager)))
		good += job_good(job, work);
	return good;
}

static IMB_MGR *manager_create(void (*init)(IMB_MGR *manager))
{
	IMB_MGR *manager = alloc_mb_mgr(0);

	if (!manager)
		abort();
	init(manager);
	return manager;
}

static void manager_init_best(IMB_MGR *manager)
{
	init_mb_mgr_auto(manager, NULL);
}

static unsigned ipsec_mb_create(struct rival *rivals)
{
	IMB_MGR *burst = manager_create(manager_init_best);
	IMB_MGR *job = manager_create(manager_init_best);
	IMB_MGR *sse = manager_create(init_mb_mgr_sse);
	unsigned n = 0;

	key_manager = burst;
	for (unsigned way = 0; way < 4; way++) {
		const bool checked = way & 1, flushed = way & 2;

		rivals[n++] = (struct rival){
			"ipsec-mb-burst", burst_run, ccm_can, burst, checked, flushed};
	}
	for (unsigned way = 0; way < 2; way++) {
		rivals[n++] =
			(struct rival){"ipsec-mb-job", job_run, ccm_can, job, false, way == 1};
		rivals[n++] =
			(struct rival){"ipsec-mb-sse", burst_run, ccm_can, sse, false, way == 1};
	}
	return n;
}

#else

bool rival_key_expand(uint8_t *schedule, const uint8_t *key)
{
	return false;
}

static unsigned ipsec_mb_create(struct rival *rivals)
{
	return 0;
}

#endif

unsigned rivals_create(struct rival *rivals, unsigned room)
{
	static struct openssl_chacha chacha;
	unsigned n;

	if (room < 9)
		abort();
	n = ipsec_mb_create(rivals);
	chacha.open = chacha_ctx_create(false);
	chacha.seal = chacha_ctx_create(true);
	rivals[n++] = (struct rival){.name = "openssl",
		.run = openssl_chacha_run,
		.can = openssl_chacha_can,
		.state = &chacha};
	return n;
}
