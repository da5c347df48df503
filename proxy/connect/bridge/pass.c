#include "connect/bridge/bridge.h"

#include "base/log.h"
#include "base/secret.h"

#include <string.h>
#include <sysexits.h>

#define RENEW_AT_PERCENT 80
#define CLOCK_SLACK_MS   1000 /* the gate counts whole seconds */
#define RENEW_MIN_MS     200

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
    run_errand(work->data);
}

static void launch(struct connect *connect);

static void on_renewal(uv_timer_t *timer)
{
    struct connect *connect = timer->data;

    pass_want(connect, connect->errand_next != 0 ? connect->errand_next : WANT_RENEWAL);
}

static void plan_renewal(struct connect *connect)
{
    int64_t in_ms = (connect->pass.lifetime_ms - CLOCK_SLACK_MS) * RENEW_AT_PERCENT / 100;

    uv_timer_start(&connect->renewal, on_renewal,
                   in_ms > RENEW_MIN_MS ? (uint64_t)in_ms : RENEW_MIN_MS, 0);
}

static void take_over(struct connect *connect)
{
    const struct errand *errand = &connect->errand;

    if ((errand->wants & (WANT_RENEWAL | WANT_CREATION)) != 0) {
        connect->pass = errand->pass;
        plan_renewal(connect);
    }
    if ((errand->wants & WANT_PLACE) != 0)
        connect->place = errand->place;
}

static void on_done(uv_work_t *work, int status)
{
    struct errand *errand = work->data;
    struct connect *connect = work->loop->data;

    connect->errand_out = false;
    if (status < 0 || connect->finished)
        return;
    if (errand->answer == CONNECT_REFUSED) {
        connect_give_up(connect, EX_NOPERM, "the session for the gate was refused");
        return;
    }
    if (errand->answer == CONNECT_DONE) {
        connect->renewal_backoff = (struct backoff){0};
        take_over(connect);
    } else {
        connect->errand_next |= errand->wants;
        uv_timer_start(&connect->renewal, on_renewal,
                       backoff_next_ms(&connect->renewal_backoff, connect_random()), 0);
    }
    connect->transport->refreshed(connect, errand->answer == CONNECT_DONE);
    if (errand->answer == CONNECT_DONE && connect->errand_next != 0)
        launch(connect);
}

static void launch(struct connect *connect)
{
    struct errand *errand = &connect->errand;

    if (connect->errand_out)
        return;
    errand->wants = connect->errand_next;
    errand->pass = connect->pass;
    errand->place = connect->place;
    connect->errand_next = 0;
    connect->errand_out = uv_queue_work(&connect->loop, &errand->work, on_work, on_done) == 0;
}

enum connect_answer pass_start(struct connect *connect)
{
    struct errand *errand = &connect->errand;

    errand->control = connect->control;
    errand->work.data = errand;
    errand->wants = WANT_PLACE | WANT_CREATION;
    run_errand(errand);
    if (errand->answer == CONNECT_DONE)
        take_over(connect);
    return errand->answer;
}

void pass_want(struct connect *connect, unsigned wants)
{
    if (connect->finished)
        return;
    connect->errand_next |= wants;
    launch(connect);
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

void pass_stop(struct connect *connect)
{
    const struct connect_control *control = connect->control;

    if (connect->pass.id[0] != '\0')
        control->revoke(control->context, connect->pass.id);
    secret_wipe(&connect->pass, sizeof(connect->pass));
    secret_wipe(&connect->errand.pass, sizeof(connect->errand.pass));
}
