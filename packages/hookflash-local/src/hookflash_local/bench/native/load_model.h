/* The model side of the calls: a Realtime server. With the load `steady` it speaks without end, in
 * real time; `load_bursts.h` has the other load. */

struct model {
    uint32_t index;
    struct peer *peer;
    struct call *call; /* known once its audio has come */
    bool answering, talking;   /* the model has not finished its response; the caller talks */
    uint32_t turn, count, events, next_count;
    struct chance chance;      /* what it says, in the load `bursts` */
    uint64_t due_at[KINDS_DUE]; /* when something of this kind is due; an earlier timer is void */
    uint32_t unsaid_ms;
    double speed; /* of the sound, times real time */
    uint64_t speech_at; /* when `speech_started` was sent; 0 once a `clear` came */
    uint32_t told_turn; /* the last turn that was truncated */
    double told_ms;
};

static struct model **models;
static uint32_t models_used;

static void model_accept(int fd) {
    struct model *model = calloc(1, sizeof *model);
    if (!model) die("calloc");
    if (models_used % 1024 == 0) {
        models = realloc(models, (models_used + 1024) * sizeof *models);
        if (!models) die("realloc");
    }
    model->index = models_used;
    models[models_used++] = model;
    model->chance = chance_of(model->index, SPEAKING);
    model->peer = peer_new(fd, false, MODEL, model);
    if (set.tls) model->peer->tls = tls_new(fd, false);
}

/* Send one event: its type, followed by its other fields as JSON. */
__attribute__((format(printf, 3, 4))) static void on_progress(struct model *model, const char *type,
                                                       const char *rest, ...) {
    char text[1024];
    if (!model->peer) return;
    int n = snprintf(text, sizeof text, "{\"type\":\"%s\",\"event_id\":\"event_%u_%u\"", type,
                     model->index, model->events++);
    va_list values;
    va_start(values, rest);
    n += vsnprintf(text + n, sizeof text - (size_t)n - 1, rest, values);
    va_end(values);
    text[n++] = '}';
    peer_send(model->peer, TEXT, text, (size_t)n);
}

#define PCMU "{\"format\":{\"type\":\"audio/pcmu\"}}"
#define SESSION                                                                                  \
    ",\"session\":{\"id\":\"sess_%u\",\"object\":\"realtime.session\",\"type\":\"realtime\","    \
    "\"audio\":{\"input\":" PCMU ",\"output\":" PCMU "}}"
#define PLACE ",\"response_id\":\"resp_%u_%u\",\"item_id\":\"item_%u_%u\",\"output_index\":0,"  \
              "\"content_index\":0"
#define PLACED model->index, model->turn, model->index, model->turn

static void model_open(struct model *model) { on_progress(model, "session.created", SESSION, model->index); }

/* Send `bytes` of sound in one delta. */
static void model_sound(struct model *model, uint32_t bytes, bool measured) {
    static char room[14 + 1024 + LONGEST_BYTES * 4 / 3];
    char *text = room + 14;
    if (!model->peer) return;
    int n = snprintf(text, 512,
                     "{\"type\":\"response.output_audio.delta\",\"event_id\":\"event_%u_%u\"" PLACE
                     ",\"delta\":\"",
                     model->index, model->events++, PLACED);
    bool odd = model->call && model->call->odd;
    struct stamp stamp = {.bytes = (uint16_t)bytes, .from = model->index};
    stamp.count = model->count, stamp.turn = model->turn;
    n += (int)sound_write(text + n, stamp, measured);
    text[n++] = '"';
    text[n++] = '}';
    sent[odd][DOWN] += measuring && measured;
    model->count++;
    peer_send_in_place(model->peer, TEXT, text, (size_t)n);
}

static void bursts_answer(struct model *model, uint64_t now);

static void model_answer(struct model *model) {
    uint64_t now = now_ns();
    bool first = !model->turn;
    if (model->answering || !model->peer) return;
    model->answering = true;
    model->turn++;
    model->count = 0;
    on_progress(model, "response.created",
         ",\"response\":{\"id\":\"resp_%u_%u\",\"object\":\"realtime.response\",\"status\":"
         "\"in_progress\",\"conversation_id\":\"conv_%u\",\"output\":[]}",
         model->index, model->turn, model->index);
    on_progress(model, "response.output_item.added",
         ",\"response_id\":\"resp_%u_%u\",\"output_index\":0,\"item\":{\"id\":\"item_%u_%u\","
         "\"type\":\"message\",\"role\":\"assistant\",\"status\":\"in_progress\"}",
         PLACED);
    on_progress(model, "response.content_part.added", PLACE ",\"part\":{\"type\":\"audio\"}", PLACED);
    if (set.bursts) {
        bursts_answer(model, now);
        return;
    }
    for (int i = 0; i < AHEAD; i++) model_sound(model, FRAME_BYTES, false);
    if (first) heap_add(own_moment(now + PERIOD, model->index, 0.309), DELTA, model->index);
}

