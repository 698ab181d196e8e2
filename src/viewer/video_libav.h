// The part of video that libav does; video.c only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"

enum video_codec { VIDEO_CODEC_H264, VIDEO_CODEC_GIF };

struct video_stream;

#define VIDEO_QUALITY 18 // of H.264 (libx264's crf): cannot be told from the pictures

// path NULL: into memory.
struct video_stream *video_stream_open(enum video_codec codec, const char *path, int width,
                                       int height, double pictures_per_s, int quality,
                                       struct rl_error *err);
RL_CHECKED enum rl_status video_stream_add(struct video_stream *stream, const uint8_t *rgb,
                                           struct rl_error *err);
RL_CHECKED enum rl_status video_stream_end(struct video_stream *stream, struct rl_error *err);
// Into memory: what was written, after the end.
RL_CHECKED enum rl_status video_stream_take(struct video_stream *stream, struct bytes *out,
                                            struct rl_error *err);
void video_stream_close(struct video_stream *stream); // frees; NULL is fine
