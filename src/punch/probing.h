/* SPDX-License-Identifier: ISC */
/*
 * probing.h - sends the probes of one hole punch, protocol 04 §10.
 *
 * Runs a probe_schedule.h against the addresses that the peer reported, from
 * the punch socket and, behind a random NAT, from further "birthday" sockets,
 * which it opens and owns. Random strategies require a slot of
 * punch_admission.h, which the caller acquires and probing_stop() releases.
 */
#ifndef PUNCH_PROBING_H
#define PUNCH_PROBING_H

#include "base/timer.h"
#include "punch/ports.h"
#include "punch/probe_schedule.h"
#include "punch/punch_admission.h"
#include "punch/socket_table.h"

struct puncher;

struct probing {
	struct timer timer; /* sends the next probe of the schedule */
	uint64_t start_us;
	struct probe_schedule schedule;
	struct scheduled_probe next;
	struct ports ports;            /* birthday probes: ports to try */
	struct socket_entry **sockets; /* birthday sockets */
	uint32_t sockets_len, sockets_max;
	struct punch_slot slot;
	struct timer open_timer; /* sends the next open probe */
	struct addr open_to;
	bool open_low_ttl;
	uint8_t open_sent;
	uint32_t probes; /* sent so far */
};

/*
 * Sends probes by the schedule that fits the NAT types, from delay_us on.
 * Returns 0, ERR_PUNCH if no schedule fits or no address is verified, or
 * ERR_LIMIT if too few sockets can be opened.
 */
int probing_start(struct puncher *p, uint64_t delay_us)
    __attribute__((warn_unused_result));

/*
 * Acquires the slot that the schedule needs, for a punch with a peer or for our
 * own (NULL). Returns 0 if it is held or none is needed, 1 if it is waited for,
 * or ERR_BUSY.
 */
int probing_acquire_slot(struct puncher *p, const struct addr *peer)
    __attribute__((warn_unused_result));

/* Stops sending; the sockets stay open, as a stream may be trying one. */
void probing_stop(struct puncher *p);

/* Stops sending and closes the birthday sockets. */
void probing_fini(struct puncher *p);

/* Returns the schedule that fits the current NAT types. */
enum schedule_kind probing_schedule_kind(const struct puncher *p);

/*
 * Sends open probes ahead of the schedule: one of low TTL, which only opens
 * our own NAT, or seven of full TTL within the first 800 ms.
 */
void probing_open(struct puncher *p, const struct addr *to, bool low_ttl);

/* Sends one probe if the address may be sent to. */
void probing_send(
    struct puncher *p, int sock, const struct addr *to, bool low_ttl);

/* Does the same for one of many ports of a host, which counts as one
 * destination: guessed ones, and those from which birthday sockets probe. */
void probing_send_to_host(struct puncher *p, int sock, const struct addr *to);

#endif
