/* SPDX-License-Identifier: ISC */
#include "dhtctl/chat.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dhtctl/accepted.h"
#include "dhtctl/safe_text.h"

enum {
	PEERS_MAX = 256,
	LINE_MAX_BYTES = 4096,      /* a longer one is shown in parts */
	UNSENT_MAX_BYTES = 1 << 16, /* a peer that does not read is dropped */
	NAME_LEN = 8,               /* characters of a key */
	PART_MS = 300, /* after which a line without an end is shown */
};

struct chat_peer {
	int sock;
	char name[NAME_LEN + 1];
	char in[LINE_MAX_BYTES];
	size_t in_len;
	uint64_t in_ms; /* when the last bytes were received */
	char *out;
	size_t out_len;
	bool finished; /* our side has ended */
};

struct chat {
	struct ctl *ctl;
	struct api_client accept; /* waits for the next connection */
	json_int_t listener;
	struct chat_peer *peers[PEERS_MAX];
	unsigned peers_len;
	char in[LINE_MAX_BYTES];
	size_t in_len;
	bool input_ended, met; /* met: a peer was connected */
	int code;
};

/* ---- peers ---- */

static void
show_line(const char *name, const char *line, size_t len)
{
	char out[LINE_MAX_BYTES * SAFE_TEXT_FACTOR + 1];

	if (len > 0 && line[len - 1] == '\r')
		len--;
	safe_text(out, line, len);
	printf("%s: %s\n", name, out);
	fflush(stdout);
}

static void
remove_peer(struct chat *chat, unsigned i)
{
	struct chat_peer *p = chat->peers[i];

	if (p->in_len > 0)
		show_line(p->name, p->in, p->in_len);
	print_error("join", "%s has left", p->name);
	close(p->sock);
	free(p->out);
	free(p);
	chat->peers[i] = chat->peers[--chat->peers_len];
}

