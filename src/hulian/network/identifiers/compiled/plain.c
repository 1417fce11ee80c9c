#define _GNU_SOURCE
#include "plain.h"

#include <time.h>

enum {
    BODY = 44,
    SMALLEST = 60, /* an empty handle and two empty lists */
    RESOLVE = 1,
    SUCCESS = 1,
    NOT_FOUND = 100,
    VALUES_NOT_FOUND = 200,
    DEEPEST = 10,
    MOST_VALUES = 2048,
    SMALLEST_VALUE = 26,
    PUBLIC_READ = 2,
    LIFE = 12 * 3600
};

static const uint32_t AT = 0x80000000u, REC = 0x10000000u, KC = 0x02000000u, PO = 0x01000000u, DO_NOT_REFER = 0x00100000u;
static const uint8_t ZERO_NA[] = {'0', '.', 'N', 'A', '/'};

struct question {
    uint32_t flags, handle_size, rest_size;
    const uint8_t *handle, *rest; /* the text, and behind it the lists of indexes and types */
};

/* Whether `data` is one whole resolution request that asks for nothing but public values: not encrypted, compressed, cut or
 * continued, of no session, without credential, not to be signed or proved by a digest, and passed on seldom enough. */
static int read_question(const uint8_t *data, size_t size, struct question *question) {
    if (size < SMALLEST || size > 1u << 18)
        return 0;
    if (!(data[0] == 3 || (data[0] == 2 && data[1])) || data[2] & 0xE0)
        return 0;
    if (get_u32(data + 4) || get_u32(data + 12) || get_u32(data + 16) != size - 20)
        return 0;
    if (get_u32(data + 20) != RESOLVE || get_u32(data + 24) || data[34] > DEEPEST)
        return 0;
    question->flags = get_u32(data + 28);
    if (!(question->flags & PO) || question->flags & ~(AT | REC | KC | PO | DO_NOT_REFER))
        return 0;
    if (get_u32(data + 40) != size - 48 || get_u32(data + size - 4))
        return 0;
    question->handle_size = get_u32(data + BODY);
    if (question->handle_size > LONGEST_HANDLE || question->handle_size > size - SMALLEST)
        return 0;
    question->handle = data + BODY + 4;
    question->rest = question->handle + question->handle_size;
    question->rest_size = (uint32_t)(size - SMALLEST - question->handle_size + 8);
    return 1;
}

/* ASCII letters in upper case, every other byte as it is; whether all bytes are ASCII. */
static int to_upper(uint8_t *to, const uint8_t *from, uint32_t size) {
    uint8_t all = 0;
    for (uint32_t at = 0; at < size; at++) {
        uint8_t byte = from[at];
        all |= byte;
        to[at] = (uint8_t)(byte - 'a') < 26 ? (uint8_t)(byte - 32) : byte;
    }
    return !(all & 0x80);
}

/* The prefix in upper case and the suffix as it is; of the handle of a prefix (0.NA/...) everything in upper case. */
static void fold_prefix(uint8_t *to, const uint8_t *from, uint32_t size) {
    uint32_t prefix = 0;
    while (prefix < size && from[prefix] != '/')
        prefix++;
    (void)to_upper(to, from, prefix);
    if (prefix == 4 && !memcmp(to, "0.NA", 4))
        (void)to_upper(to + prefix, from + prefix, size - prefix);
    else
        memcpy(to + prefix, from + prefix, size - prefix);
}

