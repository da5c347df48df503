/*
 * What can be made out of a JSON-RPC message that is refused for what it is: broken, nested too
 * deeply, with too many members. Nothing passes by it; it says whose request stays unanswered,
 * so that they are told, and the connection need not end for it.
 */
#pragma once

#include "vet/message.h"

/*
 * The kind and the id, if the text has one "id" of the permitted ones before it breaks;
 * MESSAGE_OTHER if it says neither that nor a method.
 */
void salvage_message(struct span text, struct message *out);
