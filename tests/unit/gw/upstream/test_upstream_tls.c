// SPDX-License-Identifier: BSD-3-Clause
// Which servers an upstream loop trusts, over both versions of HTTP.

#include "tests/unit/gw/upstream/h2_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Sends two requests to an HTTPS server with these TLS settings.
static void https(const char *settings, const char *want, enum http_error error)
{
	struct peer_pki pki = peer_pki_make();
	struct server *server = server_start(
		&(struct server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
	char upstream[512], with_ca[256];

	snprintf(with_ca, sizeof(with_ca), settings, pki.cert);
	snprintf(upstream, sizeof(upstream), "servers: [\"https://127.0.0.1:%u\"]%s%s",
		server_port(server), *with_ca ? ", tls: " : "", with_ca);
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), want);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), want);
	if (error)
		cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + error), 2);
	cr_expect_eq(server_requests(server), error ? 0 : 2);
	bed_end(bed);
	server_stop(server);
	peer_pki_remove(&pki);
}

Test(upstream_tls, https_with_ca_and_name)
{
	https("{ca: %s, server_name: postern.test}", "2.05 cf=0 max-age=0 |tls", HTTP_ERR_none);
}

Test(upstream_tls, https_without_verification)
{
	https("{verify: no}", "2.05 cf=0 max-age=0 |tls", HTTP_ERR_none);
}

Test(upstream_tls, https_with_unknown_authority)
{
	https("{server_name: postern.test}", "5.02 max-age=0 |backend not trusted", HTTP_ERR_tls);
}

Test(upstream_tls, https_with_another_name)
{
	https("{ca: %s}", "5.02 max-age=0 |backend not trusted", HTTP_ERR_tls);
}

static bool device_name(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room)
{
	return false;
}

Test(upstream_tls, tls_file_missing)
{
	char text[] = "ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		      "upstreams: {up: {servers: [\"https://h\"], tls: {ca: /does/not/exist}}}\n"
		      "routes: [{path: /*, to: up}]\n";
	struct dp_loop *up = calloc(1, sizeof(*up));
	struct up_loop_config config = {.upstream = up, .loops = 1, .name = device_name};
	struct conf *conf;
	struct up_loop *loop;
	struct error error;

	cr_assert_eq(conf_parse("test", text, strlen(text), &conf, stderr), 0);
	cr_assert_eq(dp_doorbell_init(&up->bell), 0);
	config.conf = conf;
	cr_expect_eq(up_loop_create(&config, &loop, &error), -EINVAL);
	cr_expect_str_eq(
		error.text, "upstream up: tls.ca: /does/not/exist: No such file or directory");
	// Not what it should be, which is said at the start, too.
	free(conf->upstreams[0].tls.ca);
	conf->upstreams[0].tls.ca = strdup("/etc/passwd");
	cr_expect_eq(up_loop_create(&config, &loop, &error), -EINVAL);
	cr_expect_str_eq(error.text,
		"upstream up: tls.ca: /etc/passwd: has no certificate in PEM that can be used");
	free(conf->upstreams[0].tls.ca);
	conf->upstreams[0].tls.ca = strdup("/dev/null");
	cr_expect_eq(up_loop_create(&config, &loop, &error), -EINVAL);
	cr_expect_str_eq(error.text, "upstream up: tls.ca: /dev/null: is not a file");
	dp_doorbell_close(&up->bell);
	free(up);
	conf_free(conf);
}

// The same keys as for https, and a server that does not speak HTTP/2 inside TLS is refused.
Test(upstream_tls, tls)
{
	static const struct {
		const char *settings, *alpn;
		bool good;
	} rows[] = {
		{"{ca: %s, server_name: postern.test}", NULL, true},
		{"{ca: %s, server_name: 127.0.0.2}", NULL, true},
		{"{verify: no}", NULL, true},
		{"{server_name: postern.test}", NULL, false},
		{"{ca: %s, server_name: other.test}", NULL, false},
		{"{ca: %s, server_name: 127.0.0.3}", NULL, false},
		{"{ca: %s}", NULL, false},
		{"{verify: no}", "http/1.1", false},
	};
	struct peer_pki pki = peer_pki_make();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2_server *server = h2_server_start(&(struct h2_server_config){
			.name = "tls",
			.cert = pki.cert,
			.key = pki.key,
			.alpn = rows[i].alpn,
		});
		const char *want =
			rows[i].good ? "2.04 cf=0 |tls" : "5.02 max-age=0 |backend not trusted";
		char upstream[512], settings[256];

		snprintf(settings, sizeof(settings), rows[i].settings, pki.cert);
		snprintf(upstream, sizeof(upstream), "servers: [\"h2://127.0.0.1:%u\"], tls: %s",
			h2_server_port(server), settings);
		struct bed *bed = bed_make(upstream);
		for (unsigned n = 0; n < 3; n++)
			EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), want);
		cr_expect_eq(h2_server_requests(server), rows[i].good ? 3 : 0, "row %zu", i);
		if (!rows[i].good)
			cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_tls), 3, "row %zu", i);
		else
			cr_expect_eq(h2_server_connections(server), 1);
		h2_bed_end(bed, server);
	}
	peer_pki_remove(&pki);
}

