/* SPDX-License-Identifier: ISC */
/*
 * mapping.h - how long a mapping of our NAT may be left alone, protocol 04
 * §17.11.
 *
 * The one place that says how often something must leave so that others still
 * get in through the NAT or firewall in front of us. What it is worked out from
 * comes from those who measure (punch/lifetime.h) and from those who notice
 * that a mapping was lost although it was kept alive. Knows no socket and no
 * clock. Uses: base.
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
	 * Where somebody listens for us: nodes of this project take a listener
	 * for gone that is silent for 60 s (pitfall A12), and a peer of a
	 * stream is noticed to be gone by what is sent to it. Two must fit, or
	 * be missed.
	 */
	MAPPING_KEEP_HEARD_S = 25,
};

struct mapping {
	bool known;
	uint32_t at_least_s;  /* a silence that a mapping has outlived, or 0 */
	uint32_t at_most_s;   /* one that it has not; 0: outlived all */
	uint64_t measured_us; /* when */
	uint32_t keep_s;      /* between two datagrams; 0: nothing is known */
	uint32_t losses;     /* of mappings kept alive, since the measurement */
	uint32_t changes;    /* of our outer address or port, since the start */
	uint64_t changed_us; /* the latest */
	bool repaced;        /* keep_s has changed, and nobody was told */
};

/* A measurement's end; at_least_s 0: even the shortest silence was too long,
 * so nothing can be worked out. */
void mapping_learn(struct mapping *m, uint32_t at_least_s, uint32_t at_most_s,
    uint64_t now_us);

/* Another network, or a long sleep: what was measured is void. */
void mapping_void(struct mapping *m);

/*
 * One and the same node sees one and the same socket of ours at another
 * address than before. kept: the host is the same, the port alone is not, and
 * the mapping was kept alive: then it was not done often enough, and keep_s is
 * halved; the second time, all is forgotten.
 */
void mapping_changed(struct mapping *m, bool kept, uint64_t now_us);

/* What to wait between two datagrams: otherwise_s while nothing is known,
 * never more than max_s. */
uint64_t mapping_keep_us(
    const struct mapping *m, uint32_t otherwise_s, uint32_t max_s);

/* True once after keep_s has changed. */
bool mapping_repaced(struct mapping *m);

#endif
