/* What starting a tree consists of; which of it failed, and what the operator can do about it. */
#pragma once

/* Each: name, what failed, the remedy where there is one. */
#define LAUNCH_STEPS(X)                                                                            \
    X(CLONE, "making the namespaces of the service",                                               \
      "unprivileged user namespaces must be permitted (sysctl user.max_user_namespaces, AppArmor " \
      "or the container's seccomp profile), or run as root, in a container with CAP_SYS_ADMIN")    \
    X(COMMAND, "reading what is to be run", "")                                                    \
    X(PARENT, "staying with the parent", "")                                                       \
    X(MAPS, "mapping the user into its namespace",                                                 \
      "AppArmor restricts user namespaces here: permit `userns` to this program, or run as root")  \
    X(PROC, "mounting a /proc of its own", "a container must not mask /proc: unmask it")           \
    X(DEVICES, "hiding devices", "")                                                               \
    X(WRITES, "limiting what the service may write",                                               \
      "what \"write\" names must be there, without links; mount_setattr(2) must be permitted")     \
    X(ISLANDS, "keeping code to where it may come from",                                           \
      "mount_setattr(2) must be permitted; with \"executables\": \"any\" it is not needed")        \
    X(HIDE, "hiding what the service must not find", "")                                           \
    X(NETWORK, "making the private network",                                                       \
      "network namespaces must be permitted (sysctl user.max_net_namespaces)")                     \
    X(LOOPBACK, "raising the private loopback", "")                                                \
    X(KEEPER, "setting up the keeper", "kernel 5.14 is needed at least")                           \
    X(STANDARD, "opening standard input and output", "")                                           \
    X(USER, "becoming the service's user", "only root can run a service as another user")          \
    X(DIRECTORY, "entering the service's directory", "")                                           \
    X(FENCES, "closing the fences", "")                                                            \
    X(REQUIRED, "closing the fences that are required",                                            \
      "this kernel does not hold all that \"require\" names, nor does a control group: run a "     \
      "newer one, delegate a group to the gate, or name less")                                     \
    X(FILTER, "loading the filter of system calls",                                                \
      "seccomp user notification is needed, and none in force already (another supervisor's)")     \
    X(EXECUTE, "executing the service", "")

enum launch_step {
#define STEP_NAME(name, what, remedy) STEP_##name,
    LAUNCH_STEPS(STEP_NAME)
#undef STEP_NAME
        STEP_COUNT
};

/* "": there is none that is known. */
const char *step_what(unsigned step);
const char *step_remedy(unsigned step);
