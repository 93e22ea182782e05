// SPDX-License-Identifier: BSD-3-Clause
// "device add" on the control socket: what it takes, and that it leaves no copy of a secret.

#include "tests/unit/gw/ctl/one_client.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_LEN  32
#define MAPPING_MAX (1ul << 30) // bytes
#define MASK        0x5a // what the test keeps of a secret is masked, so that a search finds copies

// What the daemon was asked.
static unsigned asked;
static struct device_spec asked_spec; // its secret and salt are masked
static bool asked_replace;

static void mask(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] ^= MASK;
}

static void fake_add(
	void *arg, struct ctl_request *req, const struct device_spec *spec, bool replace)
{
	asked++;
	asked_spec = *spec;
	mask(asked_spec.params.secret, sizeof(asked_spec.params.secret));
	mask(asked_spec.params.salt, sizeof(asked_spec.params.salt));
	asked_replace = replace;
	ctl_reply_added(req, DEVICE_REPLACED, "given");
}

static struct ctl_ops ops = {.device_add = fake_add};

static void setup(void)
{
	one_client_begin(&ops);
}

TestSuite(ctl_device_add, .init = setup, .fini = one_client_end);

// Arguments of "device add", without the secret and what is known of the keys.
static struct ctl_writer *begin_add(uint64_t id)
{
	struct ctl_writer *request = client_begin(id, "device add");

	ctl_put_bytes(request, "device_id", "\xab\x01", 2);
	ctl_put_bytes(request, "gateway_id", "", 0);
	return request;
}

Test(ctl_device_add, all_arguments)
{
	struct ctl_writer *request = begin_add(1);

	ctl_put_text(request, "name", "pump-7");
	ctl_put_bytes(request, "master_secret", "0123456789abcdef", 16);
	ctl_put_bytes(request, "master_salt", "salt", 4);
	ctl_put_bytes(request, "id_context", "", 0);
	ctl_put_text(request, "algorithm", "aes-ccm-16-128-128");
	ctl_put_uint(request, "gateway_seq", 70000);
	ctl_put_bool(request, "replace", true);
	client_send(client, NULL, 0);
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "name", "given"));
	cr_expect(reply_text_is(&reply, "outcome", "replaced"));

	const struct osc_params *params = &asked_spec.params;

	mask(asked_spec.params.secret, sizeof(asked_spec.params.secret));
	mask(asked_spec.params.salt, sizeof(asked_spec.params.salt));
	cr_expect_str_eq(asked_spec.name, "pump-7");
	cr_expect(params->recipient_id_len == 2 && params->recipient_id[0] == 0xab);
	cr_expect_eq(params->sender_id_len, 0);
	cr_expect(params->secret_len == 16 && memcmp(params->secret, "0123456789abcdef", 16) == 0);
	cr_expect(params->salt_len == 4 && memcmp(params->salt, "salt", 4) == 0);
	cr_expect(params->has_id_context && params->id_context_len == 0);
	cr_expect_eq(params->alg, AEAD_AES_CCM_16_128_128);
	cr_expect(asked_spec.has_gateway_seq && asked_spec.gateway_seq == 70000);
	cr_expect(!asked_spec.never_used && asked_replace);
}

Test(ctl_device_add, defaults)
{
	struct ctl_writer *request = begin_add(1);

	ctl_put_bytes(request, "master_secret", "s", 1);
	ctl_put_bool(request, "never_used", true);
	client_send(client, NULL, 0);
	expect(1, "ok");
	cr_expect_str_eq(asked_spec.name, "");
	cr_expect_eq(asked_spec.params.alg, AEAD_AES_CCM_16_64_128);
	cr_expect(!asked_spec.params.has_id_context && asked_spec.params.salt_len == 0);
	cr_expect(asked_spec.never_used && !asked_spec.has_gateway_seq && !asked_replace);
}

// A row that does not say where its keys have been is refused, and so is one that says both.
Test(ctl_device_add, needs_the_past_of_the_keys)
{
	for (unsigned said = 0; said < 5; said++) {
		struct ctl_writer *request = begin_add(said + 1);

		ctl_put_bytes(request, "master_secret", "0123456789abcdef", 16);
		if (said == 1 || said == 3)
			ctl_put_bool(request, "never_used", said == 3);
		if (said == 3 || said == 4)
			ctl_put_uint(request, "gateway_seq", 0);
		client_send(client, NULL, 0);
		expect(said + 1, said == 4 ? "ok" : "bad-request");
	}
	cr_expect_eq(asked, 1);
}

