/* SPDX-License-Identifier: MIT */
/*
 * How faults come to the process, and how memory gets from the arena into windows and back: by userfaultfd, or, where
 * that is forbidden, by protection faults. A machine chooses one when it is created.
 *
 * Conditions that hold for all functions:
 * - The caller holds the core's lock, or nobody else knows the machine yet. All are async-signal-safe.
 * - Addresses are page aligned. Places of a window are absent (an access raises the signal), read-only (a write does)
 * or writable. What is shown appears and disappears at once for all threads, whole pages at a time.
 * - Pages shown and slots named are neighbours. A slot whose memory has gone into a window is empty, and the caller
 *   gives it back; the tables (frame_of, frames) are changed by the caller, afterwards.
 * - Errors are errnos; nothing has changed then.
 */
#ifndef OL_LINUX_MECHANISM_H
#define OL_LINUX_MECHANISM_H

#include "machine/linux/internal.h"

struct ol_mechanism {
    int signal;                /* raised in the thread that touches a page which is absent or may not be written */
    int window_prot;           /* what a window's address space is reserved with */
    bool zeros_have_no_memory; /* memory of a frame that is to be zeros is better given back than cleared */

    /* Needs the arena. OL_OK; OL_E_UNSUPPORTED or OL_E_NO_META with a sentence in *error and nothing to close. */
    enum ol_status (*open)(struct ol_linux *machine, const struct ol_linux_options *options, const char **error);
    void (*close)(struct ol_linux *machine);
    /* In a forked child: what the kernel did not copy is made again, for all windows. As open. */
    enum ol_status (*forked)(struct ol_linux *machine, const char **error);

    /* A window just reserved; every place is absent afterwards. */
    bool (*open_window)(struct ol_pmap *pmap);
    /* Something else was mapped over [address, address + bytes) of a window: all is absent there again. */
    bool (*restore_window)(struct ol_linux *machine, char *address, size_t bytes);

    /* Makes the memory of frames[0..n), neighbouring slots, appear at absent places; *shown: how many pages. */
    int (*show)(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                uint32_t *shown);
    /* The same with zeros that have no memory yet. `access` is what the program is about to do. */
    int (*show_zeros)(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                      unsigned access, uint32_t *shown);
    /* A page that is shown becomes writable or read-only. */
    int (*change)(struct ol_pmap *pmap, char *address, bool writable);
    /* Pages that are shown become absent, their memory is in the slots. Cannot fail. */
    void (*hide)(struct ol_pmap *pmap, char *slot, char *address, uint32_t n);

    /* NULL if there is no bound on what is shown. Before pages are shown: forgets mappings if there are too many; how
     * many more are to go if showing failed (`failed`), true if there is hope now. */
    bool (*make_room)(struct ol_linux *machine, bool failed);
};

extern const struct ol_mechanism ol_mechanism_userfaultfd, ol_mechanism_protection;

#endif
