#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_GROUPS_MAX 256 /* that are looked at: of a process that is in more, none counts */

/* Whether a group is root's own, or one that this process is in. */
static bool is_our_group(gid_t group)
{
    gid_t groups[OUR_GROUPS_MAX];
    int count = getgroups(OUR_GROUPS_MAX, groups);

    if (group == 0 || group == getegid())
        return true;
    for (int i = 0; i < count; i++) {
        if (groups[i] == group)
            return true;
    }
    return false;
}

/* The bits of a mode that the kind of file must not have. */
static mode_t closed_bits(enum trusted_file_kind kind, const struct stat *facts)
{
    if (kind == TRUSTED_FILE_POLICY)
        return 0;
    if (kind == TRUSTED_FILE_KEY && is_our_group(facts->st_gid))
        return S_IWGRP | S_IXGRP | S_IRWXO;
    return S_IRWXG | S_IRWXO;
}

static enum error check(int fd, const char *path, enum trusted_file_kind kind,
                        const struct trust *trust, char why[WHY_SIZE])
{
    char whose[TRUST_WHOSE_SIZE];
    struct stat facts;

    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        return error_explain(why, ERROR_INVALID, "%.150s is not a regular file.", path);
    if (!trust_has(trust, facts.st_uid))
        return trust_deny(trust, path, facts.st_uid, why);
    if ((facts.st_mode & closed_bits(kind, &facts)) != 0)
        return error_explain(why, ERROR_DENIED, "%.150s is open to others; run chmod %s on it%s.",
                             path, kind == TRUSTED_FILE_KEY ? "640 (or 600)" : "600",
                             trust_whose(&facts, whose));
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return error_explain(why, ERROR_DENIED,
                             "%.150s can be changed by others; run chmod go-w on it%s.", path,
                             trust_whose(&facts, whose));
    return OK;
}

enum error trusted_file_check(int fd, const char *path, enum trusted_file_kind kind,
                              char why[WHY_SIZE])
{
    return check(fd, path, kind, &TRUST_OWN, why);
}

enum error trusted_file_open(const char *path, enum trusted_file_kind kind, struct trust trust,
                             int *fd, char why[WHY_SIZE])
{
    struct trusted_path place;
    int opened = -1;
    enum error error = trusted_path_find(path, trust, &place, why);

    if (error != OK)
        return error;
    error = trusted_path_open(&place, O_RDONLY | O_NONBLOCK | O_NOCTTY, &opened);
    if (error != OK)
        error_explain(why, error, "%.150s cannot be opened: %s.", path, strerror(errno));
    else
        error = check(opened, path, kind, &place.trust, why);
    trusted_path_close(&place);
    if (error == OK)
        *fd = opened;
    else if (opened >= 0)
        close(opened);
    return error;
}

/* All of an open file; it is closed. */
static enum error read_open(int fd, const char *path, struct buffer *out, char why[WHY_SIZE])
{
    enum error error = buffer_append_fd(out, fd);

    if (error == ERROR_IO)
        error_explain(why, error, "%.150s cannot be read: %s.", path, strerror(errno));
    else if (error != OK)
        error_explain(why, error, "%.150s is larger than %zu bytes.", path, out->max_bytes);
    close(fd);
    return error;
}

enum error trusted_file_read(const char *path, enum trusted_file_kind kind, struct trust trust,
                             struct buffer *out, char why[WHY_SIZE])
{
    int fd;
    enum error error = trusted_file_open(path, kind, trust, &fd, why);

    if (error != OK)
        return error;
    return read_open(fd, path, out, why);
}

/* ---- TLS ---- */

/* One of the files that "tls" names, on its way into memory. */
struct part {
    const char *member, *path;
    struct buffer *text;
};

static enum error read_part(const struct tls_files_source *source, const struct part *part,
                            enum certificate_part which, struct tls_files_fault *fault)
{
    char why[WHY_SIZE];
    struct buffer *text = part->text;
    enum error error;
    int fd;

    fault->member = part->member;
    buffer_init(text, TLS_FILES_BYTES_MAX);
    if (part->path == NULL)
        return OK;
    error = source->open(source->context, which, &fd, why);
    if (error == OK)
        error = read_open(fd, part->path, text, why);
    if (error != OK)
        return error_explain(fault->text, ERROR_INVALID, "%s%s", why,
                             error == ERROR_NOT_FOUND ? " `sidelock certs init` makes one." : "");
    if (text->length == 0 || memchr(text->data, '\0', text->length) != NULL)
        return error_explain(fault->text, ERROR_INVALID, "%.150s does not hold PEM.", part->path);
    return OK;
}

const char *tls_files_path(const struct surface_tls *tls, uint32_t part)
{
    switch (part) {
    case CERTIFICATE_CHAIN:
        return tls->certificate;
    case CERTIFICATE_KEY:
        return tls->key;
    case CERTIFICATE_CLIENT_CA:
        return tls->client_ca;
    default:
        return NULL;
    }
}

enum error tls_files_open(const struct surface_tls *tls, enum certificate_part part, int *fd,
                          char why[WHY_SIZE])
{
    return trusted_file_open(tls_files_path(tls, part),
                             part == CERTIFICATE_KEY ? TRUSTED_FILE_KEY : TRUSTED_FILE_POLICY,
                             TRUST_OWN, fd, why);
}

static enum error open_here(const void *context, enum certificate_part part, int *fd,
                            char why[WHY_SIZE])
{
    return tls_files_open(context, part, fd, why);
}

enum error tls_files_read(const struct surface_tls *tls, int64_t now, struct tls_files *out,
                          struct tls_files_fault *fault)
{
    const struct tls_files_source source = {.tls = tls, .open = open_here, .context = tls};

    return tls_files_read_from(&source, now, out, fault);
}

enum error tls_files_read_from(const struct tls_files_source *source, int64_t now,
                               struct tls_files *out, struct tls_files_fault *fault)
{
    const struct surface_tls *tls = source->tls;
    struct tls_files files = {.facts = {.authority = false}};
    const struct part parts[] = {
        [CERTIFICATE_CHAIN] = {"certificate", tls->certificate, &files.certificate},
        [CERTIFICATE_KEY] = {"key", tls->key, &files.key},
        [CERTIFICATE_CLIENT_CA] = {"client_ca", tls->client_ca, &files.client_ca},
    };
    struct certificate_texts texts;
    struct certificate_fault found = {.part = 0};
    enum error error = OK;

    for (size_t i = CERTIFICATE_CHAIN; error == OK && i <= CERTIFICATE_CLIENT_CA; i++)
        error = read_part(source, &parts[i], (enum certificate_part)i, fault);
    texts = (struct certificate_texts){
        .chain = {files.certificate.data, files.certificate.length},
        .key = {files.key.data, files.key.length},
        .client_ca = {files.client_ca.data, files.client_ca.length},
    };
    /* What the files hold, against each other and the clock. */
    if (error == OK)
        error = certificate_check(&texts, now, &found);
    if (error == ERROR_INVALID && found.part != 0) {
        fault->member = parts[found.part].member;
        error_explain(fault->text, error, "%.90s: %s", parts[found.part].path, found.text);
    }
    if (error == OK)
        error = certificate_read(texts.chain, &files.facts);
    if (error == OK)
        *out = files;
    else
        tls_files_clear(&files);
    return error;
}

void tls_files_clear(struct tls_files *files)
{
    buffer_clear(&files->certificate);
    buffer_wipe(&files->key);
    buffer_clear(&files->client_ca);
    certificate_facts_clear(&files->facts);
}
