#include "setup/insiders.h"

#include "base/buffer.h"
#include "policy/admission.h"
#include "system/user_groups.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SURFACES_TOLD_MAX 3
#define READS             (S_IROTH | S_IXOTH) /* of a directory: to see what is in it, and open that */

struct insider {
    uint32_t uid;
    struct user_groups groups; /* without any where they are not known */
};

static bool in(const struct user_groups *groups, uint32_t gid)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (groups->gids[i] == gid)
            return true;
    }
    return false;
}

/* Whether its owner and modes let a user do that; what is not there will be the gate's. */
static bool can(const struct insider *user, const char *path, mode_t wanted, uid_t self)
{
    struct stat facts;

    if (user->uid == 0)
        return true;
    if (stat(path, &facts) != 0)
        return user->uid == self;
    if (facts.st_uid == user->uid)
        return (facts.st_mode >> 6 & wanted) == wanted;
    if (in(&user->groups, facts.st_gid))
        return (facts.st_mode >> 3 & wanted) == wanted;
    return (facts.st_mode & wanted) == wanted;
}

/* The socket's group bits are those of the operators' access control list (acl(5)). */
static bool operates(const struct config *config, const struct insider *user, uid_t self)
{
    struct stat facts;

    for (size_t i = 0; i < config->operator_uid_count; i++) {
        if (config->operator_uids[i] == user->uid)
            return true;
    }
    if (user->uid == 0 || user->uid == self)
        return true;
    return stat(config->control_socket, &facts) == 0 &&
           (facts.st_uid == user->uid || (facts.st_mode & S_IWOTH) != 0);
}

static bool may_call(const struct surface *surface, const struct insider *user)
{
    uint32_t gid;

    return admission_caller_named(surface, user->uid) ||
           admission_caller_group(surface, user->groups.gids, user->groups.count, &gid);
}

/* Nothing if no surface names the user: whoever lets anybody in has named nobody. */
static void append_surfaces(const struct config *config, const struct insider *user,
                            struct buffer *out)
{
    size_t count = 0;

    for (size_t i = 0; i < config->surface_count; i++) {
        if (!may_call(&config->surfaces[i], user))
            continue;
        if (count++ < SURFACES_TOLD_MAX)
            buffer_append_format(out, "%s\"%s\"", count > 1 ? ", " : "", config->surfaces[i].name);
    }
    if (count > SURFACES_TOLD_MAX)
        buffer_append_format(out, " and %zu more", count - SURFACES_TOLD_MAX);
}

struct telling {
    const struct config *config;
    uid_t self;
    void (*tell)(void *context, const char *sentence);
    void *context;
};

static void tell_of(const struct telling *telling, const struct insider *user, bool reads,
                    bool commands)
{
    struct buffer surfaces, sentence;

    buffer_init(&surfaces, INSIDERS_SENTENCE_SIZE);
    buffer_init(&sentence, INSIDERS_SENTENCE_SIZE);
    append_surfaces(telling->config, user, &surfaces);
    if (surfaces.length > 0)
        buffer_append_format(&sentence,
                             "uid %" PRIu32 " may call %s, and can %s%s%s: whoever takes over a "
                             "program of that user needs no token. Give clients a user of their "
                             "own (contrib/clients.md).",
                             user->uid, surfaces.data, reads ? "read the state directory" : "",
                             reads && commands ? " and " : "",
                             commands ? "use the control socket" : "");
    if (sentence.length > 0 && !buffer_failed(&sentence))
        telling->tell(telling->context, sentence.data);
    buffer_clear(&surfaces);
    buffer_clear(&sentence);
}

static void look_at(const struct telling *telling, uint32_t uid)
{
    const struct config *config = telling->config;
    struct insider user = {.uid = uid};
    bool reads, commands;

    if (user_groups_find(uid, &user.groups) != OK)
        user.groups = (struct user_groups){NULL, 0};
    reads = can(&user, config->state_dir, READS, telling->self);
    commands = operates(config, &user, telling->self);
    if (reads || commands)
        tell_of(telling, &user, reads, commands);
    user_groups_clear(&user.groups);
}

/* ---- Whom to look at: of a group's members only those who can be insiders ---- */

struct users {
    uint32_t *uids;
    size_t count;
};

static void add(struct users *users, uint32_t uid)
{
    for (size_t i = 0; i < users->count; i++) {
        if (users->uids[i] == uid)
            return;
    }
    users->uids[users->count++] = uid;
}

static void add_owner(struct users *users, const char *path)
{
    struct stat facts;

    if (stat(path, &facts) == 0)
        add(users, facts.st_uid);
}

static size_t most_users(const struct config *config)
{
    size_t most = 4 + config->operator_uid_count;

    for (size_t i = 0; i < config->surface_count; i++)
        most += config->surfaces[i].caller_uid_count;
    return most;
}

void insiders_tell(const struct config *config, uid_t self,
                   void (*tell)(void *context, const char *sentence), void *context)
{
    const struct telling telling = {config, self, tell, context};
    struct users users = {calloc(most_users(config), sizeof(*users.uids)), 0};

    if (users.uids == NULL)
        return;
    add(&users, 0);
    add(&users, self);
    add_owner(&users, config->state_dir);
    add_owner(&users, config->control_socket);
    for (size_t i = 0; i < config->operator_uid_count; i++)
        add(&users, config->operator_uids[i]);
    for (size_t i = 0; i < config->surface_count; i++) {
        for (size_t j = 0; j < config->surfaces[i].caller_uid_count; j++)
            add(&users, config->surfaces[i].caller_uids[j]);
    }
    for (size_t i = 0; i < users.count; i++)
        look_at(&telling, users.uids[i]);
    free(users.uids);
}
