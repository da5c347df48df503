#include "cli/doctor/running.h"

#include "wire/url.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define AREA        "gate"
#define REMEDY_SIZE 9216

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

/* Nobody, or nobody who says what a gate says. */
static void tell_silence(const struct running *running, struct findings *findings)
{
    struct finding finding = {.area = AREA, .name = "control", .state = FINDING_FAIL};
    char remedy[REMEDY_SIZE];

    finding.remedy = remedy;
    if (running->code == EX_NOPERM) {
        finding.state = FINDING_WARN;
        snprintf(remedy, sizeof(remedy),
                 "run it as the gate's user, or name this uid in \"operators\"");
        findings_add(findings, &finding, "%s may not be asked by this user", running->control);
    } else if (!running->answers) {
        finding.state = FINDING_WARN;
        snprintf(remedy, sizeof(remedy), "run `sidelock serve%s`, or enable its unit",
                 running->option);
        findings_add(findings, &finding, "no gate runs: nothing answers at %s", running->control);
    } else if (running->code == EX_UNAVAILABLE) {
        snprintf(remedy, sizeof(remedy),
                 "`touch STATE_DIR/lockdown` has nothing served meanwhile; end its process, which "
                 "`ss -xlp` names, and start it again");
        findings_add(findings, &finding, "the gate has given no answer within %d s at %s",
                     DOCTOR_DEADLINE_S, running->control);
    } else {
        snprintf(remedy, sizeof(remedy), "see by `ss -xlp` which process listens there");
        findings_add(findings, &finding, "what answers at %s is no gate that is well",
                     running->control);
    }
}

static void look_at_gate(const struct running *running, struct findings *findings)
{
    const char *version = text_of(running->status, "version");
    json_int_t pid = json_integer_value(json_object_get(running->status, "pid"));
    struct finding finding = {.area = AREA, .name = "control"};

    findings_add(findings, &finding, "a gate runs, pid %" JSON_INTEGER_FORMAT ", and answers at %s",
                 pid, running->control);
    finding.name = "version";
    if (strcmp(version, SIDELOCK_VERSION) != 0) {
        finding.state = FINDING_WARN;
        finding.remedy = "restart it, as with `systemctl --user restart sidelock`";
        findings_add(findings, &finding, "it is Sidelock %s, and this is %s", version,
                     SIDELOCK_VERSION);
    } else {
        findings_add(findings, &finding, "Sidelock %s, as this", version);
    }
}

/* Found by its file, so also of a gate that gives no answer. */
static void look_at_lockdown(const struct running *running, struct findings *findings)
{
    const char *told = text_of(running->status, "lockdown");
    const char *lockdown = running->lockdown != NULL ? running->lockdown : told;
    struct finding finding = {.area = AREA, .name = "lockdown", .state = FINDING_FAIL};
    char remedy[REMEDY_SIZE];

    if (lockdown[0] == '\0')
        return;
    finding.remedy = remedy;
    snprintf(remedy, sizeof(remedy), "remove it, and run `sidelock arm SURFACE%s` of each",
             running->option);
    findings_add(findings, &finding, "nothing is served as long as %s is there", lockdown);
}

/* ---- Surfaces ---- */

/* One that listens by itself, at an address, is not ours to start. */
static bool listens_by_itself(const json_t *surface)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *upstream = text_of(surface, "upstream"), *colon = strrchr(upstream, ':');
    const size_t skip = upstream[0] == '[';
    bool loopback;

    if (colon == NULL || (size_t)(colon - upstream) <= 2 * skip ||
        (size_t)(colon - upstream) >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)((size_t)(colon - upstream) - 2 * skip),
             upstream + skip);
    return host_is_address(host, &loopback);
}

/* What of a service that is launched, or listens by itself, wants somebody's hand; NULL: nothing.
 */
