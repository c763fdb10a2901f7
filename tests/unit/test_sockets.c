/* SPDX-License-Identifier: ISC */
/*
 * Checks the real world on loopback: datagrams are received as they were sent,
 * in batches and bursts, and one that is too long is never taken for a shorter
 * one (pitfall R19). Replaces sendmmsg() and getsockopt() of the C library, so
 * that a test can make the kernel refuse datagrams.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "net/random.h"
#include "net/real_world.h"
#include "net/sockaddr.h"
#include "t.h"

static struct event_base *base;
static struct real_world real;
static struct world *world;

/* What the owner was notified of. */
static struct {
	unsigned wakes, settles, datagrams, answers, writable;
	int writable_sock;
	size_t bytes;
	size_t len;
	struct dgram last;
	struct addr answer;
	bool echo, close;
} seen;

/* The replaced functions. */
static struct {
	int error;       /* of the next sends; 0 for none */
	unsigned passes; /* messages that are sent before */
	int burst_error; /* of sends whose first message is a burst */
	bool old;        /* a kernel without UDP_SEGMENT */
	unsigned bursts; /* accepted by the kernel */
} kernel;

static bool
is_burst(const struct msghdr *h)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	for (; c != NULL; c = CMSG_NXTHDR((struct msghdr *)h, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT)
			return true;
	return false;
}

int
sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
	long sent;

	if (is_burst(&v->msg_hdr) && kernel.burst_error != 0) {
		errno = kernel.burst_error;
		return -1;
	}
	if (kernel.error != 0 && kernel.passes == 0) {
		errno = kernel.error;
		return -1;
	}
	if (kernel.error != 0 && n > kernel.passes)
		n = kernel.passes;
	sent = syscall(SYS_sendmmsg, fd, v, n, flags);
	for (long i = 0; i < sent; i++)
		kernel.bursts += is_burst(&v[i].msg_hdr);
	if (kernel.error != 0 && sent > 0)
		kernel.passes -= (unsigned)sent;
	return (int)sent;
}

int
getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (kernel.old && level == SOL_UDP && name == UDP_SEGMENT) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

static uint8_t *
reserve(int sock, struct addr to, size_t cap)
{
	struct dgram_meta meta = {.sock = sock, .to = to};

	return world->ops->reserve(world, &meta, cap);
}

static void
on_wake(void *owner)
{
	ck_assert_ptr_eq(owner, &seen);
	seen.wakes++;
}

static void
on_recv(void *owner, const struct dgram *dg)
{
	uint8_t *room;

	(void)owner;
	seen.datagrams++;
	seen.last = *dg;
	seen.len = dg->len;
	seen.bytes += dg->len;
	if (seen.close)
		world->ops->close(world, dg->sock);
	if (!seen.echo)
		return;
	room = reserve(dg->sock, dg->from, dg->len);
	ck_assert_ptr_nonnull(room);
	memcpy(room, dg->buf, dg->len);
	ck_assert_int_eq(world->ops->commit(world, dg->len), 0);
}

static void
on_writable(void *owner, int sock)
{
	(void)owner;
	seen.writable++;
	seen.writable_sock = sock;
}

static void
on_settle(void *owner)
{
	(void)owner;
	seen.settles++;
	sockets_flush(real.sockets);
}

static void
on_answer(void *owner, uint32_t ticket, const struct addr *a)
{
	(void)owner;
	ck_assert_uint_eq(ticket, 7);
	seen.answers++;
	seen.answer = a != NULL ? *a : (struct addr){.family = ADDR_NONE};
}

static void
setup(void)
{
	struct sockets_owner owner = {
	    on_wake, on_recv, on_writable, on_settle, &seen};

	memset(&seen, 0, sizeof seen);
	memset(&kernel, 0, sizeof kernel);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(real_world_init(&real, base, &owner, on_answer), 0);
	world = &real.world;
}

static void
teardown(void)
{
	real_world_fini(&real);
	event_base_free(base);
}

static int
open_any(struct addr *bound)
{
	struct addr at = addr_v4(127, 0, 0, 1, 0);
	int sock = world->ops->open(world, &at, bound);

	ck_assert_int_ge(sock, 0);
	return sock;
}

/* Runs one turn of the event loop, at most for a second. */
static void
turn(void)
{
	struct timeval second = {.tv_sec = 1};

	event_base_loopexit(base, &second);
	event_base_loop(base, EVLOOP_ONCE);
}