Test(ctl_device_add, arguments_are_checked)
{
	static const uint8_t zeros[256];
	static const struct {
		const char *key;
		size_t len; // of a byte string that is too long, or 0 for an item of the wrong type
	} cases[] = {
		{"device_id", 0},
		{"device_id", 8},
		{"gateway_id", 8},
		{"master_secret", 65},
		{"master_salt", 65},
		{"id_context", 256},
		{"name", 0},
		{"name", 5},
		{"algorithm", 0},
		{"gateway_seq", 5},
		{"never_used", 0},
		{"replace", 0},
		{"surprise", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_writer *request = client_begin(i + 1, "device add");

		if (strcmp(cases[i].key, "device_id") != 0)
			ctl_put_bytes(request, "device_id", "\x01", 1);
		if (strcmp(cases[i].key, "gateway_id") != 0)
			ctl_put_bytes(request, "gateway_id", "\x02", 1);
		if (strcmp(cases[i].key, "master_secret") != 0)
			ctl_put_bytes(request, "master_secret", "0123456789abcdef", 16);
		if (strcmp(cases[i].key, "never_used") != 0 &&
			strcmp(cases[i].key, "gateway_seq") != 0)
			ctl_put_bool(request, "never_used", true);
		if (cases[i].len)
			ctl_put_bytes(request, cases[i].key, zeros, cases[i].len);
		else
			ctl_put_uint(request, cases[i].key, 1);
		client_send(client, NULL, 0);
		expect(i + 1, "bad-request");
	}
	for (unsigned left_out = 0; left_out < 3; left_out++) {
		struct ctl_writer *request = client_begin(100 + left_out, "device add");

		if (left_out != 0)
			ctl_put_bytes(request, "device_id", "\x01", 1);
		if (left_out != 1)
			ctl_put_bytes(request, "gateway_id", "\x02", 1);
		if (left_out != 2)
			ctl_put_bytes(request, "master_secret", "0123456789abcdef", 16);
		ctl_put_bool(request, "never_used", true);
		client_send(client, NULL, 0);
		expect(100 + left_out, "bad-request");
	}

	struct ctl_writer *request = begin_add(200);

	ctl_put_bytes(request, "master_secret", "0123456789abcdef", 16);
	ctl_put_bool(request, "never_used", true);
	ctl_put_text(request, "algorithm", "ROT13");
	client_send(client, NULL, 0);
	expect(200, "bad-request");
	cr_expect_eq(asked, 0);
}

// Whether the mask of `masked` occurs in memory that this process can write.
static bool memory_has(const uint8_t *masked)
{
	static uint8_t chunk[65536];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	bool found = false;
	char line[512], mode[5];

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) != 3 || mode[1] != 'w')
			continue;
		if (end - start > MAPPING_MAX)
			continue; // a sanitizer's own, terabytes of mostly nothing
		// Read in overlapping pieces, by the kernel: part of it may be guarded.
		for (unsigned long at = start; at < end; at += sizeof(chunk) - SECRET_LEN) {
			struct iovec to = {chunk, sizeof(chunk)};
			struct iovec from = {
				(void *)at, end - at < sizeof(chunk) ? end - at : sizeof(chunk)};
			ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

			for (ssize_t i = 0; i + SECRET_LEN <= n; i++) {
				unsigned k = 0;

				while (k < SECRET_LEN && (chunk[i + k] ^ MASK) == masked[k])
					k++;
				found |= k == SECRET_LEN && (uint8_t *)at + i != masked;
			}
		}
	}
	fclose(maps);
	return found;
}

// Another process sends a secret that this one never saw, and tells its mask.
static void send_secret(uint8_t *masked, bool well_formed)
{
	int status, told[2];
	pid_t child;

	cr_assert_eq(pipe(told), 0);
	child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		struct ctl_writer *request = begin_add(1);
		uint8_t secret[SECRET_LEN];

		randombytes_buf(secret, sizeof(secret));
		ctl_put_bytes(request, "master_secret", secret, sizeof(secret));
		if (well_formed)
			ctl_put_bool(request, "never_used", true);
		client_send(client, NULL, 0);
		mask(secret, sizeof(secret));
		_exit(write(told[1], secret, sizeof(secret)) != sizeof(secret));
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
	cr_assert_eq(read(told[0], masked, SECRET_LEN), SECRET_LEN);
	close(told[0]);
	close(told[1]);
	expect(1, well_formed ? "ok" : "bad-request");
}

Test(ctl_device_add, secrets_are_wiped_after_use)
{
	static uint8_t masked[SECRET_LEN];
	volatile uint8_t planted[SECRET_LEN];

	send_secret(masked, true);
	cr_assert_arr_eq(asked_spec.params.secret, masked, SECRET_LEN, "it did arrive");
	cr_expect_not(memory_has(masked), "after a request that was done");
	send_secret(masked, false);
	cr_expect_not(memory_has(masked), "after a request that was refused");
	for (unsigned i = 0; i < SECRET_LEN; i++)
		planted[i] = masked[i] ^ MASK;
	cr_expect(memory_has(masked), "the search finds one");
	sodium_memzero((void *)planted, SECRET_LEN);
}
