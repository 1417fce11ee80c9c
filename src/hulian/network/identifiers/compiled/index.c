#define _GNU_SOURCE
#include "index.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { SEGMENT = 1 << 20, FIRST_SLOTS = 1024, HEAD = 8, LONGEST = 1 << 30, MOVED_AT_ONCE = 256, KNOWN_AT_ONCE = 64 };

/* An address is the number of a segment and, in 17 bits, where the entry begins in units of 8 bytes. A segment that is
 * longer than SEGMENT holds a single entry, which begins at 0. */
static const uint64_t ADDRESS = ((uint64_t)1 << 40) - 1;

int draw_key(struct hash_key *key) {
    if (getrandom(key, sizeof *key, 0) != (ssize_t)sizeof *key)
        return -1;
    key->b |= 1;
    return 0;
}

static inline uint64_t padded(uint64_t key_size, uint64_t value_size) { return (HEAD + key_size + value_size + 7) & ~(uint64_t)7; }
static inline uint64_t address_of(uint32_t segment, uint32_t at) { return (uint64_t)segment << 17 | at >> 3; }
static inline uint64_t slot_of(uint64_t hash, uint64_t address) { return (hash & ~ADDRESS) | address; }
static inline uint32_t segment_of(uint64_t slot) { return (uint32_t)((slot & ADDRESS) >> 17); }

static inline uint8_t *entry_at(const struct index *index, uint64_t slot) {
    return index->segments[segment_of(slot)].base + ((slot & 0x1FFFF) << 3);
}

/* The place in the table that holds the key, or where it would stand. */
static uint64_t place_of(const struct index *index, uint64_t hash, const uint8_t *key, uint32_t key_size) {
    uint64_t place = hash & index->mask;
    for (;; place = (place + 1) & index->mask) {
        uint64_t slot = index->slots[place];
        if (!slot)
            return place;
        if (((slot ^ hash) & ~ADDRESS) == 0) {
            const uint8_t *entry = entry_at(index, slot);
            if (load32(entry) == key_size && memcmp(entry + HEAD, key, key_size) == 0)
                return place;
        }
    }
}

uint8_t *index_find(const struct index *index, const uint8_t *key, uint32_t key_size, uint32_t *value_size) {
    uint64_t slot = index->slots[place_of(index, hash_of(&index->key, key, key_size), key, key_size)];
    if (!slot)
        return NULL;
    uint8_t *entry = entry_at(index, slot);
    *value_size = load32(entry + 4);
    return entry + HEAD + key_size;
}

/* -- room ------------------------------------------------------------------------------------------------------------ */

static uint32_t new_segment(struct index *index, uint64_t size) {
    uint32_t number = 1;
    while (number < index->segment_count && index->segments[number].base)
        number++;
    if (number == index->segment_count) {
        uint32_t count = index->segment_count * 2;
        if (count > 1u << 23)
            return 0;
        struct segment *more = calloc(count, sizeof *more), *before = index->segments;
        if (!more)
            return 0;
        memcpy(more, before, index->segment_count * sizeof *more);
        pthread_rwlock_wrlock(&index->lock);
        index->segments = more;
        pthread_rwlock_unlock(&index->lock);
        index->segment_count = count;
        free(before);
    }
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return 0;
    index->segments[number] = (struct segment){base, (uint32_t)size, 0, 0};
    index->mapped += size;
    return number;
}

static void release(struct index *index, uint32_t number) {
    struct segment *segment = &index->segments[number];
    munmap(segment->base, segment->size);
    index->mapped -= segment->size;
    index->arena -= segment->used;
    index->dead -= segment->dead;
    *segment = (struct segment){0};
}

/* Writes an entry where no reader finds it yet; its address, 0 where there is no memory. */
static uint64_t append(struct index *index, const uint8_t *key, uint32_t key_size, const uint8_t *value, uint32_t value_size) {
    uint64_t size = padded(key_size, value_size);
    struct segment *tail = &index->segments[index->tail];
    uint32_t number = index->tail;
    if (size > SEGMENT) {
        number = new_segment(index, (size + 4095) & ~(uint64_t)4095);
    } else if (!number || tail->size - tail->used < size) {
        number = new_segment(index, SEGMENT);
        if (number)
            index->tail = number;
    }
    if (!number)
        return 0;
    struct segment *segment = &index->segments[number];
    uint32_t at = segment->used;
    uint8_t *entry = segment->base + at;
    memcpy(entry, &key_size, 4);
    memcpy(entry + 4, &value_size, 4);
    memcpy(entry + HEAD, key, key_size);
    if (value_size)
        memcpy(entry + HEAD + key_size, value, value_size);
    segment->used += (uint32_t)size;
    index->arena += size;
    return address_of(number, at);
}

/* The entry of `slot` is no longer pointed at. A segment without life goes back at once. */
static void bury(struct index *index, uint64_t slot) {
    uint32_t number = segment_of(slot);
    const uint8_t *entry = entry_at(index, slot);
    uint32_t size = (uint32_t)padded(load32(entry), load32(entry + 4));
    struct segment *segment = &index->segments[number];
    segment->dead += size;
    index->dead += size;
    if (segment->dead == segment->used && number != index->tail)
        release(index, number);
}

