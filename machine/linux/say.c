/* SPDX-License-Identifier: MIT */
#include "machine/linux/say.h"

#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 512 };

struct line {
    char text[LINE_BYTES];
    size_t length;
};

static void append(struct line *line, const char *text)
{
    const size_t room = LINE_BYTES - line->length;
    size_t length = text ? strlen(text) : 0;
    if (length > room) length = room;
    if (length) memcpy(line->text + line->length, text, length);
    line->length += length;
}

void ol_say(const char *first, const char *second, const char *third)
{
    struct line line = {.length = 0};
    append(&line, "onelevel: ");
    append(&line, first);
    append(&line, second);
    append(&line, third);
    if (line.length == LINE_BYTES) line.length--;
    append(&line, "\n");
    (void)!write(STDERR_FILENO, line.text, line.length);
}
