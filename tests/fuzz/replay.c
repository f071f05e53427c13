/* SPDX-License-Identifier: MIT */
/* Gives each file of a folder, and each with one byte changed or cut off, to a fuzz target.
 * usage: fuzz_NAME FOLDER */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { FILE_BYTES = 1 << 16, VARIANTS = 200 };

static void replay(uint8_t *bytes, size_t count)
{
    (void)LLVMFuzzerTestOneInput(bytes, count);
    for (size_t i = 0; i < VARIANTS && count > 0; i++) {
        const size_t at = i * count / VARIANTS;
        const uint8_t change = (uint8_t)(1U << i % 8);
        bytes[at] ^= change;
        (void)LLVMFuzzerTestOneInput(bytes, count);
        bytes[at] ^= change;
        (void)LLVMFuzzerTestOneInput(bytes, at);
    }
}

int main(int argc, char **argv)
{
    static uint8_t bytes[FILE_BYTES];
    unsigned files = 0;
    DIR *const folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        FILE *const file = fopen(path, "rb");
        if (!file) return 1;
        const size_t count = fread(bytes, 1, sizeof bytes, file);
        (void)fclose(file);
        replay(bytes, count);
        files++;
    }
    (void)closedir(folder);
    printf("%u files\n", files);
    return files > 0 ? 0 : 1;
}
