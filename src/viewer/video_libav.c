#include "viewer/video_libav.h"

#if RLRUN_HAVE_LIBAV

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include <string.h>

#include "base/mem.h"
#include "viewer/palette.h"

#define SCALER_PAD 64 // bytes; its vectors are at most that wide

struct video_stream {
    const char *path; // the caller's; NULL: into memory
    enum video_codec codec;
    int width, height;
    int64_t count;
    AVFormatContext *format;
    AVCodecContext *encoder;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scaler; // RGB to YUV, for H.264
    struct palette palette;    // for GIF
    uint8_t *padded;           // a picture for the scaler, which reads a little beyond its end
};

static enum rl_status av_failed(const struct video_stream *s, const char *what, int code,
                                struct rl_error *err) {
    char text[AV_ERROR_MAX_STRING_SIZE];
    const char *advice = code == AVERROR(ENOSPC) ? "; free some space and try again" : "";
    av_strerror(code, text, sizeof(text));
    return rl_fail(err, RL_EIO, "cannot %s %s: %s%s", what, s->path ? s->path : "a clip", text,
                   advice);
}

static enum rl_status open_encoder(struct video_stream *s, AVRational rate, int quality,
                                   struct rl_error *err) {
    bool h264 = s->codec == VIDEO_CODEC_H264;
    const AVCodec *codec = avcodec_find_encoder(h264 ? AV_CODEC_ID_H264 : AV_CODEC_ID_GIF);
    if (!codec) {
        return rl_fail(err, RL_EUNAVAILABLE,
                       "this libav has no %s encoder; install one with it, or record to .png",
                       h264 ? "H.264" : "GIF");
    }
    s->encoder = avcodec_alloc_context3(codec);
    if (!s->encoder) return rl_fail(err, RL_ENOMEM, "out of memory: video encoder");
    s->encoder->width = s->width;
    s->encoder->height = s->height;
    s->encoder->time_base = av_inv_q(rate);
    s->encoder->framerate = rate;
    s->encoder->pix_fmt = h264 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_PAL8;
    s->encoder->thread_count = 1; // the same bytes whatever the machine
    s->encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    if (s->format->oformat->flags & AVFMT_GLOBALHEADER) {
        s->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    if (h264) {
        s->encoder->colorspace = AVCOL_SPC_BT709;
        s->encoder->color_primaries = AVCOL_PRI_BT709;
        s->encoder->color_trc = AVCOL_TRC_BT709;
        s->encoder->color_range = AVCOL_RANGE_MPEG;
        av_opt_set_double(s->encoder->priv_data, "crf", quality, 0);
        av_opt_set(s->encoder->priv_data, "preset", "medium", 0);
    }
    int code = avcodec_open2(s->encoder, codec, NULL);
    return code < 0 ? av_failed(s, "encode", code, err) : RL_OK;
}

static enum rl_status open_picture(struct video_stream *s, struct rl_error *err) {
    s->frame = av_frame_alloc();
    s->packet = av_packet_alloc();
    if (!s->frame || !s->packet) return rl_fail(err, RL_ENOMEM, "out of memory: video picture");
    s->frame->format = s->encoder->pix_fmt;
    s->frame->width = s->width;
    s->frame->height = s->height;
    s->frame->color_range = s->encoder->color_range;
    s->frame->colorspace = s->encoder->colorspace;
    int code = av_frame_get_buffer(s->frame, 0);
    if (code < 0) return av_failed(s, "make a picture for", code, err);
    if (s->codec == VIDEO_CODEC_GIF) return RL_OK;
    s->scaler = sws_getContext(s->width, s->height, AV_PIX_FMT_RGB24, s->width, s->height,
                               AV_PIX_FMT_YUV420P, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT,
                               NULL, NULL, NULL);
    s->padded = mem_alloc(3 * (size_t)s->width * (size_t)s->height + SCALER_PAD);
    if (!s->scaler) return rl_fail(err, RL_ENOMEM, "out of memory: colour conversion");
    const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(s->scaler, bt709, 1, bt709, 0, 0, 1 << 16, 1 << 16);
    return RL_OK;
}

static enum rl_status open_file(struct video_stream *s, struct rl_error *err) {
    s->stream = avformat_new_stream(s->format, NULL);
    if (!s->stream) return rl_fail(err, RL_ENOMEM, "out of memory: video stream");
    s->stream->time_base = s->encoder->time_base;
    s->stream->avg_frame_rate = s->encoder->framerate;
    int code = avcodec_parameters_from_context(s->stream->codecpar, s->encoder);
    if (code >= 0 && !s->path) code = avio_open_dyn_buf(&s->format->pb);
    if (code >= 0 && s->path) code = avio_open(&s->format->pb, s->path, AVIO_FLAG_WRITE);
    if (code < 0) return av_failed(s, "write", code, err);
    AVDictionary *options = NULL; // the index first, so that a browser plays before it has it all
    if (s->codec == VIDEO_CODEC_H264 && s->path) av_dict_set(&options, "movflags", "+faststart", 0);
    code = avformat_write_header(s->format, &options);
    av_dict_free(&options);
    return code < 0 ? av_failed(s, "write", code, err) : RL_OK;
}

struct video_stream *video_stream_open(enum video_codec codec, const char *path, int width,
                                       int height, double pictures_per_s, int quality,
                                       struct rl_error *err) {
    struct video_stream *s = MEM_NEW(struct video_stream);
    *s = (struct video_stream){.path = path, .codec = codec, .width = width, .height = height};
    const char *format = codec == VIDEO_CODEC_H264 ? "mp4" : "gif";
    av_log_set_level(AV_LOG_FATAL); // failures are told by status, not on stderr
    enum rl_status status = RL_OK;
    int code = avformat_alloc_output_context2(&s->format, NULL, format, path);
    if (code < 0) {
        status =
            rl_fail(err, RL_EUNAVAILABLE, "this libav cannot write %s; record to .png", format);
    } else {
        s->format->flags |= AVFMT_FLAG_BITEXACT;
        status = open_encoder(s, av_d2q(pictures_per_s, 1000000), quality, err);
    }
    if (status == RL_OK) status = open_picture(s, err);
    if (status == RL_OK) status = open_file(s, err);
    if (status == RL_OK) return s;
    video_stream_close(s);
    return NULL;
}

// Writes what the encoder has ready; picture NULL asks for the rest.
static enum rl_status encode(struct video_stream *s, const AVFrame *picture, struct rl_error *err) {
    int code = avcodec_send_frame(s->encoder, picture);
    while (code >= 0) {
        code = avcodec_receive_packet(s->encoder, s->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return RL_OK;
        if (code < 0) break;
        s->packet->stream_index = s->stream->index;
        if (s->packet->duration == 0) s->packet->duration = 1;
        av_packet_rescale_ts(s->packet, s->encoder->time_base, s->stream->time_base);
        code = av_interleaved_write_frame(s->format, s->packet);
        if (code >= 0 && s->format->pb->error < 0) code = s->format->pb->error;
    }
    return av_failed(s, "write", code, err);
}

// The colours of the first picture serve all.
static void to_palette(struct video_stream *s, const uint8_t *rgb) {
    if (s->count == 0) palette_make(&s->palette, rgb, s->width * s->height);
    uint32_t *colours = (uint32_t *)s->frame->data[1];
    for (int i = 0; i < PALETTE_COLOURS; i++) {
        const uint8_t *c = s->palette.colour[i];
        colours[i] = 0xff000000u | (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    }
    palette_apply(&s->palette, rgb, s->width, s->height, s->frame->data[0], s->frame->linesize[0]);
}

enum rl_status video_stream_add(struct video_stream *s, const uint8_t *rgb, struct rl_error *err) {
    int code = av_frame_make_writable(s->frame);
    if (code < 0) return av_failed(s, "make a picture for", code, err);
    if (s->codec == VIDEO_CODEC_GIF) {
        to_palette(s, rgb);
    } else {
        const int stride = 3 * s->width;
        memcpy(s->padded, rgb, (size_t)stride * (size_t)s->height);
        const uint8_t *source = s->padded;
        sws_scale(s->scaler, &source, &stride, 0, s->height, s->frame->data, s->frame->linesize);
    }
    s->frame->pts = s->count++;
    return encode(s, s->frame, err);
}

enum rl_status video_stream_end(struct video_stream *s, struct rl_error *err) {
    enum rl_status status = encode(s, NULL, err);
    if (status != RL_OK) return status;
    int code = av_write_trailer(s->format);
    if (code >= 0) avio_flush(s->format->pb);
    if (code >= 0 && s->format->pb->error < 0) code = s->format->pb->error;
    if (code < 0) return av_failed(s, "write", code, err);
    if (!s->path) return RL_OK;
    code = avio_closep(&s->format->pb);
    return code < 0 ? av_failed(s, "write", code, err) : RL_OK;
}

enum rl_status video_stream_take(struct video_stream *s, struct bytes *out, struct rl_error *err) {
    uint8_t *data = NULL;
    int size = avio_close_dyn_buf(s->format->pb, &data);
    s->format->pb = NULL;
    if (size <= 0) {
        av_free(data);
        return rl_fail(err, RL_ENOMEM, "out of memory: a clip");
    }
    out->size = (size_t)size;
    out->data = mem_alloc(out->size + 1);
    memcpy(out->data, data, out->size);
    out->data[size] = 0;
    av_free(data);
    return RL_OK;
}

void video_stream_close(struct video_stream *s) {
    if (!s) return;
    if (s->format && s->format->pb && s->path) avio_closep(&s->format->pb);
    if (s->format && s->format->pb) {
        uint8_t *dropped = NULL;
        avio_close_dyn_buf(s->format->pb, &dropped);
        av_free(dropped);
    }
    sws_freeContext(s->scaler);
    mem_free(s->padded);
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->encoder);
    avformat_free_context(s->format);
    mem_free(s);
}

#else

struct video_stream *video_stream_open(enum video_codec codec, const char *path, int width,
                                       int height, double pictures_per_s, int quality,
                                       struct rl_error *err) {
    (void)codec;
    (void)width;
    (void)height;
    (void)quality;
    (void)pictures_per_s;
    rl_fail(err, RL_EUNAVAILABLE,
            "cannot write %s: rlrun was built without libav (libavcodec-dev, libavformat-dev, "
            "libswscale-dev); record to .png",
            path ? path : "a clip");
    return NULL;
}

enum rl_status video_stream_add(struct video_stream *stream, const uint8_t *rgb,
                                struct rl_error *err) {
    (void)stream;
    (void)rgb;
    return rl_fail(err, RL_EUNAVAILABLE, "built without libav");
}

enum rl_status video_stream_end(struct video_stream *stream, struct rl_error *err) {
    (void)stream;
    return rl_fail(err, RL_EUNAVAILABLE, "built without libav");
}

enum rl_status video_stream_take(struct video_stream *stream, struct bytes *out,
                                 struct rl_error *err) {
    (void)stream;
    (void)out;
    return rl_fail(err, RL_EUNAVAILABLE, "built without libav");
}

void video_stream_close(struct video_stream *stream) {
    (void)stream;
}

#endif