// A file with the server's own certificate, which another authority signed, is trusted, over both
// versions of HTTP.
Test(upstream_tls, tls_without_the_root)
{
	static const char *const schemes[] = {"https", "h2"};
	struct peer_pki root = peer_pki_make();
	char cert[96], key[96], command[768], upstream[512];

	snprintf(cert, sizeof(cert), "%s/leaf.pem", root.dir);
	snprintf(key, sizeof(key), "%s/leaf.key", root.dir);
	snprintf(command, sizeof(command),
		"openssl req -x509 -CA %s -CAkey %s -newkey ec -pkeyopt "
		"ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=leaf"
		" -addext subjectAltName=DNS:leaf.test -addext basicConstraints=CA:FALSE"
		" -keyout %s -out %s 2>/dev/null",
		root.cert, root.key, key, cert);
	cr_assert_eq(system(command), 0);
	for (size_t i = 0; i < 2; i++) {
		struct server *one = server_start(
			&(struct server_config){.name = "tls", .cert = cert, .key = key});
		struct h2_server *two = h2_server_start(
			&(struct h2_server_config){.name = "tls", .cert = cert, .key = key});

		snprintf(upstream, sizeof(upstream),
			"servers: [\"%s://127.0.0.1:%u\"], tls: {ca: %s, server_name: leaf.test}",
			schemes[i], i ? h2_server_port(two) : server_port(one), cert);
		struct bed *bed = bed_make(upstream);
		EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |tls");
		bed_end(bed);
		server_stop(one);
		h2_server_stop(two);
	}
	unlink(cert);
	unlink(key);
	peer_pki_remove(&root);
}

// Bodies of many records, and connections that come and go, over TLS.
Test(upstream_tls, tls_goes_on)
{
	struct peer_pki pki = peer_pki_make();
	struct h2_server *server = h2_server_start(&(struct h2_server_config){
		.name = "tls", .cert = pki.cert, .key = pki.key, .requests = 10});
	char upstream[512];
	unsigned good = 0;

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2://127.0.0.1:%u\"], max_body: 1MB, "
		"tls: {ca: %s, server_name: postern.test}",
		h2_server_port(server), pki.cert);
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 16; i++)
		bed_push(bed, "GET path=ok");
	for (unsigned i = 0; i < 200; i++) {
		bed_push(bed, i % 8 ? "POST path=ok |x" : "GET path=big");
		good += bed_answers_like(bed, 1, "2.0");
	}
	good += bed_answers_like(bed, 16, "2.0");
	cr_expect_eq(good, 216);
	h2_bed_end(bed, server);
	peer_pki_remove(&pki);
}
