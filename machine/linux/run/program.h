/* SPDX-License-Identifier: MIT */
/* Programs, before they are executed: can the runtime be loaded into them? */
#ifndef OL_RUN_PROGRAM_H
#define OL_RUN_PROGRAM_H

/* Room for what is read on the way. */
struct ol_program_scratch {
    char path[4096];
    char head[512]; /* the kernel reads half of it for the first line of a script */
};

/* Why nothing can be loaded into the program that execve would start from this file, relative to `folder` (AT_FDCWD:
 * the current one); NULL if it can. Scripts are followed to their interpreters; then *file, unless that is NULL, is the
 * interpreter's, in the scratch. What cannot be found is none of this function's business: NULL. Async-signal-safe. */
const char *ol_program_unsuitable(int folder, const char *path, struct ol_program_scratch *scratch, const char **file);

#endif