/* Envelope and header of the answer to `data`; the body, of `body` bytes, and an empty credential are the caller's. */
static void write_head(uint8_t *out, const uint8_t *data, uint32_t flags, uint32_t code, uint32_t body, int64_t now) {
    uint8_t major = data[2] & 31, minor = data[3]; /* the version that the request suggests, else the one it has */
    if (!major) {
        major = data[0];
        minor = data[1];
    }
    if (major >= 3) {
        major = 3;
        minor = 0;
    } else if (major == 2 && minor > 11) {
        minor = 11;
    }
    out[0] = major;
    out[1] = minor;
    out[2] = 2; /* we suggest 2.11 */
    out[3] = 11;
    memset(out + 4, 0, 4);
    memcpy(out + 8, data + 8, 4); /* the request id */
    memset(out + 12, 0, 4);
    put_u32(out + 16, 24 + body + 4);
    put_u32(out + 20, RESOLVE);
    put_u32(out + 24, code);
    put_u32(out + 28, flags);
    out[32] = out[33] = 0xFF; /* no serial of a site */
    out[34] = data[34];
    out[35] = 0;
    put_u32(out + 36, (uint32_t)(now / 1000 + LIFE));
    put_u32(out + 40, body);
    memset(out + BODY + body, 0, 4);
}

static size_t write_failure(uint8_t *out, size_t room, const uint8_t *data, uint32_t flags, uint32_t code, int64_t now) {
    if (room < BODY + 8)
        return 0;
    write_head(out, data, flags, code, 4, now);
    memset(out + BODY, 0, 4); /* an empty text */
    return BODY + 8;
}

/* -- records --------------------------------------------------------------------------------------------------------- */

/* Behind the counted bytes that begin at `at`; 0 where they end behind `stop`. */
static inline size_t past(const uint8_t *data, size_t at, size_t stop) {
    if (stop - at < 4)
        return 0;
    uint32_t size = get_u32(data + at);
    return size <= stop - at - 4 ? at + 4 + size : 0;
}

/* Behind the value that begins at `at`; 0 where it is broken. */
static size_t past_value(const uint8_t *data, size_t at, size_t stop) {
    if (stop - at < SMALLEST_VALUE || !(at = past(data, at + 14, stop)) || !(at = past(data, at, stop)) || stop - at < 4)
        return 0;
    uint32_t references = get_u32(data + at);
    at += 4;
    if (references > MOST_VALUES || references * 8 > stop - at)
        return 0;
    for (; references; references--) {
        if (!(at = past(data, at, stop)) || stop - at < 4)
            return 0;
        at += 4;
    }
    return at;
}

/* Copies the public ones of the counted `values`; how many bytes, or 0 where they do not fit or are broken. */
static size_t copy_public(const uint8_t *values, size_t size, uint8_t *out, size_t room, uint32_t *all, uint32_t *shown) {
    if (size < 4)
        return 0;
    uint32_t count = get_u32(values), open = 0;
    size_t at = 4, filled = 4;
    if (count > MOST_VALUES || (size_t)count * SMALLEST_VALUE > size - 4)
        return 0;
    for (uint32_t number = 0; number < count; number++) {
        size_t end = past_value(values, at, size);
        if (!end)
            return 0;
        if (values[at + 13] & PUBLIC_READ) {
            if (end - at > room - filled)
                return 0;
            memcpy(out + filled, values + at, end - at);
            filled += end - at;
            open++;
        }
        at = end;
    }
    if (open == count && at != size) /* the chain gives such a record as it is */
        return 0;
    put_u32(out, open);
    *all = count;
    *shown = open;
    return filled;
}

/* What `Answer` says; also what stands behind `Refer`, which has nothing to say about what is found, nor about what is no
 * prefix. A question for some values only, and whatever the chain has words for, is left to it. */
