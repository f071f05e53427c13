/* SPDX-License-Identifier: MIT */
/* Fuzz target: any text as a results file of `onelevel sweep`. What is taken of it is whole, and taken again alike. */
#include <jansson.h>
#include <string.h>

#include "cli/sweep_journal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char message[OL_JOURNAL_MESSAGE_BYTES] = "";
    struct ol_journal journal, again;
    const char *const text = (const char *)data;
    const bool good = ol_journal_parse(text, bytes, &journal, message);
    FUZZ_CHECK(good == (message[0] == '\0'));
    FUZZ_CHECK(journal.good_bytes <= bytes);
    FUZZ_CHECK(journal.good_bytes == 0 || (journal.header && text[journal.good_bytes - 1] == '\n'));
    /* The part that is whole says the same by itself: that is what a sweep goes on with. */
    FUZZ_CHECK(ol_journal_parse(text, journal.good_bytes, &again, message));
    FUZZ_CHECK(again.good_bytes == journal.good_bytes && again.rows_count == journal.rows_count);
    for (uint32_t i = 0; i < again.rows_count; i++)
        FUZZ_CHECK(json_equal(again.rows[i], journal.rows[i]) || (!again.rows[i] && !journal.rows[i]));
    ol_journal_release(&journal);
    ol_journal_release(&again);
    return 0;
}
