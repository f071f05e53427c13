/* SPDX-License-Identifier: MIT */
/* Gives each file of a folder, and so many variants of all with one byte changed or cut off, to a fuzz target.
 * usage: fuzz_NAME FOLDER VARIANTS */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { FILE_BYTES = 1 << 16 };

static void replay(uint8_t *bytes, size_t count, size_t variants)
{
    (void)LLVMFuzzerTestOneInput(bytes, count);
    if (variants > count) variants = count;
    for (size_t i = 0; i < variants; i++) {
        const size_t at = i * count / variants;
        const uint8_t change = (uint8_t)(1U << i % 8);
        bytes[at] ^= change;
        (void)LLVMFuzzerTestOneInput(bytes, count);
        bytes[at] ^= change;
        (void)LLVMFuzzerTestOneInput(bytes, at);
    }
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    static uint8_t bytes[FILE_BYTES];
    struct dirent **entries = NULL;
    const int files = argc == 3 ? scandir(argv[1], &entries, is_file, alphasort) : 0;
    if (files <= 0) {
        fprintf(stderr, "usage: %s FOLDER VARIANTS; the folder has files\n", argv[0]);
        return 2;
    }
    const size_t variants = strtoul(argv[2], NULL, 10) / (size_t)files + 1;
    for (int i = 0; i < files; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        free(entries[i]);
        FILE *const file = fopen(path, "rb");
        if (!file) return 1;
        const size_t count = fread(bytes, 1, sizeof bytes, file);
        (void)fclose(file);
        replay(bytes, count, variants);
    }
    free(entries);
    printf("%d files\n", files);
    return 0;
}
