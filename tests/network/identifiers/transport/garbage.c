/* Feeds changed questions, changed records and changes of the index to the sources of the compiled library: for a build with
 * sanitizers. Questions come on standard input, each with its length; how many were answered goes to standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "budget.h"
#include "plain.h"
#include "server.h"

enum { MOST = 256, ROOM = 4096 };

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % below);
}

/* In room of exactly its size, so that one byte too far is found. */
static uint8_t *exact(const uint8_t *data, size_t size) {
    uint8_t *made = malloc(size ? size : 1);
    memcpy(made, data, size);
    return made;
}

static size_t change(uint8_t *data, size_t size) {
    for (uint32_t times = draw(4); times && size; times--) {
        uint32_t at = draw((uint32_t)size);
        switch (draw(4)) {
        case 0: data[at] = (uint8_t)draw(256); break;
        case 1: data[at] ^= (uint8_t)(1u << draw(8)); break;
        case 2: data[at] = draw(2) ? 0xFF : 0; break;
        default:
            if (draw(8) == 0)
                size = at;
        }
    }
    return size;
}

int main(int count, char **arguments) {
    static uint8_t questions[MOST][ROOM];
    static size_t sizes[MOST];
    uint32_t known = 0, size, turns = count > 1 ? (uint32_t)atoi(arguments[1]) : 1000;
    uint64_t answered = 0;
    while (known < MOST && fread(&size, 4, 1, stdin) == 1 && size <= ROOM && fread(questions[known], 1, size, stdin) == size)
        sizes[known++] = size;
    struct index *records = hulian_index_new(), *homes = hulian_index_new(), *memory = hulian_index_new();
    struct budget *budget = hulian_budget_new(65536, (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\0\170", 1);
    if (!records || !homes || !memory || !budget || !known)
        return 2;
    hulian_index_put(homes, (const uint8_t *)"0.NA/88.111.1", 13, NULL, 0);
    for (uint32_t turn = 0; turn < turns; turn++) {
        /* A record under the name of some question: two values, then changed. */
        uint32_t which = draw(known);
        const uint8_t *asked = questions[which];
        uint32_t name = sizes[which] >= 60 ? get_u32(asked + 44) : 0;
        uint8_t key[ROOM + 64], value[ROOM] = {0, 0, 0, 2};
        size_t filled = 4;
        if (name > sizes[which] - 60)
            name = 0;
        for (int number = 0; number < 2; number++) {
            uint32_t data = draw(draw(4) ? 60 : 600);
            value[filled + 13] = (uint8_t)(draw(2) ? 14 : 12);
            filled += 14;
            filled += 4; /* an empty type */
            put_u32(value + filled, data);
            filled += 4 + data;
            filled += 4; /* no references */
        }
        filled = draw(3) ? filled : change(value, filled);
        for (uint32_t at = 0; at < name; at++)
            key[at] = asked[48 + at] >= 'a' && asked[48 + at] <= 'z' ? (uint8_t)(asked[48 + at] - 32) : asked[48 + at];
        uint8_t *own_key = exact(key, name), *own_value = exact(value, filled);
        if (draw(4))
            hulian_index_put(records, own_key, name, own_value, (uint32_t)filled);
        else
            hulian_index_delete(records, own_key, name);
        for (uint32_t more = draw(20); more; more--) {
            uint32_t number = draw(5000);
            if (draw(3))
                hulian_index_put(records, (const uint8_t *)&number, 4, value, draw(ROOM));
            else
                hulian_index_delete(records, (const uint8_t *)&number, 4);
        }
        /* The same remembered: the question's handle and lists, an end far away. */
        uint8_t kept[ROOM + 12] = {0};
        memset(kept, 0x7E, 8);
        kept[8] = (uint8_t)(draw(2) ? 1 : 100);
        memcpy(kept + 12, value, filled);
        if (name) {
            memcpy(key + 4, key, 4); /* the room in front */
            put_u32(key, name);
            for (uint32_t at = 0; at < name; at++)
                key[4 + at] = own_key[at];
            memset(key + 4 + name, 0, 8);
            hulian_index_put(memory, key, 12 + name, kept, (uint32_t)(draw(5) ? filled + 12 : draw(14)));
        }
        free(own_key);
        free(own_value);
        for (int kind = 0; kind < 2; kind++) {
            uint8_t data[ROOM];
            which = draw(known);
            memcpy(data, questions[which], sizes[which]);
            size_t length = draw(2) ? sizes[which] : change(data, sizes[which]);
            uint64_t room = draw(4) ? 512 : draw(512);
            uint8_t *in = exact(data, length), *out = malloc(room ? room : 1);
            answered += hulian_plain_answer(kind, kind ? memory : records, kind ? NULL : homes, in, length, out, room) > 0;
            free(in);
            free(out);
        }
        uint8_t address[16] = {0};
        put_u32(address + 12, draw(100000));
        address[10] = address[11] = draw(2) ? 0xFF : 0;
        put_u32(address, draw(2) ? draw(100000) : 0);
        hulian_budget_allows(budget, address, draw(2000), turn * 0.001);
    }
    hulian_index_free(records);
    hulian_index_free(homes);
    hulian_index_free(memory);
    hulian_budget_free(budget);
    printf("%llu\n", (unsigned long long)answered);
    return 0;
}
