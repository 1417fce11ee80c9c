#define _GNU_SOURCE
#include "tally.h"

#include <stdlib.h>
#include <time.h>

enum { NUMBERS = TALLY_CODES + 5 + TALLY_SECONDS + 2 };

static const uint8_t V4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static void mask_of(uint8_t *mask, int bits) {
    for (int at = 0; at < 16; at++, bits -= 8)
        mask[at] = bits >= 8 ? 0xFF : bits > 0 ? (uint8_t)(0xFF << (8 - bits)) : 0;
}

struct tally *hulian_tally_new(int bits4, int bits6) {
    struct tally *tally = calloc(1, sizeof *tally);
    if (!tally)
        return NULL;
    tally->keeps_sources = bits4 >= 0 && bits6 >= 0;
    mask_of(tally->mask, bits6);
    mask_of(tally->mask4, 96 + bits4);
    if (draw_key(&tally->key)) {
        free(tally);
        return NULL;
    }
    return tally;
}

void hulian_tally_free(struct tally *tally) { free(tally); }

struct half *tally_enter(struct tally *tally) {
    for (;;) {
        int which = __atomic_load_n(&tally->active, __ATOMIC_RELAXED);
        __atomic_store_n(&tally->within, which + 1, __ATOMIC_SEQ_CST);
        /* Who collects turns first and looks afterwards: if it has turned meanwhile, it may not have seen us. */
        if (__atomic_load_n(&tally->active, __ATOMIC_SEQ_CST) == which)
            return &tally->halves[which];
    }
}

/* The place of `network`, or the empty one where it would be: half of the places are, always. */
static struct tally_source *place_of(struct tally *tally, struct half *half, const uint8_t *network) {
    uint64_t at = hash_of(&tally->key, network, 16);
    for (;; at++) {
        struct tally_source *place = &half->places[at % TALLY_PLACES];
        if (!place->count || memcmp(place->network, network, 16) == 0)
            return place;
    }
}

void tally_source(struct tally *tally, struct half *half, const uint8_t *address, uint64_t count) {
    if (!tally->keeps_sources)
        return;
    uint8_t network[16];
    const uint8_t *mask = memcmp(address, V4, sizeof V4) == 0 ? tally->mask4 : tally->mask;
    for (int at = 0; at < 16; at++)
        network[at] = address[at] & mask[at];
    struct tally_source *place = half->last;
    if (!place || memcmp(place->network, network, 16) != 0) {
        place = place_of(tally, half, network);
        if (!place->count) {
            if (half->sources == TALLY_SOURCES) {
                half->others += count;
                return;
            }
            half->sources++;
            memcpy(place->network, network, 16);
        }
        half->last = place;
    }
    place->count += count;
}

void tally_took(struct half *half, uint64_t count, uint64_t at, uint64_t nanoseconds) {
    uint64_t second = at / 1000 & 0xFFFFFFFFu, *kept = &half->seconds[second % TALLY_SECONDS];
    *kept = (*kept >> 32 == second ? *kept : second << 32) + count;
    half->total += count * nanoseconds;
    if (!half->least_at || nanoseconds < half->least) {
        half->least = nanoseconds;
        half->least_at = at;
    }
    if (!half->most_at || nanoseconds > half->most) {
        half->most = nanoseconds;
        half->most_at = at;
    }
}

void hulian_tally_add(struct tally *tally, const uint8_t *address, uint32_t code, uint64_t count, uint64_t at,
                      uint64_t nanoseconds) {
    struct half *half = tally_enter(tally);
    tally_code(half, code, count);
    tally_source(tally, half, address, count);
    tally_took(half, count, at, nanoseconds);
    tally_leave(tally);
}

uint64_t hulian_tally_take(struct tally *tally, uint8_t *out, uint64_t room) {
    const struct timespec moment = {0, 20000};
    uint64_t numbers[NUMBERS], filled = sizeof numbers;
    if (room < sizeof numbers + TALLY_SOURCES * sizeof(struct tally_source))
        return 0;
    int which = tally->active;
    __atomic_store_n(&tally->active, 1 - which, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&tally->within, __ATOMIC_SEQ_CST) == which + 1)
        nanosleep(&moment, NULL);
    struct half *half = &tally->halves[which];
    memcpy(numbers, half->answers, sizeof half->answers);
    uint64_t *rest = numbers + TALLY_CODES;
    rest[0] = half->total;
    rest[1] = half->least;
    rest[2] = half->most;
    rest[3] = half->least_at;
    rest[4] = half->most_at;
    memcpy(rest + 5, half->seconds, sizeof half->seconds);
    rest[5 + TALLY_SECONDS] = half->others;
    rest[6 + TALLY_SECONDS] = half->sources;
    memcpy(out, numbers, sizeof numbers);
    for (int at = 0; half->sources && at < TALLY_PLACES; at++) {
        if (half->places[at].count) {
            memcpy(out + filled, &half->places[at], sizeof half->places[at]);
            filled += sizeof half->places[at];
        }
    }
    memset(half, 0, half->sources ? sizeof *half : offsetof(struct half, places));
    return filled;
}
