/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/channel.h"

#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_options.h"
#include "pub_tool_vki.h"

enum {
    HEADER_WORDS = sizeof(struct ol_wire_header) / sizeof(UInt), /* room before the words of a message */
    MESSAGE_WORDS = (OL_WIRE_MESSAGE_BYTES - sizeof(struct ol_wire_header)) / sizeof(UInt),
};

static UInt buffer[HEADER_WORDS + OL_CHANNEL_WORDS] __attribute__((aligned(8)));
static UInt *const first = buffer + HEADER_WORDS;
UInt *ol_channel_at = buffer + HEADER_WORDS;
UInt *const ol_channel_end = buffer + HEADER_WORDS + OL_CHANNEL_WORDS;
static Int pipe_fd = -1;
static Int process;

static void send(const void *message, SizeT bytes)
{
    const Char *from = message;
    while (bytes > 0 && pipe_fd >= 0) {
        const Int written = VG_(write)(pipe_fd, from, bytes);
        if (written == -VKI_EINTR) continue;
        if (written <= 0) pipe_fd = -1; /* nobody listens any more; the program goes on */
        else {
            from += written;
            bytes -= written;
        }
    }
}

/* The header of each message but the first overwrites words that are sent. */
void ol_channel_flush(void)
{
    for (UInt *words = first; words < ol_channel_at; words += MESSAGE_WORDS) {
        const SizeT count = ol_channel_at - words < MESSAGE_WORDS ? ol_channel_at - words : MESSAGE_WORDS;
        const struct ol_wire_header header = {sizeof header + count * sizeof *words, process};
        VG_(memcpy)(words - HEADER_WORDS, &header, sizeof header);
        send(words - HEADER_WORDS, header.bytes);
    }
    ol_channel_at = first;
}

void ol_channel_need_room(UInt words)
{
    if (ol_channel_at + words > ol_channel_end) ol_channel_flush();
}

void ol_channel_put_range(enum ol_wire_type type, Addr address, SizeT bytes)
{
    ol_channel_need_room(5);
    put(word(type, 0));
    put_wide(address);
    put_wide(bytes);
}

/* The core's, though not declared for tools: moves a descriptor to where the program neither sees nor closes it, and
 * keeps it from programs that are executed. */
extern Int VG_(safe_fd)(Int descriptor);

void ol_channel_open(const HChar *pipe)
{
    if (!pipe) VG_(fmsg_bad_option)("--pipe", "this tool is started by `onelevel record`\n");
    const Int fd = VG_(fd_open)(pipe, VKI_O_WRONLY, 0);
    if (fd < 0) {
        VG_(umsg)("onelevel record: %s cannot be opened\n", pipe);
        VG_(exit)(1);
    }
    pipe_fd = VG_(safe_fd)(fd);
    process = VG_(getpid)();
}

void ol_channel_forked(Bool told)
{
    const Int parent = process;
    process = VG_(getpid)();
    if (!told) {
        VG_(close)(pipe_fd);
        pipe_fd = -1;
        return;
    }
    put(word(OL_WIRE_FORK, 0));
    put((UInt)parent);
}