static void
send_one(int sock, struct addr to, size_t len)
{
	uint8_t *room = reserve(sock, to, len);

	ck_assert_ptr_nonnull(room);
	memset(room, 0x5a, len);
	ck_assert_int_eq(world->ops->commit(world, len), 0);
}

static const struct tx_queue_counts *
counts(void)
{
	return sockets_counts(real.sockets);
}

START_TEST(tells_both_ends)
{
	struct addr a, b;
	int from = open_any(&a), to = open_any(&b);

	send_one(from, b, 100);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
	ck_assert_uint_eq(seen.wakes, 1);
	ck_assert_uint_eq(seen.settles, 1);
	ck_assert_uint_eq(seen.len, 100);
	ck_assert_int_eq(seen.last.sock, to);
	ck_assert(addr_equal(&seen.last.from, &a));
	ck_assert_uint_eq(seen.last.local.family, ADDR_NONE);
}
END_TEST

/* A delayed read loses nothing, and delays end with the traffic. */
START_TEST(bulk_is_gathered)
{
	enum { DATAGRAMS = 2000, LEN = 1000 };
	struct addr a, b;
	int from = open_any(&a);

	(void)open_any(&b);
	for (int i = 0; i < DATAGRAMS; i++) {
		send_one(from, b, LEN);
		sockets_flush(real.sockets);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	while (seen.datagrams < DATAGRAMS)
		turn();
	turn(); /* a delayed read, if there is one, finds nothing */
	send_one(from, b, LEN);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, DATAGRAMS + 1);
}
END_TEST

/* Opens a socket without a world, to send what a world would not. */
static int
plain_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(too_long_is_seen_as_such)
{
	static const struct {
		size_t sent, seen;
	} rows[] = {{0, 0}, {1, 1}, {2048, 2048}, {2049, 2049}, {9000, 2049}};
	static uint8_t bytes[9000];
	union sockaddr_any to;
	struct addr bound;
	int fd = plain_socket();

	open_any(&bound);
	addr_to_sockaddr(&bound, &to);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(
		    sendto(fd, bytes, rows[i].sent, 0, &to.sa, sizeof to.in),
		    (ssize_t)rows[i].sent);
		turn();
		ck_assert_uint_eq(seen.datagrams, i + 1);
		ck_assert_uint_eq(seen.len, rows[i].seen);
	}
	close(fd);
}
END_TEST

START_TEST(batches_flush_when_full)
{
	struct addr a, b;
	int from = open_any(&a);

	open_any(&b);
	for (int i = 0; i < 200; i++)
		send_one(from, b, 500);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 200);
	ck_assert_uint_eq(seen.wakes, 1);
	ck_assert_uint_eq(counts()->lost, 0);
}
END_TEST

/* One busy socket does not delay timers and control clients. */
START_TEST(one_turn_is_bounded)
{
	struct addr a, b;
	int from = open_any(&a);

	open_any(&b);
	for (int i = 0; i < 400; i++)
		send_one(from, b, 1);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.wakes, 1);
	ck_assert_uint_eq(seen.datagrams, 256);
	turn();
	ck_assert_uint_eq(seen.datagrams, 400);
}
END_TEST

START_TEST(answers_from_each_socket)
{
	struct addr a, b, c;
	int from = open_any(&a);

	open_any(&b);
	open_any(&c);
	seen.echo = true;
	send_one(from, b, 10);
	send_one(from, c, 10);
	sockets_flush(real.sockets);
	turn(); /* b and c echo */
	seen.echo = false;
	turn();
	ck_assert_uint_eq(seen.datagrams, 4);
	ck_assert(
	    addr_equal(&seen.last.from, &b) || addr_equal(&seen.last.from, &c));
}
END_TEST

START_TEST(room_is_limited)
{
	struct addr a, b;
	int sock = open_any(&a);
	struct addr v6 = {.ip = {[15] = 1}, .port = 1, .family = ADDR_V6};

	open_any(&b);
	ck_assert_ptr_null(reserve(sock, b, DGRAM_MAX + 1));
	ck_assert_ptr_null(reserve(sock, v6, 10));
	ck_assert_ptr_nonnull(reserve(sock, b, 10));
	ck_assert_int_eq(world->ops->commit(world, 11), ERR_TOO_BIG);
	ck_assert_int_eq(world->ops->commit(world, 1), ERR_TOO_BIG);
	world->ops->close(world, sock);
	ck_assert_ptr_null(reserve(sock, b, 10));
}
END_TEST

