/* SPDX-License-Identifier: ISC */
/*
 * The control socket above a whole node: the input chooses the methods and
 * their parameters, which are generated from the schema (api/methods.def), so
 * that each method gets valid values, numbers at and beyond the limits, values
 * of other types and long strings, and numbers that it returned before. The
 * control files and the node are real; the network answers every request or
 * none, and time passes in between.
 *
 * Checked: each line that the daemon sends is JSON of a legal length, each
 * method that answers at once does, and results keep to the schema (an
 * assertion of api_writer.c in this build).
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "api/text.h"
#include "base/err.h"
#include "base/fault.h"
#include "control/control.h"
#include "dht/id.h"
#include "fuzz.h"
#include "dht/rpc.h"
#include "node/node.h"
#include "store/keyring.h"
#include "store/peer_names.h"
#include "store/stored_announcements.h"
#include "store/state.h"
#include "tunnel/tunnels.h"
#include "world/sim_world.h"

enum {
	STEPS_MAX = 120,
	CLIENTS = 3,
	NETWORK = 24, /* nodes that answer */
	LOOPS = 12,   /* turns of the event loop per step */
	ROUNDS = 8,   /* of requests and replies per settling */
	TICKS_MAX = 2000,
	LONG_STEP_MS = 65536,
	BUF_MAX = 1 << 18,
};

struct fuzz_client {
	int fd;      /* -1: closed */
	bool stream; /* what it receives is no longer JSON */
	int answers; /* received in this step */
	char buf[BUF_MAX];
	size_t len;
};

struct script {
	struct fuzz_script in;
	struct sim_world world;
	struct node *node;
	struct key_pair keys;
	struct state state;
	struct keyring keyring;
	struct stored_announcements announcements;
	struct peer_names names;
	struct tunnels tunnels;
	struct event_base *base;
	struct control *control;
	struct fuzz_client clients[CLIENTS];
	bool silent;   /* the network does not answer */
	uint64_t seen; /* a number of a result */
	int id;
};

static char socket_path[64];

/* ---- the network ---- */

static void
reply_to(struct script *s, const struct addr *to, int sock, uint16_t tid)
{
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN] = {1}, buf[DGRAM_MAX];
	uint8_t closer[4 * ADDR_WIRE4_LEN];
	struct wr w = wr_init(closer, sizeof closer);
	struct rpc_reply m = {.tid = tid,
	    .to = addr_v4(192, 0, 2, 1, 49737),
	    .id = id,
	    .token = token};
	struct dgram dg = {.buf = buf, .sock = sock, .from = *to};
	struct addr other;

	id_of_addr(id, to);
	for (int i = 0; i < 4; i++) {
		other = fuzz_node((uint8_t)prng_below(&s->world.rand, NETWORK));
		wr_addr4(&w, &other);
	}
	m.closer = (struct bytes){closer, wr_len(&w)};
	dg.len = rpc_reply_encode(&m, buf, sizeof buf);
	(void)node_recv(s->node, &dg);
}

/* Answers the requests that the node has sent. Returns false if there are
 * none. */
static bool
answer_requests(struct script *s)
{
	size_t len = s->world.sent_len;
	struct sim_sent *sent = calloc(len + 1, sizeof *sent);
	struct rpc_request m;

	MUST(sent != NULL);
	memcpy(sent, s->world.sent, len * sizeof *sent);
	sim_clear(&s->world);
	for (size_t i = 0; i < len && !s->silent; i++) {
		if (sent[i].buf[0] != RPC_REPLY &&
		    rpc_request_decode(&m, sent[i].buf, sent[i].len) == 0)
			reply_to(s, &sent[i].meta.to, sent[i].meta.sock, m.tid);
	}
	free(sent);
	return len > 0;
}

