/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <event2/event.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "control/control.h"
#include "daemon/crypto_speed.h"
#include "daemon/daemon.h"
#include "daemon/relaying.h"
#include "daemon/report.h"
#include "log/log.h"
#include "node/node_relay.h"
#include "store/identity.h"
#include "store/node_cache.h"
#include "store/persistent.h"

/*
 * Timers of the loop:
 *
 *	timer     the deadline of the node, armed again when it changes
 *	leave     armed by daemon_stop(): ends the loop after 2 s
 *	watchdog  half the interval of the service manager
 */
enum {
	LEAVE_S = 2,
};

/* ---- begin and end of a wake-up ---- */

void
daemon_wake(struct daemon *d)
{
	uint64_t slept = real_world_update(&d->world);

	if (slept > 0)
		node_slept(d->node, slept);
}

/* Arms the timer for the deadline of the node. */
static void
arm_timer(struct daemon *d)
{
	uint64_t due = node_deadline(d->node), now = d->world.world.now_us;
	/* A timer armed for now after the tick is due one microsecond later,
	 * which the event loop would round up to a millisecond. */
	uint64_t delay = due > now + 1 ? due - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(delay / 1000000),
	    .tv_usec = (suseconds_t)(delay % 1000000)};

	if (due == d->armed_us)
		return;
	d->armed_us = due;
	if (due == WORLD_NEVER)
		evtimer_del(d->timer);
	else
		evtimer_add(d->timer, &tv);
}

static void
note_health(struct daemon *d)
{
	struct dht_status st;

	dht_status(node_dht(d->node), &st);
	healing_set_offline(&d->healing,
	    st.state == DHT_OFFLINE && !d->stopping, wakeup_clock_read_us());
}

static void
deliver_events(struct daemon *d)
{
	struct node_event ev;

	while (node_poll(d->node, &ev)) {
		report_node_event(d, &ev);
		persistent_node_event(&d->persistent, &ev);
		if (ev.kind == NODE_EV_HEALTH)
			note_health(d);
		if (!tunnels_node_event(&d->tunnels, &ev) && d->control != NULL)
			control_node_event(d->control, &ev);
		if (ev.kind == NODE_EV_LEFT)
			event_base_loopbreak(d->base);
	}
}

static void
count_sent(struct daemon *d)
{
	const struct tx_queue_counts *c = sockets_counts(d->world.sockets);

	node_count_sent(d->node, c->lost, c->delayed);
}

void
daemon_settle(struct daemon *d)
{
	deliver_events(d);
	/*
	 * Runs the timers that are due now, so that their datagrams are part of
	 * this batch: streams send acknowledgements and written data from
	 * timers. Timers armed meanwhile run in the next turn of the loop.
	 */
	node_tick(d->node);
	deliver_events(d);
	stored_volume_save(&d->volume, d->node, d->world.world.now_us, false);
	sockets_flush(d->world.sockets);
	count_sent(d);
	arm_timer(d);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	d->armed_us = WORLD_NEVER;
	daemon_wake(d);
	daemon_settle(d); /* runs the timers */
}

/* ---- callbacks of the world ---- */

static void
on_wake(void *owner)
{
	daemon_wake(owner);
}

static void
on_datagram(void *owner, const struct dgram *dg)
{
	struct daemon *d = owner;

	(void)node_recv(d->node, dg); /* counts what it drops */
}

static void
on_socket_writable(void *owner, int sock)
{
	struct daemon *d = owner;

	node_writable(d->node, sock);
}

static void
on_settle(void *owner)
{
	daemon_settle(owner);
}

static void
on_resolved(void *owner, uint32_t ticket, const struct addr *a)
{
	struct daemon *d = owner;

	daemon_wake(d);
	node_resolved(d->node, ticket, a);
	daemon_settle(d);
}

static void
apply_addresses(struct daemon *d)
{
	const struct hostaddr *h = &d->netlink.host;

	sockets_several_addresses(
	    d->world.sockets, h->v4_len > 1, h->len - h->v4_len > 1);
}

