/* The load `bursts`: model and caller take turns, and frames have the delays of a network.
 *
 *     |<----------- a turn, 5/3 of its speech ------------->|
 *     | the agent is heard  |   |  the caller talks  |      | next answer ...
 *     | delta delta delta   |
 *       faster than real time
 *
 * Speech of 2 to 4 s comes in deltas of 100 to 400 ms at two to five times real time, each with a
 * piece of transcript: about 3 s of speech in 5 s. The caller interrupts a quarter of the answers;
 * the model then ends its response at once. The turns of the calls begin evenly over 5 s.
 */

#define SPEECH_SHARE 0.6     /* of a turn */
#define INTERRUPTED 0.25     /* of the answers */
#define MEAN_SPEECH_MS 3000
#define LEAST_SPEECH_MS 400  /* of the first answer */
#define LEAST_PAUSE_MS 500   /* after it */

static void bursts_schedule(struct model *model, int what, uint64_t at) {
    model->due_at[what] = at;
    heap_add(at, what, model->index);
}

static uint64_t after_ms(uint64_t from, double ms) { return from + (uint64_t)(ms * 1e6); }

/* The first answer is the rest of a turn, so that the calls are spread from the start. */
static void bursts_first(struct model *model, double *speech_ms, double *turn_ms) {
    double phase = model->index * 0.6180339887498949;
    phase -= (double)(uint64_t)phase;
    *speech_ms = MEAN_SPEECH_MS - phase * *turn_ms;
    *turn_ms *= 1 - phase;
    if (*speech_ms < LEAST_SPEECH_MS) *speech_ms = LEAST_SPEECH_MS;
    if (*turn_ms < *speech_ms + LEAST_PAUSE_MS) *turn_ms = *speech_ms + LEAST_PAUSE_MS;
}

static void bursts_answer(struct model *model, uint64_t now) {
    struct chance *chance = &model->chance;
    double speech_ms = chance_between(chance, MEAN_SPEECH_MS - 1000, MEAN_SPEECH_MS + 1000);
    double interrupted = chance_between(chance, 0, 1), cut = chance_between(chance, 0.3, 0.8);
    double turn_ms = speech_ms / SPEECH_SHARE;
    if (model->turn == 1) {
        turn_ms = MEAN_SPEECH_MS / SPEECH_SHARE;
        bursts_first(model, &speech_ms, &turn_ms);
    }
    double pause_ms = turn_ms - speech_ms;
    double talk_ms = interrupted < INTERRUPTED ? speech_ms * cut : speech_ms + pause_ms * 0.2;
    model->speed = chance_between(chance, 2, 5);
    model->unsaid_ms = (uint32_t)speech_ms / 20 * 20;
    bursts_schedule(model, BURST, now);
    bursts_schedule(model, TALK, after_ms(now, talk_ms));
    bursts_schedule(model, TALK_END, after_ms(now, turn_ms - pause_ms * 0.25));
    bursts_schedule(model, ANSWER, after_ms(now, turn_ms));
}

static void bursts_delta(struct model *model, uint64_t due, uint64_t now) {
    if (now - due > LATEST) {
        skipped++;
        due = now;
    } else {
        sample(&late, (double)(now - due) / 1e6);
    }
    uint32_t ms = (uint32_t)chance_between(&model->chance, 5, 21) * 20;
    if (ms > model->unsaid_ms) ms = model->unsaid_ms;
    model_said_word(model);
    model_sound(model, ms * 8, true);
    model->unsaid_ms -= ms;
    if (model->unsaid_ms) bursts_schedule(model, BURST, after_ms(due, ms / model->speed));
    else model_end_answer(model, "completed");
}

static bool bursts_playing(struct model *model, uint64_t now) {
    return model->call && model->call->play_end > now;
}

/* The caller begins to talk. The model's own interruption ends the response. */
static void bursts_talk(struct model *model, uint64_t now) {
    model->talking = true;
    model->due_at[TALK] = model->due_at[BURST] = 0;
    model_speech_started(model, bursts_playing(model, now));
    model_end_answer(model, "cancelled");
}

static void bursts_interrupt(struct model *model, uint64_t now) {
    if (!model->talking && bursts_playing(model, now)) bursts_talk(model, now);
}

static void bursts_due(struct model *model, int what, uint64_t due, uint64_t now) {
    if (!model->peer || model->due_at[what] != due) return;
    model->due_at[what] = 0;
    switch (what) {
    case BURST: bursts_delta(model, due, now); break;
    case ANSWER: model_answer(model); break;
    case TALK: bursts_talk(model, now); break;
    case TALK_END:
        if (model->talking) {
            model->talking = false;
            model_speech_stopped(model);
        }
        break;
    }
}
