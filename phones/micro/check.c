/* The test program: tiny-96 on a picture whose answers are known. Ends with status 0 where all of them are the same.
 *
 *   cc -std=c99 -O2 -Wall -Wextra -Werror -o check phones/micro/check.c -lm && ./check
 *
 * On a board give main() another name, and printf somewhere to go. */
#include <stdio.h>

#include "tiny_96.h"
#include "tiny_96_expected.h"

static uint32_t crc32_of(const int8_t *bytes, size_t count) {
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < count; i++) {
        crc ^= (uint8_t)bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

int main(void) {
    static int8_t arena[BLAZEFACE_TINY_96_ARENA];
    static uint8_t square[BLAZEFACE_TINY_96_SIDE * BLAZEFACE_TINY_96_SIDE];
    blazeface_micro_face faces[32];
    int wrong = 0;

    blazeface_micro_square(tiny_96_picture, BLAZEFACE_TINY_96_SIDE, BLAZEFACE_TINY_96_SIDE, square, BLAZEFACE_TINY_96_SIDE);
    if (memcmp(square, tiny_96_picture, sizeof square)) printf("the square is another\n"), wrong++;

    const int count = blazeface_micro_detect(&tiny_96, square, arena, faces, 32);
    for (int i = 0; i < tiny_96.map_count; i++) {
        const blazeface_micro_map *map = tiny_96.maps + i;
        const size_t anchors = (size_t)map->cells * map->cells * map->anchors;
        const uint32_t scores = crc32_of(arena + map->scores, anchors);
        const uint32_t regressions = crc32_of(arena + map->regressions, anchors * BLAZEFACE_MICRO_COORDS);
        printf("map %d: scores %08x, regressions %08x\n", i, (unsigned)scores, (unsigned)regressions);
        wrong += scores != tiny_96_crc32[i];
        wrong += regressions != tiny_96_crc32[tiny_96.map_count + i];
    }
    wrong += count != tiny_96_face_count;
    for (int i = 0; i < count; i++) {
        const float *found = &faces[i].score;
        printf("face %.4f at %.4f %.4f %.4f %.4f\n", (double)found[0], (double)found[1], (double)found[2], (double)found[3],
               (double)found[4]);
        for (int j = 0; i < tiny_96_face_count && j <= BLAZEFACE_MICRO_COORDS; j++)
            wrong += !(fabsf(found[j] - tiny_96_faces[i][j]) < 1e-4F);
    }
    if (wrong) printf("%d numbers are not those that are expected\n", wrong);
    else printf("all as expected\n");
    return wrong != 0;
}
