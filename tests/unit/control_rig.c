/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_rig.h"
#include "t.h"

enum { STEP_MS = 2, WAIT_STEPS = 1500 };

/* ---- a client ---- */

void
run_loop(void)
{
	event_base_loop(rig.daemon.base, EVLOOP_NONBLOCK);
}

int
open_socket(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

void
client_write(struct peer_end *p, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(p->fd, text, len, MSG_NOSIGNAL);

		ck_assert(n > 0 || errno == EAGAIN);
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		run_loop();
	}
}

void
client_write_line(struct peer_end *p, const char *line)
{
	client_write(p, line, strlen(line));
	client_write(p, "\n", 1);
}

/* Asserts that the method, whose name begins the message of an error, lists the
 * reason (api/methods.def). */
static void
check_reason(const json_t *j)
{
	const char *text = NULL, *reason = NULL;
	const struct api_method *m;
	char name[64];

	if (json_unpack((json_t *)j, "{s:{s:s, s:{s:s}}}", "error", "message",
		&text, "data", "err_name", &reason) != 0)
		return;
	snprintf(name, sizeof name, "%.*s", (int)strcspn(text, ":,"), text);
	m = api_method_find(name);
	ck_assert_msg(m != NULL && api_method_may_fail(m, reason),
	    "%s fails with %s, which its row does not list", name, reason);
}

/* The next message, or NULL if the other end has hung up. */
json_t *
client_read(struct peer_end *p)
{
	for (int i = 0; i < WAIT_STEPS; i++) {
		char *nl = memchr(p->buf, '\n', p->len);
		ssize_t n;

		if (nl != NULL) {
			size_t used = (size_t)(nl - p->buf) + 1;
			json_t *j = json_loadb(p->buf, used, 0, NULL);

			ck_assert_msg(used <= API_LINE_MAX, "%zu", used);
			ck_assert_msg(j != NULL, "%.*s", (int)used, p->buf);
			memmove(p->buf, nl + 1, p->len - used);
			p->len -= used;
			check_reason(j);
			return j;
		}
		if (p->end)
			return NULL;
		run_loop();
		n = recv(p->fd, p->buf + p->len, sizeof p->buf - p->len, 0);
		p->end = n == 0 || (n < 0 && errno == ECONNRESET);
		p->len += n > 0 ? (size_t)n : 0;
		if (n < 0)
			poll(NULL, 0, STEP_MS);
	}
	ck_abort_msg("nothing was heard");
	return NULL;
}

struct peer_end *
client_new(void)
{
	struct peer_end *p = calloc(1, sizeof *p);
	json_t *hello;

	p->fd = open_socket(rig.daemon.path);
	ck_assert_int_ge(p->fd, 0);
	hello = client_read(p);
	ck_assert_str_eq(t_string(hello, "method"), "hello");
	json_decref(hello);
	return p;
}

void
client_free(struct peer_end *p)
{
	close(p->fd);
	free(p);
	for (int i = 0; i < 4; i++)
		run_loop();
}

json_t *
client_call(struct peer_end *p, const char *line)
{
	client_write_line(p, line);
	return client_read(p);
}

/* The answer must be an error of that code. */
void
assert_error(struct peer_end *p, const char *line, int code)
{
	json_t *j = client_call(p, line), *e = json_object_get(j, "error");

	ck_assert_msg(json_is_object(e), "%.60s", line);
	ck_assert_int_eq(json_integer_value(json_object_get(e, "code")), code);
	ck_assert_uint_gt(strlen(t_string(e, "message")), 10);
	json_decref(j);
}

/* The answer must be a result. */
void
assert_result(struct peer_end *p, const char *line)
{
	json_t *j = client_call(p, line);

	ck_assert_msg(json_object_get(j, "result") != NULL, "%.60s: %s", line,
	    json_dumps(j, 0));
	json_decref(j);
}

/* ---- set-up ---- */

/* Returns an event loop whose timers are as precise as the daemon's. */
static struct event_base *
precise_base(void)
{
	struct event_config *c = event_config_new();
	struct event_base *base;

	ck_assert_ptr_nonnull(c);
	event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(c);
	event_config_free(c);
	ck_assert_ptr_nonnull(base);
	return base;
}

void
set_up(void)
{
	char path[128];

	snprintf(rig.dir, sizeof rig.dir, "/tmp/hyperdhtd-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.dir));
	memset(&rig.node, 0, sizeof rig.node);
	for (size_t i = 0; i < MADE_CONNS_MAX; i++)
		memset(&rig.conns[i], 0, offsetof(struct made_conn, in));
	memset(&rig.daemon, 0, sizeof rig.daemon);
	key_pair_from_seed(&rig.identity, (uint8_t[KEY_SEED_LEN]){1});
	rig.daemon.base = precise_base();
	snprintf(path, sizeof path, "%s/state", rig.dir);
	ck_assert_int_eq(state_open(&rig.daemon.state, path), 0);
	keyring_init(&rig.daemon.keyring, &rig.daemon.state);
	stored_announcements_load(&rig.daemon.announcements, &rig.daemon.state,
	    &rig.daemon.keyring, 1024);
	ck_assert_int_eq(
	    peer_names_load(&rig.daemon.names, &rig.daemon.state), 0);
	make_tunnels();
	snprintf(rig.daemon.path, sizeof rig.daemon.path, "%s/new/control.sock",
	    rig.dir);
	signal(SIGPIPE, SIG_IGN);
	rig.daemon.control = made_control(&rig.daemon);
	ck_assert_msg(rig.daemon.control != NULL, "%s", rig.fault.text);
}

static void
remove_file(void *owner, const char *name)
{
	(void)owner;
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		ck_assert_int_eq(unlinkat(rig.daemon.state.dir, name, 0), 0);
}

static void
remove_state(void)
{
	char path[128];

	ck_assert_int_eq(
	    state_list(&rig.daemon.state, "", remove_file, NULL), 0);
	state_close(&rig.daemon.state);
	snprintf(path, sizeof path, "%s/state", rig.dir);
	ck_assert_int_eq(rmdir(path), 0);
}

void
tear_down(void)
{
	char path[128];

	control_free(rig.daemon.control);
	ck_assert_int_ne(access(rig.daemon.path, F_OK), 0);
	stored_announcements_fini(&rig.daemon.announcements);
	tunnels_fini(&rig.daemon.tunnels);
	peer_names_fini(&rig.daemon.names);
	keyring_fini(&rig.daemon.keyring);
	remove_state();
	event_base_free(rig.daemon.base);
	snprintf(path, sizeof path, "%s/new", rig.dir);
	rmdir(path);
	ck_assert_int_eq(rmdir(rig.dir), 0);
}
