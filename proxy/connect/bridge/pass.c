#include "connect/bridge/pass.h"

#define RENEW_AT_PERCENT 80
#define CLOCK_SLACK_MS   1000 /* the gate counts whole seconds */
#define RENEW_MIN_MS     200

uint64_t backoff_next_ms(struct backoff *backoff, uint32_t random)
{
    uint64_t whole = (uint64_t)BACKOFF_FIRST_MS << backoff->failures;

    if (whole < BACKOFF_MAX_MS)
        backoff->failures++;
    else
        whole = BACKOFF_MAX_MS;
    return whole / 2 + random % (whole / 2 + 1);
}

uint64_t backoff_draw_ms(struct backoff *backoff)
{
    uint32_t random;

    return backoff_next_ms(backoff, secret_random(&random, sizeof(random)) == OK ? random : 0);
}

static enum connect_answer replace(struct errand *errand, bool alive)
{
    const struct connect_control *control = errand->control;
    struct connect_pass pass = {.id = ""};
    enum connect_answer answer = control->create(control->context, &pass);

    if (answer == CONNECT_DONE) {
        if (alive && errand->pass.id[0] != '\0')
            control->revoke(control->context, errand->pass.id);
        errand->pass = pass;
    }
    secret_wipe(&pass, sizeof(pass));
    return answer;
}

/* On a thread of its own, or before the loop turns. */
static void run_errand(struct errand *errand)
{
    const struct connect_control *control = errand->control;

    errand->answer = CONNECT_DONE;
    if ((errand->wants & WANT_PLACE) != 0)
        errand->answer = control->locate(control->context, &errand->place);
    if (errand->answer != CONNECT_DONE)
        return; /* no session for what cannot be used */
    if ((errand->wants & WANT_CREATION) != 0) {
        errand->answer = replace(errand, true);
    } else if ((errand->wants & WANT_RENEWAL) != 0) {
        errand->answer = control->renew(control->context, errand->pass.id, &errand->pass);
        if (errand->answer == CONNECT_ENDED)
            errand->answer = replace(errand, false);
    }
}

static void on_work(uv_work_t *work)
{
    run_errand(&((struct pass *)work->data)->errand);
}

static void launch(struct pass *pass);

static void on_renewal(uv_timer_t *timer)
{
    struct pass *pass = timer->data;

    pass_want(pass, pass->wanted != 0 ? pass->wanted : WANT_RENEWAL);
}

static void take_over(struct pass *pass)
{
    const struct errand *errand = &pass->errand;

    if ((errand->wants & (WANT_RENEWAL | WANT_CREATION)) != 0) {
        int64_t in_ms = (errand->pass.lifetime_ms - CLOCK_SLACK_MS) * RENEW_AT_PERCENT / 100;

        pass->current = errand->pass;
        uv_timer_start(&pass->renewal, on_renewal,
                       in_ms > RENEW_MIN_MS ? (uint64_t)in_ms : RENEW_MIN_MS, 0);
    }
    if ((errand->wants & WANT_PLACE) != 0)
        pass->place = errand->place;
}

static void on_done(uv_work_t *work, int status)
{
    struct pass *pass = work->data;
    struct errand *errand = &pass->errand;
    enum connect_answer answer = errand->answer;

    pass->errand_out = false;
    if (status < 0 || pass->ended)
        return;
    if (answer == CONNECT_DONE) {
        pass->backoff = (struct backoff){0};
        take_over(pass);
    } else if (answer != CONNECT_REFUSED) {
        pass->wanted |= errand->wants;
        uv_timer_start(&pass->renewal, on_renewal, backoff_draw_ms(&pass->backoff), 0);
    }
    pass->told(pass->context, answer);
    if (answer == CONNECT_DONE && pass->wanted != 0)
        launch(pass);
}

static void launch(struct pass *pass)
{
    struct errand *errand = &pass->errand;

    if (pass->errand_out)
        return;
    errand->wants = pass->wanted;
    errand->pass = pass->current;
    errand->place = pass->place;
    pass->wanted = 0;
    pass->errand_out = uv_queue_work(pass->loop, &errand->work, on_work, on_done) == 0;
}

enum connect_answer pass_start(struct pass *pass, uv_loop_t *loop,
                               const struct connect_control *control)
{
    struct errand *errand = &pass->errand;

    pass->loop = loop;
    uv_timer_init(loop, &pass->renewal);
    pass->renewal.data = pass;
    errand->control = control;
    errand->work.data = pass;
    errand->wants = WANT_PLACE | WANT_CREATION;
    run_errand(errand);
    if (errand->answer == CONNECT_DONE)
        take_over(pass);
    return errand->answer;
}

void pass_want(struct pass *pass, unsigned wants)
{
    if (pass->ended)
        return;
    pass->wanted |= wants;
    launch(pass);
}

unsigned pass_remedy(struct span reason)
{
    static const struct {
        const char *reason;
        unsigned wants;
    } remedies[] = {
        {"token_expired", WANT_RENEWAL},    {"session_expired", WANT_RENEWAL},
        {"session_unknown", WANT_RENEWAL},  {"token_not_yet_valid", WANT_RENEWAL},
        {"token_signature", WANT_CREATION}, {"params_changed", WANT_CREATION},
    };

    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (span_equals(reason, remedies[i].reason))
            return remedies[i].wants;
    }
    return 0;
}

void pass_end(struct pass *pass)
{
    pass->ended = true;
}

void pass_stop(struct pass *pass)
{
    const struct connect_control *control = pass->errand.control;

    if (pass->current.id[0] != '\0')
        control->revoke(control->context, pass->current.id);
    secret_wipe(&pass->current, sizeof(pass->current));
    secret_wipe(&pass->errand.pass, sizeof(pass->errand.pass));
}
