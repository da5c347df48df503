/* What the scanner and its parts, numbers and keys, agree on. */
#ifndef SIDELOCK_JSON_TYPE_H
#define SIDELOCK_JSON_TYPE_H

#define JSON_MEMBERS_MAX 4096  /* of one object */
#define JSON_KEYS_MAX    65536 /* of one text */

enum json_type {
    JSON_NONE = 0,
    JSON_TYPE_OBJECT,
    JSON_TYPE_ARRAY,
    JSON_TYPE_STRING,
    JSON_TYPE_INTEGER, /* no fraction, no exponent */
    JSON_TYPE_REAL,
    JSON_TYPE_TRUE,
    JSON_TYPE_FALSE,
    JSON_TYPE_NULL,
};

#endif
