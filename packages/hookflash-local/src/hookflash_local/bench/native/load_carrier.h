/* The carrier side of the calls: media sockets as Twilio opens them, and what the caller hears. */

struct mark {
    uint64_t at;
    char name[120];
};

struct call {
    uint32_t index;
    char sid[64], token[128], stream[64];
    uint64_t posted, period;
    uint64_t spoken_at;    /* when the caller's telephone sent the newest frame */
    struct chance network; /* the delay of its frames in the network */
    struct peer *peer;
    struct model *model; /* known once its audio has come */
    bool speaks, odd, ended, heard;
    uint32_t chunk, sequence, backlog;
    uint32_t turn, next_count; /* of the turn, so far */
    uint64_t turn_bytes;
    uint32_t piece_bytes, piece_rest; /* of a piece that the relay has cut: all, and not yet heard */
    uint32_t cut_turn;                 /* the last cut turn, and how much of it was heard */
    double cut_ms;
    uint64_t held_until, play_end, alarm;
    struct mark *marks; /* a ring */
    uint32_t marks_room, marks_first, marks_used;
};

static struct call **calls;
static uint32_t calls_used;

static int calls_live(void) {
    int live = 0;
    for (uint32_t i = 0; i < calls_used; i++) live += calls[i]->speaks && calls[i]->peer;
    return live;
}

static struct call *calls_find(const char *sid) { /* the newest first: it is looked up most */
    for (uint32_t i = calls_used; i > 0; i--) {
        if (!strcmp(calls[i - 1]->sid, sid)) return calls[i - 1];
    }
    return NULL;
}

static void carrier_call(const char *sid, const char *path, const char *signature,
                         const char *token, uint64_t posted) {
    struct call *call = calloc(1, sizeof *call);
    char headers[256] = "";
    if (!call) die("calloc");
    if (calls_used % 1024 == 0) {
        calls = realloc(calls, (calls_used + 1024) * sizeof *calls);
        if (!calls) die("realloc");
    }
    call->index = calls_used;
    calls[calls_used++] = call;
    snprintf(call->sid, sizeof call->sid, "%.63s", sid);
    snprintf(call->token, sizeof call->token, "%.127s", token);
    snprintf(call->stream, sizeof call->stream, "MZ%.60s", sid + 2);
    call->posted = posted;
    call->period = PERIOD;
    call->network = chance_of(call->index, NETWORK);
    if (strcmp(signature, "-")) {
        snprintf(headers, sizeof headers, "X-Twilio-Signature: %s\r\n", signature);
    }
    call->peer = peer_new(connect_to(set.relay_port), true, CARRIER, call);
    peer_ask_upgrade(call->peer, path, headers);
}

static void carrier_open(struct call *call) {
    char text[1024];
    uint64_t now = now_ns();
    peer_say(call->peer, "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}");
    snprintf(text, sizeof text,
             "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{\"accountSid\":"
             "\"AC00000000000000000000000000000000\",\"streamSid\":\"%s\",\"callSid\":\"%s\","
             "\"tracks\":[\"inbound\"],\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
             "\"sampleRate\":8000,\"channels\":1},\"customParameters\":{\"token\":\"%s\"}},"
             "\"streamSid\":\"%s\"}",
             call->stream, call->sid, call->token, call->stream);
    peer_say(call->peer, text);
    call->sequence = 1;
    call->speaks = true;
    call->spoken_at = own_moment(now + PERIOD, call->index, 0);
    heap_add(call->spoken_at, FRAME, call->index);
}

static void carrier_send(struct call *call) {
    static char room[14 + 1024];
    char *text = room + 14;
    int n = snprintf(text, 512,
                     "{\"event\":\"media\",\"sequenceNumber\":\"%u\",\"media\":{\"track\":"
                     "\"inbound\",\"chunk\":\"%u\",\"timestamp\":\"%u\",\"payload\":\"",
                     call->sequence + 1, call->chunk + 1, call->chunk * 20);
    struct stamp stamp = {.bytes = FRAME_BYTES, .from = call->index, .count = call->chunk};
    char *sound = text + n;
    n += (FRAME_BYTES + 2) / 3 * 4;
    n += snprintf(text + n, 128, "\"},\"streamSid\":\"%s\"}", call->stream);
    sound_write(sound, stamp, true);
    call->sequence++;
    call->chunk++;
    sent[call->odd][UP] += measuring;
    peer_send_in_place(call->peer, TEXT, text, (size_t)n);
}

static void carrier_release(struct call *call, uint64_t now) {
    if (!call->speaks || !call->peer || now < call->held_until) return;
    while (call->backlog && call->peer) {
        call->backlog--;
        carrier_send(call);
    }
}

static void carrier_frame(struct call *call, uint64_t due, uint64_t now) {
    if (!call->speaks || !call->peer) return;
    if (now - due > LATEST) {
        skipped += (now - due) / call->period;
        call->spoken_at += now - due;
        due = now;
    } else {
        sample(&late, (double)(now - due) / 1e6);
    }
    call->backlog++;
    if (now >= call->held_until && random_bits() < set.jitter_share * 4294967295.0) {
        call->held_until = now + (uint64_t)(random_bits() / 4294967296.0 * set.jitter_ns);
        heap_add(call->held_until, RELEASE, call->index);
    }
    carrier_release(call, now);
    call->spoken_at += call->period;
    /* TCP keeps the order: a frame that would arrive before this one arrives with it. */
    uint64_t arrives = call->spoken_at + (set.bursts ? network_delay(&call->network) : 0);
    heap_add(arrives > due ? arrives : due, FRAME, call->index);
}

