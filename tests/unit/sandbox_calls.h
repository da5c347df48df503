/*
 * Every system call that the sandbox must not let through, with arguments that
 * do nothing much should it do so: CALL(name, whether the build's sanitizers
 * need it themselves, arguments of syscall()). Descriptors and memory are
 * `held` by test_sandbox.c. Nothing named here exists: a program that could be
 * executed would meet the sandbox later and hide that it was.
 */
#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifdef SIDELOCK_SANITIZE
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Programs, files and everything else with a name. */
#define CALLS_WITH_NAMES(CALL)                                                                     \
    CALL(execve, false, SYS_execve, path, no_strings, no_strings)                                  \
    CALL(execveat, false, SYS_execveat, AT_FDCWD, path, no_strings, no_strings, 0)                 \
    CALL(openat, SANITIZED, SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0)                        \
    CALL(openat2, false, SYS_openat2, AT_FDCWD, "/dev/null", held.page, 24)                        \
    CALL(open_by_handle_at, false, SYS_open_by_handle_at, AT_FDCWD, held.page, O_RDONLY)           \
    CALL(unlinkat, false, SYS_unlinkat, AT_FDCWD, path, 0)                                         \
    CALL(renameat2, false, SYS_renameat2, AT_FDCWD, path, AT_FDCWD, path, 0)                       \
    CALL(linkat, false, SYS_linkat, AT_FDCWD, path, AT_FDCWD, path, 0)                             \
    CALL(symlinkat, false, SYS_symlinkat, path, AT_FDCWD, path)                                    \
    CALL(mkdirat, false, SYS_mkdirat, AT_FDCWD, path, 0700)                                        \
    CALL(mknodat, false, SYS_mknodat, AT_FDCWD, path, 0600, 0)                                     \
    CALL(fchmodat, false, SYS_fchmodat, AT_FDCWD, path, 0600)                                      \
    CALL(fchmod, false, SYS_fchmod, held.pipe[0], 0600)                                            \
    CALL(fchownat, false, SYS_fchownat, AT_FDCWD, path, 0, 0, 0)                                   \
    CALL(faccessat, false, SYS_faccessat, AT_FDCWD, path, R_OK)                                    \
    CALL(readlinkat, SANITIZED, SYS_readlinkat, AT_FDCWD, path, held.page, 16)                     \
    CALL(newfstatat, SANITIZED, SYS_newfstatat, AT_FDCWD, path, held.page, 0)                      \
    CALL(statx, false, SYS_statx, AT_FDCWD, path, 0, 0, held.page)                                 \
    CALL(getdents64, SANITIZED, SYS_getdents64, held.pipe[0], held.page, 4096)                     \
    CALL(getcwd, false, SYS_getcwd, held.page, 4096)                                               \
    CALL(chdir, false, SYS_chdir, "/")                                                             \
    CALL(chroot, false, SYS_chroot, "/")                                                           \
    CALL(mount, false, SYS_mount, "none", path, "tmpfs", 0, NULL)                                  \
    CALL(umount2, false, SYS_umount2, path, MNT_DETACH)                                            \
    CALL(pivot_root, false, SYS_pivot_root, path, path)                                            \
    CALL(truncate, false, SYS_truncate, path, 0)                                                   \
    CALL(memfd_create, false, SYS_memfd_create, "x", 0)                                            \
    CALL(inotify, false, SYS_inotify_init1, 0)

