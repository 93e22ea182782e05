// SPDX-License-Identifier: BSD-3-Clause
// Messages of the control socket, through a real one: whatever comes, each is answered with well
// formed replies of which the last is an error or ends the answer, and nothing stays behind.

#include "gw/ctl/verbs.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// A daemon that checks what it is given.

static void answer(void *arg, struct ctl_request *req)
{
	ctl_request_end(req);
}

static void answer_drain(void *arg, struct ctl_request *req, const struct ctl_drain *drain)
{
	FUZZ_CHECK(drain->timeout_s <= CTL_DRAIN_MAX_S);
	FUZZ_CHECK(drain->return_s >= 1 && drain->return_s <= CTL_DRAIN_MAX_S);
	ctl_reply_drained(req, 1, 0);
}

static void check_spec(const struct device_spec *spec)
{
	const struct osc_params *params = &spec->params;

	FUZZ_CHECK(strlen(spec->name) <= DEVICE_NAME_MAX);
	FUZZ_CHECK(params->alg < AEAD_ALG_COUNT);
	FUZZ_CHECK(params->secret_len >= 1 && params->secret_len <= OSC_SECRET_LEN_MAX);
	FUZZ_CHECK(params->salt_len <= OSC_SECRET_LEN_MAX);
	FUZZ_CHECK(params->sender_id_len <= OSC_KID_LEN_MAX);
	FUZZ_CHECK(params->recipient_id_len <= OSC_KID_LEN_MAX);
	FUZZ_CHECK(params->has_id_context || params->id_context_len == 0);
	FUZZ_CHECK(spec->never_used != spec->has_gateway_seq);
	FUZZ_CHECK(spec->device_seq <= DEVICE_SEQ_MAX);
	FUZZ_CHECK(spec->recovery <= DEVICE_B2 && spec->own_piv <= DEVICE_OWN_PIV_CLOCK &&
		spec->rederive <= DEVICE_REDERIVE_B2);
}

static void add(void *arg, struct ctl_request *req, const struct device_spec *spec, bool replace)
{
	check_spec(spec);
	ctl_reply_added(req, replace ? DEVICE_REPLACED : DEVICE_ADDED, spec->name);
}

static void import(void *arg, struct ctl_request *req, int fd, const struct import_options *options)
{
	struct import_report report = {.rows = 1, .added = 1};

	FUZZ_CHECK(options->format <= IMPORT_JSON);
	FUZZ_CHECK(close(fd) == 0);
	ctl_reply_imported(req, &report);
}

static void list(void *arg, struct ctl_request *req, const char *after, unsigned limit,
	const struct ctl_device_filter *filter)
{
	FUZZ_CHECK(!filter->by_state || filter->state < CTL_DEVICE_STATE_COUNT);
	FUZZ_CHECK(strlen(after) <= DEVICE_NAME_MAX && limit >= 1 && limit <= CTL_LIST_MAX);
	ctl_request_end(req);
}

static void with_name(void *arg, struct ctl_request *req, const char *name)
{
	FUZZ_CHECK(name[0] && strlen(name) <= DEVICE_NAME_MAX);
	ctl_request_end(req);
}

static void resync(
	void *arg, struct ctl_request *req, const char *name, bool has_from, uint64_t from)
{
	FUZZ_CHECK(name[0] && strlen(name) <= DEVICE_NAME_MAX);
	FUZZ_CHECK(from <= DEVICE_SEQ_MAX && (has_from || from == 0));
	ctl_reply_resynced(req, name, has_from, from);
}

static void rotate(
	void *arg, struct ctl_request *req, const char *name, const struct device_spec *spec)
{
	FUZZ_CHECK(name[0] && strlen(name) <= DEVICE_NAME_MAX && spec->name[0] == 0);
	check_spec(spec);
	ctl_reply_added(req, DEVICE_REPLACED, name);
}

