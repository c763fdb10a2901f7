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
turn_loop(void)
{
	event_base_loop(daemon_.base, EVLOOP_NONBLOCK);
}

int
connect_to(const char *path)
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
say(struct peer_end *p, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(p->fd, text, len, MSG_NOSIGNAL);

		ck_assert(n > 0 || errno == EAGAIN);
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		turn_loop();
	}
}

void
say_line(struct peer_end *p, const char *line)
{
	say(p, line, strlen(line));
	say(p, "\n", 1);
}

/* The next message, or NULL if the other end has hung up. */
json_t *
hear(struct peer_end *p)
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
			return j;
		}
		if (p->end)
			return NULL;
		turn_loop();
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

	p->fd = connect_to(daemon_.path);
	ck_assert_int_ge(p->fd, 0);
	hello = hear(p);
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
		turn_loop();
}

json_t *
ask(struct peer_end *p, const char *line)
{
	say_line(p, line);
	return hear(p);
}

/* The answer must be an error of that code. */
void
ask_wrong(struct peer_end *p, const char *line, int code)
{
	json_t *j = ask(p, line), *e = json_object_get(j, "error");

	ck_assert_msg(json_is_object(e), "%.60s", line);
	ck_assert_int_eq(json_integer_value(json_object_get(e, "code")), code);
	ck_assert_uint_gt(strlen(t_string(e, "message")), 10);
	json_decref(j);
}

/* The answer must be a result. */
void
ask_right(struct peer_end *p, const char *line)
{
	json_t *j = ask(p, line);

	ck_assert_msg(json_object_get(j, "result") != NULL, "%.60s: %s", line,
	    json_dumps(j, 0));
	json_decref(j);
}

/* ---- set-up ---- */

void
set_up(void)
{
	char path[128];

	snprintf(dir, sizeof dir, "/tmp/hyperdhtd-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&node, 0, sizeof node);
	memset(made, 0, sizeof made);
	memset(&daemon_, 0, sizeof daemon_);
	key_pair_from_seed(&identity, (uint8_t[KEY_SEED_LEN]){1});
	daemon_.base = event_base_new();
	snprintf(path, sizeof path, "%s/state", dir);
	ck_assert_int_eq(state_open(&daemon_.state, path), 0);
	keyring_init(&daemon_.keyring, &daemon_.state);
	snprintf(daemon_.path, sizeof daemon_.path, "%s/new/control.sock", dir);
	signal(SIGPIPE, SIG_IGN);
	daemon_.control = made_control(&daemon_);
	ck_assert_msg(daemon_.control != NULL, "%s", err);
}

static void
remove_file(void *owner, const char *name)
{
	(void)owner;
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		ck_assert_int_eq(unlinkat(daemon_.state.dir, name, 0), 0);
}

static void
remove_state(void)
{
	char path[128];

	ck_assert_int_eq(state_list(&daemon_.state, "", remove_file, NULL), 0);
	state_close(&daemon_.state);
	snprintf(path, sizeof path, "%s/state", dir);
	ck_assert_int_eq(rmdir(path), 0);
}

void
tear_down(void)
{
	char path[128];

	control_free(daemon_.control);
	ck_assert_int_ne(access(daemon_.path, F_OK), 0);
	keyring_fini(&daemon_.keyring);
	remove_state();
	event_base_free(daemon_.base);
	snprintf(path, sizeof path, "%s/new", dir);
	rmdir(path);
	ck_assert_int_eq(rmdir(dir), 0);
}
