/*
 * `sidelock doctor`: what this machine offers, which configuration counts and whether it could be
 * served, what runs, and what to do about what is wrong. It starts nothing and writes nothing.
 * Called by its row in verbs.c.
 */
#include "cli/cautions.h"
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/doctor/groups.h"
#include "cli/doctor/machine.h"
#include "cli/doctor/running.h"
#include "cli/doctor/units.h"
#include "cli/examine.h"
#include "cli/terminal/args.h"
#include "system/lockdown.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define AREA          "configuration"
#define SYSTEM_FOLDER "/etc/sidelock/"

struct doctor {
    const char *named, *path; /* -c FILE; what is read, or NULL */
    struct config_bundle bundle;
    struct json_faults faults;
    struct findings findings;
    struct buffer option; /* ` -c FILE`, for commands */
    char room[CONFIG_FILE_PATH_SIZE];
    int code; /* of config_file_read() */
};

/* ---- Which configuration ---- */

static const char *why_this(const struct doctor *doctor)
{
    if (doctor->named != NULL)
        return "named with -c";
    if (doctor->path != doctor->room && strcmp(doctor->path, CONFIG_FILE_SYSTEM) != 0)
        return "named by SIDELOCK_CONFIG";
    if (doctor->path != doctor->room)
        return "the system's, for there is none of your own";
    return access(CONFIG_FILE_SYSTEM, F_OK) == 0
               ? "your own, which comes before " CONFIG_FILE_SYSTEM
               : "your own";
}

static void look_at_file(struct doctor *doctor)
{
    if (doctor->path != NULL)
        findings_add(&doctor->findings, &(struct finding){.area = AREA, .name = "file"}, "%s, %s",
                     doctor->path, why_this(doctor));
    else
        findings_add(&doctor->findings,
                     &(struct finding){.area = AREA,
                                       .name = "file",
                                       .state = FINDING_WARN,
                                       .remedy = "run `sidelock init`, which makes one"},
                     "there is none: not with -c, in SIDELOCK_CONFIG, in the folder of your own, "
                     "nor " CONFIG_FILE_SYSTEM);
}

/* ---- Whether it could be served ---- */

/* A gate of another user's, as the system's is: its places are not to be judged by this one. */
static bool is_of_others(const struct doctor *doctor)
{
    struct stat facts;

    if (stat(doctor->bundle.config->state_dir, &facts) == 0)
        return facts.st_uid != geteuid();
    return strncmp(doctor->path, SYSTEM_FOLDER, strlen(SYSTEM_FOLDER)) == 0;
}

static void add_faults(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->faults.count; i++) {
        struct buffer line;

        buffer_init(&line, BUNDLE_PATH_SIZE + 2 * JSON_POINTER_BYTES_MAX + WHY_SIZE);
        bundle_tell_fault(&doctor->bundle, &doctor->faults.items[i], &line);
        findings_add(&doctor->findings,
                     &(struct finding){.area = AREA, .name = "fault", .state = FINDING_FAIL}, "%s",
                     !buffer_failed(&line) && line.length > 0 ? line.data
                                                              : doctor->faults.items[i].text);
        buffer_clear(&line);
    }
}

static void add_caution(void *context, const char *sentence)
{
    struct doctor *doctor = context;

    findings_add(&doctor->findings,
                 &(struct finding){.area = AREA, .name = "caution", .state = FINDING_WARN}, "%s",
                 sentence);
}

static void add_verdict(struct doctor *doctor, bool of_others)
{
    size_t count = doctor->bundle.config->surface_count;
    struct finding finding = {.area = AREA, .name = "check"};

    if (of_others) {
        finding.state = FINDING_WARN;
        finding.remedy =
            "run it as the gate's user, as in `sudo -u sidelock sidelock doctor -c FILE`";
        findings_add(&doctor->findings, &finding,
                     "no fault is written in it; what it needs of this machine is another user's "
                     "to look at");
    } else {
        findings_add(&doctor->findings, &finding, "a gate can be run with it: surfaces: %zu",
                     count);
    }
}

