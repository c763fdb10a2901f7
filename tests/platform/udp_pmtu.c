/* SPDX-License-Identifier: ISC */
/*
 * Assumption: with IP_PMTUDISC_PROBE a datagram larger than the MTU of the
 * device fails with EMSGSIZE, and the path MTU that the kernel has learned is
 * not applied; with IP_PMTUDISC_DONT the kernel or routers fragment it. The
 * option may change between two datagrams. A segment of a burst obeys the same
 * MTU: EMSGSIZE or EINVAL.
 *
 * Relied on by: tx_queue.c (set_fragments, send_split, cannot_split).
 */
#include <linux/rtnetlink.h>
#include <netinet/udp.h>

#include "platform.h"

enum { DEVICE_MTU = 1400, PATH_MTU = 700, FAR = 0x0a090900 };

static char bytes[4000];

/* Adds a route to FAR/24 by the loopback device with a locked PATH_MTU. */
static void
add_route(void)
{
	struct {
		struct nlmsghdr n;
		struct rtmsg r;
		struct rtattr dst;
		uint32_t address;
		struct rtattr oif;
		uint32_t device;
		struct rtattr metrics, mtu;
		uint32_t value;
	} m = {{sizeof m, RTM_NEWROUTE,
		   NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 1, 0},
	    {AF_INET, 24, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK,
		RTN_UNICAST, 0},
	    {8, RTA_DST}, htonl(FAR), {8, RTA_OIF}, if_nametoindex("lo"),
	    {12, RTA_METRICS}, {8, RTAX_MTU}, PATH_MTU};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct {
		struct nlmsghdr n;
		struct nlmsgerr e;
	} answer;

	REQUIRE(send(fd, &m, sizeof m, 0) == sizeof m);
	REQUIRE(recv(fd, &answer, sizeof answer, MSG_TRUNC) > 0);
	REQUIRE(answer.n.nlmsg_type == NLMSG_ERROR && answer.e.error == 0);
	close(fd);
}

static int
send_len(int fd, const union any_address *to, size_t len)
{
	ssize_t n = sendto(fd, bytes, len, 0, &to->sa, address_len(to));

	return n < 0 ? errno : 0;
}

static void
check_family(int family, int level, int option, size_t headers)
{
	union any_address to = loopback(family), from = to;
	int in = bind_udp(&to), out = bind_udp(&from);
	int error;

	set_option(out, level, option, IP_PMTUDISC_PROBE);
	REQUIRE(send_len(out, &to, DEVICE_MTU - headers) == 0);
	REQUIRE(recv(in, bytes, sizeof bytes, 0) > 0);
	REQUIRE(send_len(out, &to, DEVICE_MTU - headers + 1) == EMSGSIZE);
	set_option(out, SOL_UDP, UDP_SEGMENT, DEVICE_MTU);
	error = send_len(out, &to, DEVICE_MTU + 1);
	REQUIRE(error == EMSGSIZE || error == EINVAL);
	set_option(out, SOL_UDP, UDP_SEGMENT, 0);
	set_option(out, level, option, IP_PMTUDISC_DONT);
	REQUIRE(send_len(out, &to, sizeof bytes) == 0);
	REQUIRE(recv(in, bytes, sizeof bytes, 0) == sizeof bytes);
	REQUIRE(recv(in, bytes, sizeof bytes, 0) < 0 && errno == EAGAIN);
}

int
main(void)
{
	union any_address from = loopback(AF_INET), far = from;
	int fd;

	enter_new_network();
	set_device("lo", true, DEVICE_MTU);
	add_route();
	fd = bind_udp(&from);
	far.in.sin_addr.s_addr = htonl(FAR + 1);
	far.in.sin_port = htons(9);
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	REQUIRE(send_len(fd, &far, PATH_MTU) == EMSGSIZE);
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	REQUIRE(send_len(fd, &far, PATH_MTU) == 0);
	check_family(AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, 28);
	check_family(AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 48);
	return 0;
}