/* A datagram to port 0 is refused; the rest of the batch is sent. */
START_TEST(refused_datagram_stops_no_other)
{
	struct addr a, b, nowhere = addr_v4(127, 0, 0, 1, 0);
	int from = open_any(&a);

	open_any(&b);
	send_one(from, b, 1);
	send_one(from, nowhere, 1);
	send_one(from, b, 2);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 2);
	ck_assert_uint_eq(counts()->lost, 1);
}
END_TEST

START_TEST(taken_port_is_told)
{
	struct addr a, b;
	int sock = open_any(&a);

	ck_assert_int_eq(world->ops->open(world, &a, &b), ERR_ADDRESS_USED);
	world->ops->close(world, sock);
	ck_assert_int_eq(world->ops->open(world, &a, &b), sock);
	ck_assert(addr_equal(&a, &b));
}
END_TEST

/* Opens sockets until that fails. Returns their number. */
static int
open_all(void)
{
	struct addr at = addr_v4(127, 0, 0, 1, 0), bound;
	int n = 0, sock;

	while ((sock = world->ops->open(world, &at, &bound)) >= 0)
		n++;
	ck_assert_int_eq(sock, ERR_SOCKET);
	return n;
}

START_TEST(sockets_are_limited)
{
	struct rlimit max;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &max), 0);
	if (max.rlim_max < SOCKETS_MAX + 2 * SOCKETS_SPARE_FDS)
		return;
	max.rlim_cur = max.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &max), 0);
	ck_assert_int_eq(open_all(), SOCKETS_MAX);
}
END_TEST

/* Sockets leave the last descriptors to files and clients. */
START_TEST(descriptors_are_left_to_others)
{
	struct rlimit few;
	int n, spare = 0;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
	few.rlim_cur = 300;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	n = open_all();
	ck_assert_int_gt(n, 200);
	ck_assert_int_le(n, 300 - SOCKETS_SPARE_FDS);
	while (dup(0) >= 0)
		spare++;
	ck_assert_int_ge(spare, SOCKETS_SPARE_FDS);
}
END_TEST

/* Datagrams read for a socket that is closed meanwhile are dropped. */
START_TEST(close_ends_the_batch)
{
	struct addr a, b;
	int from = open_any(&a);

	open_any(&b);
	for (int i = 0; i < 10; i++)
		send_one(from, b, 1);
	sockets_flush(real.sockets);
	seen.close = true;
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
	ck_assert_uint_eq(seen.settles, 1);
}
END_TEST

START_TEST(local_address_is_told_if_there_are_several)
{
	struct addr at = addr_v4(0, 0, 0, 0, 0), bound, a;
	struct addr to = addr_v4(127, 0, 0, 2, 0);
	int from = open_any(&a);

	ck_assert_int_ge(world->ops->open(world, &at, &bound), 0);
	to.port = bound.port;
	sockets_several_addresses(real.sockets, true, false);
	seen.echo = true;
	send_one(from, to, 3);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
	ck_assert(addr_equal(&seen.last.local, &to));
	sockets_several_addresses(real.sockets, false, true);
	send_one(from, to, 3);
	sockets_flush(real.sockets);
	turn(); /* also receives the echo */
	ck_assert_uint_ge(seen.datagrams, 2);
}
END_TEST

/* Reads one datagram with its control messages. */
static void
read_beside(int fd, int *ttl, int *tos, struct sockaddr_in *from)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[128];
	} control;
	uint8_t byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr h = {.msg_name = from,
	    .msg_namelen = sizeof *from,
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control};

	ck_assert_int_eq(recvmsg(fd, &h, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL;
	     c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_type == IP_TTL)
			memcpy(ttl, CMSG_DATA(c), sizeof *ttl);
		if (c->cmsg_type == IP_TOS)
			*tos = *CMSG_DATA(c);
	}
}

/* ---- bursts ---- */

/* Fills a burst with bytes that count from `first`, which the receiver
 * checks. */
static void
send_burst(const struct dgram_meta *meta, size_t len, uint8_t first)
{
	uint8_t *room = world->ops->reserve(world, meta, len + 100);

	ck_assert_ptr_nonnull(room);
	for (size_t i = 0; i < len; i++)
		room[i] = (uint8_t)(first + i / meta->segment);
	ck_assert_int_eq(world->ops->commit(world, len), 0);
}

/* Sends a burst of 9.5 datagrams to b. */
static void
send_ten(int sock, struct addr to)
{
	struct dgram_meta meta = {.sock = sock, .to = to, .segment = 1000};

	send_burst(&meta, 9500, 0);
}