static void
on_addresses(void *owner, bool ipv4)
{
	struct daemon *d = owner;

	apply_addresses(d);
	daemon_wake(d);
	node_set_local(d->node, d->netlink.host.addr,
	    d->netlink.host.prefix_len, d->netlink.host.len);
	/* IPv6 privacy addresses change every day without a new network. */
	if (ipv4) {
		log_info("this host's IPv4 addresses have changed; the NAT and "
			 "the paths of all connections are checked again");
		node_network_changed(d->node);
	}
	daemon_settle(d);
}

/* ---- stopping ---- */

void
daemon_stop(struct daemon *d)
{
	static const struct timeval leave_time = {.tv_sec = LEAVE_S};

	if (d->stopping) {
		event_base_loopbreak(d->base);
		return;
	}
	d->stopping = true;
	log_notice("leaving the network");
	notify_send(&d->notify, "STOPPING=1\nSTATUS=leaving the network");
	persistent_stop(&d->persistent);
	evtimer_add(d->leave, &leave_time);
	node_leave(d->node);
}

static void
on_leave_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(d->base);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct daemon *d = arg;
	struct fault f;

	(void)what;
	daemon_wake(d);
	if (number == SIGHUP)
		(void)daemon_reload(d, &f); /* logs its failures */
	else
		daemon_stop(d);
	daemon_settle(d);
}

static void
on_healing(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	daemon_wake(d);
	if (!d->stopping)
		healing_run(&d->healing, d->world.sockets, d->node,
		    wakeup_clock_read_us());
	daemon_settle(d);
}

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct dht_status st;

	(void)fd;
	(void)what;
	dht_status(node_dht(d->node), &st);
	if (watchdog_is_alive(
		&d->alive, wakeup_clock_read_us(), st.tick, d->armed_us))
		notify_send(&d->notify, "WATCHDOG=1");
}

/* ---- starting ---- */

static struct event_base *
make_base(void)
{
	struct event_config *c = event_config_new();
	struct event_base *base = NULL;

	if (c != NULL) {
		event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(c, EVENT_BASE_FLAG_IGNORE_ENV);
		/* Streams are paced in steps below one millisecond. */
		event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER);
		base = event_base_new_with_config(c);
		event_config_free(c);
	}
	return base;
}

static int
make_events(struct daemon *d)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	const struct persistent_owner owner = {on_wake, on_settle, d};

	d->timer = evtimer_new(d->base, on_timer, d);
	d->leave = evtimer_new(d->base, on_leave_timeout, d);
	d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	watchdog_init(&d->alive, wakeup_clock_read_us());
	if (d->timer == NULL || d->leave == NULL || d->watchdog == NULL ||
	    persistent_init(&d->persistent, d->base, &d->keyring,
		d->config.limits.announcements, &owner) != 0 ||
	    healing_init(&d->healing, d->base, on_healing, d) != 0)
		return DAEMON_FAILED;
	for (int i = 0; i < DAEMON_SIGNALS; i++) {
		/* libevent restores this when it frees the event: a signal
		 * that arrives later must not change the exit status. */
		signal(numbers[i], SIG_IGN);
		d->signals[i] = evsignal_new(d->base, numbers[i], on_signal, d);
		if (d->signals[i] == NULL ||
		    evsignal_add(d->signals[i], NULL) != 0)
			return DAEMON_FAILED;
	}
	return DAEMON_OK;
}

static int
start_loop(struct daemon *d)
{
	struct sockets_owner owner = {
	    on_wake, on_datagram, on_socket_writable, on_settle, d};
	int err;

	d->base = make_base();
	if (d->base == NULL ||
	    real_world_init(&d->world, d->base, &owner, on_resolved) != 0 ||
	    make_events(d) != DAEMON_OK) {
		log_error("the event loop cannot be created: %m");
		return DAEMON_FAILED;
	}
	err = netlink_init(&d->netlink, d->base, on_addresses, d);
	if (err != 0)
		log_warning("changes of this host's addresses are not "
			    "detected: %s; after a change, restart the daemon",
		    err_text(err));
	apply_addresses(d);
	return DAEMON_OK;
}

/* Derives the key on which the node relays. It differs from the identity, on
 * which programs may listen. */
