/* BlazeFace on a microcontroller: C99, no allocation, no other library than <math.h> and <string.h>.
 *
 * A network's header (tiny_96.h, written by `python -m tools.microcontroller`) holds its .tflite file as an array, which
 * TensorFlow Lite Micro runs as well, and a plan: what is computed in which order, and where in memory. With an interpreter of your
 * own give its outputs to blazeface_micro_faces; without one, blazeface_micro_run computes them in plain C, to the last bit as
 * TensorFlow Lite's reference kernels do. Coordinates are in units of the square's side. */
#ifndef BLAZEFACE_MICRO_H
#define BLAZEFACE_MICRO_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef BLAZEFACE_MICRO_CANDIDATES
#define BLAZEFACE_MICRO_CANDIDATES 64 /* the best that are kept of one picture; 72 bytes each */
#endif
#define BLAZEFACE_MICRO_KEYPOINTS 6 /* right eye, left eye, nose tip, mouth centre, right ear, left ear; the person's own */
#define BLAZEFACE_MICRO_COORDS (4 + 2 * BLAZEFACE_MICRO_KEYPOINTS)

enum { BLAZEFACE_CONV, BLAZEFACE_DEPTHWISE, BLAZEFACE_ADD, BLAZEFACE_MAX_POOL, BLAZEFACE_PAD, BLAZEFACE_RESIZE };

/* real = multiplier * 2^(shift - 31) */
typedef struct {
    int32_t multiplier;
    int8_t shift;
} blazeface_micro_scale;

/* One operation on square maps (row, column, channel). input, second, output: bytes into the arena. weights, bias: bytes into the
 * model. scales: of the first output channel; of ADD those of its two inputs and its output. */
typedef struct {
    uint8_t kind, kernel, stride;
    int8_t low, in_zero, second_zero, out_zero;
    uint16_t in_side, out_side, in_channels, out_channels, scales;
    uint32_t input, second, output, weights, bias;
} blazeface_micro_step;

/* Anchors of one size of maps: cells along a side, anchors of a cell, and where their answers lie and what they mean:
 * real = scale * (q - zero). */
typedef struct {
    uint8_t cells, anchors;
    uint32_t scores, regressions;
    float score_scale, regression_scale;
    int8_t score_zero, regression_zero;
} blazeface_micro_map;

typedef struct {
    const uint8_t *model;
    const blazeface_micro_step *steps;
    const blazeface_micro_scale *scales;
    const blazeface_micro_map *maps;
    uint16_t step_count, side;
    uint8_t map_count;
    uint32_t input, arena_bytes;
    float decode_scale, score_threshold, blend_iou;
} blazeface_micro_network;

typedef struct {
    float score, x1, y1, x2, y2;
    float keypoints[2 * BLAZEFACE_MICRO_KEYPOINTS]; /* x, y of each */
} blazeface_micro_face;

static inline int32_t blazeface_micro_scaled(int32_t value, blazeface_micro_scale scale) {
    const int up = scale.shift > 0 ? scale.shift : 0, down = scale.shift < 0 ? -scale.shift : 0;
    const int64_t product = (int64_t)value * (1 << up) * scale.multiplier;
    const int64_t half = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    const int32_t high = (int32_t)((product + half) / ((int64_t)1 << 31));
    const int32_t mask = (int32_t)(((int64_t)1 << down) - 1), rest = high & mask;
    return (high >> down) + (rest > (mask >> 1) + (high < 0 ? 1 : 0) ? 1 : 0);
}

static inline int8_t blazeface_micro_clamped(int32_t value, int32_t low) {
    return (int8_t)(value < low ? low : value > 127 ? 127 : value);
}

static inline int32_t blazeface_micro_bias(const uint8_t *model, uint32_t place) {
    return (int32_t)((uint32_t)model[place] | (uint32_t)model[place + 1] << 8 | (uint32_t)model[place + 2] << 16 |
                     (uint32_t)model[place + 3] << 24);
}