static void
check_ten(void)
{
	turn();
	ck_assert_uint_eq(seen.datagrams, 10);
	ck_assert_uint_eq(seen.bytes, 9500);
	ck_assert_uint_eq(seen.len, 500);
	ck_assert_uint_eq(seen.last.buf[0], 9);
	ck_assert_uint_eq(seen.last.buf[499], 9);
	seen.datagrams = 0;
	seen.bytes = 0;
}

START_TEST(burst_comes_as_datagrams)
{
	struct addr a, b;
	int from = open_any(&a);

	open_any(&b);
	send_ten(from, b);
	sockets_flush(real.sockets);
	check_ten();
	ck_assert(addr_equal(&seen.last.from, &a));
}
END_TEST

/* A burst of one datagram has no segment size, which would split it. */
START_TEST(short_burst_is_a_datagram)
{
	struct addr a, b;
	struct dgram_meta meta = {.sock = open_any(&a), .segment = 1000};

	open_any(&b);
	meta.to = b;
	send_burst(&meta, 1000, 3);
	send_burst(&meta, 1, 4);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 2);
	ck_assert_uint_eq(seen.bytes, 1001);
	ck_assert_uint_eq(kernel.bursts, 0);
}
END_TEST

START_TEST(bursts_are_limited)
{
	struct addr a, b;
	struct dgram_meta meta = {.sock = open_any(&a)};

	open_any(&b);
	meta.to = b;
	meta.segment = 1;
	ck_assert_ptr_null(
	    world->ops->reserve(world, &meta, WORLD_BURST_SEGMENTS + 1));
	ck_assert_ptr_nonnull(
	    world->ops->reserve(world, &meta, WORLD_BURST_SEGMENTS));
	meta.segment = DGRAM_MAX;
	ck_assert_ptr_null(
	    world->ops->reserve(world, &meta, WORLD_BURST_MAX + 1));
	ck_assert_ptr_nonnull(
	    world->ops->reserve(world, &meta, WORLD_BURST_MAX));
	meta.segment = DGRAM_MAX + 1;
	ck_assert_ptr_null(world->ops->reserve(world, &meta, 10));
}
END_TEST

/* Sends more bursts than the batch holds, between single datagrams. */
START_TEST(bursts_and_datagrams_keep_their_order)
{
	struct addr a, b;
	struct dgram_meta meta = {.sock = open_any(&a), .segment = 1200};

	open_any(&b);
	meta.to = b;
	for (int i = 0; i < 6; i++) {
		send_burst(&meta, 20000, 0);
		send_one(meta.sock, b, 7);
	}
	sockets_flush(real.sockets);
	while (seen.datagrams < 6 * 18)
		turn();
	ck_assert_uint_eq(seen.bytes, 6 * 20007);
	ck_assert_uint_eq(seen.len, 7);
	ck_assert_uint_eq(counts()->lost, 0);
}
END_TEST

START_TEST(old_kernel_gets_the_pieces)
{
	struct addr a, b;
	int from;

	kernel.old = true;
	from = open_any(&a);
	open_any(&b);
	send_ten(from, b);
	sockets_flush(real.sockets);
	check_ten();
	ck_assert_uint_eq(kernel.bursts, 0);
}
END_TEST

/* The device cannot split a burst, as one without checksums (EIO). */
START_TEST(refused_burst_goes_in_pieces)
{
	static const int errors[] = {EIO, EINVAL, EMSGSIZE, EOPNOTSUPP};
	struct addr a, b;
	int from = open_any(&a);

	open_any(&b);
	kernel.burst_error = errors[_i];
	send_ten(from, b);
	sockets_flush(real.sockets);
	check_ten();
	kernel.burst_error = 0;
	send_ten(from, b);
	sockets_flush(real.sockets);
	check_ten();
	ck_assert_uint_eq(kernel.bursts, 0); /* no second attempt */
	ck_assert_uint_eq(counts()->lost, 0);
}
END_TEST

/* A burst to port 0 fails without disabling bursts. */
START_TEST(unsendable_burst_is_lost_alone)
{
	struct addr a, b, nowhere = addr_v4(127, 0, 0, 1, 0);
	int from = open_any(&a);

	open_any(&b);
	send_ten(from, nowhere);
	send_ten(from, b);
	sockets_flush(real.sockets);
	check_ten();
	ck_assert_uint_eq(kernel.bursts, 1);
	ck_assert_uint_eq(counts()->lost, 10);
}
END_TEST

