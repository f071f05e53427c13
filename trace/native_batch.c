/* SPDX-License-Identifier: MIT */
/*
 * The native format as batches of pages by number. The pages of a block are numbered once, when it is read; a token is
 * then replaced by numbers that are looked up, not by addresses to be numbered. Tokens name all phrases in the order in
 * which they stand in the block, so that this is the order of first reference, too.
 */
#include <stdlib.h>

#include "trace/native_block.h"

enum { BATCH = OL_NUMBERING_BATCH_MAX };

struct ol_native_numbers {
    uint64_t block; /* the one whose runs are numbered here */
    bool any_written, any_counted;
    uint32_t number[OL_NATIVE_RUNS_MAX], count[OL_NATIVE_RUNS_MAX]; /* by run */
    uint8_t written[OL_NATIVE_RUNS_MAX];
    uint32_t run[BATCH]; /* of the batch */
    uint32_t batch_pages[BATCH], batch_counts[BATCH];
    uint8_t batch_written[BATCH];
};

void ol_native_numbers_destroy(struct ol_native_numbers *numbers)
{
    free(numbers);
}

/* Numbers the runs of the block. False without memory. */
static bool number_block(struct ol_native *native, struct ol_numbering *numbering)
{
    struct ol_native_numbers *const numbers = native->numbers;
    uint32_t most = 1;
    uint8_t any_written = 0;
    if (!ol_numbering_number(numbering, native->runs, native->runs_total, native->options.page_shift, numbers->number))
        return false;
    for (uint32_t i = 0; i < native->runs_total; i++) {
        const struct ol_reference *const run = &native->runs[i];
        numbers->written[i] = run->access == OL_WRITE;
        numbers->count[i] = run->count;
        any_written |= numbers->written[i];
        most |= run->count;
    }
    numbers->any_written = any_written;
    numbers->any_counted = most > 1;
    numbers->block = native->blocks;
    return true;
}

/* --- tokens to runs ----------------------------------------------------------------------------------------------- */

/* Fills the batch, of which there is `count` already, from a block whose phrases are one run each, up to a token that
 * is an event's or wrong; returns what there is then. token_bytes is a constant of the caller's. */
static inline __attribute__((always_inline)) size_t take_singles(struct ol_native *native, size_t count,
                                                                 unsigned token_bytes)
{
    const size_t most = native->tokens < BATCH - count ? native->tokens : BATCH - count;
    uint32_t *const run = native->numbers->run + count;
    uint32_t used = native->used;
    size_t i = 0;
    for (; i < most; i++) {
        const unsigned char *const at = native->token + i * token_bytes;
        const uint32_t token = token_bytes == 2 ? ol_get16(at) : ol_get32(at);
        const uint32_t number = token == OL_NATIVE_NEW_PHRASE ? used : token - OL_NATIVE_FIRST_PHRASE;
        used += token == OL_NATIVE_NEW_PHRASE;
        if (number >= used) break; /* an event's has a number that none has */
        run[i] = number;
    }
    native->used = used;
    ol_native_skip_tokens(native, (uint32_t)i);
    return count + i;
}

/* Puts runs of the phrase into the batch, as many as fit, and keeps the rest. */
static size_t put_phrase(struct ol_native *native, struct ol_native_phrase phrase, size_t count)
{
    uint32_t *const run = native->numbers->run + count;
    const uint32_t fit = phrase.count < BATCH - count ? phrase.count : (uint32_t)(BATCH - count);
    for (uint32_t i = 0; i < fit; i++) run[i] = phrase.first + i;
    native->rest = (struct ol_native_phrase){phrase.first + fit, phrase.count - fit};
    return count + fit;
}

/* The same for a block with any phrases. */
static size_t take_phrases(struct ol_native *native, size_t count)
{
    uint32_t i = 0;
    for (; i < native->tokens && count < BATCH; i++) {
        const uint32_t token = ol_native_token(native, i);
        const uint32_t number = token == OL_NATIVE_NEW_PHRASE ? native->used : token - OL_NATIVE_FIRST_PHRASE;
        native->used += token == OL_NATIVE_NEW_PHRASE;
        if (number >= native->used) break;
        count = put_phrase(native, native->phrases[number], count);
    }
    ol_native_skip_tokens(native, i);
    return count;
}

/* Fills the batch from the block, as far as that goes. False: its tokens make no sense. */
static bool take_runs(struct ol_native *native, size_t *count)
{
    *count = put_phrase(native, native->rest, 0);
    while (native->tokens > 0 && *count < BATCH) {
        size_t events = 0;
        if (native->runs_total != native->defined) *count = take_phrases(native, *count);
        else if (native->token_bytes == 2) *count = take_singles(native, *count, 2);
        else *count = take_singles(native, *count, 4);
        if (native->tokens == 0 || *count == BATCH) break;
        if (ol_native_token(native, 0) != OL_NATIVE_EVENT) return false;
        ol_native_skip_tokens(native, 1);
        if (!ol_native_take_event(native, NULL, &events)) return false;
    }
    return true;
}

/* --- runs to a batch ---------------------------------------------------------------------------------------------- */

/* Looks up what the batch's runs are; returns how many references they stand for. */
static uint64_t look_up(struct ol_native_numbers *numbers, size_t count)
{
    const uint32_t *const run = numbers->run;
    uint64_t references = count;
    for (size_t i = 0; i < count; i++) numbers->batch_pages[i] = numbers->number[run[i]];
    if (numbers->any_written)
        for (size_t i = 0; i < count; i++) numbers->batch_written[i] = numbers->written[run[i]];
    if (!numbers->any_counted) return references;
    for (size_t i = 0; i < count; i++) references += (numbers->batch_counts[i] = numbers->count[run[i]]) - 1;
    return references;
}

/* Of the block, whose runs are numbered. *count 0: there are no more. */
static enum ol_trace_status next_batch(struct ol_native *native, size_t *count)
{
    if (take_runs(native, count) && ol_native_account(native, look_up(native->numbers, *count))) return OL_TRACE_OK;
    return ol_native_damaged(native, "the block's tokens make no sense");
}

enum ol_trace_status ol_native_batch(struct ol_native *native, struct ol_numbering *numbering, struct ol_batch *batch,
                                     char *message, size_t message_bytes)
{
    enum ol_trace_status status = OL_TRACE_OK;
    size_t count = 0;
    native->message = message;
    native->message_bytes = message_bytes;
    if (!native->numbers) native->numbers = calloc(1, sizeof *native->numbers);
    if (!native->numbers) return ol_native_no_memory(native);
    struct ol_native_numbers *const numbers = native->numbers;
    while (status == OL_TRACE_OK && count == 0 && !native->at_end) {
        if (native->tokens == 0 && native->rest.count == 0) status = ol_native_read_block(native);
        if (status == OL_TRACE_OK && numbers->block != native->blocks && !number_block(native, numbering))
            status = ol_native_no_memory(native);
        if (status == OL_TRACE_OK && !native->at_end) status = next_batch(native, &count);
    }
    *batch = (struct ol_batch){.pages = numbers->batch_pages,
                               .written = numbers->any_written ? numbers->batch_written : NULL,
                               .counts = numbers->any_counted ? numbers->batch_counts : NULL,
                               .count = count,
                               .pages_total = ol_numbering_pages(numbering)};
    return status;
}