static size_t from_records(const struct plain *plain, const struct question *question, const uint8_t *data, uint8_t *out,
                           size_t room, int64_t now) {
    uint8_t spelt[sizeof ZERO_NA + LONGEST_HANDLE];
    uint8_t *key = spelt + sizeof ZERO_NA;
    uint32_t key_size = question->handle_size, values_size = 0, all = 0, shown = 0;
    if (question->rest_size != 8 || get_u32(question->rest) || get_u32(question->rest + 4))
        return 0;
    int ascii = to_upper(key, question->handle, key_size);
    const uint8_t *slash = memchr(key, '/', key_size);
    memcpy(spelt, ZERO_NA, sizeof ZERO_NA);
    if (!slash) {
        key = spelt;
        key_size += sizeof ZERO_NA;
    }
    uint32_t flags = (question->flags & (REC | PO | DO_NOT_REFER)) | AT;
    const uint8_t *values = index_find(plain->records, key, key_size, &values_size);
    if (!values) {
        if (!ascii || !slash || (key_size >= sizeof ZERO_NA && memcmp(key, ZERO_NA, sizeof ZERO_NA) == 0) ||
            !index_find(plain->homes, spelt, (uint32_t)(slash - spelt), &values_size))
            return 0;
        return write_failure(out, room, data, flags, NOT_FOUND, now);
    }
    size_t before = (size_t)BODY + 4 + question->handle_size;
    if (room < before + 4 + 4)
        return 0;
    size_t size = copy_public(values, values_size, out + before, room - before - 4, &all, &shown);
    if (!size)
        return 0;
    if (all && !shown)
        return write_failure(out, room, data, flags, VALUES_NOT_FOUND, now);
    put_u32(out + BODY, question->handle_size);
    memcpy(out + BODY + 4, question->handle, question->handle_size);
    write_head(out, data, flags, SUCCESS, (uint32_t)(4 + question->handle_size + size), now);
    return before + size + 4;
}

/* -- what is remembered ---------------------------------------------------------------------------------------------- */

/* What `Cache` says as long as an answer holds. Who wants an authoritative one passes by. */
static size_t from_memory(const struct plain *plain, const struct question *question, const uint8_t *data, uint8_t *out,
                          size_t room, int64_t now) {
    uint8_t key[4 + LONGEST_HANDLE + 1024];
    uint32_t spelt = 4 + question->handle_size, size = 0;
    if (question->flags & AT || spelt + question->rest_size > sizeof key)
        return 0;
    put_u32(key, question->handle_size);
    fold_prefix(key + 4, question->handle, question->handle_size);
    memcpy(key + spelt, question->rest, question->rest_size);
    uint8_t *kept = index_find(plain->records, key, spelt + question->rest_size, &size);
    if (!kept || size < REMEMBERED_HEAD || (int64_t)load64(kept) <= now)
        return 0;
    uint16_t code;
    memcpy(&code, kept + 8, 2);
    uint32_t head = code == SUCCESS ? spelt : 0;
    size -= REMEMBERED_HEAD;
    if (room < (size_t)BODY + head + size + 4)
        return 0;
    /* Several threads may say so at once, and the cache forgets it: a byte that is set late costs nobody anything. */
    __atomic_store_n(kept + 10, 1, __ATOMIC_RELAXED);
    memcpy(out + BODY, question->handle - 4, head);
    memcpy(out + BODY + head, kept + REMEMBERED_HEAD, size);
    write_head(out, data, question->flags & (REC | PO | DO_NOT_REFER), code, head + size, now);
    return BODY + head + size + 4;
}

size_t plain_answer(const struct plain *plain, const uint8_t *data, size_t size, uint8_t *out, size_t room, int64_t now) {
    struct question question;
    if (!read_question(data, size, &question))
        return 0;
    return (plain->kind == AUTHORITATIVE ? from_records : from_memory)(plain, &question, data, out, room, now);
}

void plain_hold(const struct plain *plain) {
    index_read(plain->records);
    if (plain->homes)
        index_read(plain->homes);
}

void plain_release(const struct plain *plain) {
    if (plain->homes)
        index_done(plain->homes);
    index_done(plain->records);
}

int64_t plain_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t hulian_plain_answer(int kind, struct index *records, struct index *homes, const uint8_t *data, uint64_t size,
                            uint8_t *out, uint64_t room) {
    struct plain plain = {(enum plain_kind)kind, records, homes};
    plain_hold(&plain);
    size_t answer = plain_answer(&plain, data, size, out, room, plain_now());
    plain_release(&plain);
    return (int64_t)answer;
}