static void
settle(void *owner)
{
	struct script *s = owner;
	struct node_event ev;

	for (int i = 0; i < TICKS_MAX; i++) {
		if (node_deadline(s->node) > s->world.w.now_us)
			break;
		node_tick(s->node);
	}
	for (int i = 0; i < ROUNDS && answer_requests(s); i++)
		;
	while (node_poll(s->node, &ev))
		if (!tunnels_node_event(&s->tunnels, &ev))
			control_node_event(s->control, &ev);
}

static void
pass_ms(struct script *s, uint64_t ms)
{
	uint64_t until = s->world.w.now_us + ms * 1000;

	for (int i = 0; i < TICKS_MAX && node_deadline(s->node) < until; i++) {
		if (node_deadline(s->node) > s->world.w.now_us)
			s->world.w.now_us = node_deadline(s->node);
		settle(s);
	}
	s->world.w.now_us = until;
	s->world.w.unix_ms += ms;
	settle(s);
}

/* ---- what the daemon does for the control socket ---- */

static void
wake(void *owner)
{
	(void)owner;
}

static int
reload(void *owner, struct fault *f)
{
	(void)owner;
	return fault_set(f, ERR_VALUE, "no configuration");
}

static int
announce(void *owner, const struct stored_announcement *a, uint32_t *op)
{
	struct script *s = owner;
	int err = node_announce(s->node, a->keys, a->topic, op);

	if (err != 0)
		return err;
	if (stored_announcements_find(&s->announcements, a->topic, a->keys) !=
	    NULL)
		keyring_return(&s->keyring, a->keys);
	else
		MUST(stored_announcements_add(
			 &s->announcements, &s->state, a) == 0);
	return 0;
}

static int
unannounce(void *owner, const uint8_t *topic, const struct key_pair *keys,
    uint32_t *op)
{
	struct script *s = owner;
	int err = node_unannounce(s->node, keys, topic, op);

	/* The keys stay lent: the node may use them until its end. */
	if (err == 0)
		stored_announcements_del(
		    &s->announcements, &s->state, topic, keys);
	return err;
}

static int
key_new(void *owner, uint8_t public_key[KEY_LEN], struct fault *f)
{
	(void)owner;
	(void)f;
	memset(public_key, 1, KEY_LEN);
	return 0;
}

/* An input must not make sockets. */
int
tunnel_address_connect(const struct tunnel_address *a)
{
	(void)a;
	return ERR_SOCKET;
}

int
tunnel_address_listen(struct tunnel_address *a, struct fault *f)
{
	(void)a;
	return fault_set_code(f, ERR_SOCKET);
}

void
tunnel_address_remove(const struct tunnel_address *a)
{
	(void)a;
}

static void
start_node(struct script *s)
{
	struct addr known[NETWORK];
	struct node_config c;

	sim_world_init(&s->world, NULL, 1);
	key_pair_from_seed(&s->keys, (uint8_t[KEY_SEED_LEN]){1});
	node_config_init(&c);
	c.identity = &s->keys;
	c.announce_ms = 600000;
	for (uint8_t i = 0; i < NETWORK; i++)
		known[i] = fuzz_node(i);
	c.dht.known = known;
	c.dht.known_len = NETWORK;
	s->node = node_new(&s->world.w, &c);
	MUST(s->node != NULL && node_start(s->node) == 0);
}

static void
start_control(struct script *s)
{
	static const struct control_ops ops = {.wake = wake,
	    .settle = settle,
	    .stop = wake,
	    .reload = reload,
	    .announce = announce,
	    .unannounce = unannounce,
	    .key_new = key_new};
	struct control_setup setup = {.node = s->node,
	    .world = &s->world.w,
	    .keyring = &s->keyring,
	    .announcements = &s->announcements,
	    .names = &s->names,
	    .tunnels = &s->tunnels,
	    .identity = &s->keys,
	    .path = socket_path,
	    .tick_ms = 5000,
	    .ops = &ops,
	    .owner = s};
	struct node_loop loop;
	struct fault f;

	/* A state directory that cannot be used: keys stay in memory. */
	s->state = (struct state){.dir = -1, .lock = -1};
	keyring_init(&s->keyring, &s->state);
	stored_announcements_load(
	    &s->announcements, &s->state, &s->keyring, 65536);
	s->base = setup.base = event_base_new();
	MUST(peer_names_load(&s->names, &s->state) == 0);
	loop = (struct node_loop){s->base, s->node, 5000, wake, settle, s};
	MUST(tunnels_init(&s->tunnels, &loop, &s->keyring) == 0);
	s->control = control_new(&setup, &f);
	MUST(s->control != NULL);
}