static void model_end_answer(struct model *model, const char *status) {
    if (!model->answering) return;
    model->answering = false;
    on_progress(model, "response.output_audio.done", PLACE, PLACED);
    on_progress(model, "response.output_audio_transcript.done", PLACE ",\"transcript\":\"...\"", PLACED);
    on_progress(model, "response.done",
         ",\"response\":{\"id\":\"resp_%u_%u\",\"object\":\"realtime.response\",\"status\":\"%s\","
         "\"conversation_id\":\"conv_%u\",\"output\":[]}",
         model->index, model->turn, status, model->index);
}

static void model_said_word(struct model *model) {
    on_progress(model, "response.output_audio_transcript.delta", PLACE ",\"delta\":\" and\"", PLACED);
}

static void model_delta(struct model *model, uint64_t due, uint64_t now) {
    if (!model->peer) return;
    if (now - due > LATEST) {
        skipped += (now - due) / PERIOD;
        due = now;
    } else {
        sample(&late, (double)(now - due) / 1e6);
    }
    if (model->answering) {
        model_sound(model, FRAME_BYTES, true);
        if (model->count % WORD_EVERY == 0) model_said_word(model);
    }
    heap_add(due + PERIOD, DELTA, model->index);
}

/* --- the caller interrupts -------------------------------------------------------------------- */

static void model_schedule_speech(struct model *model) {
    double turn = model->index * 0.6180339887498949;
    uint64_t wait = (uint64_t)((turn - (double)(uint64_t)turn) * (double)set.barge_ns);
    if (set.barge_ns && model->peer) heap_add(now_ns() + wait, SPEECH, model->index);
}

static void model_speech_started(struct model *model, bool interrupts) {
    if (interrupts) {
        model->speech_at = now_ns();
        sent[model->call->odd][BARGE_IN] += measuring;
    }
    on_progress(model, "input_audio_buffer.speech_started",
                ",\"audio_start_ms\":0,\"item_id\":\"said_%u_%u\"", model->index, model->turn);
}

static void bursts_interrupt(struct model *model, uint64_t now);

static void model_speech(struct model *model, uint64_t now) {
    if (!set.barge_ns || !model->peer) return;
    if (set.bursts) {
        bursts_interrupt(model, now);
    } else if (model->answering && model->call && model->count > AHEAD) {
        model_speech_started(model, true);
        heap_add(now + 300000000u, SPEECH_END, model->index);
    }
    heap_add(now + set.barge_ns, SPEECH, model->index);
}

static void model_speech_stopped(struct model *model) {
    model->speech_at = 0;
    on_progress(model, "input_audio_buffer.speech_stopped",
         ",\"audio_end_ms\":0,\"item_id\":\"said_%u_%u\"", model->index, model->turn);
    on_progress(model, "input_audio_buffer.committed", ",\"item_id\":\"said_%u_%u\"", model->index,
         model->turn);
    on_progress(model, "conversation.item.input_audio_transcription.completed",
         ",\"item_id\":\"said_%u_%u\",\"content_index\":0,\"transcript\":\"Wait.\"", model->index,
         model->turn);
}

static void model_speech_end(struct model *model) {
    model_end_answer(model, "cancelled");
    model_speech_stopped(model);
    model_answer(model);
}

/* Compare what the caller heard of a cut turn with what the model was told, once both are known:
 * they come on two sockets. */
static void judge_cut(struct call *call, struct model *model) {
    if (call->cut_turn && call->cut_turn == model->told_turn) {
        double error = model->told_ms - call->cut_ms;
        sample(&taken[call->odd][LEDGER], error < 0 ? -error : error);
        call->cut_turn = 0;
    }
}

static void carrier_cleared(struct call *call, uint64_t now) {
    struct model *model = call->model;
    if (model && model->speech_at) {
        double left = call->play_end > now ? (double)(call->play_end - now) / 1e6 : 0;
        sample(&taken[call->odd][BARGE_IN], (double)(now - model->speech_at) / 1e6);
        model->speech_at = 0;
        call->cut_ms = (double)call->turn_bytes * NS_PER_BYTE / 1e6 - left;
        if (call->cut_ms < 0) call->cut_ms = 0;
        call->cut_turn = call->turn;
        sent[call->odd][LEDGER] += measuring && left > 0;
        judge_cut(call, model);
    }
    call->piece_rest = 0;
}