/* -- table ----------------------------------------------------------------------------------------------------------- */

static int resize(struct index *index, uint64_t slots) {
    uint64_t *made = calloc(slots, sizeof *made), *before = index->slots, mask = slots - 1;
    if (!made)
        return -1;
    for (uint64_t place = 0; place <= index->mask; place++) {
        uint64_t slot = before[place];
        if (!slot)
            continue;
        const uint8_t *entry = entry_at(index, slot);
        uint64_t at = hash_of(&index->key, entry + HEAD, load32(entry)) & mask;
        while (made[at])
            at = (at + 1) & mask;
        made[at] = slot;
    }
    pthread_rwlock_wrlock(&index->lock);
    index->slots = made;
    index->mask = mask;
    pthread_rwlock_unlock(&index->lock);
    free(before);
    return 0;
}

/* Empties a place and moves up what stands behind it, so that every entry is found from where its hash points to. */
static void vacate(struct index *index, uint64_t place) {
    uint64_t next = place;
    for (;;) {
        next = (next + 1) & index->mask;
        uint64_t slot = index->slots[next];
        if (!slot)
            break;
        const uint8_t *entry = entry_at(index, slot);
        uint64_t home = hash_of(&index->key, entry + HEAD, load32(entry)) & index->mask;
        if (((next - home) & index->mask) >= ((next - place) & index->mask)) {
            index->slots[place] = slot;
            place = next;
        }
    }
    index->slots[place] = 0;
}

/* Moves the living entries of a segment to the end of the arena; -1 where there is no memory for that now. */
static int clean(struct index *index, uint32_t number) {
    struct {
        uint64_t place, slot;
    } moved[MOVED_AT_ONCE];
    uint32_t at = 0, count = 0, used = index->segments[number].used;
    while (at < used) {
        const uint8_t *entry = index->segments[number].base + at;
        uint32_t key_size = load32(entry), value_size = load32(entry + 4);
        uint64_t hash = hash_of(&index->key, entry + HEAD, key_size), here = slot_of(hash, address_of(number, at));
        uint64_t place = hash & index->mask;
        while (index->slots[place] && index->slots[place] != here)
            place = (place + 1) & index->mask;
        if (index->slots[place]) {
            uint64_t address = append(index, entry + HEAD, key_size, entry + HEAD + key_size, value_size);
            if (!address)
                used = at; /* what was copied is switched over; the rest stays where it is */
            else {
                moved[count].place = place;
                moved[count++].slot = slot_of(hash, address);
            }
        }
        at += (uint32_t)padded(key_size, value_size);
        if (count && (count == MOVED_AT_ONCE || at >= used)) {
            uint64_t bytes = 0;
            pthread_rwlock_wrlock(&index->lock);
            for (uint32_t one = 0; one < count; one++) {
                const uint8_t *copied = entry_at(index, moved[one].slot);
                bytes += padded(load32(copied), load32(copied + 4));
                index->slots[moved[one].place] = moved[one].slot;
            }
            pthread_rwlock_unlock(&index->lock);
            index->segments[number].dead += (uint32_t)bytes;
            index->dead += bytes;
            count = 0;
        }
    }
    if (index->segments[number].dead != index->segments[number].used)
        return -1;
    release(index, number);
    return 0;
}

/* Keeps dead room below a quarter of the arena; at most two segments a change, so that no change takes long. */
static void tidy(struct index *index) {
    for (int turn = 0; turn < 2 && index->dead > index->arena / 4 + SEGMENT; turn++) {
        uint32_t worst = 0;
        for (uint32_t number = 1; number < index->segment_count; number++)
            if (number != index->tail && index->segments[number].dead > (worst ? index->segments[worst].dead : 0))
                worst = number;
        if (!worst || clean(index, worst))
            return;
    }
    if (index->count * 16 < index->mask && index->mask >= FIRST_SLOTS)
        (void)resize(index, (index->mask + 1) / 4 > FIRST_SLOTS ? (index->mask + 1) / 4 : FIRST_SLOTS);
}

static int put(struct index *index, const uint8_t *key, uint32_t key_size, const uint8_t *value, uint32_t value_size) {
    if (key_size > LONGEST || value_size > LONGEST)
        return -2;
    if ((index->count + 1) * 4 > (index->mask + 1) * 3 && resize(index, (index->mask + 1) * 2))
        return -1;
    uint64_t address = append(index, key, key_size, value, value_size);
    if (!address)
        return -1;
    uint64_t hash = hash_of(&index->key, key, key_size), place = place_of(index, hash, key, key_size);
    uint64_t before = index->slots[place];
    pthread_rwlock_wrlock(&index->lock);
    index->slots[place] = slot_of(hash, address);
    index->count += !before;
    index->version++;
    pthread_rwlock_unlock(&index->lock);
    if (before) {
        bury(index, before);
        tidy(index);
    }
    return 0;
}

