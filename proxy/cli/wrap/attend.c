#include "cli/wrap/attend.h"

#include "base/ration.h"
#include "cli/terminal/shown.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the gate left in a pipe or a terminal; whoever of others writes on is not waited for. */
#define LAST_READS_MAX 1024

/* Lines that come by a pipe. */
struct lines {
    int fd; /* -1: its end has come */
    size_t length;
    char text[ATTEND_LINE_SIZE];
};

struct attendant {
    const struct attend_options *options;
    struct lines log, ready, errors;
    struct ration ration; /* of the service's errors */
    bool hears;           /* `hear` is to be called */
    bool learns;          /* and so is `learn` */
    int signals;
    unsigned stops;     /* how often it was told by ^C to stop */
    int64_t stop_by_ms; /* monotonic: the service's own time to end is over; 0: nobody said so */
    bool ended;
    struct attend_outcome outcome;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The end ---- */

static void stop(const struct attendant *attendant)
{
    kill(attendant->options->gate, SIGTERM);
}

/* The operator says so. */
static void end_all(struct attendant *attendant)
{
    attendant->outcome.stopped = true;
    stop(attendant);
}

/* The service has heard of it by its terminal. What it makes of it, it has its time for; whoever
 * says it again does not want to wait. */
static void on_interrupts(struct attendant *attendant, unsigned count)
{
    for (; count > 0; count--) {
        if (++attendant->stops > 1)
            end_all(attendant);
        else
            attendant->stop_by_ms = now_ms() + ATTEND_PATIENCE_MS;
    }
}

static void on_timeout(struct attendant *attendant)
{
    if (attendant->stop_by_ms == 0 || now_ms() < attendant->stop_by_ms)
        return;
    attendant->stop_by_ms = 0;
    stop(attendant);
}

static int timeout_ms(const struct attendant *attendant)
{
    int64_t left = attendant->stop_by_ms - now_ms();

    if (attendant->stop_by_ms == 0)
        return -1;
    return left > 0 ? (int)left : 0;
}

static void reap(struct attendant *attendant)
{
    int status;

    if (waitpid(attendant->options->gate, &status, WNOHANG) != attendant->options->gate)
        return;
    attendant->ended = true;
    attendant->outcome.status = status;
}

static void on_signal(struct attendant *attendant)
{
    struct signalfd_siginfo info;

    while (read(attendant->signals, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            reap(attendant);
            break;
        case SIGWINCH:
            pseudo_resize(attendant->options->pseudo);
            break;
        case SIGCONT:
            pseudo_take(attendant->options->pseudo);
            break;
        default:
            end_all(attendant);
        }
    }
}

/* ---- Whoever does not read ---- */

/* Until something can be written there; false: not any more, or the operator has had enough. */
static bool wait_for_room(void *context, int fd)
{
    struct attendant *attendant = context;
    struct pollfd polled[] = {{.fd = fd, .events = POLLOUT},
                              {.fd = attendant->signals, .events = POLLIN}};

    for (;;) {
        int count = poll(polled, sizeof(polled) / sizeof(polled[0]),
                         attendant->outcome.stopped ? 0 : timeout_ms(attendant));

        if (count == 0 && attendant->outcome.stopped)
            return false;
        on_timeout(attendant);
        if (count > 0 && polled[1].revents != 0)
            on_signal(attendant);
        if (count > 0 && polled[0].revents != 0)
            return (polled[0].revents & POLLOUT) != 0;
    }
}

/* ---- What the gate says ---- */

/* A line of the service's own words, whatever they are. */
static bool is_of_service(const struct attendant *attendant, const char *line)
{
    size_t length = strlen(attendant->options->name);

    return strncmp(line, attendant->options->name, length) == 0 &&
           strncmp(line + length, ": ", 2) == 0;
}

/* Of what goes well, the operator is told in other words. Services' words may stand in a line, so
 * what it is stands behind the name of who says it (base/log.h), and nowhere else. */
static void show_log(struct attendant *attendant, const char *line, size_t length)
{
    const char *said = strstr(line, ": ");

    (void)length; /* the gate's lines are text */
    if (said != NULL && strncmp(said, ": info: ", strlen(": info: ")) == 0 &&
        !is_of_service(attendant, line))
        return;
    if (!wait_for_room(attendant, STDERR_FILENO))
        return;
    pseudo_speak(attendant->options->pseudo, true);
    fputs("sidelock: ", stderr);
    shown_text(stderr, line);
    fputc('\n', stderr);
    pseudo_speak(attendant->options->pseudo, false);
}

static void tell_lost(struct attendant *attendant)
{
    if (attendant->ration.lost > 0 && wait_for_room(attendant, STDERR_FILENO))
        fprintf(stderr,
                "sidelock: %llu bytes that %s wrote are left out: it writes more than %d bytes a "
                "second\n",
                (unsigned long long)attendant->ration.lost, attendant->options->name,
                RATION_BYTES_PER_SECOND);
    attendant->ration.lost = 0;
}

/* As the gate's log has it once it is served, and no more of it. */
static void show_errors(struct attendant *attendant, const char *line, size_t length)
{
    if (!ration_pay(&attendant->ration, length, (uint64_t)now_ms()) ||
        !wait_for_room(attendant, STDERR_FILENO))
        return;
    tell_lost(attendant);
    fprintf(stderr, "sidelock: %s: ", attendant->options->name);
    shown_bytes(stderr, line, length);
    fputc('\n', stderr);
}

static void show_ready(struct attendant *attendant, const char *line, size_t length)
{
    (void)length;
    if (!wait_for_room(attendant, STDERR_FILENO))
        return;
    pseudo_speak(attendant->options->pseudo, true);
    attendant->options->is_ready(attendant->options->context, line);
    (void)fflush(stdout);
    pseudo_speak(attendant->options->pseudo, false);
}

/* A line and its length; a NUL stands behind it, and may be in what is not ours. */
typedef void take_line(struct attendant *attendant, const char *line, size_t length);

/* What is there of one that has not ended. */
static void take_rest(struct attendant *attendant, struct lines *lines, take_line *take)
{
    lines->text[lines->length] = '\0';
    if (lines->length > 0)
        take(attendant, lines->text, lines->length);
    lines->length = 0;
}

static void take_lines(struct attendant *attendant, struct lines *lines, take_line *take)
{
    char *start = lines->text, *last = lines->text + lines->length, *end;

    while ((end = memchr(start, '\n', (size_t)(last - start))) != NULL) {
        *end = '\0';
        take(attendant, start, (size_t)(end - start));
        start = end + 1;
    }
    lines->length = (size_t)(last - start);
    memmove(lines->text, start, lines->length);
    if (lines->length == sizeof(lines->text) - 1)
        take_rest(attendant, lines, take); /* none of ours is so long: it becomes several */
}

static void end_lines(struct attendant *attendant, struct lines *lines, take_line *take)
{
    if (lines->fd < 0)
        return;
    take_rest(attendant, lines, take);
    close(lines->fd);
    lines->fd = -1;
}

/* False: there is nothing more, now or ever. */
static bool read_lines(struct attendant *attendant, struct lines *lines, take_line *take)
{
    ssize_t length =
        read(lines->fd, lines->text + lines->length, sizeof(lines->text) - 1 - lines->length);

    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (length <= 0) {
        end_lines(attendant, lines, take);
        return false;
    }
    lines->length += (size_t)length;
    take_lines(attendant, lines, take);
    return true;
}

/* ---- The whole ---- */

static int open_signals(void)
{
    static const int numbers[] = {SIGCHLD, SIGWINCH, SIGCONT, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* It has said what it was asked; what is left is its end. */
static void hear(struct attendant *attendant)
{
    if (!attendant->hears || attendant->options->hear(attendant->options->hearer))
        return;
    attendant->hears = false;
    attendant->stop_by_ms = now_ms() + ATTEND_END_MS;
}

static void learn(struct attendant *attendant, int events)
{
    if (attendant->learns && events != 0)
        attendant->learns = attendant->options->learn(attendant->options->learner);
}

static void turn(struct attendant *attendant)
{
    struct pseudo *pseudo = attendant->options->pseudo;
    struct pollfd polled[] = {
        {.fd = attendant->signals, .events = POLLIN},
        {.fd = attendant->log.fd, .events = POLLIN},
        {.fd = attendant->ready.fd, .events = POLLIN},
        {.fd = pseudo->reads && pseudo->raw ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = pseudo->master, .events = (short)(POLLIN | (pseudo->waiting > 0 ? POLLOUT : 0))},
        {.fd = attendant->errors.fd, .events = POLLIN},
        {.fd = attendant->hears ? attendant->options->output : -1, .events = POLLIN},
        {.fd = attendant->learns ? attendant->options->records : -1, .events = POLLIN}};

    if (poll(polled, sizeof(polled) / sizeof(polled[0]), timeout_ms(attendant)) < 0)
        return;
    on_timeout(attendant);
    if (polled[0].revents != 0)
        on_signal(attendant);
    if (polled[1].revents != 0)
        (void)read_lines(attendant, &attendant->log, show_log);
    if (polled[2].revents != 0)
        (void)read_lines(attendant, &attendant->ready, show_ready);
    if (polled[3].revents != 0)
        on_interrupts(attendant, pseudo_read(pseudo));
    if ((polled[4].revents & POLLOUT) != 0)
        pseudo_flush(pseudo);
    if ((polled[4].revents & ~POLLOUT) != 0)
        (void)pseudo_show(pseudo, wait_for_room, attendant);
    if (polled[5].revents != 0)
        (void)read_lines(attendant, &attendant->errors, show_errors);
    if (polled[6].revents != 0)
        hear(attendant);
    learn(attendant, polled[7].revents);
}

static void drain(struct attendant *attendant, struct lines *lines, take_line *take)
{
    for (int i = 0; i < LAST_READS_MAX && lines->fd >= 0; i++) {
        if (!read_lines(attendant, lines, take))
            break;
    }
    end_lines(attendant, lines, take);
}

/* What it left behind. Somebody outside may hold the other ends: their end is not waited for. */
static void finish(struct attendant *attendant)
{
    for (int i = 0; i < LAST_READS_MAX; i++) {
        if (!pseudo_show(attendant->options->pseudo, wait_for_room, attendant))
            break;
    }
    drain(attendant, &attendant->errors, show_errors);
    tell_lost(attendant);
    drain(attendant, &attendant->log, show_log);
    hear(attendant);
    pseudo_close(attendant->options->pseudo);
    if (attendant->ready.fd >= 0)
        close(attendant->ready.fd);
    close(attendant->signals);
}

struct attend_outcome attend_run(const struct attend_options *options)
{
    struct attendant attendant = {.options = options,
                                  .log = {.fd = options->log},
                                  .ready = {.fd = options->ready},
                                  .errors = {.fd = options->errors},
                                  .hears = options->output >= 0,
                                  .learns = options->records >= 0,
                                  .signals = open_signals()};

    pseudo_take(options->pseudo);
    reap(&attendant); /* it may have ended before its signal was watched */
    while (!attendant.ended)
        turn(&attendant);
    finish(&attendant);
    return attendant.outcome;
}
