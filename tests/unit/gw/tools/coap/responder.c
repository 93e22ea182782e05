// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/tools/coap/responder.h"

#include "tests/unit/dataplane/oscore/osc_params_hex.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 40
#define WAIT_MS  60000

static struct {
	char folder[64], context[96], uri[64];
	int fd;
	struct sockaddr_storage own;
	socklen_t own_len;
	struct sockaddr_storage client;
	socklen_t client_len;
	struct osc_params params;
	struct osc_keys keys;
	struct aead_engine *engine;
	pid_t pid;
} r;

extern char **environ;

static void listen_at(const struct sockaddr *address, socklen_t len)
{
	r.fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(r.fd, 0);
	cr_assert_eq(setsockopt(r.fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int)), 0);
	cr_assert_eq(bind(r.fd, address, len), 0);
	r.own_len = sizeof(r.own);
	cr_assert_eq(getsockname(r.fd, (struct sockaddr *)&r.own, &r.own_len), 0);
}

static void listen_on(int family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool six = family == AF_INET6;

	listen_at(six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		six ? sizeof(v6) : sizeof(v4));
	unsigned port = ntohs(six ? ((struct sockaddr_in6 *)&r.own)->sin6_port
				  : ((struct sockaddr_in *)&r.own)->sin_port);
	snprintf(r.uri, sizeof(r.uri), six ? "coap://[::1]:%u" : "coap://127.0.0.1:%u", port);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

void responder_start(void)
{
	strcpy(r.folder, "/tmp/postern-coap-XXXXXX");
	cr_assert(mkdtemp(r.folder));
	snprintf(r.context, sizeof(r.context), "%s/dev.json", r.folder);
	write_file(r.context,
		"{\"master_secret\": \"0102030405060708090a0b0c0d0e0f10\","
		" \"master_salt\": \"9e7ca92223786340\", \"sender_id\": \"\","
		" \"recipient_id\": \"01\"}");
	r.params = osc_params_hex(
		"0102030405060708090a0b0c0d0e0f10", "9e7ca92223786340", NULL, "01", "");
	cr_assert_eq(osc_derive(&r.keys, &r.params), 0);
	r.engine = aead_engine_create(NULL);
	listen_on(AF_INET);
}

void responder_stop(void)
{
	static const char *const files[] = {"dev.json", "dev.json.seq", "dev.json.seq.edhoc",
		"dev.json.seq.lock", "gw.json", "out", "stdin", "stdout", "stderr"};
	char path[128];

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", r.folder, files[i]);
		unlink(path);
	}
	cr_expect_eq(rmdir(r.folder), 0, "no other file is left behind");
	aead_engine_free(r.engine);
	close(r.fd);
}

void responder_use_ipv6(void)
{
	close(r.fd);
	listen_on(AF_INET6);
}

void responder_leave(void)
{
	close(r.fd);
}

void responder_return(void)
{
	const struct sockaddr_storage own = r.own;

	listen_at((const struct sockaddr *)&own, r.own_len);
}

const char *responder_folder(void)
{
	return r.folder;
}

// Replaces a word by what it stands for. The caller frees the result.
static char *expand(const char *arg)
{
	static const char *const words[] = {"URI", "CONTEXT", "FOLDER"};
	const char *values[] = {r.uri, r.context, r.folder};
	char *text;

	for (unsigned i = 0; i < 3; i++) {
		const char *at = strstr(arg, words[i]);

		if (at &&
			asprintf(&text, "%.*s%s%s", (int)(at - arg), arg, values[i],
				at + strlen(words[i])) > 0)
			return text;
	}
	return strdup(arg);
}

