#include "cli/doctor/machine.h"

#include "launch/common/probe.h"
#include "launch/keeper/forbidding.h"
#include "launch/keeper/trial.h"
#include "system/fence_kind.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#define AREA "machine"

static void look_at_kernel(const struct probe *probe, const struct machine_needs *needs,
                           struct findings *findings)
{
    struct utsname name = {.release = "unknown"};

    (void)uname(&name);
    if (probe->namespaces_named)
        findings_add(findings, &(struct finding){.area = AREA, .name = "kernel"}, "Linux %s, %s",
                     name.release, name.machine);
    else
        findings_add(findings,
                     &(struct finding){.area = AREA,
                                       .name = "kernel",
                                       .state = needs->launches ? FINDING_FAIL : FINDING_WARN,
                                       .remedy = "run Linux 5.14 or later"},
                     "Linux %s, %s cannot start services: it names no network namespaces "
                     "(SO_NETNS_COOKIE)",
                     name.release, name.machine);
}

/* One of the things that a service cannot be launched without. */
static void tell_trial(const char *name, const char *passed, const struct trial *trial,
                       const struct machine_needs *needs, struct findings *findings)
{
    struct finding finding = {.area = AREA, .name = name};
    struct forbidding forbidding;
    char why[WHY_SIZE];

    if (trial->passed) {
        findings_add(findings, &finding, "%s", passed);
        return;
    }
    finding.state = needs->launches ? FINDING_FAIL : FINDING_WARN;
    forbidding_read(&forbidding);
    finding.remedy = forbidding_blame(&forbidding, trial, geteuid() == 0, why);
    findings_add(findings, &finding, "no service can be started here: %s", why);
}

static void look_at_trials(const struct machine_needs *needs, struct findings *findings)
{
    const char *made = geteuid() == 0 ? "a service can have namespaces of its own"
                                      : "a service can have namespaces of its own, without root";
    struct trial trial;

    if (trial_namespaces(&trial) != OK)
        findings_add(findings,
                     &(struct finding){.area = AREA, .name = "namespaces", .state = FINDING_WARN},
                     "nothing could be found out: the trial did not end");
    else
        tell_trial("namespaces", made, &trial, needs, findings);
    if (trial_filter(&trial) != OK)
        findings_add(
            findings,
            &(struct finding){.area = AREA, .name = "seccomp_notify", .state = FINDING_WARN},
            "nothing could be found out: the trial did not end");
    else
        tell_trial("seccomp_notify", "a service's system calls can be put to Sidelock", &trial,
                   needs, findings);
}

static void look_at_landlock(const struct probe *probe, struct findings *findings)
{
    const unsigned version = (unsigned)probe->landlock;
    const uint32_t lacking = fence_kinds_lacking(FENCES_ALL, version);
    struct finding finding = {.area = AREA, .name = "landlock", .state = FINDING_WARN};
    char names[FENCE_NAMES_SIZE];

    if (lacking == 0) {
        finding.state = FINDING_OK;
        findings_add(findings, &finding, "ABI %u: all fences can be closed", version);
    } else if (version == 0) {
        finding.remedy = "see that /sys/kernel/security/lsm names it (boot with lsm=landlock,...), "
                         "and that no container's filter hides it";
        findings_add(findings, &finding, "the kernel has none: these fences cannot be closed: %s",
                     fence_kinds_print(lacking, names));
    } else {
        finding.remedy = "run a newer kernel; SECURITY.md says what each keeps from";
        findings_add(findings, &finding, "ABI %u: these fences cannot be closed: %s", version,
                     fence_kinds_print(lacking, names));
    }
}

static void look_at_memfds(const struct probe *probe, struct findings *findings)
{
    struct finding finding = {.area = AREA, .name = "sealed_memfds"};

    if (probe->memfds_sealed) {
        findings_add(findings, &finding, "memory files can be sealed against execution");
        return;
    }
    finding.state = FINDING_WARN;
    finding.remedy = "run Linux 6.3 or later";
    findings_add(findings, &finding,
                 "memory files cannot be sealed against execution (MFD_NOEXEC_SEAL): a list of "
                 "\"executables\" is advisory");
}

static void look_at_loopback(struct findings *findings)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                         .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

    if (bound)
        findings_add(findings, &(struct finding){.area = AREA, .name = "ipv6_loopback"},
                     "[::1] can be bound");
    else
        findings_add(findings,
                     &(struct finding){.area = AREA,
                                       .name = "ipv6_loopback",
                                       .state = FINDING_WARN,
                                       .remedy = "listen at 127.0.0.1:PORT in the place of "
                                                 "localhost:PORT, or run `sudo sysctl -w "
                                                 "net.ipv6.conf.lo.disable_ipv6=0`"},
                     "[::1] cannot be bound: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

void machine_look(const struct machine_needs *needs, struct findings *findings)
{
    struct probe probe;

    probe_kernel(&probe);
    look_at_kernel(&probe, needs, findings);
    look_at_trials(needs, findings);
    look_at_landlock(&probe, findings);
    look_at_memfds(&probe, findings);
    look_at_loopback(findings);
}
