/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/pinned.h"

static struct pin *
find_pin(const struct pinned *p, const uint8_t *target)
{
	struct pin *pin;
	uint32_t h;

	if (p->pins == NULL)
		return NULL;
	h = hash_bytes(p->hash_key, target, HASH_LEN);
	HASH_FIND_BYHASHVALUE(hh, p->pins, target, HASH_LEN, h, pin);
	return pin;
}

const struct pin *
pinned_find(const struct pinned *p, const uint8_t *target)
{
	return find_pin(p, target);
}

int
pinned_add(struct pinned *p, const uint8_t key[KEY_LEN], void *owner)
{
	struct pin *pin = calloc(1, sizeof *pin);
	uint32_t h;

	if (pin == NULL)
		return ERR_MEMORY;
	key_target(pin->target, key);
	memcpy(pin->key, key, KEY_LEN);
	pin->owner = owner;
	if (find_pin(p, pin->target) != NULL) {
		free(pin);
		return ERR_EXISTS;
	}
	h = hash_bytes(p->hash_key, pin->target, HASH_LEN);
	HASH_ADD_BYHASHVALUE(hh, p->pins, target, HASH_LEN, h, pin);
	if (pin->hh.tbl == NULL) {
		free(pin);
		return ERR_MEMORY;
	}
	return 0;
}

static void
free_pin(struct pinned *p, struct pin *pin)
{
	HASH_DELETE(hh, p->pins, pin);
	free(pin);
}

void
pinned_del(struct pinned *p, const uint8_t key[KEY_LEN])
{
	uint8_t target[HASH_LEN];
	struct pin *pin;

	key_target(target, key);
	if ((pin = find_pin(p, target)) != NULL)
		free_pin(p, pin);
}

void
pinned_fini(struct pinned *p)
{
	struct pin *pin, *next;

	HASH_ITER (hh, p->pins, pin, next)
		free_pin(p, pin);
}