static void check(void *arg, struct ctl_request *req)
{
	struct check_report found = {.devices = 1};

	ctl_reply_checked(req, &found);
}

static void backup(void *arg, struct ctl_request *req, const char *path)
{
	FUZZ_CHECK(path[0] == '/' && strlen(path) <= CTL_PATH_MAX);
	ctl_request_end(req);
}

static void upstream(void *arg, struct ctl_request *req, const char *name)
{
	FUZZ_CHECK(*name && strlen(name) <= CTL_UPSTREAM_MAX);
	ctl_request_end(req);
}

static void order(void *arg, struct ctl_request *req, const char *name, const char *server_name,
	enum ctl_server_order ordered)
{
	FUZZ_CHECK(*name && strlen(name) <= CTL_UPSTREAM_MAX);
	FUZZ_CHECK(*server_name && strlen(server_name) <= CTL_SERVER_MAX);
	FUZZ_CHECK(ordered < CTL_SERVER_ORDER_COUNT);
	ctl_request_end(req);
}

static struct ctl_ops ops = {
	.upstream_show = upstream,
	.server_order = order,
	.status = answer,
	.stats = answer,
	.device_add = add,
	.device_import = import,
	.device_list = list,
	.device_show = with_name,
	.device_remove = with_name,
	.device_resync = resync,
	.device_rotate = rotate,
	.store_check = check,
	.store_backup = backup,
	.drain = answer_drain,
	.undrain = answer,
	.shutdown = answer,
};

static struct ctl_server *server;
static int client, null_fd;

static void stop(void)
{
	ctl_server_free(server);
	close(client);
	close(null_fd);
}

static void start(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ctl_server_conf conf = {
		.path = addr.sun_path,
		.mode = 0600,
		.gid = -1,
		.owner = geteuid(),
		.verbs = ctl_verbs,
		.verb_count = ctl_verb_count,
		.arg = &ops,
	};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/fuzz_ctl.%d", getpid());
	server = ctl_server_create(&conf);
	client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(server && client >= 0 && null_fd >= 0);
	FUZZ_CHECK(connect(client, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	ctl_server_poll(server);
	atexit(stop);
}

static void send_message(const uint8_t *data, size_t len, bool with_fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {.align = {
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int)),
		     }};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (with_fd) {
		memcpy(CMSG_DATA(&control.align), &null_fd, sizeof(null_fd));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
	}
	FUZZ_CHECK(sendmsg(client, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len);
	ctl_server_poll(server);
}

static void replies_check(void)
{
	static uint8_t reply[CTL_MESSAGE_MAX];
	struct ctl_cbor root, status, body;
	unsigned replies = 0;
	bool ok = false;
	ssize_t n;

	while ((n = recv(client, reply, sizeof(reply), MSG_DONTWAIT)) > 0) {
		struct ctl_cbor_iter iter;

		FUZZ_CHECK(replies == 0 || ok); // nothing follows an error
		FUZZ_CHECK(ctl_cbor_walk(reply, n) == CTL_CBOR_OK);
		root = ctl_cbor_root(reply, n);
		iter = ctl_cbor_iter(&root);
		FUZZ_CHECK(ctl_cbor_next(&iter, &status) && ctl_cbor_next(&iter, &status) &&
			ctl_cbor_next(&iter, &body));
		ok = ctl_cbor_is_text(&status, "ok");
		replies++;
	}
	FUZZ_CHECK(n < 0 && replies > 0); // neither silence nor a hang-up
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ctl_server_stats stats;

	if (server == NULL)
		start();
	if (len == 0 || len > CTL_MESSAGE_MAX)
		return 0; // an empty datagram reads as the end of the connection
	send_message(data, len, false);
	replies_check();
	send_message(data, len, true);
	replies_check();
	ctl_server_get_stats(server, &stats);
	FUZZ_CHECK(stats.requests_open == 0 && stats.clients == 1);
	return 0;
}
