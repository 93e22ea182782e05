// SPDX-License-Identifier: BSD-3-Clause
// The socket itself: who may connect, what a dead daemon leaves behind, who is cut off when.

#include "gw/ctl/socket.h"
#include "tests/unit/gw/ctl/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ctl_request *waiting;

static void on_wait(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	waiting = req;
}

static void on_ping(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	ctl_request_end(req);
}

static const struct ctl_verb verbs[] = {
	{"wait", CTL_VIEW, false, on_wait, ""},
	{"ping", CTL_VIEW, false, on_ping, ""},
	{"operate", CTL_OPERATE, false, on_ping, ""},
	{"admin", CTL_ADMIN, false, on_ping, ""},
};

static struct fixture fixture;
static struct reply reply;

static void setup(void)
{
	fixture_init(&fixture, verbs, sizeof(verbs) / sizeof(verbs[0]), NULL);
}

static void teardown(void)
{
	fixture_stop(&fixture);
}

TestSuite(ctl_socket, .init = setup, .fini = teardown);

Test(ctl_socket, connections_beyond_the_descriptors_are_waited_for)
{
	struct pollfd ready;
	struct rlimit limit;
	int fds[8], first;

	fixture_start(&fixture);
	for (unsigned i = 0; i < 8; i++)
		fds[i] = client_connect(fixture.path);
	// No descriptor is free any more: the server must not spin over it.
	getrlimit(RLIMIT_NOFILE, &limit);
	first = dup(0);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){first + 1, limit.rlim_max});
	for (unsigned i = 0; i < 3; i++)
		ctl_server_poll(fixture.server);
	ready = (struct pollfd){.fd = ctl_server_fd(fixture.server), .events = POLLIN};
	cr_expect_eq(poll(&ready, 1, 0), 0, "it looks away");
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(poll(&ready, 1, 60000), 1, "and looks again later");
	fixture_turn(&fixture);
	cr_expect_eq(fixture_stats(&fixture).clients, 8);
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
}

Test(ctl_socket, idle_client_is_cut_off_but_not_one_that_waits)
{
	struct pollfd ready[2];
	int idle, busy;

	fixture.conf.idle_timeout_ms = 500;
	fixture_start(&fixture);
	busy = client_connect(fixture.path);
	client_request(busy, 1, "wait");
	fixture_turn(&fixture);
	idle = client_connect(fixture.path);
	ready[0] = (struct pollfd){.fd = ctl_server_fd(fixture.server), .events = POLLIN};
	ready[1] = (struct pollfd){.fd = idle, .events = POLLIN};
	while (poll(ready, 2, 60000) > 0 && !ready[1].revents)
		ctl_server_poll(fixture.server);
	cr_assert(client_receive(idle, &reply) && reply.closed);
	cr_expect_eq(fixture_stats(&fixture).idle, 1);
	cr_expect_eq(fixture_stats(&fixture).clients, 1);
	ctl_request_end(waiting);
	client_expect(&fixture, busy, &reply, 1, "ok");
	close(idle);
	close(busy);
}

#define NOBODY   65534
#define OWNER    65533 // runs the daemon
#define THE_ROOM 65500 // the group of the socket

struct peer {
	uid_t uid;
	gid_t gid;
	gid_t groups[3];
	unsigned group_count;
};

