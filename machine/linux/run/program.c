/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SCRIPTS_MAX = 5 /* one more than the kernel follows */, LOADER_BYTES = 256 };

static const char not_elf[] = "is not a program for x86-64";

/* Does it gain rights when it is executed? Then the loader does not hear of LD_PRELOAD (ld.so(8), secure mode). */
static bool gains_rights(int fd)
{
    struct stat status;
    char capability[1];
    if (syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || syscall(SYS_fstat, fd, &status)) return false;
    if (status.st_mode & S_ISUID && status.st_uid != (uid_t)syscall(SYS_getuid)) return true;
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != (gid_t)syscall(SYS_getgid))
        return true;
    if (syscall(SYS_getuid) == 0) return false;
    return syscall(SYS_fgetxattr, fd, "security.capability", capability, (size_t)0) > 0;
}

static bool read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
    return syscall(SYS_pread64, fd, to, bytes, (long)offset) == (long)bytes;
}

/* The loader that the program names; false: none. */
static bool find_loader(int fd, const Elf64_Ehdr *header, char loader[LOADER_BYTES])
{
    for (int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        if (!read_at(fd, &segment, sizeof(segment), header->e_phoff + (uint64_t)i * header->e_phentsize)) return false;
        if (segment.p_type != PT_INTERP) continue;
        const size_t bytes = segment.p_filesz < LOADER_BYTES ? segment.p_filesz : LOADER_BYTES - 1;
        loader[bytes] = '\0';
        return read_at(fd, loader, bytes, segment.p_offset);
    }
    return false;
}

static const char *unsuitable_elf(int fd, const Elf64_Ehdr *header)
{
    char loader[LOADER_BYTES];
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64) return not_elf;
    if (!find_loader(fd, header, loader)) return "is statically linked: nothing can be loaded into it";
    if (!strstr(loader, "ld-linux-x86-64.so")) return "does not use the GNU C library: the runtime cannot be loaded";
    return gains_rights(fd)
               ? "gains rights when it is executed (set-user-ID or capabilities): nothing can be loaded into it"
               : NULL;
}

/* The interpreter in the first line of a script, made a string in place; NULL if it names none. */
static const char *interpreter(char *head)
{
    char *name = head + 2 + strspn(head + 2, " \t");
    name[strcspn(name, " \t\n")] = '\0';
    return *name ? name : NULL;
}

const char *ol_program_unsuitable(int folder, const char *path, struct ol_program_scratch *scratch, const char **file)
{
    for (int scripts = 0; scripts < SCRIPTS_MAX; scripts++) {
        const char *why = NULL;
        const int fd = (int)syscall(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
        if (fd < 0) return errno == EACCES ? "cannot be read: nothing is known of it" : NULL;
        const long length = syscall(SYS_pread64, fd, scratch->head, sizeof(scratch->head) - 1, 0L);
        scratch->head[length > 0 ? length : 0] = '\0';
        const bool is_script = strncmp(scratch->head, "#!", 2) == 0;
        if (length >= (long)sizeof(Elf64_Ehdr) && memcmp(scratch->head, ELFMAG, SELFMAG) == 0) {
            Elf64_Ehdr header;
            memcpy(&header, scratch->head, sizeof(header));
            why = unsuitable_elf(fd, &header);
        }
        (void)syscall(SYS_close, fd);
        const char *next = is_script ? interpreter(scratch->head) : NULL;
        if (!next || strlen(next) >= sizeof(scratch->path)) return why;
        memcpy(scratch->path, next, strlen(next) + 1);
        path = scratch->path;
        folder = AT_FDCWD;
        if (file) *file = path;
    }
    return NULL;
}