/* --- what the caller hears -------------------------------------------------------------------- */

static void carrier_return_mark(struct call *call) {
    char text[320];
    struct mark *mark = &call->marks[call->marks_first];
    int n = snprintf(text, sizeof text,
                     "{\"event\":\"mark\",\"sequenceNumber\":\"%u\",\"mark\":{\"name\":\"%s\"},"
                     "\"streamSid\":\"%s\"}",
                     ++call->sequence, mark->name, call->stream);
    call->marks_first = (call->marks_first + 1) % call->marks_room;
    call->marks_used--;
    peer_send(call->peer, TEXT, text, (size_t)n);
}

/* When the first queued mark is returned: delayed audio delays its marks too. */
static uint64_t carrier_mark_due(struct call *call) {
    uint64_t at = call->marks[call->marks_first].at;
    return at > call->held_until ? at : call->held_until;
}

/* Schedule a call for when the first queued mark is due; older timers do nothing. */
static void carrier_set_alarm(struct call *call) {
    if (call->marks_used && call->alarm != carrier_mark_due(call)) {
        call->alarm = carrier_mark_due(call);
        heap_add(call->alarm, MARK, call->index);
    }
}

static void carrier_return_marks(struct call *call, uint64_t now) {
    while (call->peer && call->marks_used && carrier_mark_due(call) <= now) {
        carrier_return_mark(call);
    }
    if (call->peer) carrier_set_alarm(call);
}

static void carrier_marks(struct call *call, uint64_t due, uint64_t now) {
    if (due != call->alarm) return;
    call->alarm = 0;
    carrier_return_marks(call, now);
}

static void carrier_mark(struct call *call, const char *name, size_t size, uint64_t now) {
    if (call->marks_used == call->marks_room) {
        uint32_t room = call->marks_room ? call->marks_room * 2 : 32;
        struct mark *marks = malloc(room * sizeof *marks);
        if (!marks) die("malloc");
        for (uint32_t i = 0; i < call->marks_used; i++) {
            marks[i] = call->marks[(call->marks_first + i) % call->marks_room];
        }
        free(call->marks);
        call->marks = marks, call->marks_room = room, call->marks_first = 0;
    }
    struct mark *mark = &call->marks[(call->marks_first + call->marks_used) % call->marks_room];
    mark->at = call->play_end > now ? call->play_end : now;
    snprintf(mark->name, sizeof mark->name, "%.*s", (int)size, name);
    call->marks_used++;
    carrier_return_marks(call, now);
}

static void carrier_sound(struct call *call, const char *sound, size_t size, uint64_t now);
static void carrier_cleared(struct call *call, uint64_t now);

static char *between(char *in, size_t size, const char *name, size_t *found) {
    char *at = memmem(in, size, name, strlen(name)), *end;
    if (!at) return NULL;
    at += strlen(name);
    while (*at == ' ' || *at == ':') at++;
    end = *at == '"' ? memchr(at + 1, '"', size - (size_t)(at + 1 - in)) : NULL;
    if (!end) return NULL;
    *found = (size_t)(end - at) - 1;
    return at + 1;
}

static void carrier_message(struct call *call, char *text, size_t size) {
    uint64_t now = now_ns();
    size_t found;
    char *at, *event = between(text, size < 64 ? size : 64, "\"event\"", &found);
    if (!event) {
        unreadable++;
    } else if (!strncmp(event, "media\"", 6)) {
        at = between(text, size, "\"payload\"", &found);
        if (at) carrier_sound(call, at, found, now);
        else unreadable++;
    } else if (!strncmp(event, "mark\"", 5)) {
        at = between(text, size, "\"name\"", &found);
        if (at) carrier_mark(call, at, found, now);
        else unreadable++;
    } else if (!strncmp(event, "clear\"", 6)) {
        carrier_cleared(call, now);
        call->play_end = now;
        for (uint32_t i = 0; i < call->marks_used; i++) {
            struct mark *mark = &call->marks[(call->marks_first + i) % call->marks_room];
            if (mark->at > now) mark->at = now;
        }
        carrier_return_marks(call, now);
    } else {
        unreadable++;
    }
}

static void carrier_hang_up(struct call *call) {
    char text[256];
    if (!call->peer || call->ended) return;
    call->speaks = false;
    call->ended = true;
    int n = snprintf(text, sizeof text,
                     "{\"event\":\"stop\",\"sequenceNumber\":\"%u\",\"stop\":{\"callSid\":\"%s\"},"
                     "\"streamSid\":\"%s\"}",
                     ++call->sequence, call->sid, call->stream);
    peer_send(call->peer, TEXT, text, (size_t)n);
}

static void carrier_gone(struct call *call, const char *why) {
    call->peer = NULL;
    call->speaks = false;
    free(call->marks);
    call->marks = NULL;
    call->marks_used = call->marks_room = 0;
    printf("{\"event\":\"%s\",\"call\":\"%s\",\"why\":\"%s\"}\n", call->ended ? "ended" : "gone",
           call->sid, why);
    fflush(stdout);
}