/* CONV_2D and DEPTHWISE_CONV_2D: padding is SAME, an odd surplus to the right and the bottom. */
static void blazeface_micro_convolve(const blazeface_micro_network *net, const blazeface_micro_step *s, int8_t *arena) {
    const int8_t *x = arena + s->input;
    const int8_t *weights = (const int8_t *)(net->model + s->weights);
    int8_t *y = arena + s->output;
    const int side = s->in_side, total = (s->out_side - 1) * s->stride + s->kernel - side;
    const int before = total > 0 ? total / 2 : 0;
    const int deep = s->kind == BLAZEFACE_DEPTHWISE;
    for (int row = 0; row < s->out_side; row++)
        for (int column = 0; column < s->out_side; column++)
            for (int out = 0; out < s->out_channels; out++) {
                int32_t sum = 0;
                for (int i = 0; i < s->kernel; i++) {
                    const int r = row * s->stride - before + i;
                    if (r < 0 || r >= side) continue;
                    for (int j = 0; j < s->kernel; j++) {
                        const int c = column * s->stride - before + j;
                        if (c < 0 || c >= side) continue;
                        const int8_t *from = x + (r * side + c) * s->in_channels;
                        if (deep) {
                            sum += (from[out] - s->in_zero) * weights[(i * s->kernel + j) * s->out_channels + out];
                        } else {
                            const int8_t *w = weights + ((out * s->kernel + i) * s->kernel + j) * s->in_channels;
                            for (int in = 0; in < s->in_channels; in++) sum += (from[in] - s->in_zero) * w[in];
                        }
                    }
                }
                sum += blazeface_micro_bias(net->model, s->bias + 4 * (uint32_t)out);
                *y++ = blazeface_micro_clamped(blazeface_micro_scaled(sum, net->scales[s->scales + out]) + s->out_zero, s->low);
            }
}

static void blazeface_micro_add(const blazeface_micro_network *net, const blazeface_micro_step *s, int8_t *arena) {
    const blazeface_micro_scale *scales = net->scales + s->scales;
    const int count = s->out_side * s->out_side * s->out_channels;
    for (int i = 0; i < count; i++) {
        const int32_t one = (arena[s->input + i] - s->in_zero) * (1 << 20);
        const int32_t other = (arena[s->second + i] - s->second_zero) * (1 << 20);
        const int32_t sum = blazeface_micro_scaled(one, scales[0]) + blazeface_micro_scaled(other, scales[1]);
        arena[s->output + i] = blazeface_micro_clamped(blazeface_micro_scaled(sum, scales[2]) + s->out_zero, s->low);
    }
}

static void blazeface_micro_pool(const blazeface_micro_step *s, int8_t *arena) {
    int8_t *y = arena + s->output;
    for (int row = 0; row < s->out_side; row++)
        for (int column = 0; column < s->out_side; column++)
            for (int c = 0; c < s->out_channels; c++) {
                int8_t most = s->low;
                for (int i = 0; i < 4; i++) {
                    const int place = (2 * row + i / 2) * s->in_side + 2 * column + i % 2;
                    const int8_t value = arena[s->input + place * s->in_channels + c];
                    if (value > most) most = value;
                }
                *y++ = most;
            }
}

static void blazeface_micro_pad(const blazeface_micro_step *s, int8_t *arena) {
    for (int place = 0; place < s->out_side * s->out_side; place++) {
        int8_t *y = arena + s->output + place * s->out_channels;
        memcpy(y, arena + s->input + place * s->in_channels, s->in_channels);
        memset(y + s->in_channels, s->out_zero, (size_t)(s->out_channels - s->in_channels));
    }
}