/* ---- clients ---- */

static void
run_loop(struct script *s)
{
	for (int i = 0; i < LOOPS; i++)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
}

static void
connect_client(struct script *s, struct fuzz_client *c)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof at.sun_path, "%s", socket_path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->len = 0;
	c->stream = false;
	MUST(c->fd >= 0);
	MUST(connect(c->fd, (struct sockaddr *)&at, sizeof at) == 0);
	run_loop(s);
}

static void
close_client(struct fuzz_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* Remembers a number of a result, for a later parameter. */
static void
note_number(struct script *s, const json_t *result)
{
	static const char *const names[] = {"next", "conn", "listener"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const json_t *j = json_object_get(result, names[i]);

		if (json_is_integer(j))
			s->seen = (uint64_t)json_integer_value(j);
	}
}

/* Checks that the method, whose name begins the message of an error, lists the
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
	MUST(m != NULL && api_method_may_fail(m, reason));
}

static void
check_line(
    struct script *s, struct fuzz_client *c, const char *line, size_t len)
{
	json_t *j = json_loadb(line, len, 0, NULL);

	MUST(len < API_LINE_MAX && json_is_object(j));
	MUST(json_object_get(j, "method") != NULL ||
	     json_object_get(j, "result") != NULL ||
	     json_object_get(j, "error") != NULL);
	check_reason(j);
	c->answers += json_object_get(j, "method") == NULL;
	note_number(s, json_object_get(j, "result"));
	c->stream = c->stream || json_object_get(json_object_get(j, "result"),
				     "conn") != NULL;
	json_decref(j);
}

/* Receives what the daemon has sent. */
static void
read_client(struct script *s, struct fuzz_client *c)
{
	ssize_t n = recv(c->fd, c->buf + c->len, sizeof c->buf - c->len, 0);
	char *p = c->buf, *nl;

	c->len += n > 0 ? (size_t)n : 0;
	while (!c->stream &&
	       (nl = memchr(p, '\n', c->len - (size_t)(p - c->buf))) != NULL) {
		check_line(s, c, p, (size_t)(nl - p));
		p = nl + 1;
	}
	c->len -= (size_t)(p - c->buf);
	memmove(c->buf, p, c->len);
	if (c->stream)
		c->len = 0;
	MUST(c->len < sizeof c->buf);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close_client(c);
}

static void
read_clients(struct script *s)
{
	run_loop(s);
	for (int i = 0; i < CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			read_client(s, &s->clients[i]);
}

static void
send_bytes(struct script *s, struct fuzz_client *c, const char *p, size_t len)
{
	while (len > 0 && c->fd >= 0) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		if (n < 0 && errno != EAGAIN)
			close_client(c);
		read_clients(s);
	}
}

/* ---- parameters ---- */

static json_t *
key_text(uint8_t b)
{
	uint8_t key[TEXT_KEY_LEN];
	char z32[TEXT_Z32_MAX], hex[TEXT_HEX_MAX];

	memset(key, b >> 1, sizeof key);
	return json_string(b & 1 ? text_z32(z32, key) : text_hex(hex, key));
}

static json_t *
addr_text(uint8_t b)
{
	struct addr a = fuzz_node(b);
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format(&a, text));
}

static json_t *
base64_text(size_t len)
{
	char *text, bytes[API_VALUE_MAX + 2] = {0};
	json_t *j;

	text = text_b64(bytes, len < sizeof bytes ? len : sizeof bytes);
	j = json_string(text);
	free(text);
	return j;
}

