/* The load generator: the carrier side and the model side of many calls, on one clock.
 *
 *     this program, the carrier ---> relay under test ---> this program, the model
 *                               <---                  <---
 *
 * Every caller sends 50 messages of 20 ms per second. There are two loads:
 *
 *     steady     frames leave evenly, spread over the 20 ms so that calls do not bunch; the model
 *                speaks all the time, in pieces of 20 ms, in real time
 *     bursts     frames arrive as a network delays them; the model answers in bursts, faster than
 *                real time, and pauses while the caller talks (load_bursts.h)
 *
 * Marks come back when the audio before them was played, by a playout clock, and all at once after a
 * `clear`. Commands come on standard input, one per line. Events go to standard output, one JSON
 * object per line.
 *
 *     load steady|bursts           which load, before the first call; steady if it is not said
 *     relay PORT                   the port for media sockets
 *     call SID PATH SIGNATURE TOKEN POSTED_NS
 *                                  open one for a voice webhook that was sent at POSTED_NS;
 *                                  SIGNATURE `-` means none
 *     end SID                      the caller hangs up
 *     measure SECONDS              measure; the event `measured` ends it
 *     barge SECONDS                each caller interrupts at this interval; 0 for never
 *     jitter SHARE MS              delay this share of the carrier's messages by 0 to MS
 *     flood SID RATE               send RATE messages per second in this call
 *     stall-carrier SID            stop reading this call's media socket
 *     stall-model SID              stop reading this call's model socket
 *     quit
 *
 *     load MODEL_PORT [CERTIFICATE KEY]    port 0 takes a free one; uses TLS with a certificate
 */
#include "measure.h"
#include <math.h>

enum { CARRIER, MODEL };
enum { FRAME, RELEASE, MARK, DELTA, SPEECH, SPEECH_END, BURST, ANSWER, TALK, TALK_END, MEASURED };

#define KINDS_DUE MEASURED

#define PERIOD 20000000u
#define LATEST 200000000u /* a message this late is skipped: the machine could not keep up */
#define AHEAD 10          /* messages that the model is ahead of playback */
#define WORD_EVERY 12     /* messages per word of the transcript */

static struct {
    int relay_port;
    double jitter_share, jitter_ns;
    uint64_t barge_ns;
    bool bursts, tls;
} set;

struct due {
    uint64_t at;
    uint32_t index;
    uint8_t what;
};

static struct due *heap;
static size_t heap_used, heap_room;

static void heap_add(uint64_t at, int what, uint32_t index) {
    if (heap_used == heap_room) {
        heap_room = heap_room ? heap_room * 2 : 4096;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (!heap) die("realloc");
    }
    size_t i = heap_used++;
    while (i && heap[(i - 1) / 2].at > at) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = (struct due){at, index, (uint8_t)what};
}