/* As `sidelock check` looks at it, beside a gate that may run with it. */
static void look_at_configuration(struct doctor *doctor, const struct examined_gate *gate)
{
    const struct cautions cautions = {add_caution, doctor};
    bool of_others = doctor->code == EX_OK && is_of_others(doctor);

    if (doctor->path == NULL)
        return;
    if (doctor->code == EX_OK && !of_others)
        cautions_of_network(&doctor->bundle, &cautions);
    if (doctor->code == EX_OK && !of_others &&
        examine_places_beside(&doctor->bundle, gate, &doctor->faults) != OK)
        doctor->code = EX_CONFIG;
    if (doctor->code != EX_OK) {
        add_faults(doctor);
        return;
    }
    add_verdict(doctor, of_others);
    cautions_of_text(&doctor->bundle, &cautions);
    if (!of_others)
        cautions_of_host(&doctor->bundle, &cautions);
}

/* ---- The whole ---- */

static void look_at_machine(struct doctor *doctor)
{
    const struct config *config = doctor->bundle.config;
    struct machine_needs needs = {.launches = false};

    for (size_t i = 0; config != NULL && i < config->surface_count; i++)
        needs.launches = needs.launches || surface_is_launched(&config->surfaces[i]);
    machine_look(&needs, &doctor->findings);
    groups_look(&doctor->findings);
}

/* Where the gate is to be asked; NULL: nobody says. */
static const char *control_of(const struct doctor *doctor)
{
    const char *variable = getenv("SIDELOCK_CONTROL");

    if (doctor->named == NULL && variable != NULL && variable[0] != '\0')
        return variable;
    return doctor->bundle.config != NULL ? doctor->bundle.config->control_socket : NULL;
}

static void look(struct doctor *doctor)
{
    const struct config *config = doctor->bundle.config;
    const char *control = control_of(doctor);
    struct examined_gate gate = {.code = EX_OK}, own = {.code = EX_OK};
    char lockdown[LOCKDOWN_PATH_SIZE];
    bool same = config != NULL && control != NULL && strcmp(control, config->control_socket) == 0;

    look_at_machine(doctor);
    if (control != NULL)
        examine_gate(control, DOCTOR_DEADLINE_S, &gate);
    if (config != NULL && !same)
        examine_gate(config->control_socket, DOCTOR_DEADLINE_S, &own);
    look_at_file(doctor);
    look_at_configuration(doctor, same ? &gate : &own);
    if (config != NULL)
        lockdown_path(config->state_dir, lockdown);
    if (control != NULL)
        running_look(
            &(struct running){.control = control,
                              .option = doctor->option.data,
                              .config = same ? config : NULL,
                              .lockdown = same && access(lockdown, F_OK) == 0 ? lockdown : NULL,
                              .status = gate.status,
                              .code = gate.code,
                              .answers = gate.answers},
            &doctor->findings);
    units_look(&doctor->findings);
    examined_gate_clear(&gate);
    examined_gate_clear(&own);
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor doctor = {.code = EX_OK};
    bool json = false;
    const struct args_option options[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &doctor.named},
        {.name = "--json", .about = "JSON in the place of text", .flag = &json},
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code != EX_OK)
        return code;
    buffer_init(&doctor.option, 4 * CONFIG_FILE_PATH_SIZE);
    buffer_append(&doctor.option, "", 0);
    config_file_append_option(doctor.named, &doctor.option);
    findings_init(&doctor.findings);
    doctor.path = config_file_find(doctor.named, doctor.room);
    doctor.code = config_file_read(doctor.named, TRUST_OWN, &doctor.bundle, &doctor.faults);
    if (buffer_failed(&doctor.option))
        doctor.findings.whole = false;
    else
        look(&doctor);
    code = json ? findings_print_json(&doctor.findings, doctor.path)
                : findings_print(&doctor.findings);
    findings_clear(&doctor.findings);
    bundle_clear(&doctor.bundle);
    buffer_clear(&doctor.option);
    return code;
}
