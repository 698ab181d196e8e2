// The part of video that libav does; video.c only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum video_codec { VIDEO_CODEC_H264, VIDEO_CODEC_GIF };

struct video_stream;

struct video_stream *video_stream_open(enum video_codec codec, const char *path, int width,
                                       int height, double pictures_per_s, struct rl_error *err);
RL_CHECKED enum rl_status video_stream_add(struct video_stream *stream, const uint8_t *rgb,
                                           struct rl_error *err);
RL_CHECKED enum rl_status video_stream_end(struct video_stream *stream, struct rl_error *err);
void video_stream_close(struct video_stream *stream); // frees; NULL is fine