static json_t *
list_of(json_t *(*element)(uint8_t b), unsigned len)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < len; i++)
		json_array_append_new(list, element((uint8_t)i));
	return list;
}

static json_t *
name_text(uint8_t b)
{
	static const char *const names[] = {
	    "", "default", "a", "../a", "\xc3\xa9"};

	if (b < API_EVENTS)
		return json_string(api_events[b].name);
	if (b < API_EVENTS + API_METHODS)
		return json_string(api_methods[b - API_EVENTS].name);
	return json_string(names[b % (sizeof names / sizeof *names)]);
}

/* Returns a value of the type that the schema declares. */
static json_t *
valid_value(struct script *s, const struct api_field *p)
{
	uint8_t b = fuzz_next(&s->in);

	switch (p->type) {
	case API_UINT:
		return json_integer((json_int_t)(b & 1 ? s->seen : b));
	case API_BOOL:
		return json_boolean(b & 1);
	case API_KEY:
	case API_HASH:
		return key_text(b);
	case API_ADDR:
		return addr_text(b);
	case API_B64:
		return base64_text(b & 1 ? 32 : (size_t)(b * 4 + 1));
	case API_KEYS:
		return list_of(key_text, b % (API_KEYS_MAX + 1));
	case API_ADDRS:
		return list_of(addr_text, b % (API_ADDRS_MAX + 1));
	case API_ID:
		return json_integer(b & 1 ? s->id - b / 2 : b);
	default:
		return name_text(b);
	}
}

/* Returns a value at or beyond the limits of the type. */
static json_t *
extreme_value(struct script *s, const struct api_field *p)
{
	static const json_int_t numbers[] = {0, 1, 40, UINT16_MAX, UINT32_MAX,
	    (json_int_t)UINT32_MAX + 1, (1LL << 53) - 1, 1LL << 53, INT64_MAX,
	    -1, INT64_MIN, INT32_MAX};
	static const size_t lengths[] = {51, 52, 53, 63, 64, 65, 128, 129};
	uint8_t b = fuzz_next(&s->in);
	char text[256];

	switch (p->type) {
	case API_UINT:
		return json_integer(
		    numbers[b % (sizeof numbers / sizeof *numbers)]);
	case API_KEYS:
		return list_of(key_text, API_KEYS_MAX + (b & 1));
	case API_ADDRS:
		return list_of(addr_text, API_ADDRS_MAX + (b & 1));
	case API_B64:
		return base64_text(API_VALUE_MAX + (b & 1));
	default:
		memset(text, b & 1 ? 'y' : 'f', sizeof text);
		return json_stringn(
		    text, lengths[b / 2 % (sizeof lengths / sizeof *lengths)]);
	}
}

static json_t *
long_text(uint8_t b)
{
	size_t len = (size_t)1 << b % 18;
	char *text = malloc(len);
	json_t *j;

	MUST(text != NULL);
	memset(text, b & 0x80 ? '9' : 'a', len);
	j = json_stringn(text, len);
	free(text);
	return j;
}

/* Returns a value of a type that the input chooses. */
static json_t *
other_value(struct script *s)
{
	uint8_t b = fuzz_next(&s->in);

	switch (b % 8) {
	case 0:
		return json_null();
	case 1:
		return json_true();
	case 2:
		return json_integer((json_int_t)(int8_t)fuzz_next(&s->in));
	case 3:
		return json_real(fuzz_next(&s->in) / 2.0);
	case 4:
		return list_of(name_text, b);
	case 5:
		return json_pack("{s:{s:[]}}", "a", "b");
	case 6:
		return long_text(fuzz_next(&s->in));
	default:
		return name_text(fuzz_next(&s->in));
	}
}

static json_t *
make_params(struct script *s, const struct api_method *m)
{
	json_t *params = json_object();

	for (const struct api_field *p = m->params; p->name != NULL; p++) {
		uint8_t how = fuzz_next(&s->in);
		json_t *j;

		if (how % 16 == 0 && !p->required)
			continue;
		if (how % 16 < 10)
			j = valid_value(s, p);
		else if (how % 16 < 13)
			j = extreme_value(s, p);
		else
			j = other_value(s);
		json_object_set_new(params, p->name, j);
	}
	if (fuzz_next(&s->in) == 0xff)
		json_object_set_new(params, "no_such_parameter", json_true());
	return params;
}

