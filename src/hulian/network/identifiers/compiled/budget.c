#include "budget.h"

#include <stdlib.h>

static const uint8_t V4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

/* One IPv4 address, or one IPv6 /64: a host has a whole /64 to ask from. */
static void network_of(uint8_t *network, const uint8_t *address) {
    memcpy(network, address, 16);
    if (memcmp(address, V4, sizeof V4) != 0)
        memset(network + 8, 0, 8);
}

static int is_exempt(const struct budget *budget, const uint8_t *address) {
    for (uint32_t number = 0; number < budget->exempt_count; number++) {
        const uint8_t *network = budget->exempt[number];
        uint32_t bits = network[16], whole = bits / 8, rest = bits % 8;
        if (memcmp(network, address, whole) == 0 && (!rest || ((network[whole] ^ address[whole]) >> (8 - rest)) == 0))
            return 1;
    }
    return 0;
}

static uint32_t *place_of(struct budget *budget, const uint8_t *network) {
    return &budget->table[hash_of(&budget->key, network, 16) % SOURCES];
}

static void unlink_source(struct budget *budget, uint32_t number) {
    struct source *source = &budget->sources[number];
    *(source->older ? &budget->sources[source->older].newer : &budget->oldest) = source->newer;
    *(source->newer ? &budget->sources[source->newer].older : &budget->newest) = source->older;
}

static void link_newest(struct budget *budget, uint32_t number) {
    struct source *source = &budget->sources[number];
    source->older = budget->newest;
    source->newer = 0;
    *(budget->newest ? &budget->sources[budget->newest].newer : &budget->oldest) = number;
    budget->newest = number;
}

static uint32_t find(struct budget *budget, const uint8_t *network) {
    uint32_t number = *place_of(budget, network);
    while (number && memcmp(budget->sources[number].network, network, 16) != 0)
        number = budget->sources[number].next;
    return number;
}

/* A full bucket; where all are in use, that of the source that was not heard of for longest. */
static uint32_t remember(struct budget *budget, const uint8_t *network, double now) {
    uint32_t number = budget->count < SOURCES ? ++budget->count : budget->oldest;
    struct source *source = &budget->sources[number];
    if (budget->newest && number == budget->oldest) {
        uint32_t *place = place_of(budget, source->network);
        while (*place != number)
            place = &budget->sources[*place].next;
        *place = source->next;
        unlink_source(budget, number);
    }
    uint32_t *place = place_of(budget, network);
    memcpy(source->network, network, 16);
    source->left = budget->rate;
    source->heard = now;
    source->next = *place;
    *place = number;
    link_newest(budget, number);
    return number;
}

static double refilled(const struct budget *budget, const struct source *source, double now) {
    double since = now > source->heard ? now - source->heard : 0, left = source->left + since * budget->rate;
    return left < budget->rate ? left : budget->rate;
}

int budget_allows(struct budget *budget, const uint8_t *address, double size, double now) {
    uint8_t network[16];
    if (is_exempt(budget, address))
        return 1;
    network_of(network, address);
    uint32_t number = find(budget, network);
    if (number) {
        unlink_source(budget, number);
        link_newest(budget, number);
    } else {
        number = remember(budget, network, now);
    }
    struct source *source = &budget->sources[number];
    double left = refilled(budget, source, now);
    int allowed = size <= left;
    source->left = allowed ? left - size : left;
    source->heard = now;
    return allowed;
}

int budget_spent(struct budget *budget, const uint8_t *address, double size, double now) {
    uint8_t network[16];
    if (is_exempt(budget, address))
        return 0;
    network_of(network, address);
    uint32_t number = find(budget, network);
    return number ? refilled(budget, &budget->sources[number], now) < size : budget->rate < size;
}

struct budget *hulian_budget_new(double rate, const uint8_t *exempt, uint32_t exempt_count) {
    struct budget *budget = calloc(1, sizeof *budget);
    if (!budget)
        return NULL;
    budget->rate = rate;
    budget->exempt_count = exempt_count;
    budget->exempt = calloc(exempt_count + 1, 17);
    budget->sources = calloc(SOURCES + 1, sizeof *budget->sources);
    budget->table = calloc(SOURCES, sizeof *budget->table);
    if (!budget->exempt || !budget->sources || !budget->table || draw_key(&budget->key)) {
        hulian_budget_free(budget);
        return NULL;
    }
    if (exempt_count)
        memcpy(budget->exempt, exempt, (size_t)exempt_count * 17);
    pthread_mutex_init(&budget->lock, NULL);
    return budget;
}

void hulian_budget_free(struct budget *budget) {
    free(budget->exempt);
    free(budget->sources);
    free(budget->table);
    free(budget);
}

int hulian_budget_allows(struct budget *budget, const uint8_t *address, double size, double now) {
    pthread_mutex_lock(&budget->lock);
    int allowed = budget_allows(budget, address, size, now);
    pthread_mutex_unlock(&budget->lock);
    return allowed;
}
