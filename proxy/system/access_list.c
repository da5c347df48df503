#include "system/access_list.h"

#include "base/buffer.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define LIST_BYTES_MAX 65536 /* of an extended attribute */

static void append(struct buffer *list, uint16_t tag, uint16_t rights, uint32_t id)
{
    const struct posix_acl_xattr_entry entry = {
        .e_tag = htole16(tag), .e_perm = htole16(rights), .e_id = htole32(id)};

    buffer_append(list, &entry, sizeof(entry));
}

enum error access_list_set(const char *path, const uint32_t *uids, size_t count)
{
    const struct posix_acl_xattr_header header = {.a_version = htole32(POSIX_ACL_XATTR_VERSION)};
    const uint32_t nobody = (uint32_t)ACL_UNDEFINED_ID;
    enum error error = OK;
    struct buffer list;

    buffer_init(&list, LIST_BYTES_MAX);
    buffer_append(&list, &header, sizeof(header));
    append(&list, ACL_USER_OBJ, ACL_READ | ACL_WRITE, nobody);
    for (size_t i = 0; i < count; i++)
        append(&list, ACL_USER, ACL_READ | ACL_WRITE, uids[i]);
    append(&list, ACL_GROUP_OBJ, 0, nobody);
    append(&list, ACL_MASK, ACL_READ | ACL_WRITE, nobody);
    append(&list, ACL_OTHER, 0, nobody);
    if (buffer_failed(&list))
        error = ERROR_LIMIT;
    else if (lsetxattr(path, "system.posix_acl_access", list.data, list.length, 0) != 0)
        error = errno == EOPNOTSUPP ? ERROR_NOT_FOUND : ERROR_IO;
    buffer_clear(&list);
    return error;
}
