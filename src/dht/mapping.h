/* SPDX-License-Identifier: ISC */
/*
 * mapping.h - the keep-alive interval of NAT mappings, protocol 04 §17.11.
 *
 * Computes how often a datagram must be sent so that the NAT or firewall in
 * front of us keeps its mapping (RFC 4787 §4.3). Its input is a measurement
 * (punch/lifetime.h) and reports of mappings that were lost although they were
 * kept alive. Knows no socket and no clock. Uses: base.
 */
#ifndef DHT_MAPPING_H
#define DHT_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* Protocol 04 §17.11. */
	MAPPING_KEEP_PERCENT = 40,
	MAPPING_KEEP_MIN_S = 5,
	MAPPING_KEEP_MAX_S = 120,
	/*
	 * The maximum where a peer expects keep-alives: nodes of this project
	 * expire a listener that is silent for 60 s (pitfall A12), so that one
	 * keep-alive may be lost.
	 */
	MAPPING_KEEP_HEARD_S = 25,
};

/* What is known of the mappings of our NAT. */
struct mapping {
	bool known;           /* a measurement has ended */
	uint32_t at_least_s;  /* longest silence a mapping survived, or 0 */
	uint32_t at_most_s;   /* shortest one it did not; 0: survived all */
	uint64_t measured_us; /* time of the measurement */
	uint32_t keep_s;      /* keep-alive interval; 0: not known */
	uint32_t losses;     /* of mappings kept alive, since the measurement */
	uint32_t changes;    /* of our public address, since the start */
	uint64_t changed_us; /* time of the last one */
	bool repaced;        /* keep_s has changed since mapping_repaced() */
};

/* Sets the result of a measurement. at_least_s 0: even the shortest silence was
 * too long, and the interval stays unknown. */
void mapping_learn(struct mapping *m, uint32_t at_least_s, uint32_t at_most_s,
    uint64_t now_us);

/* Discards the measurement, after a change of network or a sleep. */
void mapping_void(struct mapping *m);

/*
 * Counts a change of the address at which one node sees one socket of ours.
 * kept: only the port has changed although the mapping was kept alive, so the
 * interval was too long. keep_s is halved then; the second time, the
 * measurement is discarded.
 */
void mapping_changed(struct mapping *m, bool kept, uint64_t now_us);

/* Returns the keep-alive interval in microseconds: otherwise_s while it is not
 * known, at most max_s. */
uint64_t mapping_keep_us(
    const struct mapping *m, uint32_t otherwise_s, uint32_t max_s);

/* Returns true once after keep_s has changed. */
bool mapping_repaced(struct mapping *m);

#endif