// Asks for three verbs as another user (if we are root, who is admin everywhere), or with a server
// that belongs to another one. The child's exit status has a bit for each that was allowed.
static unsigned allowed_to(const struct peer *peer, enum ctl_level others, gid_t gid)
{
	struct pollfd ready[2];
	int status;
	pid_t child;

	fixture_stop(&fixture);
	setup();
	fixture.conf.mode = 0666;
	fixture.conf.others = others;
	fixture.conf.owner = geteuid() == 0 ? OWNER : geteuid() + 1;
	fixture.conf.gid = gid;
	fixture_start(&fixture);
	cr_assert_eq(chmod(fixture.directory, 0755), 0);
	child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		static const char *const asked[] = {"ping", "operate", "admin"};
		unsigned allowed = 0;
		int fd;

		if (geteuid() == 0 &&
			(setgroups(peer->group_count, peer->groups) < 0 || setgid(peer->gid) < 0 ||
				setuid(peer->uid) < 0))
			_exit(255);
		fd = client_connect(fixture.path);
		for (unsigned i = 0; i < 3; i++) {
			struct pollfd answer = {.fd = fd, .events = POLLIN};

			client_request(fd, i + 1, asked[i]);
			poll(&answer, 1, 60000);
			if (!client_receive(fd, &reply) || reply.closed)
				_exit(255);
			if (strcmp(reply.status, "ok") == 0)
				allowed |= 1 << i;
			else if (strcmp(reply.status, "denied") != 0)
				_exit(255);
		}
		_exit(allowed);
	}
	ready[0] = (struct pollfd){.fd = ctl_server_fd(fixture.server), .events = POLLIN};
	ready[1] = (struct pollfd){.fd = pidfd_open(child, 0), .events = POLLIN};
	while (poll(ready, 2, 60000) > 0 && !ready[1].revents)
		ctl_server_poll(fixture.server);
	close(ready[1].fd);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(ctl_socket, level_decides_what_a_peer_may_do)
{
	static const struct peer nobody = {NOBODY, NOBODY, {0}, 0};

	cr_expect_eq(allowed_to(&nobody, CTL_VIEW, -1), 1);
	cr_expect_eq(allowed_to(&nobody, CTL_OPERATE, -1), 3);
	cr_expect_eq(allowed_to(&nobody, CTL_ADMIN, -1), 7);
}

Test(ctl_socket, members_of_the_sockets_group_operate_its_owner_is_admin_others_view)
{
	static const struct peer stranger = {NOBODY, NOBODY, {1, 2, 3}, 3},
				 member = {NOBODY, NOBODY, {1, THE_ROOM, 3}, 3},
				 by_primary = {NOBODY, THE_ROOM, {0}, 0},
				 owner = {OWNER, NOBODY, {0}, 0}, root = {0, 0, {0}, 0},
				 in_group_0 = {NOBODY, 0, {0}, 1};

	if (geteuid() != 0)
		cr_skip_test("only root can be others");
	cr_expect_eq(allowed_to(&stranger, CTL_VIEW, THE_ROOM), 1);
	cr_expect_eq(allowed_to(&member, CTL_VIEW, THE_ROOM), 3);
	cr_expect_eq(allowed_to(&by_primary, CTL_VIEW, THE_ROOM), 3);
	cr_expect_eq(allowed_to(&owner, CTL_VIEW, THE_ROOM), 7);
	cr_expect_eq(allowed_to(&root, CTL_VIEW, THE_ROOM), 7);
	// A socket without a group of its own has no members, root's group least of all.
	cr_expect_eq(allowed_to(&in_group_0, CTL_VIEW, -1), 1);
	cr_expect_eq(allowed_to(&member, CTL_VIEW, -1), 1);
	// A group raises nobody who has more already.
	cr_expect_eq(allowed_to(&member, CTL_ADMIN, THE_ROOM), 7);
}

Test(ctl_socket, owner_is_admin)
{
	int fd;

	fixture_start(&fixture);
	fd = client_connect(fixture.path);
	client_request(fd, 1, "admin");
	client_expect(&fixture, fd, &reply, 1, "ok");
	close(fd);
}

Test(ctl_socket, socket_has_its_mode_from_the_first_moment)
{
	struct stat st;

	umask(0);
	fixture.conf.mode = 0640;
	fixture.conf.gid = getegid();
	fixture_start(&fixture);
	cr_assert_eq(stat(fixture.path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	cr_expect_eq(st.st_gid, getegid());
}

Test(ctl_socket, live_daemon_is_refused_and_stays)
{
	int fd;

	fixture_start(&fixture);
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, EADDRINUSE);
	fd = client_connect(fixture.path);
	client_request(fd, 1, "ping");
	fixture_turn(&fixture); // the connection that looked whether it lives is gone by now
	client_expect(&fixture, fd, &reply, 1, "ok");
	close(fd);
}

// What kill -9 leaves behind.
Test(ctl_socket, stale_socket_is_replaced)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int dead = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, fixture.path);
	cr_assert_eq(bind(dead, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(dead, 1), 0);
	close(dead);
	fixture_start(&fixture);
	close(client_connect(fixture.path));
}

Test(ctl_socket, file_that_is_no_socket_is_never_removed)
{
	int file = open(fixture.path, O_CREAT | O_WRONLY, 0600);

	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, EEXIST);
	cr_expect_eq(unlink(fixture.path), 0);
	close(file);
}

Test(ctl_socket, path_must_fit_and_exist)
{
	char longer[200];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	fixture.conf.path = longer;
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, ENAMETOOLONG);
	fixture.conf.path = "/tmp/there/is/no/such/directory";
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, ENOENT);
}

