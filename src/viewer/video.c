#include "viewer/video.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "viewer/video_libav.h"

enum { PATH_BYTES = 4096, MAX_PICTURES = 100000 };

struct video {
    char path[PATH_BYTES], temporary[PATH_BYTES + 16];
    int width, height, count;
    struct video_stream *stream; // NULL: numbered PNG files
};

static bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), part = strlen(ending);
    return length > part && strcasecmp(path + length - part, ending) == 0;
}

struct video *video_create(const char *path, int width, int height, double pictures_per_s,
                           struct rl_error *err) {
    bool mp4 = ends_with(path, ".mp4"), gif = ends_with(path, ".gif");
    RL_ASSERT(width > 0 && height > 0 && pictures_per_s > 0);
    if (!mp4 && !gif && !ends_with(path, ".png")) {
        rl_fail(err, RL_EUSAGE, "%s: the name must end in .mp4, .gif or .png", path);
        return NULL;
    }
    if (strlen(path) >= PATH_BYTES - 16) {
        rl_fail(err, RL_EUSAGE, "path too long: %.60s...", path);
        return NULL;
    }
    if (mp4 && (width % 2 || height % 2)) {
        rl_fail(err, RL_EUSAGE, "%s: MP4 needs an even width and height, not %dx%d", path, width,
                height);
        return NULL;
    }
    struct video *video = MEM_NEW(struct video);
    *video = (struct video){.width = width, .height = height};
    strcpy(video->path, path);
    if (!mp4 && !gif) return video;
    snprintf(video->temporary, sizeof(video->temporary), "%s.tmp", path);
    video->stream = video_stream_open(mp4 ? VIDEO_CODEC_H264 : VIDEO_CODEC_GIF, video->temporary,
                                      width, height, pictures_per_s, VIDEO_QUALITY, err);
    if (video->stream) return video;
    video_abort(video);
    return NULL;
}

struct video *video_create_bytes(const char *ending, int width, int height, double pictures_per_s,
                                 int quality, struct rl_error *err) {
    RL_ASSERT(!strcmp(ending, ".mp4") || !strcmp(ending, ".gif"));
    struct video *video = MEM_NEW(struct video);
    video->width = width;
    video->height = height;
    enum video_codec codec = ending[1] == 'm' ? VIDEO_CODEC_H264 : VIDEO_CODEC_GIF;
    video->stream = video_stream_open(codec, NULL, width, height, pictures_per_s, quality, err);
    if (video->stream) return video;
    mem_free(video);
    return NULL;
}

enum rl_status video_finish_bytes(struct video *video, struct bytes *out, struct rl_error *err) {
    enum rl_status status = video_stream_end(video->stream, err);
    if (status == RL_OK) status = video_stream_take(video->stream, out, err);
    video_stream_close(video->stream);
    mem_free(video);
    return status;
}

static void numbered_path(const struct video *video, int number, char out[PATH_BYTES]) {
    int stem = (int)strlen(video->path) - 4; // before ".png"
    snprintf(out, PATH_BYTES, "%.*s-%05d.png", stem, video->path, number);
}

enum rl_status video_add(struct video *video, const uint8_t *rgb, struct rl_error *err) {
    if (video->count >= MAX_PICTURES) {
        return rl_fail(err, RL_EUSAGE, "%s: more than %d pictures; record fewer seconds",
                       video->path, MAX_PICTURES);
    }
    int number = video->count++;
    if (video->stream) return video_stream_add(video->stream, rgb, err);
    char path[PATH_BYTES];
    numbered_path(video, number, path);
    return png_write(path, rgb, video->width, video->height, 3, err);
}

enum rl_status video_finish(struct video *video, struct rl_error *err) {
    enum rl_status status = RL_OK;
    if (video->stream) {
        status = video_stream_end(video->stream, err);
        video_stream_close(video->stream);
        video->stream = NULL;
        if (status == RL_OK && rename(video->temporary, video->path) != 0) {
            status = rl_fail(err, RL_EIO, "cannot rename to %s: %m", video->path);
        }
    }
    if (status == RL_OK) {
        mem_free(video);
    } else {
        video_abort(video);
    }
    return status;
}

void video_abort(struct video *video) {
    if (!video) return;
    video_stream_close(video->stream);
    if (video->temporary[0]) unlink(video->temporary);
    for (int i = 0; i < video->count && video->path[0] && !video->temporary[0]; i++) {
        char path[PATH_BYTES];
        numbered_path(video, i, path);
        unlink(path);
    }
    mem_free(video);
}

enum rl_status video_gif(const uint8_t *rgb, int n, int width, int height, double pictures_per_s,
                         struct bytes *out, struct rl_error *err) {
    struct video *video = video_create_bytes(".gif", width, height, pictures_per_s, 0, err);
    if (!video) return err->code;
    for (int i = 0; i < n; i++) {
        const uint8_t *picture = rgb + (size_t)i * (size_t)width * (size_t)height * 3;
        if (video_add(video, picture, err) == RL_OK) continue;
        video_abort(video);
        return err->code;
    }
    return video_finish_bytes(video, out, err);
}
