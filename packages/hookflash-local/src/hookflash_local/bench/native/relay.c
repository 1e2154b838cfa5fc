/* The reference: a bare relay between Twilio media sockets and a Realtime model. One thread.
 *
 *     carrier --media--> relay --input_audio_buffer.append--> model
 *     carrier <--media-- relay <--response.output_audio.delta-- model
 *
 * It shows the least cost of the same work: no signature, token, playout ledger, mark, journal,
 * record, metric or log. It searches messages for the few texts that matter and copies a payload
 * once, from the incoming to the outgoing message. It answers `speech_started` with `clear`, so that
 * barge-in can be compared. It does not cancel the response and truncates nothing.
 *
 *     relay CARRIER_PORT MODEL_PORT [tls]     port 0 takes a free one; prints `listening PORT`
 */
#include "wire.h"

enum { CARRIER, MODEL };

struct call {
    struct peer *carrier, *model;
    bool ready; /* the model accepts audio */
    char stream[64];
    char media[160]; /* the beginning of a `media` message to the carrier */
    size_t media_size;
};

static int model_port;
static bool model_tls;
static char room[14 + READ_BYTES];

/* Return the text after `"name":"` and its size, or NULL. */
static char *text_of(char *in, size_t size, const char *name, size_t name_size, size_t *found) {
    char *at = memmem(in, size, name, name_size), *end;
    if (!at) return NULL;
    at += name_size;
    end = memchr(at, '"', size - (size_t)(at - in));
    if (!end) return NULL;
    *found = (size_t)(end - at);
    return at;
}
#define TEXT_OF(in, size, name, found) \
    text_of(in, size, "\"" name "\":\"", sizeof("\"" name "\":\"") - 1, found)

static void pass_on(struct peer *to, const char *head, size_t head_size, const char *payload,
                    size_t size, const char *tail, size_t tail_size) {
    char *at = room + 14;
    if (head_size + size + tail_size > LARGEST) return;
    memcpy(at, head, head_size);
    memcpy(at + head_size, payload, size);
    memcpy(at + head_size + size, tail, tail_size);
    peer_send_in_place(to, TEXT, at, head_size + size + tail_size);
}

static void on_carrier(struct call *call, char *text, size_t size) {
    static const char HEAD[] = "{\"type\":\"input_audio_buffer.append\",\"audio\":\"";
    size_t found;
    char *at = TEXT_OF(text, size < 64 ? size : 64, "event", &found);
    if (!at) return;
    if (found == 5 && !memcmp(at, "media", 5)) {
        if (!call->ready) return;
        at = TEXT_OF(text, size, "payload", &found);
        if (at) pass_on(call->model, HEAD, sizeof HEAD - 1, at, found, "\"}", 2);
    } else if (found == 5 && !memcmp(at, "start", 5) && !call->model) {
        at = TEXT_OF(text, size, "streamSid", &found);
        if (!at || found >= sizeof call->stream) return;
        memcpy(call->stream, at, found);
        call->media_size = (size_t)snprintf(
            call->media, sizeof call->media,
            "{\"event\":\"media\",\"streamSid\":\"%s\",\"media\":{\"payload\":\"", call->stream);
        call->model = peer_new(connect_to(model_port), true, MODEL, call);
        if (model_tls) call->model->tls = tls_new(call->model->fd, true);
        peer_ask_upgrade(call->model, "/v1/realtime?model=reference",
                         "Authorization: Bearer none\r\n");
    } else if (found == 4 && !memcmp(at, "stop", 4)) {
        peer_close(call->carrier, "stop");
    }
}

static void on_model(struct call *call, char *text, size_t size) {
    size_t found;
    char *at = TEXT_OF(text, size < 96 ? size : 96, "type", &found);
    if (!at || !call->carrier) return;
#define IS(name) (found == sizeof name - 1 && !memcmp(at, name, found))
    if (IS("response.output_audio.delta")) {
        at = TEXT_OF(text, size, "delta", &found);
        if (at) pass_on(call->carrier, call->media, call->media_size, at, found, "\"}}", 3);
    } else if (IS("input_audio_buffer.speech_started")) {
        char clear[128];
        int n = snprintf(clear, sizeof clear, "{\"event\":\"clear\",\"streamSid\":\"%s\"}",
                         call->stream);
        peer_send(call->carrier, TEXT, clear, (size_t)n);
    } else if (IS("session.updated")) {
        call->ready = true;
        peer_say(call->model, "{\"type\":\"response.create\",\"response\":{}}");
    }
#undef IS
}

static void on_open(struct peer *p) {
    if (p->role == MODEL) {
        peer_say(p, "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"audio\":{"
                    "\"input\":{\"format\":{\"type\":\"audio/pcmu\"}},"
                    "\"output\":{\"format\":{\"type\":\"audio/pcmu\"}}}}}");
    }
}

static void on_message(struct peer *p, char *text, size_t size) {
    if (p->role == CARRIER) on_carrier(p->owner, text, size);
    else on_model(p->owner, text, size);
}

static void on_gone(struct peer *p, const char *why) {
    struct call *call = p->owner;
    (void)why;
    struct peer *other = p->role == CARRIER ? call->model : call->carrier;
    call->ready = false;
    if (p->role == CARRIER) call->carrier = NULL;
    else call->model = NULL;
    /* Closing the other end calls this again, and finds this end gone. */
    if (other) peer_close(other, "the other end is gone");
    else free(call);
}

int main(int count, char **words) {
    struct epoll_event events[256];
    int port, listener, fd;
    if (count < 3) {
        fprintf(stderr, "usage: relay CARRIER_PORT MODEL_PORT [tls]\n");
        return 2;
    }
    port = atoi(words[1]);
    model_port = atoi(words[2]);
    model_tls = count > 3 && !strcmp(words[3], "tls");
    if (model_tls) tls_start(NULL, NULL);
    loop_start();
    listener = listen_on(&port);
    loop_watch(listener, &listener);
    printf("listening %d\n", port);
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, -1);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != &listener) {
                loop_serve(events[i].data.ptr, events[i].events);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                struct call *call = calloc(1, sizeof *call);
                if (!call) die("calloc");
                call->carrier = peer_new(fd, false, CARRIER, call);
            }
        }
        loop_release();
    }
}
