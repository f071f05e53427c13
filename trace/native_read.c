/* SPDX-License-Identifier: MIT */
/* The native format as references: a block's tokens replaced by phrases. */
#include "trace/native_block.h"

/* Appends runs of a phrase; what begins as the last one ended is one with it. */
static inline size_t append(const struct ol_native *native, struct ol_native_phrase phrase,
                            struct ol_reference *references, size_t count)
{
    const struct ol_reference *run = &native->runs[phrase.first];
    uint32_t left = phrase.count;
    if (count > 0) {
        struct ol_reference *const before = &references[count - 1];
        if (before->va == run->va && before->access == run->access && before->thread == native->thread &&
            before->count + run->count > run->count) {
            before->count += run->count;
            run++;
            left--;
        }
    }
    for (uint32_t i = 0; i < left; i++) {
        references[count + i] = run[i];
        references[count + i].thread = native->thread;
    }
    return count + left;
}

/* The phrase of a token that is none of an event's. False: there is none such. */
static bool phrase_of(struct ol_native *native, uint32_t token, struct ol_native_phrase *phrase)
{
    const uint32_t number = token == OL_NATIVE_NEW_PHRASE ? native->used++ : token - OL_NATIVE_FIRST_PHRASE;
    if (number >= native->used) return false;
    *phrase = native->phrases[number];
    return true;
}

/* Unfolds tokens of the block until the batch is full. False: they make no sense. */
static bool take_tokens(struct ol_native *native, struct ol_reference *references, size_t max, size_t *count)
{
    while (native->tokens > 0 && native->rest.count == 0 && *count < max) {
        struct ol_native_phrase phrase;
        const uint32_t token = ol_native_token(native, 0);
        ol_native_skip_tokens(native, 1);
        if (token == OL_NATIVE_EVENT) {
            if (!ol_native_take_event(native, references, count)) return false;
            continue;
        }
        if (!phrase_of(native, token, &phrase)) return false;
        if (phrase.count > max - *count) native->rest = phrase;
        else *count = append(native, phrase, references, *count);
    }
    return true;
}

static void take_rest(struct ol_native *native, struct ol_reference *references, size_t max, size_t *count)
{
    struct ol_native_phrase part = native->rest;
    if (part.count > max - *count) part.count = (uint32_t)(max - *count);
    if (part.count > 0) *count = append(native, part, references, *count);
    native->rest.first += part.count;
    native->rest.count -= part.count;
}

static uint64_t sum(const struct ol_reference *references, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += references[i].event == OL_TRACE_REFERENCE ? references[i].count : 0;
    return total;
}

enum ol_trace_status ol_native_next(struct ol_native *native, struct ol_reference *references, size_t max,
                                    size_t *count, char *message, size_t message_bytes)
{
    native->message = message;
    native->message_bytes = message_bytes;
    *count = 0;
    if (native->sample) return ol_native_next_sampled(native, references, max, count);
    while (*count == 0 && !native->at_end) {
        take_rest(native, references, max, count);
        if (!take_tokens(native, references, max, count) || !ol_native_account(native, sum(references, *count)))
            return ol_native_damaged(native, "the block's tokens make no sense");
        if (*count > 0 || native->tokens > 0 || native->rest.count > 0) continue;
        const enum ol_trace_status status = ol_native_read_block(native);
        if (status != OL_TRACE_OK) return status;
    }
    return OL_TRACE_OK;
}
