// Videos: what was put in comes out again, the same pictures give the same bytes, and a file that
// cannot be written leaves nothing behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "viewer/video.h"

#if RLRUN_HAVE_LIBAV
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#endif

enum { WIDTH = 96, HEIGHT = 64, PICTURES = 25 };

static char dir[] = "/tmp/test_viewer_video_XXXXXX";

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

// A bright square that moves over a slope of colours.
static void draw(uint8_t *rgb, int picture) {
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *pixel = rgb + (y * WIDTH + x) * 3;
            bool inside = x / 16 == picture % 6 && y / 16 == 1;
            pixel[0] = inside ? 230 : (uint8_t)(40 + x);
            pixel[1] = inside ? 40 : (uint8_t)(60 + y);
            pixel[2] = inside ? 30 : 90;
        }
    }
}

static enum rl_status record(const char *path, struct rl_error *err) {
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    struct video *video = video_create(path, WIDTH, HEIGHT, 25, err);
    if (!video) return err->code;
    for (int i = 0; i < PICTURES; i++) {
        draw(rgb, i);
        enum rl_status status = video_add(video, rgb, err);
        if (status != RL_OK) {
            video_abort(video);
            return status;
        }
    }
    return video_finish(video, err);
}

static void numbered_pngs(void **state) {
    (void)state;
    char path[128];
    struct rl_error err = {0};
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    snprintf(path, sizeof(path), "%s/clip.png", dir);
    assert_int_equal(record(path, &err), RL_OK);
    for (int i = 0; i < PICTURES; i++) {
        struct png_image image;
        snprintf(path, sizeof(path), "%s/clip-%05d.png", dir, i);
        assert_int_equal(png_read(path, &image, &err), RL_OK);
        draw(rgb, i);
        assert_true(image.width == WIDTH && image.height == HEIGHT && image.channels == 3);
        assert_memory_equal(image.pixels, rgb, sizeof(rgb));
        mem_free(image.pixels);
    }
}

static void refusals(void **state) {
    (void)state;
    struct rl_error err = {0};
    assert_null(video_create("clip.avi", WIDTH, HEIGHT, 25, &err));
    assert_int_equal(err.code, RL_EUSAGE);
    assert_null(video_create(".mp4", WIDTH, HEIGHT, 25, &err));
    assert_int_equal(err.code, RL_EUSAGE);
    assert_null(video_create("clip.mp4", WIDTH + 1, HEIGHT, 25, &err));
    assert_int_equal(err.code, RL_EUSAGE);
#if RLRUN_HAVE_LIBAV
    char path[128];
    snprintf(path, sizeof(path), "%s/missing/clip.mp4", dir);
    assert_null(video_create(path, WIDTH, HEIGHT, 25, &err));
    assert_int_equal(err.code, RL_EIO);
    assert_non_null(strstr(err.message, "No such file"));
#endif
}

#if RLRUN_HAVE_LIBAV

// Decodes a file: number of pictures, and the mean distance of the last one's luma from what was
// drawn.
struct decoded {
    int pictures, width, height;
    double duration_s, luma_error;
};

static double luma_error(const AVFrame *frame) {
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    draw(rgb, PICTURES - 1);
    double sum = 0;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const uint8_t *p = rgb + (y * WIDTH + x) * 3;
            double luma = 16 + (65.481 * p[0] + 128.553 * p[1] + 24.966 * p[2]) / 255; // BT.601
            if (frame->colorspace == AVCOL_SPC_BT709) {
                luma = 16 + 219 * (0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2]) / 255;
            }
            double got = frame->data[0][y * frame->linesize[0] + x];
            sum += got > luma ? got - luma : luma - got;
        }
    }
    return sum / (WIDTH * HEIGHT);
}

static struct decoded decode(const char *path) {
    struct decoded result = {0};
    AVFormatContext *format = NULL;
    assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
    assert_true(avformat_find_stream_info(format, NULL) >= 0);
    assert_int_equal(format->nb_streams, 1);
    const AVCodecParameters *parameters = format->streams[0]->codecpar;
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(parameters->codec_id));
    avcodec_parameters_to_context(decoder, parameters);
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc(), *last = av_frame_alloc();
    for (bool more = true; more;) {
        more = av_read_frame(format, packet) >= 0;
        avcodec_send_packet(decoder, more ? packet : NULL);
        av_packet_unref(packet);
        while (avcodec_receive_frame(decoder, frame) >= 0) {
            result.pictures++;
            av_frame_unref(last);
            av_frame_move_ref(last, frame);
        }
    }
    result.width = parameters->width;
    result.height = parameters->height;
    result.duration_s = (double)format->duration / AV_TIME_BASE;
    if (parameters->codec_id == AV_CODEC_ID_H264) result.luma_error = luma_error(last);
    av_frame_free(&frame);
    av_frame_free(&last);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    avformat_close_input(&format);
    return result;
}

static void files_play_and_repeat(void **state) {
    (void)state;
    static const char *const endings[] = {"mp4", "gif"};
    struct rl_error err = {0};
    for (int i = 0; i < 2; i++) {
        char path[2][128];
        struct bytes bytes[2];
        for (int k = 0; k < 2; k++) {
            snprintf(path[k], sizeof(path[k]), "%s/clip%d.%s", dir, k, endings[i]);
            enum rl_status status = record(path[k], &err);
            if (status == RL_EUNAVAILABLE) skip(); // a libav without H.264
            assert_int_equal(status, RL_OK);
            assert_int_equal(file_read(path[k], 1 << 24, &bytes[k], &err), RL_OK);
            char temporary[140];
            snprintf(temporary, sizeof(temporary), "%s.tmp", path[k]);
            assert_false(file_exists(temporary));
        }
        assert_int_equal(bytes[0].size, bytes[1].size);
        assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].size);
        struct decoded seen = decode(path[0]);
        assert_int_equal(seen.pictures, PICTURES);
        assert_true(seen.width == WIDTH && seen.height == HEIGHT);
        assert_true(seen.duration_s > 0.95 && seen.duration_s < 1.05);
        assert_true(seen.luma_error < 2);
        mem_free(bytes[0].data);
        mem_free(bytes[1].data);
    }
}

// /dev/full says ENOSPC to each write.
static void a_full_disk(void **state) {
    (void)state;
    char path[128], temporary[140];
    struct rl_error err = {0};
    snprintf(path, sizeof(path), "%s/full.mp4", dir);
    snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    assert_int_equal(symlink("/dev/full", temporary), 0);
    enum rl_status status = record(path, &err);
    if (status == RL_EUNAVAILABLE) skip();
    assert_int_equal(status, RL_EIO);
    assert_false(file_exists(path));
    assert_false(file_exists(temporary));
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbered_pngs),
        cmocka_unit_test(refusals),
#if RLRUN_HAVE_LIBAV
        cmocka_unit_test(files_play_and_repeat),
        cmocka_unit_test(a_full_disk),
#endif
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