// A daemon that ends late must not take away the socket of the one that came after it.
Test(ctl_socket, only_its_own_socket_is_removed)
{
	struct ctl_server *first;

	fixture_start(&fixture);
	first = fixture.server;
	cr_assert_eq(unlink(fixture.path), 0);
	fixture_start(&fixture);
	ctl_server_free(first);
	close(client_connect(fixture.path));
}

// What cleans directories knows no sockets that are in use.
Test(ctl_socket, a_file_that_was_removed_is_made_again)
{
	struct stat before, after;
	int old, new;

	fixture_start(&fixture);
	cr_assert_eq(lstat(fixture.path, &before), 0);
	cr_expect_eq(ctl_server_look(fixture.server), 0);
	old = client_connect(fixture.path);
	client_request(old, 1, "ping");
	client_expect(&fixture, old, &reply, 1, "ok");
	cr_assert_eq(unlink(fixture.path), 0);
	cr_expect_eq(ctl_server_look(fixture.server), 1);
	cr_expect_eq(ctl_server_look(fixture.server), 0);
	cr_assert_eq(lstat(fixture.path, &after), 0);
	cr_expect_eq(after.st_mode, before.st_mode);
	cr_expect_eq(after.st_gid, before.st_gid);
	new = client_connect(fixture.path);
	client_request(new, 2, "ping");
	client_expect(&fixture, new, &reply, 2, "ok");
	client_request(old, 3, "ping");
	client_expect(&fixture, old, &reply, 3, "ok");
	close(old);
	close(new);
}

Test(ctl_socket, what_has_taken_the_place_of_the_file_stays, .timeout = 20)
{
	struct ctl_server *first;
	char lock[128];

	fixture_start(&fixture);
	first = fixture.server;
	cr_assert_eq(unlink(fixture.path), 0);
	cr_assert_eq(mkdir(fixture.path, 0700), 0);
	cr_expect_eq(ctl_server_look(first), -EEXIST);
	cr_assert_eq(rmdir(fixture.path), 0);
	snprintf(lock, sizeof(lock), "%s.lock", fixture.path);
	int fd = open(lock, O_CREAT | O_EXCL | O_RDONLY, 0600);
	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	cr_expect_eq(ctl_server_look(first), -EBUSY);
	close(fd);
	fixture_start(&fixture); // another daemon
	cr_expect_eq(ctl_server_look(first), -EADDRINUSE);
	ctl_server_free(first);
	close(client_connect(fixture.path));
}

// Whoever can look into a directory can lock it.
Test(ctl_socket, lock_on_the_directory_stops_nothing)
{
	char lock[128];
	int fd = open(fixture.directory, O_RDONLY | O_DIRECTORY);

	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	snprintf(lock, sizeof(lock), "%s.lock", fixture.path);
	close(open(lock, O_CREAT | O_EXCL | O_WRONLY, 0600)); // that a crash has left
	fixture_start(&fixture);
	cr_expect_eq(access(lock, F_OK), -1, "it is removed");
	close(fd);
}

Test(ctl_socket, lock_that_others_can_open_is_refused)
{
	char lock[128];

	snprintf(lock, sizeof(lock), "%s.lock", fixture.path);
	close(open(lock, O_CREAT | O_EXCL | O_WRONLY, 0600));
	cr_assert_eq(chmod(lock, 0644), 0);
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, ENOLCK);
	unlink(lock);
	// Whoever may write to the directory can put anything there; it is said what to remove.
	cr_assert_eq(mkfifo(lock, 0600), 0);
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, ENOLCK);
	unlink(lock);
	cr_assert_eq(symlink("/dev/null", lock), 0);
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, ENOLCK);
	unlink(lock);
	cr_assert_eq(mkdir(lock, 0700), 0);
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, ENOLCK);
	rmdir(lock);
	cr_expect_not_null(strstr(ctl_socket_error(ENOLCK), ".lock"));
}

// As long as another daemon starts there.
Test(ctl_socket, lock_is_waited_for_but_not_for_ever)
{
	char lock[128];

	snprintf(lock, sizeof(lock), "%s.lock", fixture.path);
	int fd = open(lock, O_CREAT | O_EXCL | O_RDONLY, 0600);

	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	cr_expect_null(ctl_server_create(&fixture.conf));
	cr_expect_eq(errno, EBUSY);
	close(fd);
	fixture_start(&fixture);
}
