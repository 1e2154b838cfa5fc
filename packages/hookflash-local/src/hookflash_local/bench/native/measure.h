/* The load generator's measurements: samples in milliseconds, and their percentiles as JSON.
 *
 * The first 24 bytes of each audio message hold its sender and send time, by the clock that also
 * stamps its arrival. Calls with an injected fault are counted separately, as `odd`.
 */
#ifndef MEASURE_H
#define MEASURE_H
#include "wire.h"

#define SOUND_BYTES 160
#define SOUND_TEXT 216 /* in base64 */
#define STAMP_TEXT 32  /* the stamp's part */

struct stamp {
    uint32_t magic, from, count, turn;
    uint64_t at; /* 0: not measured */
};

enum { MAGIC = 0x31424648, UP = 0, DOWN = 1, BARGE_IN = 2, LEDGER = 3, KINDS = 4 };

struct samples {
    float *at;
    size_t count, room;
    uint64_t lost;
};

static struct samples taken[2][KINDS], late;
static uint64_t sent[2][KINDS], unreadable, skipped;
static bool measuring;

static int8_t base64_value[256];
static char filler[SOUND_TEXT - STAMP_TEXT];

static void sound_start(void) {
    uint8_t noise[SOUND_BYTES - 24];
    memset(base64_value, -1, sizeof base64_value);
    for (int i = 0; i < 64; i++) base64_value[(uint8_t)BASE64[i]] = (int8_t)i;
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)(i * 37 + 11);
    base64_encode(filler, noise, sizeof noise);
}

/* Write SOUND_TEXT characters. */
static void sound_write(char *to, struct stamp stamp) {
    base64_encode(to, (uint8_t *)&stamp, sizeof stamp);
    memcpy(to + STAMP_TEXT, filler, sizeof filler);
}

static bool sound_read(const char *text, size_t size, struct stamp *stamp) {
    uint8_t raw[24];
    if (size != SOUND_TEXT || memcmp(text + STAMP_TEXT, filler, sizeof filler)) return false;
    for (int i = 0; i < 8; i++) {
        uint32_t v = 0;
        for (int j = 0; j < 4; j++) v = v << 6 | (uint32_t)base64_value[(uint8_t)text[i * 4 + j]];
        raw[i * 3] = (uint8_t)(v >> 16), raw[i * 3 + 1] = (uint8_t)(v >> 8);
        raw[i * 3 + 2] = (uint8_t)v;
    }
    memcpy(stamp, raw, sizeof *stamp);
    return stamp->magic == MAGIC;
}

static void sample(struct samples *of, double ms) {
    if (!measuring) return;
    if (of->count == of->room) {
        of->room = of->room ? of->room * 2 : 65536;
        of->at = realloc(of->at, of->room * sizeof *of->at);
        if (!of->at) die("realloc");
    }
    of->at[of->count++] = (float)ms;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void samples_print(const char *name, struct samples *of, uint64_t expected) {
    size_t n = of->count;
    double sum = 0;
    qsort(of->at, n, sizeof *of->at, ascending);
    for (size_t i = 0; i < n; i++) sum += of->at[i];
#define PERCENTILE(p) (n ? of->at[(size_t)((double)(n - 1) * (p))] : 0)
    printf("\"%s\":{\"count\":%zu,\"sent\":%llu,\"lost\":%llu,\"mean\":%.4f,\"p50\":%.4f,"
           "\"p99\":%.4f,\"p999\":%.4f,\"max\":%.4f}",
           name, n, (unsigned long long)expected, (unsigned long long)of->lost, n ? sum / n : 0,
           PERCENTILE(0.5), PERCENTILE(0.99), PERCENTILE(0.999), PERCENTILE(1.0));
#undef PERCENTILE
}

static void measure_begin(void) {
    for (int odd = 0; odd < 2; odd++) {
        for (int kind = 0; kind < KINDS; kind++) {
            taken[odd][kind].count = 0;
            taken[odd][kind].lost = 0;
            sent[odd][kind] = 0;
        }
    }
    late.count = 0;
    unreadable = skipped = 0;
    measuring = true;
}

static void measure_end(double seconds, int calls) {
    static const char *NAMES[2][KINDS] = {
        {"up", "down", "barge_in", "ledger"},
        {"odd_up", "odd_down", "odd_barge_in", "odd_ledger"}};
    measuring = false;
    printf("{\"event\":\"measured\",\"seconds\":%.6f,\"calls\":%d,", seconds, calls);
    for (int odd = 0; odd < 2; odd++) {
        for (int kind = 0; kind < KINDS; kind++) {
            samples_print(NAMES[odd][kind], &taken[odd][kind], sent[odd][kind]);
            putchar(',');
        }
    }
    samples_print("late", &late, late.count);
    printf(",\"unreadable\":%llu,\"skipped\":%llu}\n", (unsigned long long)unreadable,
           (unsigned long long)skipped);
    fflush(stdout);
}

#endif
