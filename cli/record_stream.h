/* SPDX-License-Identifier: MIT */
/*
 * Turns what the Valgrind tool tells (record/wire.h) into traces: one for the first process, FILE, and one for each
 * other that tells something, FILE.PID.
 */
#ifndef OL_CLI_RECORD_STREAM_H
#define OL_CLI_RECORD_STREAM_H

#include <stdbool.h>
#include <stddef.h>

struct ol_record;

/* Creates FILE. NULL: errno says why. The string must outlive the record. */
struct ol_record *ol_record_open(const char *file, bool addresses);

/* The words of one message. False, after a message for people: nothing more can be recorded. */
bool ol_record_message(struct ol_record *record, int process, const char *words, size_t bytes);

/* Ends all files. False, after a message for people, if one is incomplete. */
bool ol_record_close(struct ol_record *record);

#endif