/* TTL and ECN apply to a datagram, and to each datagram of a burst that is
 * split by the kernel or by us. */
static const struct {
	bool old;
	uint16_t segment;
	size_t len;
} beside[] = {{false, 0, 1}, {false, 1, 3}, {true, 1, 3}};

START_TEST(ttl_ecn_and_source_travel_beside)
{
	struct addr at = addr_v4(0, 0, 0, 0, 0), bound;
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof in;
	int fd = plain_socket(), one = 1;
	struct dgram_meta meta = {.ttl = 5,
	    .ecn = 2,
	    .local = addr_v4(127, 0, 0, 3, 0),
	    .segment = beside[_i].segment};

	kernel.old = beside[_i].old;
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	meta.sock = world->ops->open(world, &at, &bound);
	meta.to = addr_from_in(in.sin_addr, ntohs(in.sin_port));
	ck_assert_ptr_nonnull(
	    world->ops->reserve(world, &meta, beside[_i].len));
	ck_assert_int_eq(world->ops->commit(world, beside[_i].len), 0);
	sockets_flush(real.sockets);
	for (size_t i = 0; i < beside[_i].len; i++) {
		int ttl = 0, tos = -1;
		struct addr from;

		read_beside(fd, &ttl, &tos, &in);
		from = addr_from_in(in.sin_addr, 0);
		ck_assert_int_eq(ttl, 5);
		ck_assert_int_eq(tos, 2);
		ck_assert(addr_equal(&from, &meta.local));
	}
	close(fd);
}
END_TEST

/* ---- a path with a small MTU ---- */

/* Creates a network namespace with a loopback device of that MTU. Returns false
 * if that is not permitted. */
static bool
own_loopback(int mtu)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd;
	bool ok;

	if (unshare(CLONE_NEWNET) != 0)
		return false;
	fd = plain_socket();
	r.ifr_mtu = mtu;
	ok = ioctl(fd, SIOCSIFMTU, &r) == 0;
	r.ifr_flags = IFF_UP;
	ok = ok && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	close(fd);
	return ok;
}

static void
send_large(int sock, struct addr to, bool fragment)
{
	struct dgram_meta meta = {.sock = sock, .to = to, .fragment = fragment};

	ck_assert_ptr_nonnull(world->ops->reserve(world, &meta, 1400));
	ck_assert_int_eq(world->ops->commit(world, 1400), 0);
}

/* A datagram above the MTU is lost, so that the MTU can be probed, unless it
 * may be fragmented; the rest of the batch is sent. */
START_TEST(fragments_only_where_they_are_allowed)
{
	struct addr a, b;
	int from;

	if (!own_loopback(1280))
		return;
	from = open_any(&a);
	open_any(&b);
	send_one(from, b, 1200);
	send_large(from, b, true);
	send_large(from, b, false);
	send_large(from, b, true);
	send_one(from, b, 100);
	sockets_flush(real.sockets);
	for (int i = 0; i < 4 && seen.datagrams < 4; i++)
		turn();
	ck_assert_uint_eq(seen.datagrams, 4);
	ck_assert_uint_eq(seen.bytes, 1200 + 2 * 1400 + 100);
	ck_assert_uint_eq(seen.len, 100);
}
END_TEST

/* ---- IPv6 ---- */

static const struct addr loopback6 = {.ip[15] = 1, .family = ADDR_V6};
static const struct addr any6 = {.family = ADDR_V6};

/* Returns false if the kernel has no IPv6; then only opening fails. */
static bool
open6(const struct addr *at, struct addr *bound, int *sock)
{
	*sock = world->ops->open(world, at, bound);
	if (*sock >= 0)
		return true;
	ck_assert_int_eq(*sock, ERR_SOCKET);
	return false;
}

START_TEST(ipv6_goes_both_ways)
{
	struct addr a, b, far = loopback6;
	int from, to;

	if (!open6(&loopback6, &a, &from) || !open6(&any6, &b, &to))
		return;
	far.port = b.port;
	seen.echo = true;
	for (int i = 0; i < 3; i++)
		send_one(from, far, 1200);
	sockets_flush(real.sockets);
	while (seen.datagrams < 6)
		turn();
	ck_assert_uint_eq(seen.bytes, 6 * 1200);
	ck_assert(addr_equal(&seen.last.from, &far));
	ck_assert_int_eq(seen.last.sock, from);
	ck_assert_uint_eq(counts()->lost, 0);
}
END_TEST