/* Twice the size, bilinear between pixel centres, in steps of 1/1024 of a pixel. */
static void blazeface_micro_resize(const blazeface_micro_step *s, int8_t *arena) {
    const int8_t *x = arena + s->input;
    int8_t *y = arena + s->output;
    const int last = s->in_side - 1;
    for (int row = 0; row < s->out_side; row++) {
        const int at_y = row * 512 + 256 - 512, y0 = at_y < 0 ? 0 : at_y / 1024, down = at_y - 1024 * y0;
        const int y1 = (at_y + 1023) / 1024 < last ? (at_y + 1023) / 1024 : last;
        for (int column = 0; column < s->out_side; column++) {
            const int at_x = column * 512 + 256 - 512, x0 = at_x < 0 ? 0 : at_x / 1024, right = at_x - 1024 * x0;
            const int x1 = (at_x + 1023) / 1024 < last ? (at_x + 1023) / 1024 : last;
            for (int c = 0; c < s->out_channels; c++) {
                const int64_t sum =
                    (int64_t)x[(y0 * s->in_side + x0) * s->in_channels + c] * (1024 - down) * (1024 - right) +
                    (int64_t)x[(y1 * s->in_side + x0) * s->in_channels + c] * down * (1024 - right) +
                    (int64_t)x[(y0 * s->in_side + x1) * s->in_channels + c] * (1024 - down) * right +
                    (int64_t)x[(y1 * s->in_side + x1) * s->in_channels + c] * down * right;
                *y++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
        }
    }
}

/* The network's answers for a grey square (side * side bytes, row by row). arena: net->arena_bytes, where the answers then are. */
static void blazeface_micro_run(const blazeface_micro_network *net, const uint8_t *grey, int8_t *arena) {
    for (int i = 0; i < net->side * net->side; i++) arena[net->input + i] = (int8_t)(grey[i] - 128);
    for (int i = 0; i < net->step_count; i++) {
        const blazeface_micro_step *s = net->steps + i;
        switch (s->kind) {
            case BLAZEFACE_ADD: blazeface_micro_add(net, s, arena); break;
            case BLAZEFACE_MAX_POOL: blazeface_micro_pool(s, arena); break;
            case BLAZEFACE_PAD: blazeface_micro_pad(s, arena); break;
            case BLAZEFACE_RESIZE: blazeface_micro_resize(s, arena); break;
            default: blazeface_micro_convolve(net, s, arena);
        }
    }
}

static float blazeface_micro_overlap(const blazeface_micro_face *a, const blazeface_micro_face *b) {
    const float w = fminf(a->x2, b->x2) - fmaxf(a->x1, b->x1), h = fminf(a->y2, b->y2) - fmaxf(a->y1, b->y1);
    const float shared = w > 0 && h > 0 ? w * h : 0;
    const float all = (a->x2 - a->x1) * (a->y2 - a->y1) + (b->x2 - b->x1) * (b->y2 - b->y1) - shared;
    return all > 0 ? shared / all : 0;
}

/* Candidates of one size of maps into `found`, which holds `count`, and more than its room never; how many it holds then. */
static int blazeface_micro_candidates(const blazeface_micro_network *net, const blazeface_micro_map *map, const int8_t *scores,
                                      const int8_t *regressions, float threshold, blazeface_micro_face *found, int count) {
    for (int cell = 0; cell < map->cells * map->cells; cell++)
        for (int anchor = 0; anchor < map->anchors; anchor++) {
            const int place = cell * map->anchors + anchor;
            const float score = 1 / (1 + expf(-map->score_scale * (float)(scores[place] - map->score_zero)));
            if (!(score >= threshold)) continue;
            int slot = count;
            if (count == BLAZEFACE_MICRO_CANDIDATES) { /* the worst gives way */
                slot = 0;
                for (int i = 1; i < count; i++)
                    if (found[i].score < found[slot].score) slot = i;
                if (found[slot].score >= score) continue;
            }
            float v[BLAZEFACE_MICRO_COORDS];
            for (int i = 0; i < BLAZEFACE_MICRO_COORDS; i++)
                v[i] = map->regression_scale * (float)(regressions[place * BLAZEFACE_MICRO_COORDS + i] - map->regression_zero) /
                       net->decode_scale;
            const float x = ((float)(cell % map->cells) + .5F) / map->cells, y = ((float)(cell / map->cells) + .5F) / map->cells;
            if (!(v[2] > 0 && v[3] > 0)) continue;
            blazeface_micro_face *face = found + slot;
            face->score = score;
            face->x1 = x + v[0] - v[2] / 2;
            face->y1 = y + v[1] - v[3] / 2;
            face->x2 = x + v[0] + v[2] / 2;
            face->y2 = y + v[1] + v[3] / 2;
            for (int i = 0; i < BLAZEFACE_MICRO_KEYPOINTS; i++) {
                face->keypoints[2 * i] = x + v[4 + 2 * i];
                face->keypoints[2 * i + 1] = y + v[5 + 2 * i];
            }
            count += slot == count;
        }
    return count;
}

/* Faces from the answers of all maps: scores[i] and regressions[i] of net->maps[i]. threshold: net->score_threshold, or what you
 * want. At most `most` faces, the best first; how many there are. */
static int blazeface_micro_faces(const blazeface_micro_network *net, const int8_t *const *scores, const int8_t *const *regressions,
                                 float threshold, blazeface_micro_face *faces, int most) {
    static blazeface_micro_face found[BLAZEFACE_MICRO_CANDIDATES];
    int count = 0, given = 0;
    for (int i = 0; i < net->map_count; i++)
        count = blazeface_micro_candidates(net, net->maps + i, scores[i], regressions[i], threshold, found, count);
    while (count > 0 && given < most) {
        int first = 0, left = 0;
        for (int i = 1; i < count; i++)
            if (found[i].score > found[first].score) first = i;
        const blazeface_micro_face best = found[first];
        blazeface_micro_face sum;
        float *total = &sum.x1, weight = 0;
        memset(&sum, 0, sizeof sum);
        for (int i = 0; i < count; i++) { /* all that overlap the best become one, weighed by their scores */
            if (i != first && blazeface_micro_overlap(&best, found + i) <= net->blend_iou) {
                found[left++] = found[i];
                continue;
            }
            weight += found[i].score;
            for (int j = 0; j < BLAZEFACE_MICRO_COORDS; j++) total[j] += found[i].score * (&found[i].x1)[j];
        }
        for (int j = 0; j < BLAZEFACE_MICRO_COORDS; j++) total[j] /= weight;
        sum.score = best.score;
        faces[given++] = sum;
        count = left;
    }
    return given;
}

/* A picture in, faces out: blazeface_micro_run and blazeface_micro_faces. */
static inline int blazeface_micro_detect(const blazeface_micro_network *net, const uint8_t *grey, int8_t *arena,
                                         blazeface_micro_face *faces, int most) {
    const int8_t *scores[4], *regressions[4];
    blazeface_micro_run(net, grey, arena);
    for (int i = 0; i < net->map_count && i < 4; i++) {
        scores[i] = arena + net->maps[i].scores;
        regressions[i] = arena + net->maps[i].regressions;
    }
    return blazeface_micro_faces(net, scores, regressions, net->score_threshold, faces, most);
}

/* A square of `side` from a grey picture of any size, without distortion, in the middle of black: each pixel is the mean of those
 * that it covers. */
static inline void blazeface_micro_square(const uint8_t *grey, int width, int height, uint8_t *square, int side) {
    const int longer = width > height ? width : height;
    const int w = (width * side + longer / 2) / longer, h = (height * side + longer / 2) / longer;
    const int inner_w = w < 1 ? 1 : w, inner_h = h < 1 ? 1 : h, left = (side - inner_w) / 2, top = (side - inner_h) / 2;
    memset(square, 0, (size_t)side * (size_t)side);
    for (int row = 0; row < inner_h; row++)
        for (int column = 0; column < inner_w; column++) {
            const int y0 = row * height / inner_h, x0 = column * width / inner_w;
            const int y1 = (row + 1) * height / inner_h, x1 = (column + 1) * width / inner_w;
            const int y2 = y1 > y0 ? y1 : y0 + 1, x2 = x1 > x0 ? x1 : x0 + 1;
            uint32_t sum = 0, pixels = (uint32_t)((y2 - y0) * (x2 - x0));
            for (int y = y0; y < y2; y++)
                for (int x = x0; x < x2; x++) sum += grey[y * width + x];
            square[(top + row) * side + left + column] = (uint8_t)((sum + pixels / 2) / pixels);
        }
}

#endif