static struct due heap_take(void) {
    struct due first = heap[0], last = heap[--heap_used];
    size_t i = 0, child;
    while ((child = i * 2 + 1) < heap_used) {
        if (child + 1 < heap_used && heap[child + 1].at < heap[child].at) child++;
        if (last.at <= heap[child].at) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

/* The next time from `now` on at the phase within the 20 ms that belongs to `index`. */
static uint64_t own_moment(uint64_t now, uint32_t index, double shift) {
    double turn = index * 0.6180339887498949 + shift;
    uint64_t phase = (uint64_t)((turn - (double)(uint64_t)turn) * PERIOD);
    uint64_t at = now - now % PERIOD + phase;
    return at < now ? at + PERIOD : at;
}

/* The random numbers of one call for one purpose: the same in every run, whatever the relay does. */
struct chance {
    uint64_t state;
};

enum { NETWORK, SPEAKING };

static uint64_t scrambled(uint64_t value) { /* the output function of SplitMix64 */
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ value >> 27) * 0x94D049BB133111EBull;
    return value ^ value >> 31;
}

static struct chance chance_of(uint32_t index, int purpose) {
    return (struct chance){scrambled((uint64_t)index << 8 | (uint64_t)purpose)};
}

/* Return a number from `least` to `most`, which it does not reach. */
static double chance_between(struct chance *of, double least, double most) {
    of->state += 0x9E3779B97F4A7C15ull;
    return least + (double)(scrambled(of->state) >> 11) * 0x1p-53 * (most - least);
}

/* The delay of a frame in the network: exponential, so that most are short. One in a thousand is
 * longer than 28 ms; ITU-T Y.1541 allows 50 ms of variation for speech. */
#define NETWORK_MEAN_NS 4e6

static uint64_t network_delay(struct chance *of) {
    return (uint64_t)(-log(1 - chance_between(of, 0, 1)) * NETWORK_MEAN_NS);
}

#include "load_carrier.h"
#include "load_model.h"
#include "load_bursts.h"

/* --- what is due ------------------------------------------------------------------------------ */

static uint64_t measured_from;

static void take_due(struct due due, uint64_t now) {
    switch (due.what) {
    case FRAME: carrier_frame(calls[due.index], due.at, now); break;
    case RELEASE: carrier_release(calls[due.index], now); break;
    case MARK: carrier_marks(calls[due.index], due.at, now); break;
    case DELTA: model_delta(models[due.index], due.at, now); break;
    case SPEECH: model_speech(models[due.index], now); break;
    case SPEECH_END: model_speech_end(models[due.index]); break;
    case BURST:
    case ANSWER:
    case TALK:
    case TALK_END: bursts_due(models[due.index], due.what, due.at, now); break;
    case MEASURED: measure_end((double)(now - measured_from) / 1e9, calls_live()); break;
    }
}

static void on_open(struct peer *p) {
    if (p->role == CARRIER) carrier_open(p->owner);
    else model_open(p->owner);
}

static void on_message(struct peer *p, char *text, size_t size) {
    if (p->role == CARRIER) carrier_message(p->owner, text, size);
    else model_message(p->owner, text, size);
}

static void on_gone(struct peer *p, const char *why) {
    if (p->role == CARRIER) carrier_gone(p->owner, why);
    else ((struct model *)p->owner)->peer = NULL;
}

/* --- commands ----------------------------------------------------------------------------------- */

/* Data sent to it fills the small receive buffer first and then the sender's buffer. */
static void stop_reading(struct peer *p) {
    int little = 4096;
    if (!p) return;
    p->stalled = true;
    setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    peer_watch(p);
}

static void obey(char *line) {
    struct call *call;
    char a[128], path[128], signature[128], token[128];
    unsigned long long number;
    double x, y;
    if (sscanf(line, "call %127s %127s %127s %127s %llu", a, path, signature, token, &number) == 5) {
        carrier_call(a, path, signature, token, number);
    } else if (!strcmp(line, "load steady") || !strcmp(line, "load bursts")) {
        set.bursts = !strcmp(line, "load bursts");
    } else if (sscanf(line, "end %127s", a) == 1) {
        if ((call = calls_find(a))) carrier_hang_up(call);
    } else if (sscanf(line, "measure %lf", &x) == 1) {
        measured_from = now_ns();
        measure_begin();
        heap_add(measured_from + (uint64_t)(x * 1e9), MEASURED, 0);
    } else if (sscanf(line, "barge %lf", &x) == 1) {
        bool begin = !set.barge_ns;
        set.barge_ns = (uint64_t)(x * 1e9);
        for (uint32_t i = 0; begin && i < models_used; i++) model_schedule_speech(models[i]);
    } else if (sscanf(line, "jitter %lf %lf", &x, &y) == 2) {
        set.jitter_share = x;
        set.jitter_ns = y * 1e6;
    } else if (sscanf(line, "relay %d", &set.relay_port) == 1) {
        /* Read where it belongs. */
    } else if (sscanf(line, "flood %127s %lf", a, &x) == 2 && (call = calls_find(a))) {
        call->odd = true;
        call->period = (uint64_t)(1e9 / x);
    } else if (sscanf(line, "stall-carrier %127s", a) == 1 && (call = calls_find(a))) {
        call->odd = true;
        stop_reading(call->peer);
    } else if (sscanf(line, "stall-model %127s", a) == 1 && (call = calls_find(a))) {
        call->odd = true;
        stop_reading(call->model ? call->model->peer : NULL);
    } else if (!strcmp(line, "quit")) {
        exit(0);
    } else {
        fprintf(stderr, "unknown command: %s\n", line);
        exit(2);
    }
}

static void read_orders(void) {
    static char lines[65536];
    static size_t used;
    ssize_t got = read(0, lines + used, sizeof lines - used - 1);
    if (got == 0) exit(0); /* the parent process has ended */
    if (got < 0) return;
    used += (size_t)got;
    lines[used] = 0;
    char *line = lines, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        obey(line);
        line = end + 1;
    }
    used -= (size_t)(line - lines);
    memmove(lines, line, used);
}

int main(int count, char **words) {
    struct epoll_event events[256];
    int port, listener, fd, orders;
    if (count != 2 && count != 4) {
        fprintf(stderr, "usage: load MODEL_PORT [CERTIFICATE KEY]\n");
        return 2;
    }
    port = atoi(words[1]);
    set.tls = count == 4;
    if (set.tls) tls_start(words[2], words[3]);
    sound_start();
    loop_start();
    listener = listen_on(&port);
    loop_watch(listener, &listener);
    loop_watch(0, &orders);
    printf("{\"event\":\"ready\",\"model_port\":%d}\n", port);
    fflush(stdout);
    for (;;) {
        uint64_t now = now_ns();
        while (heap_used && heap[0].at <= now) {
            take_due(heap_take(), now);
            now = now_ns();
        }
        loop_release();
        int n = loop_wait(events, 256, heap_used ? heap[0].at : 0);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            void *source = events[i].data.ptr;
            if (source == &orders) {
                read_orders();
            } else if (source == &listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    model_accept(fd);
                }
            } else {
                loop_serve(source, events[i].events);
            }
        }
    }
}