START_TEST(ipv6_shares_the_port_and_nothing_else)
{
	struct addr at = addr_v4(0, 0, 0, 0, 0), v4, v6 = any6, bound;
	struct addr mapped = {
	    .ip = {[10] = 255, [11] = 255, 127, 0, 0, 1}, .family = ADDR_V6};
	int four = world->ops->open(world, &at, &v4), six;

	v6.port = v4.port;
	if (!open6(&v6, &bound, &six))
		return;
	ck_assert(addr_equal(&bound, &v6));
	ck_assert_int_eq(
	    world->ops->open(world, &v6, &bound), ERR_ADDRESS_USED);
	v6 = loopback6;
	v6.port = v4.port;
	ck_assert_ptr_null(reserve(four, v6, 1));
	ck_assert_ptr_null(reserve(six, addr_v4(127, 0, 0, 1, v4.port), 1));
	/* The socket does not accept IPv4-mapped addresses. */
	mapped.port = v4.port;
	send_one(six, mapped, 1);
	sockets_flush(real.sockets);
	ck_assert_uint_eq(counts()->lost, 1);
}
END_TEST

START_TEST(ipv6_burst_comes_as_datagrams)
{
	struct dgram_meta meta = {.segment = 1000};
	struct addr a, b;
	int from, to;

	kernel.old = _i == 1;
	if (!open6(&loopback6, &a, &from) || !open6(&loopback6, &b, &to))
		return;
	meta.sock = from;
	meta.to = b;
	ck_assert_ptr_nonnull(world->ops->reserve(world, &meta, 9500));
	ck_assert_int_eq(world->ops->commit(world, 9500), 0);
	sockets_flush(real.sockets);
	while (seen.datagrams < 10)
		turn();
	ck_assert_uint_eq(seen.bytes, 9500);
	ck_assert_uint_eq(seen.len, 500);
}
END_TEST

START_TEST(ipv6_hops_and_class_travel_beside)
{
	struct addr at = loopback6, bound;
	union sockaddr_any in;
	socklen_t len = addr_to_sockaddr(&at, &in);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), one = 1, sock;
	struct dgram_meta meta = {.ttl = 5, .ecn = 2, .local = loopback6};
	uint8_t byte, control[256];
	struct iovec iov = {&byte, 1};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	int hops = 0, tclass = 0;

	if (fd < 0 || bind(fd, &in.sa, len) != 0 ||
	    !open6(&any6, &bound, &sock))
		return;
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof one);
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one);
	getsockname(fd, &in.sa, &len);
	meta.sock = sock;
	meta.to = addr_from_sockaddr(&in);
	ck_assert_ptr_nonnull(world->ops->reserve(world, &meta, 1));
	ck_assert_int_eq(world->ops->commit(world, 1), 0);
	sockets_flush(real.sockets);
	ck_assert_int_eq(recvmsg(fd, &h, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL;
	     c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof hops);
		else if (c->cmsg_type == IPV6_TCLASS)
			memcpy(&tclass, CMSG_DATA(c), sizeof tclass);
	}
	ck_assert_int_eq(hops, 5);
	ck_assert_int_eq(tclass, 2);
	close(fd);
}
END_TEST

START_TEST(ipv6_local_address_is_told_if_there_are_several)
{
	struct addr a, b, to = loopback6;
	int from, sock;

	if (!open6(&loopback6, &a, &from) || !open6(&any6, &b, &sock))
		return;
	to.port = b.port;
	sockets_several_addresses(real.sockets, false, true);
	send_one(from, to, 3);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
	ck_assert(addr_equal(&seen.last.local, &to));
}
END_TEST

/* ---- a full queue ---- */

START_TEST(full_socket_waits_and_holds_nobody_up)
{
	struct addr a, b, c;
	int slow = open_any(&a), other = open_any(&b);

	open_any(&c);
	kernel.error = _i == 0 ? EAGAIN : _i == 1 ? ENOBUFS : ENOMEM;
	kernel.passes = 2;
	for (int i = 1; i <= 5; i++)
		send_one(slow, c, (size_t)i);
	sockets_flush(real.sockets);
	ck_assert_uint_eq(counts()->delayed, 3);
	ck_assert_ptr_null(reserve(slow, c, 1));
	kernel.error = 0;
	send_one(other, c, 100);
	sockets_flush(real.sockets);
	while (seen.datagrams < 6 || seen.writable == 0)
		turn();
	ck_assert_uint_eq(seen.bytes, 1 + 2 + 3 + 4 + 5 + 100);
	ck_assert_uint_eq(seen.len, 5); /* the last: in order */
	ck_assert_uint_eq(seen.writable, 1);
	ck_assert_int_eq(seen.writable_sock, slow);
	ck_assert_ptr_nonnull(reserve(slow, c, 1));
	ck_assert_uint_eq(counts()->lost, 0);
}
END_TEST