static const char *ailment_of(const json_t *surface)
{
    const json_t *service = json_object_get(surface, "service");
    static const struct {
        const char *state, *text;
    } ailments[] = {
        {"gone", "its service is gone"},
        {"waiting", "its service has ended, and waits for its next start"},
        {"exposed", "somebody answers at its port past the gate, so nothing is served"},
        {"stopped", "its service has been stopped"},
    };

    for (size_t i = 0; i < sizeof(ailments) / sizeof(ailments[0]); i++) {
        if (strcmp(text_of(service, "state"), ailments[i].state) == 0)
            return ailments[i].text;
    }
    return listens_by_itself(surface) && strcmp(text_of(service, "state"), "ready") == 0 &&
                   text_of(service, "why")[0] != '\0'
               ? "clients are denied"
               : NULL;
}

/* Not served now, and nobody's fault: "starting", "ending". */
static bool is_passing(const json_t *service)
{
    const char *state = text_of(service, "state");

    return strcmp(state, "starting") == 0 || strcmp(state, "ending") == 0;
}

static void look_at_surface(const struct running *running, const json_t *surface,
                            struct findings *findings)
{
    const json_t *service = json_object_get(surface, "service");
    const char *name = text_of(surface, "name"), *why = text_of(service, "why");
    const char *ailment = ailment_of(surface);
    struct finding finding = {.area = "surfaces", .name = name};
    char remedy[REMEDY_SIZE];

    finding.remedy = remedy;
    if (json_is_true(json_object_get(surface, "killed"))) {
        finding.state = FINDING_WARN;
        snprintf(remedy, sizeof(remedy), "run `sidelock arm %.128s%s` once it may be served again",
                 name, running->option);
        findings_add(findings, &finding, "it is killed: nothing is served");
    } else if (ailment != NULL) {
        finding.state = FINDING_FAIL;
        if (listens_by_itself(surface))
            snprintf(remedy, sizeof(remedy),
                     "mend that where the service is started: the gate looks again by itself");
        else
            snprintf(
                remedy, sizeof(remedy),
                "see what it said in the gate's log, mend it, and run `sidelock restart %.128s%s`",
                name, running->option);
        findings_add(findings, &finding, "%s%s%s", ailment, why[0] != '\0' ? ": " : "", why);
    } else if (is_passing(service)) {
        finding.state = FINDING_WARN;
        snprintf(remedy, sizeof(remedy), "run `sidelock doctor%s` again in a while",
                 running->option);
        findings_add(findings, &finding, "its service is %s, and is not served now%s%s",
                     text_of(service, "state"), why[0] != '\0' ? ": " : "", why);
    } else {
        finding.remedy = NULL;
        findings_add(findings, &finding, "it is served, %s%s%s", text_of(surface, "mode"),
                     json_is_object(service) ? ", and its service is " : "",
                     text_of(service, "state"));
    }
}

static bool is_served(const json_t *surfaces, const char *name)
{
    json_t *surface;
    size_t i;

    json_array_foreach(surfaces, i, surface)
    {
        if (strcmp(text_of(surface, "name"), name) == 0)
            return true;
    }
    return false;
}

static void look_at_surfaces(const struct running *running, struct findings *findings)
{
    const json_t *surfaces = json_object_get(running->status, "surfaces");
    char remedy[REMEDY_SIZE];
    json_t *surface;
    size_t i;

    json_array_foreach(surfaces, i, surface) look_at_surface(running, surface, findings);
    snprintf(remedy, sizeof(remedy), "run `sidelock reload%s`", running->option);
    for (i = 0; surfaces != NULL && running->config != NULL && i < running->config->surface_count;
         i++) {
        const char *name = running->config->surfaces[i].name;

        if (!is_served(surfaces, name))
            findings_add(
                findings,
                &(struct finding){
                    .area = "surfaces", .name = name, .state = FINDING_WARN, .remedy = remedy},
                "it is configured, and the gate that runs has not taken it up");
    }
}

void running_look(const struct running *running, struct findings *findings)
{
    if (running->status != NULL)
        look_at_gate(running, findings);
    else
        tell_silence(running, findings);
    look_at_lockdown(running, findings);
    look_at_surfaces(running, findings);
}
