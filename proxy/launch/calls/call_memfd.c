/* memfd_create: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/target.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME_SIZE 250 /* memfd_create(2): 249 bytes and the NUL */
/* Newer than the headers of Debian 12 (memfd_create(2), 6.3). */
#define NOEXEC_SEAL 0x08u
#define EXEC        0x10u

void call_memfd(struct calls *calls, const struct question *question)
{
    char name[NAME_SIZE];
    unsigned flags = (unsigned)question->arguments[1];
    int fd;

    (void)calls;
    if (target_copy_text(question->thread, question->arguments[0], name, sizeof(name)) != OK) {
        question_answer(question, errno);
        return;
    }
    fd = memfd_create(name, (flags & ~EXEC) | MFD_CLOEXEC | NOEXEC_SEAL);
    if (fd < 0) {
        question_answer(question, errno);
        return;
    }
    question_give(question, fd, (flags & MFD_CLOEXEC) != 0);
    close(fd);
}