/* While the queue is full, the owner is not notified and nothing is lost. */
START_TEST(full_socket_waits_as_long_as_it_takes)
{
	struct addr a, b;
	int slow = open_any(&a);

	open_any(&b);
	kernel.error = EAGAIN;
	send_one(slow, b, 9);
	sockets_flush(real.sockets);
	turn();
	turn();
	ck_assert_uint_eq(seen.writable, 0);
	ck_assert_ptr_null(reserve(slow, b, 1));
	kernel.error = 0;
	while (seen.datagrams == 0)
		turn();
	ck_assert_uint_eq(seen.writable, 1);
	ck_assert_uint_eq(counts()->delayed, 1);
}
END_TEST

/* Datagrams queued by two runs of one batch are sent together later. */
START_TEST(full_socket_keeps_all_that_was_committed)
{
	struct addr a, b, c;
	int slow = open_any(&a), other = open_any(&b);

	open_any(&c);
	kernel.error = EAGAIN;
	kernel.passes = 1;
	send_one(slow, c, 1);
	send_ten(slow, c);
	send_one(other, c, 1);
	send_one(slow, c, 2);
	sockets_flush(real.sockets);
	kernel.error = 0;
	while (seen.datagrams < 13)
		turn();
	ck_assert_uint_eq(seen.bytes, 1 + 9500 + 1 + 2);
	ck_assert(addr_equal(&seen.last.from, &b) || seen.len == 2);
	ck_assert_uint_eq(counts()->delayed, 12);
}
END_TEST

/* The queue fills up in the middle of a burst that we split. */
START_TEST(rest_of_a_burst_is_kept)
{
	struct addr a, b;
	int slow;

	kernel.old = true;
	slow = open_any(&a);
	open_any(&b);
	kernel.error = EAGAIN;
	kernel.passes = 4;
	send_ten(slow, b);
	sockets_flush(real.sockets);
	ck_assert_uint_eq(counts()->delayed, 6);
	kernel.error = 0;
	while (seen.datagrams < 10)
		turn();
	ck_assert_uint_eq(seen.bytes, 9500);
	ck_assert_uint_eq(seen.last.buf[0], 9);
}
END_TEST

START_TEST(what_is_kept_at_the_end_is_counted)
{
	struct addr a, b;
	int slow = open_any(&a);

	open_any(&b);
	kernel.error = EAGAIN;
	send_ten(slow, b);
	world->ops->close(world, slow);
	ck_assert_uint_eq(counts()->lost, 10);
	kernel.error = 0;
	ck_assert_int_eq(open_any(&a), slow);
	send_one(slow, b, 5);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
}
END_TEST

/* Resolves from the hosts file, so that no packet leaves this machine. */
START_TEST(resolves_later)
{
	struct addr want = addr_v4(127, 0, 0, 1, 0);

	ck_assert_int_eq(world->ops->resolve(world, "localhost", 7), 0);
	ck_assert_uint_eq(seen.answers, 0); /* not from inside resolve() */
	turn();
	ck_assert_uint_eq(seen.answers, 1);
	ck_assert(addr_equal(&seen.answer, &want));
}
END_TEST

START_TEST(questions_are_limited)
{
	for (int i = 0; i < RESOLVER_MAX; i++)
		ck_assert_int_eq(world->ops->resolve(world, "localhost", 7), 0);
	ck_assert_int_eq(world->ops->resolve(world, "localhost", 7), ERR_BUSY);
	turn();
	ck_assert_uint_eq(seen.answers, RESOLVER_MAX);
	ck_assert_int_eq(world->ops->resolve(world, "localhost", 7), 0);
}
END_TEST

START_TEST(random_bytes_are_handed_out_once)
{
	static uint8_t a[4 * RANDOM_POOL_LEN], b[4 * RANDOM_POOL_LEN];
	struct random_pool *pool = &real.random;
	unsigned same = 0;

	for (size_t i = 0; i + 16 <= sizeof a; i += 16) {
		world->ops->random(world, a + i, 16);
		for (size_t k = pool->left; k < RANDOM_POOL_LEN; k++)
			ck_assert_uint_eq(pool->bytes[k], 0);
	}
	world->ops->random(world, b, sizeof b);
	for (size_t i = 0; i < sizeof a; i++)
		same += a[i] == b[i];
	/* 8 of 2048 expected by chance. */
	ck_assert_uint_lt(same, 60);
}
END_TEST

