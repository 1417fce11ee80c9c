/* Numbers in network order, and a keyed hash. */
#ifndef HULIAN_BYTES_H
#define HULIAN_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_u32(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* In the order of this machine: for what never leaves it. */
static inline uint64_t load64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, 8);
    return value;
}

static inline uint32_t load32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

/* Whoever chooses the names or the addresses must not choose where they collide: the key is drawn anew for every table. */
struct hash_key {
    uint64_t a, b, c;
};

int draw_key(struct hash_key *key);

static inline uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_of(const struct hash_key *key, const uint8_t *at, size_t size) {
    uint64_t state = key->a ^ size, first, last;
    size_t left = size;
    while (left > 16) {
        state = fold(load64(at) ^ key->b, load64(at + 8) ^ state);
        at += 16;
        left -= 16;
    }
    if (left >= 8) {
        first = load64(at);
        last = load64(at + left - 8);
    } else if (left >= 4) {
        first = load32(at);
        last = load32(at + left - 4);
    } else if (left) {
        first = (uint64_t)at[0] << 16 | (uint64_t)at[left / 2] << 8 | at[left - 1];
        last = 0;
    } else {
        first = last = 0;
    }
    state = fold(first ^ key->b, last ^ state);
    return fold(state ^ key->c, size ^ key->b);
}

#endif
