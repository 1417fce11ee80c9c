/* recvmmsg, look up, patch, sendmmsg: a batch at a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

enum {
    BATCH = 64,
    NEAR = 1024,        /* of each datagram stand together, so that a batch stays in the cache */
    FAR = 65536 - NEAR, /* what is longer goes on elsewhere: it is not plain, but must reach the chain whole */
    SMALLEST_ANSWER = 48,
    LONGEST_MESSAGE = 262144
};

struct batch {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec pieces[BATCH][2], answers[BATCH];
    struct sockaddr_storage sources[BATCH];
    uint8_t near[BATCH][NEAR], answer[BATCH][DATAGRAM];
    uint8_t far[BATCH][FAR];
};

static double monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void prepare(struct batch *batch) {
    for (int number = 0; number < BATCH; number++) {
        batch->pieces[number][0] = (struct iovec){batch->near[number], NEAR};
        batch->pieces[number][1] = (struct iovec){batch->far[number], FAR};
        batch->in[number].msg_hdr.msg_iov = batch->pieces[number];
        batch->in[number].msg_hdr.msg_iovlen = 2;
        batch->in[number].msg_hdr.msg_name = &batch->sources[number];
        batch->out[number].msg_hdr.msg_iov = &batch->answers[number];
        batch->out[number].msg_hdr.msg_iovlen = 1;
    }
}

/* Whether it begins as messages do (`wire/frame.py`, read_envelope): what does not costs the chain nothing. */
static int has_envelope(const uint8_t *data, unsigned size) {
    return size >= 20 && (data[0] == 3 || (data[0] == 2 && data[1])) && get_u32(data + 16) <= LONGEST_MESSAGE;
}

/* Answers what is plain; how many answers there are. What is not goes into the queue, unless its source has drawn its share
 * already: the chain's answer could not be sent either. */
static unsigned answer_batch(struct server *server, struct batch *batch, unsigned came, struct half *counted, int64_t now,
                             double moment) {
    unsigned answers = 0, not_plain[BATCH], left = 0;
    uint64_t refused = 0, broken = 0;
    plain_hold(&server->plain);
    pthread_mutex_lock(&server->budget->lock);
    for (unsigned number = 0; number < came; number++) {
        unsigned size = batch->in[number].msg_len;
        uint8_t *out = batch->answer[answers];
        struct handed head;
        describe(&head, &batch->sources[number]);
        size_t made = size <= NEAR ? plain_answer(&server->plain, batch->near[number], size, out, DATAGRAM, now) : 0;
        if (made && budget_allows(server->budget, head.address, (double)made, moment)) {
            batch->answers[answers] = (struct iovec){out, made};
            batch->out[answers].msg_hdr.msg_name = &batch->sources[number];
            batch->out[answers].msg_hdr.msg_namelen = batch->in[number].msg_hdr.msg_namelen;
            answers++;
            if (counted) {
                tally_code(counted, get_u32(out + 24), 1);
                tally_source(server->of_datagrams, counted, head.address, 1);
            }
        } else if (!made && !has_envelope(batch->near[number], size)) {
            broken++;
        } else if (made || budget_spent(server->budget, head.address, SMALLEST_ANSWER, moment)) {
            refused++;
        } else {
            not_plain[left++] = number;
        }
    }
    pthread_mutex_unlock(&server->budget->lock);
    plain_release(&server->plain);
    for (unsigned number = 0; number < left; number++) {
        unsigned which = not_plain[number], size = batch->in[which].msg_len, near = size < NEAR ? size : NEAR;
        struct handed head;
        describe(&head, &batch->sources[which]);
        head.kind = A_DATAGRAM;
        hand_on(server, &head, batch->near[which], near, batch->far[which], size - near);
    }
    count(server, RECEIVED, came);
    if (broken)
        count(server, BROKEN, broken);
    if (refused)
        count(server, OVER_BUDGET, refused);
    return answers;
}

/* An answer that the system refuses (a source with port 0, say) is left out; the others go. */
static void send_all(struct server *server, struct batch *batch, unsigned answers) {
    unsigned sent = 0, unsent = 0;
    while (sent + unsent < answers) {
        int went = sendmmsg(server->datagrams, batch->out + sent + unsent, answers - sent - unsent, 0);
        if (went > 0)
            sent += (unsigned)went;
        else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            break; /* the way out is full: what does not fit is dropped, as a network does */
        else if (errno != EINTR)
            unsent++;
    }
    count(server, ANSWERED, sent);
    if (sent < answers)
        count(server, UNSENT, answers - sent);
}

/* Each of its questions took as long as the batch: from when it was read until the last answer was sent. */
static void serve_batch(struct server *server, struct batch *batch, unsigned came) {
    struct tally *tally = server->of_datagrams;
    struct half *counted = tally ? tally_enter(tally) : NULL;
    int64_t now = plain_now();
    double moment = monotonic();
    unsigned answers = answer_batch(server, batch, came, counted, now, moment);
    if (answers)
        send_all(server, batch, answers);
    if (counted) {
        if (answers)
            tally_took(counted, answers, (uint64_t)now, (uint64_t)((monotonic() - moment) * 1e9));
        tally_leave(tally);
    }
}

int hulian_serve_datagrams(struct server *server) {
    struct batch *batch = calloc(1, sizeof *batch);
    struct pollfd watched[2] = {{server->datagrams, POLLIN, 0}, {server->stop, POLLIN, 0}};
    int result = 0;
    if (!batch)
        return ENOMEM;
    prepare(batch);
    while (!is_stopping(server)) {
        for (int number = 0; number < BATCH; number++)
            batch->in[number].msg_hdr.msg_namelen = sizeof batch->sources[number];
        int came = recvmmsg(server->datagrams, batch->in, BATCH, MSG_DONTWAIT, NULL);
        if (came > 0) {
            serve_batch(server, batch, (unsigned)came);
        } else if (came < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (poll(watched, 2, -1) < 0 && errno != EINTR) {
                result = errno;
                break;
            }
        } else if (came < 0 && errno != EINTR && errno != ECONNREFUSED && errno != ENOBUFS && errno != ENOMEM) {
            result = errno;
            break;
        }
    }
    free(batch);
    return result;
}