/* A handle goes on with another descriptor, at the same port or another. */
START_TEST(silent_socket_is_replaced)
{
	struct addr a, b, at, to;
	int any = open_any(&a), fixed = open_any(&b), peer = open_any(&to);

	ck_assert_int_eq(sockets_reopen(real.sockets, any, 0, false, &at), 0);
	ck_assert_uint_ne(at.port, a.port);
	a = at;
	ck_assert_int_eq(sockets_reopen(real.sockets, fixed, 0, true, &at), 0);
	ck_assert_uint_eq(at.port, b.port);
	send_one(any, to, 100);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
	ck_assert(addr_equal(&seen.last.from, &a));
	send_one(peer, b, 50);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 2);
	ck_assert_int_eq(seen.last.sock, fixed);
}
END_TEST

/* What was committed before is sent, and what works is not replaced. */
START_TEST(socket_that_receives_is_kept)
{
	struct addr a, b, at;
	int from = open_any(&a), to = open_any(&b);

	send_one(from, b, 100);
	ck_assert_int_eq(sockets_reopen(real.sockets, from, 0, false, &at), 0);
	turn();
	ck_assert_uint_eq(seen.datagrams, 1);
	ck_assert(addr_equal(&seen.last.from, &a));
	ck_assert_int_eq(
	    sockets_reopen(real.sockets, to, 60000000, false, &at), ERR_BUSY);
	send_one(from, b, 100);
	sockets_flush(real.sockets);
	turn();
	ck_assert_uint_eq(seen.datagrams, 2);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("sockets", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, tells_both_ends);
	tcase_add_test(tc, bulk_is_gathered);
	tcase_add_test(tc, too_long_is_seen_as_such);
	tcase_add_test(tc, batches_flush_when_full);
	tcase_add_test(tc, one_turn_is_bounded);
	tcase_add_test(tc, answers_from_each_socket);
	tcase_add_test(tc, room_is_limited);
	tcase_add_test(tc, refused_datagram_stops_no_other);
	tcase_add_test(tc, taken_port_is_told);
	tcase_add_test(tc, sockets_are_limited);
	tcase_add_test(tc, descriptors_are_left_to_others);
	tcase_add_test(tc, close_ends_the_batch);
	tcase_add_test(tc, local_address_is_told_if_there_are_several);
	tcase_add_loop_test(
	    tc, ttl_ecn_and_source_travel_beside, 0, T_ROWS(beside));
	tcase_add_test(tc, fragments_only_where_they_are_allowed);
	tcase_add_test(tc, ipv6_goes_both_ways);
	tcase_add_test(tc, ipv6_shares_the_port_and_nothing_else);
	tcase_add_loop_test(tc, ipv6_burst_comes_as_datagrams, 0, 2);
	tcase_add_test(tc, ipv6_hops_and_class_travel_beside);
	tcase_add_test(tc, ipv6_local_address_is_told_if_there_are_several);
	tcase_add_test(tc, burst_comes_as_datagrams);
	tcase_add_test(tc, short_burst_is_a_datagram);
	tcase_add_test(tc, bursts_are_limited);
	tcase_add_test(tc, bursts_and_datagrams_keep_their_order);
	tcase_add_test(tc, old_kernel_gets_the_pieces);
	tcase_add_loop_test(tc, refused_burst_goes_in_pieces, 0, 4);
	tcase_add_test(tc, unsendable_burst_is_lost_alone);
	tcase_add_loop_test(tc, full_socket_waits_and_holds_nobody_up, 0, 3);
	tcase_add_test(tc, full_socket_waits_as_long_as_it_takes);
	tcase_add_test(tc, full_socket_keeps_all_that_was_committed);
	tcase_add_test(tc, rest_of_a_burst_is_kept);
	tcase_add_test(tc, what_is_kept_at_the_end_is_counted);
	tcase_add_test(tc, silent_socket_is_replaced);
	tcase_add_test(tc, socket_that_receives_is_kept);
	tcase_add_test(tc, resolves_later);
	tcase_add_test(tc, questions_are_limited);
	tcase_add_test(tc, random_bytes_are_handed_out_once);
	return s;
}