/* Descriptors: new ones, and what the old ones were not meant for. */
#define CALLS_ON_DESCRIPTORS(CALL)                                                                 \
    CALL(socket, false, SYS_socket, AF_UNIX, SOCK_STREAM, 0)                                       \
    CALL(socket_inet, false, SYS_socket, AF_INET, SOCK_STREAM, 0)                                  \
    CALL(socket_netlink, false, SYS_socket, AF_NETLINK, SOCK_RAW, 0)                               \
    CALL(socketpair, false, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, held.page)                    \
    CALL(connect, false, SYS_connect, held.datagram, &held.address, sizeof(held.address))          \
    CALL(bind, false, SYS_bind, held.datagram, &held.address, sizeof(held.address))                \
    CALL(listen, false, SYS_listen, held.listener, 8)                                              \
    CALL(sendmmsg, false, SYS_sendmmsg, held.datagram, held.page, 1, 0)                            \
    CALL(recvmmsg, false, SYS_recvmmsg, held.datagram, held.page, 1, 0, NULL)                      \
    CALL(sendto_address, false, SYS_sendto, held.datagram, "x", 1, 0, &held.address,               \
         sizeof(held.address))                                                                     \
    CALL(sendto_unix, false, SYS_sendto, held.stream[0], "x", 1, 0, &unix_address,                 \
         sizeof(unix_address))                                                                     \
    CALL(sendto_fastopen, false, SYS_sendto, held.client, "x", 1, MSG_FASTOPEN, NULL, 0)           \
    CALL(sendmsg_fastopen, false, SYS_sendmsg, held.client, held.page, MSG_FASTOPEN)               \
    CALL(shutdown_listener, false, SYS_shutdown, held.listener, SHUT_RD)                           \
    CALL(shutdown_both, false, SYS_shutdown, held.listener, SHUT_RDWR)                             \
    CALL(setsockopt_ulp, false, SYS_setsockopt, held.client, IPPROTO_TCP, TCP_ULP, "tls", 4)       \
    CALL(setsockopt_fastopen, false, SYS_setsockopt, held.client, IPPROTO_TCP,                     \
         TCP_FASTOPEN_CONNECT, held.page, 4)                                                       \
    CALL(setsockopt_filter, false, SYS_setsockopt, held.client, SOL_SOCKET, SO_ATTACH_FILTER,      \
         held.page, sizeof(struct sock_fprog))                                                     \
    CALL(setsockopt_ip, false, SYS_setsockopt, held.client, IPPROTO_IP, TCP_NODELAY, held.page, 4) \
    CALL(ioctl_terminal, false, SYS_ioctl, 0, TIOCSTI, "x")                                        \
    CALL(ioctl_owner, false, SYS_ioctl, held.client, FIOSETOWN, held.page)                         \
    CALL(ioctl_interfaces, false, SYS_ioctl, held.datagram, SIOCGIFCONF, held.page)                \
    CALL(fcntl_owner, false, SYS_fcntl, held.pipe[0], F_SETOWN, held.parent)                       \
    CALL(fcntl_signal, false, SYS_fcntl, held.pipe[0], F_SETSIG, SIGKILL)                          \
    CALL(fcntl_duplicate, false, SYS_fcntl, held.pipe[0], F_DUPFD, 0)                              \
    CALL(fcntl_lease, false, SYS_fcntl, held.pipe[0], F_SETLEASE, F_RDLCK)                         \
    CALL(fcntl_pipe_size, false, SYS_fcntl, held.pipe[0], F_SETPIPE_SZ, MEBIBYTE)                  \
    CALL(dup, true, SYS_dup, held.pipe[0])                                                         \
    CALL(dup3, false, SYS_dup3, held.pipe[0], held.pipe[1], 0)                                     \
    CALL(pipe2, SANITIZED, SYS_pipe2, held.page, 0)                                                \
    CALL(epoll_create1, false, SYS_epoll_create1, 0)                                               \
    CALL(eventfd2, false, SYS_eventfd2, 0, 0)                                                      \
    CALL(splice, false, SYS_splice, held.pipe[0], NULL, held.pipe[1], NULL, 1, 0)                  \
    CALL(io_uring, false, SYS_io_uring_setup, 8, held.page)                                        \
    CALL(io_setup, false, SYS_io_setup, 8, held.page)

