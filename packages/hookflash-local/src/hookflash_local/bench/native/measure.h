/* The load generator's measurements: samples in milliseconds, and their percentiles as JSON.
 *
 * The first 24 bytes of each piece of audio hold its sender and send time, by the clock that also
 * stamps its arrival. Calls with an injected fault are counted separately, as `odd`.
 */
#ifndef MEASURE_H
#define MEASURE_H
#include "wire.h"

#define FRAME_BYTES 160    /* 20 ms */
#define LONGEST_BYTES 3200 /* 400 ms, of one delta */
#define STAMP_TEXT 32      /* the stamp in base64 */
#define NS_PER_BYTE 125000u

struct stamp {
    uint16_t magic, bytes; /* the size of the piece, with the stamp */
    uint32_t from, count, turn;
    uint64_t at; /* 0: not measured */
};

enum { MAGIC = 0x4642, UP = 0, DOWN = 1, BARGE_IN = 2, LEDGER = 3, KINDS = 4 };

struct samples {
    float *at;
    size_t count, room;
    uint64_t lost;
};

static struct samples taken[2][KINDS], late;
static uint64_t sent[2][KINDS], unreadable, skipped;
static bool measuring;

static int8_t base64_value[256];
static uint8_t noise[LONGEST_BYTES]; /* what follows the stamp, by its place in the piece */

static void sound_start(void) {
    memset(base64_value, -1, sizeof base64_value);
    for (int i = 0; i < 64; i++) base64_value[(uint8_t)BASE64[i]] = (int8_t)i;
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)(i * 37 + (i >> 8) + 11);
}

/* Write a piece of `stamp.bytes` in base64 and return the number of characters. The time is read
 * last, because the piece is sent now. */
static size_t sound_write(char *to, struct stamp stamp, bool measured) {
    size_t size = STAMP_TEXT + base64_encode(to + STAMP_TEXT, noise + sizeof stamp,
                                             stamp.bytes - sizeof stamp);
    stamp.magic = MAGIC;
    stamp.at = measured ? now_ns() : 0;
    base64_encode(to, (uint8_t *)&stamp, sizeof stamp);
    return size;
}

/* Decode base64 and return the number of bytes; 0 if it is invalid or too long. */
static size_t sound_decode(uint8_t *to, const char *text, size_t size) {
    size_t bytes = 0, padding = 0;
    if (!size || size % 4 || size > (LONGEST_BYTES + 2) / 3 * 4) return 0;
    while (padding < 2 && text[size - 1 - padding] == '=') padding++;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t v = 0;
        for (size_t j = i; j < i + 4; j++) {
            int8_t value = j < size - padding ? base64_value[(uint8_t)text[j]] : 0;
            if (value < 0) return 0;
            v = v << 6 | (uint32_t)value;
        }
        to[bytes++] = (uint8_t)(v >> 16), to[bytes++] = (uint8_t)(v >> 8), to[bytes++] = (uint8_t)v;
    }
    return bytes - padding;
}

/* Read the stamp of a piece, or of its first part. */
static bool sound_stamp(const uint8_t *sound, size_t bytes, struct stamp *stamp) {
    if (bytes < sizeof *stamp) return false;
    memcpy(stamp, sound, sizeof *stamp);
    return stamp->magic == MAGIC && bytes <= stamp->bytes && stamp->bytes <= LONGEST_BYTES &&
           !memcmp(sound + sizeof *stamp, noise + sizeof *stamp, bytes - sizeof *stamp);
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