void client_start(const char *input, ...)
{
	char *argv[ARGS_MAX] = {POSTERN_COAP}, in[96], out[96], err[96];
	posix_spawn_file_actions_t files;
	unsigned argc = 1;
	va_list args;

	va_start(args, input);
	for (const char *arg; (arg = va_arg(args, const char *)); argc++) {
		cr_assert_lt(argc, ARGS_MAX - 1);
		argv[argc] = expand(arg);
	}
	va_end(args);
	snprintf(in, sizeof(in), "%s/stdin", r.folder);
	snprintf(out, sizeof(out), "%s/stdout", r.folder);
	snprintf(err, sizeof(err), "%s/stderr", r.folder);
	write_file(in, input ? input : "");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, in, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&files, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_eq(posix_spawn(&r.pid, POSTERN_COAP, &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	while (--argc)
		free(argv[argc]);
}

static void read_file(const char *name, char *text, size_t room)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", r.folder, name);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, room - 1);
	cr_assert_geq(n, 0);
	text[n] = 0;
	close(fd);
}

void client_says(const char *text)
{
	static char err[65536];

	for (unsigned ms = 0; ms < WAIT_MS; ms += 5) {
		read_file("stderr", err, sizeof(err));
		if (strstr(err, text))
			return;
		usleep(5000);
	}
	cr_assert(false, "it does not say \"%s\": %s", text, err);
}

const struct outcome *client_finish(void)
{
	static struct outcome outcome;
	int status;

	cr_assert_eq(waitpid(r.pid, &status, 0), r.pid);
	outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	read_file("stdout", outcome.out, sizeof(outcome.out));
	read_file("stderr", outcome.err, sizeof(outcome.err));
	return &outcome;
}

bool responder_hears_nothing(int ms)
{
	struct pollfd readable = {.fd = r.fd, .events = POLLIN};

	return poll(&readable, 1, ms) == 0;
}

void responder_receive_raw(struct received *received)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	struct iovec iov = {.iov_base = received->data, .iov_len = sizeof(received->data)};
	struct msghdr msg = {.msg_name = &r.client,
		.msg_namelen = sizeof(r.client),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	struct timespec came;

	cr_assert_not(responder_hears_nothing(WAIT_MS), "no datagram came");
	ssize_t len = recvmsg(r.fd, &msg, 0);
	cr_assert_gt(len, 0);
	r.client_len = msg.msg_namelen;
	received->len = (size_t)len;
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	cr_assert(cmsg && cmsg->cmsg_type == SCM_TIMESTAMPNS);
	memcpy(&came, CMSG_DATA(cmsg), sizeof(came));
	received->came_s = (double)came.tv_sec + (double)came.tv_nsec / 1e9;
	cr_assert_eq(coap_msg_parse(&received->outer, received->data, received->len), COAP_OK);
}

void responder_use(const struct osc_params *params)
{
	r.params = *params;
	cr_assert_eq(osc_derive(&r.keys, &r.params), 0);
}

void responder_open(struct received *q, const uint8_t *ciphertext, size_t ciphertext_len)
{
	uint8_t aad[OSC_AAD_ROOM];
	struct aead_op op;

	cr_assert_eq(q->outer.body.oscore_count, 1);
	cr_assert_eq(osc_option_parse(&q->option, q->outer.body.oscore, q->outer.body.oscore_len),
		OSC_OPTION_OK);
	int len = osc_plaintext_len(r.params.alg, ciphertext_len);
	cr_assert_gt(len, 0);
	const struct osc_id_piv request = {q->option.kid, q->option.kid_len, q->option.piv};
	const struct osc_op_input input = {
		.alg = r.params.alg,
		.key = r.keys.recipient_key,
		.common_iv = r.keys.common_iv,
		.request = request,
		.nonce = request,
		.in = ciphertext,
		.out = q->plaintext,
		.len = (uint16_t)len,
	};

	osc_op_prepare(&op, aad, &input);
	cr_assert_eq(aead_open_batch(r.engine, r.params.alg, &op, 1), 1);
	q->code = q->plaintext[0];
	cr_assert_eq(coap_body_parse(&q->inner, q->plaintext + 1, (size_t)len - 1), COAP_OK);
}

void responder_receive(struct received *q)
{
	responder_receive_raw(q);
	responder_open(q, q->outer.body.payload, q->outer.body.payload_len);
}

void responder_send_raw(const void *bytes, size_t len)
{
	cr_assert_eq(sendto(r.fd, bytes, len, 0, (struct sockaddr *)&r.client, r.client_len),
		(ssize_t)len);
}

void responder_send_empty(enum coap_type type, uint16_t mid)
{
	const uint8_t bytes[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};

	responder_send_raw(bytes, sizeof(bytes));
}

static void write_inner(struct coap_writer *w, const struct reply *reply)
{
	if (reply->etag)
		coap_write_option(w, COAP_OPT_ETAG, reply->etag, strlen(reply->etag));
	if (reply->observe)
		coap_write_option(w, COAP_OPT_OBSERVE, "", 0);
	if (reply->plain && reply->has_outer_observe)
		coap_write_option_uint(w, COAP_OPT_OBSERVE, reply->outer_observe);
	if (reply->inner_oscore)
		coap_write_option(w, COAP_OPT_OSCORE, "", 0);
	if (reply->format >= 0)
		coap_write_option_uint(w, COAP_OPT_CONTENT_FORMAT, (uint32_t)reply->format);
	if (reply->max_age)
		coap_write_option_uint(w, COAP_OPT_MAX_AGE, reply->max_age);
	if (reply->block2)
		coap_write_option_uint(w, COAP_OPT_BLOCK2, coap_block_value(reply->block2));
	if (reply->block1)
		coap_write_option_uint(w, COAP_OPT_BLOCK1, coap_block_value(reply->block1));
	if (reply->size2)
		coap_write_option_uint(w, COAP_OPT_SIZE2, reply->size2);
	if (reply->size1)
		coap_write_option_uint(w, COAP_OPT_SIZE1, reply->size1);
	if (reply->echo)
		coap_write_option(w, COAP_OPT_ECHO, reply->echo, reply->echo_len);
	coap_write_payload(w, reply->payload,
		reply->payload_bytes     ? reply->payload_bytes
			: reply->payload ? strlen(reply->payload)
					 : 0);
}

void responder_send(const struct received *q, const struct reply *reply)
{
	uint8_t message[MESSAGE_MAX], plaintext[MESSAGE_MAX], ciphertext[MESSAGE_MAX];
	uint8_t aad[OSC_AAD_ROOM], value[OSC_OPTION_LEN_MAX];
	struct osc_option option = {.piv = reply->own_piv,
		.piv_len = reply->has_own_piv,
		.has_kid = reply->kid,
		.kid = (const uint8_t *)reply->kid,
		.kid_len = (uint8_t)(reply->kid ? strlen(reply->kid) : 0)};
	const uint8_t *token = reply->token ? reply->token : q->outer.token;
	size_t token_len = reply->token ? reply->token_len : q->outer.token_len;
	struct coap_writer w;
	struct aead_op op;

	coap_writer_init(&w, message, sizeof(message));
	coap_write_header(&w, reply->type, reply->plain ? reply->code : COAP_CHANGED, reply->mid,
		token, token_len);
	if (reply->plain) {
		write_inner(&w, reply);
		responder_send_raw(message, coap_writer_len(&w));
		return;
	}
	struct coap_writer inner;
	coap_writer_init(&inner, plaintext, sizeof(plaintext));
	coap_write_code(&inner, reply->code);
	write_inner(&inner, reply);
	size_t len = coap_writer_len(&inner);
	cr_assert_gt(len, 0);
	const struct osc_id_piv request = {q->option.kid, q->option.kid_len, q->option.piv};
	const struct osc_id_piv own = {r.params.sender_id, r.params.sender_id_len, reply->own_piv};
	const struct osc_op_input input = {
		.alg = r.params.alg,
		.key = r.keys.sender_key,
		.common_iv = r.keys.common_iv,
		.request = request,
		.nonce = reply->has_own_piv ? own : request,
		.in = plaintext,
		.out = ciphertext,
		.len = (uint16_t)len,
	};

	osc_op_prepare(&op, aad, &input);
	cr_assert_eq(aead_seal_batch(r.engine, r.params.alg, &op, 1), 1);
	if (reply->tampered)
		ciphertext[0] ^= 1;
	if (reply->has_outer_observe)
		coap_write_option_uint(&w, COAP_OPT_OBSERVE, reply->outer_observe);
	int option_len = osc_option_encode(&option, value, sizeof(value));
	coap_write_option(&w, COAP_OPT_OSCORE, value, (size_t)option_len);
	coap_write_payload(&w, ciphertext, len + aead_algs[r.params.alg].tag_len);
	responder_send_raw(message, coap_writer_len(&w));
}

void responder_answer(const struct received *q, uint8_t code, const char *payload)
{
	responder_send(q,
		&(struct reply){.type = COAP_ACK,
			.mid = q->outer.mid,
			.code = code,
			.payload = payload,
			.format = -1});
}