/* Processes, this one and others. */
#define CALLS_ON_PROCESSES(CALL)                                                                   \
    CALL(clone, SANITIZED, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)                             \
    CALL(clone3, false, SYS_clone3, held.page, 64)                                                 \
    CALL(ptrace, SANITIZED, SYS_ptrace, 16 /* PTRACE_ATTACH */, held.parent, NULL, NULL)           \
    CALL(process_vm_readv, SANITIZED, SYS_process_vm_readv, held.parent, NULL, 0, NULL, 0, 0)      \
    CALL(process_vm_writev, false, SYS_process_vm_writev, held.parent, NULL, 0, NULL, 0, 0)        \
    CALL(kill, SANITIZED, SYS_kill, held.parent, 0)                                                \
    CALL(tkill, false, SYS_tkill, held.parent, 0)                                                  \
    CALL(tgkill, false, SYS_tgkill, held.parent, held.parent, 0)                                   \
    CALL(rt_sigqueueinfo, false, SYS_rt_sigqueueinfo, held.parent, 0, held.page)                   \
    CALL(pidfd_open, false, SYS_pidfd_open, held.parent, 0)                                        \
    CALL(pidfd_getfd, false, SYS_pidfd_getfd, held.pipe[0], 0, 0)                                  \
    CALL(wait4, SANITIZED, SYS_wait4, -1, NULL, WNOHANG, NULL)                                     \
    CALL(prctl, SANITIZED, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)                                 \
    CALL(seccomp, false, SYS_seccomp, 1, 0, held.page)                                             \
    CALL(setuid, false, SYS_setuid, 0)                                                             \
    CALL(setresuid, false, SYS_setresuid, 0, 0, 0)                                                 \
    CALL(setgroups, false, SYS_setgroups, 0, NULL)                                                 \
    CALL(capset, false, SYS_capset, held.page, held.page)                                          \
    CALL(setns, false, SYS_setns, held.pipe[0], 0)                                                 \
    CALL(unshare, false, SYS_unshare, 0)                                                           \
    CALL(prlimit64, SANITIZED, SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, held.page)                   \
    CALL(setrlimit, false, SYS_setrlimit, RLIMIT_CORE, held.page)                                  \
    CALL(setpriority, false, SYS_setpriority, PRIO_PROCESS, 0, 1)                                  \
    CALL(personality, false, SYS_personality, 0xffffffff)

/* Memory and the kernel itself. */
#define CALLS_ON_THE_KERNEL(CALL)                                                                  \
    CALL(mmap_exec, false, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,                            \
         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)                                                       \
    CALL(mmap_all, false, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,                \
         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)                                                       \
    CALL(mprotect_exec, false, SYS_mprotect, held.page, 4096, PROT_READ | PROT_EXEC)               \
    CALL(pkey_mprotect, false, SYS_pkey_mprotect, held.page, 4096, PROT_READ | PROT_EXEC, -1)      \
    CALL(remap_file_pages, false, SYS_remap_file_pages, held.page, 4096, 0, 0, 0)                  \
    CALL(bpf, false, SYS_bpf, 0, held.page, 16)                                                    \
    CALL(userfaultfd, false, SYS_userfaultfd, 0)                                                   \
    CALL(perf_event_open, false, SYS_perf_event_open, held.page, 0, -1, -1, 0)                     \
    CALL(keyctl, false, SYS_keyctl, 0, 0)                                                          \
    CALL(add_key, false, SYS_add_key, "user", "x", "x", 1, 0)                                      \
    CALL(init_module, false, SYS_init_module, held.page, 1, "")                                    \
    CALL(reboot, false, SYS_reboot, 0, 0, 0, NULL)                                                 \
    CALL(clock_settime, false, SYS_clock_settime, CLOCK_REALTIME, held.page)                       \
    CALL(unknown, false, 100000)

/* Older calls, which newer architectures do not have; and the second table of numbers (x32). */
#ifdef SYS_open
#define CALLS_OF_OLD(CALL)                                                                         \
    CALL(open, SANITIZED, SYS_open, "/dev/null", O_RDONLY)                                         \
    CALL(creat, false, SYS_creat, path, 0600)                                                      \
    CALL(unlink, false, SYS_unlink, path)                                                          \
    CALL(rename, false, SYS_rename, path, path)                                                    \
    CALL(chmod, false, SYS_chmod, path, 0600)                                                      \
    CALL(stat, SANITIZED, SYS_stat, path, held.page)                                               \
    CALL(access, false, SYS_access, path, R_OK)                                                    \
    CALL(readlink, SANITIZED, SYS_readlink, path, held.page, 16)                                   \
    CALL(accept, false, SYS_accept, held.listener, NULL, NULL)                                     \
    CALL(fork, false, SYS_fork)                                                                    \
    CALL(arch_prctl, false, SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, 0)                           \
    CALL(x32_getpid, false, 0x40000000 | SYS_getpid)                                               \
    CALL(x32_execve, false, 0x40000000 | 520, path, no_strings, no_strings)
#else
#define CALLS_OF_OLD(CALL)
#endif

#define FORBIDDEN_CALLS(CALL)                                                                      \
    CALLS_WITH_NAMES(CALL)                                                                         \
    CALLS_ON_DESCRIPTORS(CALL)                                                                     \
    CALLS_ON_PROCESSES(CALL)                                                                       \
    CALLS_ON_THE_KERNEL(CALL)                                                                      \
    CALLS_OF_OLD(CALL)