/* -- the face -------------------------------------------------------------------------------------------------------- */

struct index *hulian_index_new(void) {
    struct index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    index->slots = calloc(FIRST_SLOTS, sizeof *index->slots);
    index->segments = calloc(8, sizeof *index->segments);
    if (!index->slots || !index->segments || draw_key(&index->key)) {
        free(index->slots);
        free(index->segments);
        free(index);
        return NULL;
    }
    index->mask = FIRST_SLOTS - 1;
    index->segment_count = 8;
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
#ifdef __GLIBC__
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(&index->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&index->writing, NULL);
    return index;
}

void hulian_index_free(struct index *index) {
    for (uint32_t number = 1; number < index->segment_count; number++)
        if (index->segments[number].base)
            munmap(index->segments[number].base, index->segments[number].size);
    free(index->segments);
    free(index->slots);
    pthread_rwlock_destroy(&index->lock);
    pthread_mutex_destroy(&index->writing);
    free(index);
}

int hulian_index_put(struct index *index, const uint8_t *key, uint32_t key_size, const uint8_t *value, uint32_t value_size) {
    pthread_mutex_lock(&index->writing);
    int result = put(index, key, key_size, value, value_size);
    pthread_mutex_unlock(&index->writing);
    return result;
}

uint64_t hulian_index_put_many(struct index *index, const uint8_t *keys, const uint32_t *key_sizes, const uint8_t *values,
                               const uint32_t *value_sizes, uint64_t count) {
    uint64_t done = 0;
    pthread_mutex_lock(&index->writing);
    for (; done < count; done++) {
        if (put(index, keys, key_sizes[done], values, value_sizes[done]))
            break;
        keys += key_sizes[done];
        values += value_sizes[done];
    }
    pthread_mutex_unlock(&index->writing);
    return done;
}

int64_t hulian_index_get(struct index *index, const uint8_t *key, uint32_t key_size, uint8_t *out, uint64_t room) {
    uint32_t size = 0;
    index_read(index);
    const uint8_t *value = index_find(index, key, key_size, &size);
    if (value && size <= room)
        memcpy(out, value, size);
    index_done(index);
    return value ? (int64_t)size : -1;
}

void hulian_index_known(struct index *index, const uint8_t *keys, const uint32_t *key_sizes, uint64_t count, uint8_t *out) {
    uint32_t size;
    for (uint64_t one = 0; one < count; one++) {
        if (one % KNOWN_AT_ONCE == 0)
            index_read(index);
        out[one] = index_find(index, keys, key_sizes[one], &size) != NULL;
        keys += key_sizes[one];
        if (one % KNOWN_AT_ONCE == KNOWN_AT_ONCE - 1 || one == count - 1)
            index_done(index);
    }
}

int hulian_index_delete(struct index *index, const uint8_t *key, uint32_t key_size) {
    pthread_mutex_lock(&index->writing);
    uint64_t place = place_of(index, hash_of(&index->key, key, key_size), key, key_size), before = index->slots[place];
    if (before) {
        pthread_rwlock_wrlock(&index->lock);
        vacate(index, place);
        index->count--;
        index->version++;
        pthread_rwlock_unlock(&index->lock);
        bury(index, before);
        tidy(index);
    }
    pthread_mutex_unlock(&index->writing);
    return before != 0;
}

int hulian_index_exchange(struct index *index, const uint8_t *key, uint32_t key_size, uint32_t at, uint8_t byte) {
    uint32_t size = 0;
    index_read(index);
    uint8_t *value = index_find(index, key, key_size, &size);
    int before = value && at < size ? __atomic_exchange_n(value + at, byte, __ATOMIC_RELAXED) : -1;
    index_done(index);
    return before;
}

uint64_t hulian_index_count(struct index *index) {
    index_read(index);
    uint64_t count = index->count;
    index_done(index);
    return count;
}

uint64_t hulian_index_bytes(struct index *index) {
    pthread_mutex_lock(&index->writing);
    uint64_t bytes = index->mapped + (index->mask + 1) * sizeof *index->slots + index->segment_count * sizeof *index->segments;
    pthread_mutex_unlock(&index->writing);
    return bytes;
}

uint64_t hulian_index_version(struct index *index) {
    index_read(index);
    uint64_t version = index->version;
    index_done(index);
    return version;
}

int64_t hulian_index_items(struct index *index, uint64_t *cursor, uint64_t version, uint8_t *out, uint64_t room) {
    int64_t filled = 0;
    index_read(index);
    if (index->version != version)
        filled = -1;
    for (; filled >= 0 && *cursor <= index->mask; ++*cursor) {
        uint64_t slot = index->slots[*cursor];
        if (!slot)
            continue;
        const uint8_t *entry = entry_at(index, slot);
        uint64_t size = (uint64_t)HEAD + load32(entry) + load32(entry + 4);
        if (size > room - (uint64_t)filled) {
            if (!filled)
                filled = -2;
            break;
        }
        memcpy(out + filled, entry, size);
        filled += (int64_t)size;
    }
    index_done(index);
    return filled;
}