static struct identity *
derive_relay_key(const struct key_pair *own)
{
	static const char purpose[] = "hyperdhtd relay key";
	uint8_t text[sizeof purpose + KEY_SEED_LEN], seed[HASH_LEN];
	struct identity *out;

	static_assert((int)HASH_LEN == (int)KEY_SEED_LEN, "a hash is a seed");
	memcpy(text, purpose, sizeof purpose);
	memcpy(text + sizeof purpose, own->secret_key, KEY_SEED_LEN);
	hash_blake2b(seed, text, sizeof text);
	out = identity_from_seed(seed);
	sodium_memzero(text, sizeof text);
	sodium_memzero(seed, sizeof seed);
	return out;
}

static int
start_state(struct daemon *d)
{
	struct fault f;

	if (state_open(&d->state, d->config.state_dir) != 0) {
		log_error("state directory %s: another hyperdhtd uses it",
		    d->config.state_dir);
		return DAEMON_FAILED;
	}
	if (identity_open(&d->state, IDENTITY_FILE, &d->key, &d->identity_saved,
		&f) != 0) {
		log_error("%s: %s", d->config.state_dir, f.text);
		return DAEMON_FAILED;
	}
	d->identity = identity_pair(d->key);
	d->relay_key = derive_relay_key(d->identity);
	if (d->relay_key == NULL ||
	    peer_names_load(&d->names, &d->state) != 0) {
		log_error("%s", err_text(ERR_MEMORY));
		return DAEMON_FAILED;
	}
	keyring_init(&d->keyring, &d->state);
	return DAEMON_OK;
}

static int
make_node(struct daemon *d)
{
	struct addr known[NODE_CACHE_MAX];
	struct node_config c;

	node_config_init(&c);
	config_dht(&d->config, &c.dht);
	crypto_speed_set(&d->config.limits);
	c.limits = d->config.limits;
	c.dht.known = known;
	c.dht.known_len = node_cache_load(&d->state, known);
	c.identity = d->identity;
	c.finds_relays = d->config.finds_relays;
	c.relay_keys = identity_pair(d->relay_key);
	c.names_relay = d->config.names_relay;
	memcpy(c.relay_through, d->config.relay_through, KEY_LEN);
	c.announce_ms = d->config.announce_ms;
	/* A node bound to one IPv4 address uses no IPv6. */
	if (d->config.ipv6 && addr_scope(&d->config.host) == ADDR_UNUSABLE)
		c.host6 = (struct addr){.family = ADDR_V6};
	d->node = node_new(&d->world.world, &c);
	if (d->node == NULL)
		return ERR_MEMORY;
	node_set_local(d->node, d->netlink.host.addr,
	    d->netlink.host.prefix_len, d->netlink.host.len);
	return node_start(d->node);
}

static int
start_node(struct daemon *d)
{
	int err = make_node(d);

	if (err == ERR_ADDRESS_USED) {
		log_error("port %u is in use: choose another 'port', or stop "
			  "the program that uses it",
		    d->config.port_first);
		return DAEMON_PORT_TAKEN;
	}
	if (err != 0) {
		log_error("the node cannot start: %s", err_text(err));
		return DAEMON_FAILED;
	}
	node_set_relay_volume(d->node, d->config.relay_volume);
	stored_volume_load(&d->volume, &d->state, d->node);
	relaying_apply(d->node, &d->config);
	return DAEMON_OK;
}

/* ---- tunnels ---- */

static int
start_tunnels(struct daemon *d)
{
	const struct node_loop loop = {.base = d->base,
	    .node = d->node,
	    .tick_ms = d->config.tick_ms,
	    .wake = on_wake,
	    .settle = on_settle,
	    .owner = d};

	if (tunnels_init(&d->tunnels, &loop, &d->keyring) != 0) {
		log_error("%s", err_text(ERR_MEMORY));
		return DAEMON_FAILED;
	}
	tunnels_start(&d->tunnels);
	return DAEMON_OK;
}

/* ---- callbacks of the control server ---- */

static void
on_control_stop(void *owner)
{
	daemon_stop(owner);
}

static int
on_control_reload(void *owner, struct fault *f)
{
	return daemon_reload(owner, f);
}

static int
on_control_announce(
    void *owner, const struct stored_announcement *a, uint32_t *op)
{
	struct daemon *d = owner;

	return persistent_announce(&d->persistent, a, op);
}