/* Sends what the socket accepts. Returns false if the peer is gone. */
static bool
flush_peer(struct chat *chat, struct chat_peer *p)
{
	ssize_t n;

	if (p->out_len > 0) {
		n = send(
		    p->sock, p->out, p->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		p->out_len -= (size_t)n;
		memmove(p->out, p->out + n, p->out_len);
	}
	if (p->out_len == 0 && chat->input_ended && !p->finished) {
		p->finished = true;
		shutdown(p->sock, SHUT_WR);
	}
	return true;
}

static bool
queue_bytes(struct chat_peer *p, const char *text, size_t len)
{
	char *out;

	if (len == 0)
		return true;
	if (p->out_len + len > UNSENT_MAX_BYTES)
		return false;
	out = realloc(p->out, p->out_len + len);
	if (out == NULL)
		return false;
	memcpy(out + p->out_len, text, len);
	p->out = out;
	p->out_len += len;
	return true;
}

static void
send_to_all(struct chat *chat, const char *text, size_t len)
{
	for (unsigned i = chat->peers_len; i-- > 0;) {
		struct chat_peer *p = chat->peers[i];

		if (!queue_bytes(p, text, len) || !flush_peer(chat, p))
			remove_peer(chat, i);
	}
}

/* Sends the whole lines of the input to the peers that are there. A line that
 * is too long is sent in parts. */
static void
send_lines(struct chat *chat)
{
	char *end = memrchr(chat->in, '\n', chat->in_len);
	size_t len = end != NULL ? (size_t)(end - chat->in) + 1 : 0;

	if (end == NULL && chat->in_len >= sizeof chat->in - 1)
		len = chat->in_len;
	if (chat->peers_len == 0)
		return;
	send_to_all(chat, chat->in, len);
	chat->in_len -= len;
	memmove(chat->in, chat->in + len, chat->in_len);
}

/* Ends the last line. */
static void
end_input(struct chat *chat)
{
	chat->input_ended = true;
	if (chat->in_len > 0 && chat->in[chat->in_len - 1] != '\n')
		chat->in[chat->in_len++] = '\n';
	if (chat->in_len > 0 && chat->peers_len == 0)
		print_error("join", "no peer has received the last lines");
}

/* Prints the whole lines of a buffer. Returns how many bytes are left. */
static size_t
show_lines(const char *name, char *buf, size_t len)
{
	char *start = buf, *end;

	while ((end = memchr(start, '\n', len)) != NULL) {
		show_line(name, start, (size_t)(end - start));
		len -= (size_t)(end - start) + 1;
		start = end + 1;
	}
	memmove(buf, start, len);
	return len;
}

/* Returns false if the peer has ended. */
static bool
read_peer(struct chat_peer *p)
{
	ssize_t n = recv(
	    p->sock, p->in + p->in_len, sizeof p->in - p->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	p->in_ms = api_client_now_ms();
	p->in_len = show_lines(p->name, p->in, p->in_len + (size_t)n);
	if (p->in_len == sizeof p->in) {
		show_line(p->name, p->in, p->in_len);
		p->in_len = 0;
	}
	return true;
}

/* Shows lines whose end has not come, as programs may send none. */
static void
show_parts(struct chat *chat)
{
	uint64_t now = api_client_now_ms();

	for (unsigned i = 0; i < chat->peers_len; i++) {
		struct chat_peer *p = chat->peers[i];

		if (p->in_len == 0 || now - p->in_ms < PART_MS)
			continue;
		show_line(p->name, p->in, p->in_len);
		p->in_len = 0;
	}
}

/* ---- accepting ---- */

static int
send_accept(struct chat *chat)
{
	struct api_client *cl = &chat->accept;

	api_client_init(cl, chat->ctl->client.what);
	cl->path = chat->ctl->client.path;
	cl->timeout_s = chat->ctl->client.timeout_s;
	cl->exact = true;
	cl->patient = true;
	return api_client_send(cl, API_METHOD_accept,
	    json_pack("{s:I}", "listener", chat->listener));
}

static void
add_peer(struct chat *chat, const struct accepted *a)
{
	struct chat_peer *p = calloc(1, sizeof *p);

	if (p == NULL) {
		close(a->sock);
		return;
	}
	p->sock = a->sock;
	snprintf(p->name, sizeof p->name, "%.*s", NAME_LEN, a->peer);
	chat->peers[chat->peers_len++] = p;
	chat->met = true;
	print_error("join", "%s is here", p->name);
	send_lines(chat);
	send_to_all(
	    chat, "", 0); /* and the end of the input, if it has ended */
}

static void
on_message(void *owner, const json_t *message)
{
	struct chat *chat = owner;
	const json_t *id = json_object_get(message, "id");
	struct accepted a;

	if (!json_is_integer(id) || json_integer_value(id) != chat->accept.id)
		return; /* the greeting */
	if (json_object_get(message, "error") != NULL) {
		print_error("join", "the topic was left, or the daemon is"
				    " stopping");
		chat->code = EXIT_REFUSED;
		return;
	}
	chat->code = accepted_read(
	    &chat->accept, json_object_get(message, "result"), &a);
	if (chat->code == EXIT_DONE)
		add_peer(chat, &a);
}

static void
read_accept(struct chat *chat)
{
	int code = api_client_read(&chat->accept, on_message, chat);

	/* A connection that was handed over has taken the descriptor. */
	if (chat->accept.fd < 0 && chat->code == EXIT_DONE) {
		api_client_fini(&chat->accept);
		code = send_accept(chat);
	}
	if (chat->code == EXIT_DONE)
		chat->code = code;
}

/* ---- standard input ---- */

/* Reads what is there. Without a peer it is kept, as far as there is space. */
static void
read_input(struct chat *chat)
{
	/* One byte stays free for the newline at the end of the input. */
	size_t space = sizeof chat->in - 1 - chat->in_len;
	ssize_t n = read(STDIN_FILENO, chat->in + chat->in_len, space);

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0)
		chat->in_len += (size_t)n;
	else
		end_input(chat);
	send_lines(chat);
	if (chat->input_ended)
		send_to_all(chat, "", 0); /* and their end */
}

/* ---- the loop ---- */

static bool
is_over(const struct chat *chat)
{
	bool once = (chat->ctl->given & OPT_ONCE) != 0;

	return chat->peers_len == 0 && chat->met && (chat->input_ended || once);
}

/* Handles what poll() has found, in the order of wait_events(). */
static void
handle_events(struct chat *chat, const struct pollfd *fds)
{
	for (unsigned i = chat->peers_len; i-- > 0;) {
		struct chat_peer *p = chat->peers[i];
		short found = fds[2 + i].revents;

		if (((found & POLLOUT) != 0 && !flush_peer(chat, p)) ||
		    ((found & ~POLLOUT) != 0 && !read_peer(p)))
			remove_peer(chat, i);
	}
	if (fds[0].revents != 0)
		read_accept(chat);
	if (fds[1].revents != 0)
		read_input(chat);
}

/* The input waits for the first peer. Later its end is noticed without one. */
static bool
wants_input(const struct chat *chat)
{
	return !chat->input_ended &&
	       (chat->peers_len > 0 ||
		   (chat->met && chat->in_len < sizeof chat->in - 1));
}

static void
wait_events(struct chat *chat)
{
	struct pollfd fds[2 + PEERS_MAX];
	int timeout = -1;

	fds[0] = (struct pollfd){
	    chat->peers_len < PEERS_MAX ? chat->accept.fd : -1, POLLIN, 0};
	fds[1] =
	    (struct pollfd){wants_input(chat) ? STDIN_FILENO : -1, POLLIN, 0};
	for (unsigned i = 0; i < chat->peers_len; i++) {
		const struct chat_peer *p = chat->peers[i];

		fds[2 + i] = (struct pollfd){p->sock,
		    (short)(POLLIN | (p->out_len > 0 ? POLLOUT : 0)), 0};
		if (p->in_len > 0)
			timeout = PART_MS;
	}
	if (poll(fds, 2 + chat->peers_len, timeout) > 0)
		handle_events(chat, fds);
	show_parts(chat);
}

int
chat_run(struct ctl *c, json_int_t listener)
{
	struct chat chat = {.ctl = c, .listener = listener};

	chat.code = send_accept(&chat);
	while (chat.code == EXIT_DONE && !is_over(&chat)) {
		wait_events(&chat);
		if (api_client_interrupted())
			chat.code = EXIT_INTERRUPTED;
	}
	while (chat.peers_len > 0)
		remove_peer(&chat, 0);
	api_client_fini(&chat.accept);
	return chat.code;
}