/* ---- steps ---- */

static struct fuzz_client *
next_client(struct script *s)
{
	struct fuzz_client *c = &s->clients[fuzz_next(&s->in) % CLIENTS];

	if (c->fd < 0)
		connect_client(s, c);
	return c;
}

static void
step_call(struct script *s)
{
	struct fuzz_client *c = next_client(s);
	const struct api_method *m =
	    &api_methods[fuzz_next(&s->in) % API_METHODS];
	json_t *j = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id",
	    ++s->id, "method", m->name, "params", make_params(s, m));
	char *line = json_dumps(j, JSON_COMPACT);
	bool open = !c->stream;

	json_decref(j);
	MUST(line != NULL);
	read_clients(s);
	c->answers = 0;
	send_bytes(s, c, line, strlen(line));
	send_bytes(s, c, "\n", 1);
	free(line);
	read_clients(s);
	if (open && m->answer == API_NOW && c->fd >= 0 && !c->stream)
		MUST(c->answers >= 1);
}

/* Sends bytes of the input as they are. */
static void
step_raw(struct script *s)
{
	struct fuzz_client *c = next_client(s);
	size_t left = (size_t)(s->in.end - s->in.p), len = fuzz_next(&s->in);

	left -= left > 0;
	len = len < left ? len : left;
	send_bytes(s, c, (const char *)s->in.p, len);
	s->in.p += len;
}

static void
step_close(struct script *s)
{
	struct fuzz_client *c = &s->clients[fuzz_next(&s->in) % CLIENTS];

	if (c->fd < 0)
		return;
	if (fuzz_next(&s->in) & 1)
		shutdown(c->fd, SHUT_WR);
	else
		close_client(c);
	read_clients(s);
}

static void
step_time(struct script *s)
{
	uint8_t b = fuzz_next(&s->in);

	s->silent = b & 1;
	pass_ms(s, (uint64_t)b * b * LONG_STEP_MS / 65536);
	read_clients(s);
}

static void (*const steps[])(struct script *s) = {
    step_call,
    step_call,
    step_call,
    step_call,
    step_time,
    step_raw,
    step_close,
};

/* ---- one input ---- */

static void
remove_directory(void)
{
	*strrchr(socket_path, '/') = '\0';
	rmdir(socket_path);
}

/* Prepares what all inputs share. */
static void
start_process(void)
{
	char dir[] = "/tmp/hyperdhtd-fuzz.XXXXXX";

	if (socket_path[0] != '\0')
		return;
	signal(SIGPIPE, SIG_IGN);
	MUST(sodium_init() >= 0);
	api_init();
	MUST(mkdtemp(dir) != NULL);
	snprintf(socket_path, sizeof socket_path, "%s/control.sock", dir);
	atexit(remove_directory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script s;

	start_process();
	memset(&s, 0, sizeof s);
	s.in = (struct fuzz_script){data, data + size};
	for (int i = 0; i < CLIENTS; i++)
		s.clients[i].fd = -1;
	start_node(&s);
	start_control(&s);
	settle(&s);
	for (int i = 0; i < STEPS_MAX && s.in.p < s.in.end; i++)
		steps[fuzz_next(&s.in) % (sizeof steps / sizeof *steps)](&s);
	for (int i = 0; i < CLIENTS; i++)
		close_client(&s.clients[i]);
	run_loop(&s);
	control_free(s.control);
	tunnels_fini(&s.tunnels);
	peer_names_fini(&s.names);
	event_base_free(s.base);
	node_free(s.node);
	stored_announcements_fini(&s.announcements);
	keyring_fini(&s.keyring); /* listeners used its keys */
	sim_world_fini(&s.world);
	return 0;
}