static int
on_control_unannounce(void *owner, const uint8_t *topic,
    const struct key_pair *keys, uint32_t *op)
{
	struct daemon *d = owner;

	return persistent_unannounce(&d->persistent, topic, keys, op);
}

static int
on_control_key_new(void *owner, uint8_t public_key[KEY_LEN], struct fault *f)
{
	struct daemon *d = owner;

	return identity_replace(&d->state, public_key, f);
}

static const struct control_ops control_ops = {
    .wake = on_wake,
    .settle = on_settle,
    .stop = on_control_stop,
    .reload = on_control_reload,
    .announce = on_control_announce,
    .unannounce = on_control_unannounce,
    .key_new = on_control_key_new,
};

static int
start_control(struct daemon *d)
{
	const struct control_setup setup = {
	    .base = d->base,
	    .node = d->node,
	    .world = &d->world.world,
	    .keyring = &d->keyring,
	    .announcements = &d->persistent.announcements,
	    .names = &d->names,
	    .tunnels = &d->tunnels,
	    .identity = d->identity,
	    .identity_saved = d->identity_saved,
	    .path = d->config.control,
	    .role = d->config.role,
	    .tick_ms = d->config.tick_ms,
	    .ops = &control_ops,
	    .owner = d,
	};
	struct fault f;

	d->control = control_new(&setup, &f);
	if (d->control == NULL) {
		log_error("%s", f.text);
		return DAEMON_FAILED;
	}
	return DAEMON_OK;
}

/* Runs the steps of the start. Returns DAEMON_OK, or the exit code with the
 * cause logged. */
static int
start_daemon(struct daemon *d)
{
	static int (*const steps[])(struct daemon * d) = {
	    start_state, start_loop, start_node, start_tunnels, start_control};
	int rc;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if ((rc = steps[i](d)) != DAEMON_OK)
			return rc;
	persistent_start(&d->persistent, d->node);
	if (d->notify.watchdog_us > 0) {
		uint64_t us = d->notify.watchdog_us / 2;
		struct timeval tv = {.tv_sec = (time_t)(us / 1000000),
		    .tv_usec = (suseconds_t)(us % 1000000)};

		event_add(d->watchdog, &tv);
	}
	daemon_settle(d);
	report_start(d);
	notify_send(&d->notify, "READY=1");
	return DAEMON_OK;
}

/*
 * Frees the event loop. All modules have removed their events; an event that is
 * left belongs to a module that was not freed. Only the callbacks are active by
 * which libevent frees its own objects, such as bufferevents and lookups.
 */
static void
free_loop(struct event_base *base)
{
	int active = event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE);

	assert(
	    event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == active);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 0);
	event_base_free(base);
}

/* Frees what start_daemon() has made, also if it has failed. */
static void
free_daemon(struct daemon *d)
{
	struct event *events[] = {d->timer, d->leave, d->watchdog,
	    d->signals[0], d->signals[1], d->signals[2]};

	control_free(d->control);
	tunnels_fini(&d->tunnels);
	if (d->node != NULL) {
		if (d->volume.state != NULL)
			stored_volume_save(
			    &d->volume, d->node, d->world.world.now_us, true);
		node_free(d->node);
	}
	if (d->base != NULL) {
		persistent_fini(&d->persistent);
		healing_fini(&d->healing);
		netlink_fini(&d->netlink);
		real_world_fini(&d->world);
		for (size_t i = 0; i < sizeof events / sizeof *events; i++)
			if (events[i] != NULL)
				event_free(events[i]);
		free_loop(d->base);
	}
	keyring_fini(&d->keyring); /* after the node, which borrows keys */
	peer_names_fini(&d->names);
	identity_free(d->relay_key);
	identity_free(d->key);
	state_close(&d->state);
	config_fini(&d->config);
}

int
daemon_run(const struct options *o, struct config *c)
{
	struct daemon d = {
	    .options = o,
	    .config = *c,
	    .armed_us = WORLD_NEVER,
	    .state.dir = -1,
	    .netlink.fd = -1,
	};
	int rc;

	log_set_level(d.config.log_level);
	notify_init(&d.notify);
	rc = start_daemon(&d);
	if (rc == DAEMON_OK && event_base_dispatch(d.base) < 0)
		rc = DAEMON_FAILED;
	free_daemon(&d);
	return rc;
}
