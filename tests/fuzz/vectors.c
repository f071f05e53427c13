/* SPDX-License-Identifier: MIT */
/* Fuzz target: any text as test vectors. What is a case is checked, too. */
#include <string.h>

#include "machine/sim/vectors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct ol_vector_reader reader = {0};
    char message[OL_VECTOR_MESSAGE_BYTES];
    enum ol_vector_status status = OL_VECTOR_MORE;
    for (size_t at = 0; at < bytes && status != OL_VECTOR_BAD;) {
        const uint8_t *const end = memchr(data + at, '\n', bytes - at);
        const size_t length = end ? (size_t)(end - data) - at : bytes - at;
        status = ol_vector_line(&reader, (const char *)data + at, length);
        if (status == OL_VECTOR_WHOLE) (void)ol_vector_check(&reader.vector, message);
        if (status == OL_VECTOR_BAD) FUZZ_CHECK(strlen(reader.message) > 0);
        at += length + 1;
    }
    ol_vector_reader_close(&reader);
    return 0;
}
