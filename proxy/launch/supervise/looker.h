/*
 * The process that looks which program calls (system/caller_program.h). Landlock keeps broker and
 * parent from looking into others; this one is forked where there is none (looking.h). By seccomp
 * it opens files to read them, lists folders, and does nothing else: no process is started or
 * signalled, no file is changed, nobody is connected to. It hears the broker alone, a uid and an
 * inode at a time (ipc/errand.h).
 */
#pragma once

/* What it is, until the broker's end of `channel` is closed. */
_Noreturn void looker_run(int channel);