/* `conversation.item.truncate`: how much of which item was heard. */
static void model_told(struct model *model, char *text, size_t size) {
    static const char field[] = "\"audio_end_ms\"";
    size_t found;
    unsigned of, turn;
    char *item = between(text, size, "\"item_id\"", &found);
    char *at = memmem(text, size, field, sizeof field - 1);
    if (!item || !at || sscanf(item, "item_%u_%u", &of, &turn) != 2 || of != model->index) {
        unreadable++;
        return;
    }
    at += sizeof field - 1;
    while (*at == ' ' || *at == ':') at++;
    model->told_turn = turn;
    model->told_ms = strtod(at, NULL);
    if (model->call) judge_cut(model->call, model);
}

/* --- messages received ----------------------------------------------------------------------------- */

/* Take the rest of a piece that the relay has cut. */
static void carrier_rest(struct call *call, const uint8_t *sound, size_t bytes) {
    const uint8_t *expected = noise + call->piece_bytes - call->piece_rest;
    if (bytes > call->piece_rest || memcmp(sound, expected, bytes)) {
        unreadable++;
        return;
    }
    call->piece_rest -= (uint32_t)bytes;
    call->turn_bytes += bytes;
}

static void carrier_sound(struct call *call, const char *text, size_t size, uint64_t now) {
    static uint8_t sound[LONGEST_BYTES + 3];
    struct stamp stamp;
    size_t bytes = sound_decode(sound, text, size);
    call->play_end = (call->play_end > now ? call->play_end : now) + bytes * NS_PER_BYTE;
    if (call->piece_rest) {
        carrier_rest(call, sound, bytes);
        return;
    }
    if (!sound_stamp(sound, bytes, &stamp) || stamp.from >= models_used) {
        unreadable++;
        return;
    }
    call->piece_bytes = stamp.bytes;
    call->piece_rest = stamp.bytes - (uint32_t)bytes;
    struct model *model = models[stamp.from];
    if (call->model != model) {
        call->model = model;
        model->call = call;
        model_schedule_speech(model);
    }
    if (!call->heard) {
        call->heard = true;
        printf("{\"event\":\"speaking\",\"call\":\"%s\",\"ms\":%.3f}\n", call->sid,
               (double)(now - call->posted) / 1e6);
        fflush(stdout);
    }
    if (stamp.turn == call->turn && stamp.count > call->next_count && measuring) {
        taken[call->odd][DOWN].lost += stamp.count - call->next_count;
    }
    call->turn_bytes = (stamp.turn == call->turn ? call->turn_bytes : 0) + bytes;
    call->turn = stamp.turn;
    call->next_count = stamp.count + 1;
    if (stamp.at) sample(&taken[call->odd][DOWN], (double)(now - stamp.at) / 1e6);
}

static void model_heard(struct model *model, const char *text, size_t size, uint64_t now) {
    static uint8_t sound[LONGEST_BYTES + 3];
    struct stamp stamp;
    size_t bytes = sound_decode(sound, text, size);
    if (!sound_stamp(sound, bytes, &stamp) || bytes != stamp.bytes || stamp.from >= calls_used) {
        unreadable++;
        return;
    }
    bool odd = calls[stamp.from]->odd;
    if (model->next_count && stamp.count > model->next_count && measuring) {
        taken[odd][UP].lost += stamp.count - model->next_count;
    }
    model->next_count = stamp.count + 1;
    sample(&taken[odd][UP], (double)(now - stamp.at) / 1e6);
}

static void model_message(struct model *model, char *text, size_t size) {
    uint64_t now = now_ns();
    size_t found;
    char *type = between(text, size < 200 ? size : 200, "\"type\"", &found);
    if (!type) {
        unreadable++;
        return;
    }
#define IS(name) (found == sizeof name - 1 && !memcmp(type, name, found))
    if (IS("input_audio_buffer.append")) {
        char *sound = between(text, size, "\"audio\"", &found);
        if (sound) model_heard(model, sound, found, now);
        else unreadable++;
    } else if (IS("session.update")) {
        on_progress(model, "session.updated", SESSION, model->index);
    } else if (IS("response.create")) {
        model_answer(model);
    } else if (IS("response.cancel")) {
        model_end_answer(model, "cancelled");
    } else if (IS("conversation.item.truncate")) {
        model_told(model, text, size);
        on_progress(model, "conversation.item.truncated", ",\"content_index\":0");
    }
#undef IS
}
