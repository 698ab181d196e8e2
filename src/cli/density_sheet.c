#include <stdint.h>

#include "cli/density_sheet.h"

#include "base/mem.h"
#include "base/png_file.h"

#define LINE 96 // gray of the lines between pictures

enum rl_status density_sheet_write(const char *path, const uint8_t *gray, int count, int h, int w,
                                   int columns, struct rl_error *err) {
    int scale = h * w <= 64 * 64 ? 2 : 1, rows = (count + columns - 1) / columns;
    int height = rows * (h * scale + 1) + 1, width = columns * (w * scale + 1) + 1;
    uint8_t *sheet = mem_try_alloc((size_t)height * (size_t)width, "the sheet of pictures", err);
    if (!sheet) return err->code;
    for (size_t i = 0; i < (size_t)height * (size_t)width; i++) sheet[i] = LINE;
    for (int k = 0; k < count; k++) {
        int top = k / columns * (h * scale + 1) + 1, left = k % columns * (w * scale + 1) + 1;
        for (int y = 0; y < h * scale; y++) {
            for (int x = 0; x < w * scale; x++)
                sheet[(size_t)(top + y) * width + left + x] =
                    gray[((size_t)k * h + y / scale) * w + x / scale];
        }
    }
    enum rl_status status = png_write(path, sheet, width, height, 1, err);
    mem_free(sheet);
    return status;
}
