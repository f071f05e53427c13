/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "machine/sim/format.h"

const struct ol_sim_format *const ol_sim_formats[] = {
    &ol_sim_atlas,      &ol_sim_vax,  &ol_sim_s370, &ol_sim_s370_2k, &ol_sim_s370_1m,
    &ol_sim_s370_2k_1m, &ol_sim_ia32, &ol_sim_pae,  &ol_sim_amd64,   &ol_sim_la57,
    &ol_sim_sv39,       &ol_sim_sv48, NULL};

const struct ol_sim_format *ol_sim_format_find(const char *name)
{
    const struct ol_sim_format *const *format = ol_sim_formats;
    while (*format && strcmp((*format)->is.name, name) != 0) format++;
    return *format;
}
