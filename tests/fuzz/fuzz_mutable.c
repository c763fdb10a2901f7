/* SPDX-License-Identifier: ISC */
/* Decodes mutable values, with the key (as put) and without (as served). */
#include "base/world.h"
#include "fuzz.h"
#include "records/record.h"

static void
compare(const struct mutable_value *a, const struct mutable_value *b)
{
	MUST(a->seq == b->seq && a->value.len == b->value.len);
	MUST(a->value.len == 0 ||
	     memcmp(a->value.p, b->value.p, a->value.len) == 0);
	MUST(memcmp(a->signature, b->signature, SIGNATURE_LEN) == 0);
}

static void
try_put(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct mutable_value m, again;
	size_t len;

	if (mutable_put_decode(&m, data, size) != 0)
		return;
	len = mutable_put_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(mutable_put_decode(&again, buf, len) == 0);
	compare(&m, &again);
	MUST(mutable_verify(&m, m.key) == mutable_verify(&again, m.key));
}

static void
try_value(const uint8_t *data, size_t size)
{
	uint8_t buf[DGRAM_MAX];
	struct mutable_value m, again;
	size_t len;

	if (mutable_value_decode(&m, data, size) != 0)
		return;
	len = mutable_value_encode(&m, buf, sizeof buf);
	MUST(len > 0 && len <= size);
	MUST(mutable_value_decode(&again, buf, len) == 0);
	compare(&m, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= DGRAM_MAX) {
		try_put(data, size);
		try_value(data, size);
	}
	return 0;
}
