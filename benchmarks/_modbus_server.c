/* A Modbus TCP device as fast as C makes it: what the benchmarks of our client ask, so that they measure the client.
 *
 *     modbus_server [DELAY_US [SILENT_FROM]]
 *
 * Listens on a free port of 127.0.0.1, prints it, and serves any number of connections from one thread until its standard
 * input ends. Functions 3 and 4 answer registers that hold their own offset; anything else is refused. All answers to what
 * one read() brought leave together; with DELAY_US each of them leaves that much later. Units from SILENT_FROM on are
 * never answered.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 8192, INPUT = 16384, OUTPUT = 131072, WAITING = 65536 };

struct connection {
    int used;
    uint32_t life;
    size_t filled;
    uint8_t input[INPUT];
};

struct answer {
    int64_t due;
    int descriptor;
    uint32_t life;
    size_t length;
    uint8_t bytes[264];
};

static struct connection *connections;
static struct answer *waiting; /* a ring: the delay is the same for all, so they leave in the order they came */
static size_t first, count;
static uint8_t output[OUTPUT];
static long delay_us;
static int silent_from = 256;
static int timer = -1;

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void drop(int descriptor) {
    connections[descriptor].used = 0;
    close(descriptor);
}

static void send_all(int descriptor, const uint8_t *bytes, size_t length) {
    while (length) {
        ssize_t sent = send(descriptor, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            usleep(50);
        } else {
            return;
        }
    }
}

static size_t respond(const uint8_t *request, size_t length, uint8_t *answer) {
    unsigned function = request[7], offset = 0, registers = 0, size;
    memcpy(answer, request, 8);
    if (length >= 12) {
        offset = (unsigned)(request[8] << 8 | request[9]);
        registers = (unsigned)(request[10] << 8 | request[11]);
    }
    if ((function != 3 && function != 4) || registers < 1 || registers > 125 || offset + registers > 65536) {
        answer[7] = (uint8_t)(function | 0x80);
        answer[8] = function == 3 || function == 4 ? 3 : 1;
        answer[4] = 0;
        answer[5] = 3;
        return 9;
    }
    size = 2 * registers;
    answer[4] = (uint8_t)((size + 3) >> 8);
    answer[5] = (uint8_t)(size + 3);
    answer[8] = (uint8_t)size;
    for (unsigned at = 0; at < registers; at++) {
        answer[9 + 2 * at] = (uint8_t)((offset + at) >> 8);
        answer[10 + 2 * at] = (uint8_t)(offset + at);
    }
    return 9 + size;
}

static void arm(void) {
    struct itimerspec when = {{0, 0}, {0, 0}};
    int64_t due = waiting[first].due;
    when.it_value.tv_sec = due / 1000000;
    when.it_value.tv_nsec = due % 1000000 * 1000;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void leave(void) {
    uint64_t ticks;
    int64_t now = now_us();
    if (read(timer, &ticks, sizeof ticks) < 0) return;
    while (count && waiting[first].due <= now) {
        struct answer *answer = &waiting[first];
        if (connections[answer->descriptor].used && connections[answer->descriptor].life == answer->life)
            send_all(answer->descriptor, answer->bytes, answer->length);
        first = (first + 1) % WAITING;
        count--;
    }
    if (count) arm();
}

static void receive(int descriptor) {
    struct connection *from = &connections[descriptor];
    ssize_t got = read(descriptor, from->input + from->filled, INPUT - from->filled);
    size_t start = 0, out = 0;
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) drop(descriptor);
        return;
    }
    from->filled += (size_t)got;
    while (from->filled - start >= 8) {
        const uint8_t *request = from->input + start;
        size_t length = 6 + (size_t)(request[4] << 8 | request[5]);
        if (length < 8 || length > 260) {
            drop(descriptor);
            return;
        }
        if (from->filled - start < length) break;
        start += length;
        if (request[6] >= silent_from) continue;
        if (delay_us) {
            struct answer *answer = &waiting[(first + count) % WAITING];
            if (count == WAITING) continue;
            answer->due = now_us() + delay_us;
            answer->descriptor = descriptor;
            answer->life = from->life;
            answer->length = respond(request, length, answer->bytes);
            if (!count++) arm();
        } else {
            if (out + 264 > OUTPUT) {
                send_all(descriptor, output, out);
                out = 0;
            }
            out += respond(request, length, output + out);
        }
    }
    if (out) send_all(descriptor, output, out);
    from->filled -= start;
    memmove(from->input, from->input + start, from->filled);
}

static void accept_all(int listener, int poll) {
    static uint32_t lives;
    int descriptor;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        int on = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
        if (descriptor >= CONNECTIONS) {
            close(descriptor);
            continue;
        }
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[descriptor].used = 1;
        connections[descriptor].filled = 0;
        connections[descriptor].life = ++lives;
        epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct epoll_event events[256], event = {.events = EPOLLIN};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0), on = 1;
    if (argc > 1) delay_us = atol(argv[1]);
    if (argc > 2) silent_from = atoi(argv[2]);
    connections = calloc(CONNECTIONS, sizeof *connections);
    waiting = calloc(WAITING, sizeof *waiting);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!connections || !waiting || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("modbus_server");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int fixed = 0; fixed < 3; fixed++) {
        event.data.fd = fixed == 0 ? listener : fixed == 1 ? timer : 0;
        epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
    }
    for (;;) {
        int ready = epoll_wait(poll, events, 256, -1);
        for (int at = 0; at < ready; at++) {
            int descriptor = events[at].data.fd;
            char byte;
            if (descriptor == listener) accept_all(listener, poll);
            else if (descriptor == timer) leave();
            else if (descriptor == 0) { if (read(0, &byte, 1) <= 0) return 0; }
            else receive(descriptor);
        }
    }
}
